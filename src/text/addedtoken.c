/*
 * addedtoken.c -- see addedtoken.h.
 *
 * The raw text is searched in chunks, just ahead of the normaliser, whose
 * fence is where the search has come to.  A token that takes the white space
 * before it along (lstrip) may yet claim the spaces at the end of a chunk,
 * so the fence stays before them.  All searches are linear in the text, times
 * the length of the longest added token.
 */
#include "text/addedtoken.h"

#include "text/utf8.h"

#include <string.h>

#define CHUNK 4096

/* ---- the raw text ---- */

/* Length of the longest added token that begins at p, 0: none. */
static size_t
match_raw(const DbertTextStream *s, const uint8_t *p, int32_t *which)
{
	const DbertTrieUnit *units = dbert_image_units(s->image);
	int32_t		node = s->image->raw;
	size_t		longest = 0;

	for (const uint8_t *q = p; q < s->end; q++)
	{
		node = dbert_trie_step(units, node, *q);
		if (node < 0)
			break;
		if (units[node].value >= 0 && units[node].value < s->image->n_added)
		{
			*which = units[node].value;
			longest = (size_t) (q + 1 - p);
		}
	}
	return longest;
}

static bool
is_single_word(const DbertTextStream *s, const uint8_t *start, const uint8_t *end)
{
	uint32_t	cp;

	if (start > s->text && dbert_utf8_decode_before(s->text, start, &cp) > 0 &&
		dbert_char_is_word(cp))
		return false;
	return !(end < s->end && dbert_utf8_decode(end, s->end, &cp) > 0 && dbert_char_is_word(cp));
}

/* Where the white space before p begins, within the piece. */
static const uint8_t *
spaces_before(const DbertTextStream *s, const uint8_t *p)
{
	const uint8_t *low = s->searched > s->piece ? s->searched : s->piece;
	uint32_t	cp;
	int			len;

	while (p > low && (len = dbert_utf8_decode_before(low, p, &cp)) > 0 && dbert_char_is_space(cp))
		p -= len;
	return p > low ? p : s->spaces_from;
}

/* Where the white space after p ends. */
static DbertNext
spaces_after(DbertTextStream *s, const uint8_t *p, const uint8_t **end)
{
	uint32_t	cp;
	int			len;

	if (s->spaces_to < p)
		s->spaces_to = p;
	for (size_t n = 1; s->spaces_to < s->end; n++)
	{
		if (n % CHUNK == 0 && dbert_norm_poll(&s->norm) == DBERT_NEXT_FAILED)
			return DBERT_NEXT_FAILED;
		len = dbert_utf8_decode(s->spaces_to, s->end, &cp);
		if (len == 0 || !dbert_char_is_space(cp))
			break;
		s->spaces_to += len;
	}
	*end = s->spaces_to;
	return DBERT_NEXT_CHAR;
}

/* The match of len bytes at p counts: it ends the piece. */
static DbertNext
accept_raw(DbertTextStream *s, const uint8_t *p, size_t len, const DbertImageAdded *added)
{
	s->found = added;
	s->found_start = added->lstrip ? spaces_before(s, p) : p;
	s->found_end = p + len;
	if (added->rstrip && spaces_after(s, p + len, &s->found_end) == DBERT_NEXT_FAILED)
		return DBERT_NEXT_FAILED;
	s->searched = s->spaces_from = p + len;
	s->norm.fence = s->found_start > s->piece ? s->found_start : s->piece;
	s->norm.closed = true;
	return DBERT_NEXT_CHAR;
}

/* DbertNormalizer.extend: search one chunk more. */
static DbertNext
extend_piece(void *ctx)
{
	DbertTextStream *s = ctx;
	const DbertTokImage *image = s->image;
	const uint8_t *p = s->searched;
	const uint8_t *limit = s->end - p > CHUNK ? p + CHUNK : s->end;

	if (s->norm.until_poll < 0 && dbert_norm_poll(&s->norm) == DBERT_NEXT_FAILED)
		return DBERT_NEXT_FAILED;
	if (image->raw < 0)
		p = s->end;
	while (p < limit)
	{
		int32_t		which;
		size_t		len = image->raw_first[*p] ? match_raw(s, p, &which) : 0;
		const DbertImageAdded *added = dbert_image_added(image);

		if (len > 0 && (!added[which].single_word || is_single_word(s, p, p + len)))
		{
			s->norm.until_poll -= (int32_t) (p + len - s->searched);
			return accept_raw(s, p, len, &added[which]);
		}
		p += len > 0 ? len : 1;
	}
	for (int i = 0; i < 3 && p < s->end && dbert_utf8_is_tail(*p); i++)
		p++;
	s->norm.until_poll -= CHUNK;
	s->spaces_from = image->any_lstrip ? spaces_before(s, p) : p;
	s->searched = p;
	s->norm.closed = (p == s->end);
	s->norm.fence = s->norm.closed ? p : s->spaces_from;
	return DBERT_NEXT_CHAR;
}

/* ---- the normalised text ---- */

/* The next normalised character of the piece. */
static inline DbertNext
next_normalized(DbertTextStream *s, DbertChar *ch)
{
	return s->steps.n == 0 ? dbert_norm_next(&s->norm, ch) : dbert_chain_next(&s->steps, ch);
}

/* Make window[first + at] exist. */
static DbertNext
read_ahead(DbertTextStream *s, size_t at)
{
	while (s->count <= at)
	{
		DbertNext	next;

		if (s->first > 0 && s->first + s->count == s->capacity)
		{
			memmove(s->window, s->window + s->first, s->count * sizeof(DbertChar));
			s->first = 0;
		}
		if (!dbert_grow(s->alloc, &s->window, &s->capacity, s->first + s->count,
						s->first + s->count + 1, sizeof(DbertChar)))
			return dbert_norm_fail(&s->norm, DBERT_E_NOMEM, "out of memory");
		next = next_normalized(s, &s->window[s->first + s->count]);
		if (next != DBERT_NEXT_CHAR)
			return next;
		s->count++;
	}
	return DBERT_NEXT_CHAR;
}

static DbertChar
take_ahead(DbertTextStream *s)
{
	DbertChar	ch = s->window[s->first];

	s->count--;
	s->first = s->count > 0 ? s->first + 1 : 0;
	s->before = ch.cp;
	return ch;
}

/* Characters of the longest match at the window's beginning, 0: none. */
static DbertNext
match_normalized(DbertTextStream *s, size_t *longest, int32_t *which)
{
	const DbertTrieUnit *units = dbert_image_units(s->image);
	int32_t		node = s->image->normalized;
	DbertNext	next;

	*longest = 0;
	for (size_t i = 0; (next = read_ahead(s, i)) == DBERT_NEXT_CHAR; i++)
	{
		uint8_t		bytes[4];
		int			len = dbert_utf8_encode(s->window[s->first + i].cp, bytes);

		for (int b = 0; b < len && node >= 0; b++)
			node = dbert_trie_step(units, node, bytes[b]);
		if (node < 0)
			break;
		if (units[node].value >= 0 && units[node].value < s->image->n_added)
		{
			*which = units[node].value;
			*longest = i + 1;
		}
	}
	return next == DBERT_NEXT_FAILED ? next : DBERT_NEXT_CHAR;
}

/* Take a character of a match, which may be white space at its ends. */
static void
take_of_match(DbertTextStream *s, DbertAddedHit *hit, bool *any)
{
	DbertChar	ch = take_ahead(s);

	hit->end = ch.end;
	if (!dbert_char_is_space(ch.cp))
	{
		*any = true;
		hit->spaces_after = 0;
		return;
	}
	hit->spaces_before += !*any;
	hit->spaces_after++;
}

/* Take the match of n characters and the white space around it. */
static DbertNext
accept_normalized(DbertTextStream *s, size_t n, const DbertImageAdded *added, DbertAddedHit *hit)
{
	DbertNext	next;
	bool		any = false;

	*hit = (DbertAddedHit) {.id = added->id, .start = s->window[s->first].start};
	if (added->lstrip && s->in_spaces)
	{
		hit->start = s->spaces_start;
		hit->spaces_before = hit->spaces_after = s->n_spaces;
	}
	while (n-- > 0)
		take_of_match(s, hit, &any);
	s->in_spaces = false;
	if (!added->rstrip)
		return DBERT_NEXT_ADDED;
	while ((next = read_ahead(s, 0)) == DBERT_NEXT_CHAR &&
		   dbert_char_is_space(s->window[s->first].cp))
		take_of_match(s, hit, &any);
	return next == DBERT_NEXT_FAILED ? next : DBERT_NEXT_ADDED;
}

static DbertNext
next_with_normalized(DbertTextStream *s, DbertChar *ch, DbertAddedHit *hit)
{
	DbertNext	next = read_ahead(s, 0);
	size_t		len = 0;
	int32_t		which;

	if (next != DBERT_NEXT_CHAR)
		return next;
	if (s->exempt > 0)
		s->exempt--;
	else if (match_normalized(s, &len, &which) == DBERT_NEXT_FAILED)
		return DBERT_NEXT_FAILED;
	if (len > 0)
	{
		const DbertImageAdded *added = dbert_image_added(s->image) + which;
		bool		apart = true;

		if (added->single_word)
		{
			next = read_ahead(s, len);
			if (next == DBERT_NEXT_FAILED)
				return next;
			apart = !dbert_char_is_word(s->before) &&
				!(next == DBERT_NEXT_CHAR && dbert_char_is_word(s->window[s->first + len].cp));
		}
		if (apart)
			return accept_normalized(s, len, added, hit);
		s->exempt = len - 1;
	}
	*ch = take_ahead(s);
	if (!dbert_char_is_space(ch->cp))
		s->in_spaces = false;
	else if (!s->in_spaces)
	{
		s->in_spaces = true;
		s->spaces_start = ch->start;
		s->n_spaces = 0;
	}
	s->n_spaces++;
	return DBERT_NEXT_CHAR;
}

/* ---- both ---- */

/* DbertChain.source */
static DbertNext
next_of_source(void *ctx, DbertChar *out)
{
	DbertTextStream *s = ctx;

	return dbert_norm_next(&s->norm, out);
}

void
dbert_text_open(DbertTextStream *s, const DbertTokImage *image, const char *text, size_t len,
				const DbertAllocator *alloc, const DbertPoll *poll, DbertError *err)
{
	memset(s, 0, sizeof(*s));
	s->image = image;
	s->alloc = alloc;
	s->text = s->searched = s->piece = s->spaces_from = s->spaces_to = (const uint8_t *) text;
	s->end = s->text + len;
	s->norm.rules = dbert_image_rules(image);
	s->norm.end = s->end;
	s->norm.fence = s->text;
	s->norm.extend = extend_piece;
	s->norm.ctx = s;
	s->norm.poll = poll;
	s->norm.err = err;
	dbert_norm_begin(&s->norm, (DbertCursor) {s->text, 0});
	s->steps.steps = dbert_image_steps(image);
	s->steps.n = image->n_normalizers;
	s->steps.data = dbert_image_data(image);
	s->steps.alloc = alloc;
	s->steps.norm = &s->norm;
	s->steps.source = next_of_source;
	s->steps.ctx = s;
}

void
dbert_text_close(DbertTextStream *s)
{
	dbert_chain_close(&s->steps);
	dbert_free(s->alloc, s->window);
	s->window = NULL;
}

/* Count the white space at the ends of a token's text. */
static void
count_spaces(const uint8_t *p, const uint8_t *end, DbertAddedHit *hit)
{
	bool		any = false;
	uint32_t	cp;

	hit->spaces_before = hit->spaces_after = 0;
	for (int len; p < end && (len = dbert_utf8_decode(p, end, &cp)) > 0; p += len)
	{
		bool		space = dbert_char_is_space(cp);

		any = any || !space;
		hit->spaces_before += !any;
		hit->spaces_after = space ? hit->spaces_after + 1 : 0;
	}
}

/* The piece is over: give out the token after it and begin the next piece. */
static void
take_found(DbertTextStream *s, DbertAddedHit *hit)
{
	DbertCursor at = s->norm.at.in.in;

	/* the token may begin before the piece: in spaces that an rstrip took */
	if (s->found_start < s->piece)
		at.index -= dbert_utf8_count((const char *) s->found_start, s->piece - s->found_start);
	hit->id = s->found->id;
	hit->start = at.index;
	hit->end = at.index + dbert_utf8_count((const char *) s->found_start,
										   s->found_end - s->found_start);
	count_spaces(s->found_start, s->found_end, hit);

	s->found = NULL;
	s->piece = s->found_end;
	if (s->spaces_from < s->piece)
		s->spaces_from = s->piece;
	s->norm.fence = s->piece;
	s->norm.closed = false;
	dbert_norm_begin(&s->norm, (DbertCursor) {s->piece, hit->end});
	dbert_chain_begin(&s->steps);
	s->exempt = 0;
	s->before = 0;
	s->in_spaces = false;
}

DbertNext
dbert_text_next(DbertTextStream *s, DbertChar *ch, DbertAddedHit *hit)
{
	for (;;)
	{
		DbertNext	next = s->image->normalized >= 0 ?
			next_with_normalized(s, ch, hit) : next_normalized(s, ch);

		if (next != DBERT_NEXT_END || s->found == NULL)
			return next;
		take_found(s, hit);
		/*
		 * a token of white space alone, all taken by the one before, leaves
		 * nothing
		 */
		if (hit->start < hit->end)
			return DBERT_NEXT_ADDED;
	}
}
