/*
 * chunk.c -- see chunk.h.
 *
 * Phases: tokenise; cut words that fit no chunk into parts; walk through text
 * and tokens together and note, for the gap before each token, what kind of
 * border it is and where the text before it ends; choose borders, greedily.
 *
 * Every chunk begins at a word or at such a part, which was tokenised by itself
 * (chunkwords.c), and without white space: tokens that hold nothing else belong
 * to neither side.  A chunk whose first word brought a space along is counted
 * again by itself.
 * No border is inside a character, though it may be several tokens (a Korean
 * syllable in vocabularies of letters): so each chunk has one character of its
 * own at least, and a character that has no room is refused.
 *
 * A sentence ends at a full stop of some script, a question or exclamation
 * mark, quotes and brackets behind it included, if white space follows and then
 * no lower-case letter ("e.g. this"); ideographic stops need no white space; an
 * empty line ends one, too.
 */
#include "text/chunk.h"

#include "text/chartype.h"
#include "text/chunkwords.h"
#include "text/sentences.h"
#include "text/utf8.h"

typedef enum Border
{
	BORDER_NONE,				/* inside a word */
	BORDER_WORD,				/* between two words of the tokenizer: "don" and "'" */
	BORDER_IDEOGRAPH,			/* before one, or its bracket */
	BORDER_SPACE,
	BORDER_SENTENCE
} Border;

/* The gap before a token, in characters of the text, white space apart. */
typedef struct Gap
{
	uint8_t		border;
	int32_t		end;			/* of the text before it */
	int32_t		start;			/* of the text behind it */
} Gap;

typedef struct Chunking
{
	const DbertTokenizer *tokenizer;
	const uint8_t *at,
			   *text_end;
	int32_t		chars;			/* before at */
	const DbertToken *tokens;	/* [n], without those of the template */
	int32_t		n;
	Gap		   *gaps;			/* [n + 1]: the last one is behind the last token */

	/* what stands before at */
	int32_t		end;			/* behind the last character that is no white space */
	DbertSentenceEnd last;
	bool		opened;			/* by a bracket or a quote */
	bool		cjk;
	int			lines;			/* ends of lines since then */
	bool		space;
} Chunking;

/* ---- borders ---- */

/* Take the next character into account. */
static DbertStatus
step(Chunking *c, const DbertPoll *poll, DbertError *err)
{
	uint32_t	cp;
	int			len = dbert_utf8_decode(c->at, c->text_end, &cp);

	if (len == 0)
		return dbert_fail(err, DBERT_E_ENCODING, "text is not valid UTF-8");
	c->at += len;
	c->chars++;
	if (c->chars % 65536 == 0 && dbert_stopped(poll))
		return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
	if (dbert_char_is_space(cp))
	{
		c->space = true;
		c->lines += cp == '\n' || cp == 0x2029;
		return DBERT_OK;
	}
	dbert_sentence_end_read(&c->last, cp, c->space);
	c->opened = dbert_opens_sentence(cp);
	c->cjk = dbert_char_is_cjk(cp);
	c->space = false;
	c->lines = 0;
	c->end = c->chars;
	return DBERT_OK;
}

/* The border before token i, which begins at c->at, white space apart. */
static Border
border_before(const Chunking *c, int32_t i)
{
	uint32_t	next = dbert_char_at(c->at, c->text_end);

	if (i == c->n || i == 0)
		return BORDER_SENTENCE;
	if (c->tokens[i].word == c->tokens[i - 1].word || dbert_shares_character(c->tokens, i))
		return BORDER_NONE;
	if (c->lines > 1 ||
		(c->last.stopped && c->space && !dbert_continues_sentence(next)) ||
		(c->last.stopped && c->last.ideographic && !dbert_closes_sentence(next)))
		return BORDER_SENTENCE;
	if (c->space)
		return BORDER_SPACE;
	if ((dbert_char_is_cjk(next) && !c->opened) || (c->cjk && dbert_opens_sentence(next)))
		return BORDER_IDEOGRAPH;
	return BORDER_WORD;
}

static DbertStatus
find_gaps(Chunking *c, const DbertPoll *poll, DbertError *err)
{
	for (int32_t i = 0; i <= c->n; i++)
	{
		if (i % 4096 == 0 && dbert_stopped(poll))
			return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
		while (i == c->n ? c->at < c->text_end : c->chars < c->tokens[i].start)
			DBERT_TRY(step(c, poll, err));
		while (dbert_char_is_space(dbert_char_at(c->at, c->text_end)))
			DBERT_TRY(step(c, poll, err));
		c->gaps[i] = (Gap) {border_before(c, i), c->end, c->chars};
	}
	return DBERT_OK;
}

/* ---- chunks ---- */

/* The last border of this kind or a better one in from .. to; -1: none. */
static int32_t
last_border(const Chunking *c, Border kind, int32_t from, int32_t to)
{
	for (int32_t i = to; i >= from; i--)
		if (c->gaps[i].border >= kind)
			return i;
	return -1;
}

static int32_t
first_border(const Chunking *c, Border kind, int32_t from, int32_t to)
{
	for (int32_t i = from; i <= to; i++)
		if (c->gaps[i].border >= kind)
			return i;
	return -1;
}

/*
 * Where the chunk ends that begins with token from and has room for so many,
 * behind the last one's end.  There is a word's end for it: see choose_start.
 */
static int32_t
choose_end(const Chunking *c, int32_t from, int32_t room, int32_t last_end)
{
	int32_t		half = from + (room + 1) / 2,
				full = from + room,
				end = -1;

	if (c->n - from <= room)
		return c->n;
	half = half > last_end ? half : last_end + 1;
	for (Border kind = BORDER_SENTENCE; end < 0 && kind >= BORDER_IDEOGRAPH; kind--)
		end = last_border(c, kind, half, full);
	for (Border kind = BORDER_SPACE; end < 0 && kind > BORDER_NONE; kind--)
		end = last_border(c, kind, last_end + 1, full);
	return end;
}

/*
 * Where the chunk behind from .. end begins.  The overlap gives way to a next
 * word that there would be no room for.
 */
static int32_t
choose_start(const Chunking *c, int32_t from, int32_t end, int32_t room, int32_t overlap)
{
	int32_t		earliest = end - overlap > from ? end - overlap : from + 1,
				start = -1;

	for (Border kind = BORDER_SENTENCE; start < 0 && kind > BORDER_NONE; kind--)
		start = first_border(c, kind, earliest, end - 1);
	if (start < 0 ||
		(c->n - start > room && last_border(c, BORDER_WORD, end + 1, start + room) < 0))
		return end;
	return start;
}

/* Is token i white space alone? */
static bool
is_blank(const Chunking *c, int32_t i)
{
	return i < c->n && c->gaps[i].start >= c->tokens[i].end;
}

static int32_t
skip_blanks(const Chunking *c, int32_t i)
{
	while (is_blank(c, i))
		i++;
	return i;
}

/*
 * *excess = how many tokens more than room the chunk from .. end has by itself.
 * Its first word may have other tokens there than behind a space.
 */
static DbertStatus
measure(DbertTextPlace *place, const Chunking *c, int32_t from, int32_t end, int32_t room,
		const DbertAllocator *alloc, const DbertPoll *poll, int32_t *excess, DbertError *err)
{
	DbertTextPlace behind;
	int64_t		tokens;

	*excess = 0;
	if (dbert_tokenizer_has_pieces(c->tokenizer) || c->gaps[from].start >= c->gaps[end].end)
		return DBERT_OK;
	dbert_text_go(place, c->gaps[from].start);
	behind = *place;
	dbert_text_go(&behind, c->gaps[end].end);
	DBERT_TRY(dbert_count_tokens(c->tokenizer, (const char *) place->at, behind.at - place->at,
								 alloc, poll, &tokens, err));
	*excess = (int32_t) (tokens - dbert_template_size(c->tokenizer->single)) - room;
	return DBERT_OK;
}

/*
 * The next chunk that fits, from *from or, without overlap, from last_end on,
 * to *end, behind last_end.  A word fits by itself: see chunkwords.h.
 */
static DbertStatus
choose_chunk(DbertTextPlace *place, const Chunking *c, int32_t room, int32_t last_end,
			 const DbertAllocator *alloc, const DbertPoll *poll,
			 int32_t *from, int32_t *end, DbertError *err)
{
	int32_t		left = room,
				excess;

	for (;;)
	{
		*end = left > 0 ? choose_end(c, *from, left, last_end) : -1;
		if (*end <= last_end && *from < last_end)
		{
			*from = skip_blanks(c, last_end);
			left = room;
			continue;
		}
		if (*end <= last_end)
			*end = first_border(c, BORDER_WORD, last_end + 1, c->n);
		*end = skip_blanks(c, *end);
		DBERT_TRY(measure(place, c, *from, *end, room, alloc, poll, &excess, err));
		if (excess <= 0 || left <= 0)
			return DBERT_OK;
		left -= excess;
	}
}

static DbertStatus
choose_chunks(const Chunking *c, const char *text, size_t len, int32_t room, int32_t overlap,
			  const DbertAllocator *alloc, const DbertPoll *poll,
			  DbertChunk **chunks, int *count, DbertError *err)
{
	DbertTextPlace place = dbert_text_begin(text, len);
	size_t		capacity = 0;
	int32_t		from = skip_blanks(c, 0),
				end = from;

	while (end < c->n)
	{
		if (dbert_stopped(poll))
			return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
		DBERT_TRY(choose_chunk(&place, c, room, end, alloc, poll, &from, &end, err));
		if (!dbert_grow(alloc, chunks, &capacity, *count, (size_t) *count + 1, sizeof(**chunks)))
			return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
		(*chunks)[(*count)++] = (DbertChunk) {c->gaps[from].start, c->gaps[end].end};
		from = skip_blanks(c, choose_start(c, from, end, room, overlap));
	}
	return DBERT_OK;
}

/* ---- interface ---- */

static DbertStatus
chunk_tokens(const DbertTokenizer *t, const DbertTokenList *list, const char *text, size_t len,
			 int32_t room, int32_t overlap, const DbertAllocator *alloc, const DbertPoll *poll,
			 DbertChunk **chunks, int *count, DbertError *err)
{
	Chunking	c = {.tokenizer = t,
	.at = (const uint8_t *) text,.text_end = (const uint8_t *) text + len,
	.tokens = list->items + t->single->head,.n = dbert_own_tokens(t, list)};
	DbertStatus status;

	c.gaps = dbert_alloc_zero(alloc, (size_t) c.n + 1, sizeof(*c.gaps));
	if (c.gaps == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	status = find_gaps(&c, poll, err);
	if (status == DBERT_OK)
		status = choose_chunks(&c, text, len, room, overlap, alloc, poll, chunks, count, err);
	dbert_free(alloc, c.gaps);
	return status;
}

DbertStatus
dbert_chunk(const DbertTokenizer *t, const char *text, size_t len, int32_t max_tokens,
			int32_t overlap, const DbertAllocator *alloc, const DbertPoll *poll,
			DbertChunk **chunks, int *count, DbertError *err)
{
	DbertTokenList list = {NULL, 0, 0};
	int32_t		added = dbert_template_size(t->single),
				room = max_tokens > added ? max_tokens - added : 0;
	bool		truncated;
	DbertStatus status;

	*chunks = NULL;
	*count = 0;
	if (room < 1 || overlap < 0 || overlap > room / 2)
		return dbert_fail(err, DBERT_E_INVALID, "no chunks of %d tokens that overlap by %d",
						  (int) max_tokens, (int) overlap);
	status = dbert_tokenize(t, text, len, NULL, 0, DBERT_CHUNK_TEXT_TOKENS, alloc, poll, &list,
							&truncated, err);
	if (status == DBERT_OK && truncated)
		status =
			dbert_fail(err, DBERT_E_LIMIT, "text has more than %d tokens", DBERT_CHUNK_TEXT_TOKENS);
	if (status == DBERT_OK)
		status = dbert_chunk_words(t, text, len, room, alloc, poll, &list, err);
	if (status == DBERT_OK)
		status = chunk_tokens(t, &list, text, len, room, overlap, alloc, poll, chunks, count,
							  err);
	dbert_token_list_free(&list, alloc);
	if (status != DBERT_OK)
	{
		dbert_free(alloc, *chunks);
		*chunks = NULL;
		*count = 0;
	}
	return status;
}
