/*
 * chunk.c -- see chunk.h.
 *
 * Phases: tokenise; walk through text and tokens together and note, for the gap
 * before each token, what kind of border it is and where the text before it
 * ends; choose borders, greedily.
 *
 * A sentence ends at a full stop of some script, a question or exclamation
 * mark, quotes and brackets behind it included, if white space follows and then
 * no lower-case letter ("e.g. this"); ideographic stops need no white space; an
 * empty line ends one, too.
 */
#include "text/chunk.h"

#include "text/chartype.h"
#include "text/utf8.h"

#include <utf8proc.h>

typedef enum Border
{
	BORDER_NONE,				/* inside a word */
	BORDER_WORD,				/* between two words of the tokenizer: "don" and "'" */
	BORDER_SPACE,
	BORDER_SENTENCE
} Border;

/* The gap before a token. */
typedef struct Gap
{
	uint8_t		border;
	int32_t		end;			/* of the text before it, white space apart: characters */
} Gap;

typedef struct Chunking
{
	const uint8_t *at,
			   *text_end;
	int32_t		chars;			/* before at */
	const DbertToken *tokens;	/* [n], without those of the template */
	int32_t		n;
	Gap		   *gaps;			/* [n + 1]: the last one is behind the last token */

	/* what stands before at */
	int32_t		end;			/* behind the last character that is no white space */
	bool		stopped;		/* by a full stop, and what may stand behind one */
	bool		ideographic;	/* that needs no white space */
	int			lines;			/* ends of lines since then */
	bool		space;
} Chunking;

/* ---- sentences ---- */

static bool
is_one_of(uint32_t cp, const uint32_t *list)
{
	for (; *list != 0; list++)
		if (*list == cp)
			return true;
	return false;
}

static bool
ends_sentence(uint32_t cp)
{
	/* and: ellipsis, interrobang, Arabic question mark and full stop, danda */
	static const uint32_t stops[] = {'.', '!', '?', 0x2026, 0x203d, 0x61f, 0x6d4, 0x964, 0};

	return is_one_of(cp, stops);
}

static bool
is_ideographic_stop(uint32_t cp)
{
	static const uint32_t stops[] = {0x3002, 0xff01, 0xff0e, 0xff1f, 0xff61, 0};

	return is_one_of(cp, stops);
}

/* Quotes and brackets that may close a sentence. */
static bool
closes(uint32_t cp)
{
	static const uint32_t closers[] = {
		'"', '\'', ')', ']', '}', 0xbb, 0x2019, 0x201d, 0x203a, 0x3009, 0x300b, 0x300d, 0x300f, 0xff09, 0
	};

	return is_one_of(cp, closers);
}

/* ---- borders ---- */

/* Take the next character into account. */
static DbertStatus
step(Chunking *c, DbertError *err)
{
	uint32_t	cp;
	int			len = dbert_utf8_decode(c->at, c->text_end, &cp);

	if (len == 0)
		return dbert_fail(err, DBERT_E_ENCODING, "text is not valid UTF-8");
	c->at += len;
	c->chars++;
	if (dbert_char_is_space(cp))
	{
		c->space = true;
		c->lines += cp == '\n' || cp == 0x2029;
		return DBERT_OK;
	}
	if (!closes(cp))
		c->ideographic = is_ideographic_stop(cp);
	c->stopped = ends_sentence(cp) || c->ideographic || (closes(cp) && c->stopped && !c->space);
	c->space = false;
	c->lines = 0;
	c->end = c->chars;
	return DBERT_OK;
}

/* The border before token i, which begins at c->at. */
static Border
border_before(const Chunking *c, int32_t i)
{
	uint32_t	next = 0;

	if (i == c->n || i == 0)
		return BORDER_SENTENCE;
	if (c->tokens[i].word == c->tokens[i - 1].word)
		return BORDER_NONE;
	(void) dbert_utf8_decode(c->at, c->text_end, &next);
	if (c->lines > 1 || (c->stopped && c->space && utf8proc_category((utf8proc_int32_t) next) != UTF8PROC_CATEGORY_LL) ||
		(c->stopped && c->ideographic && !closes(next)))
		return BORDER_SENTENCE;
	return c->space ? BORDER_SPACE : BORDER_WORD;
}

static DbertStatus
find_gaps(Chunking *c, const DbertPoll *poll, DbertError *err)
{
	for (int32_t i = 0; i <= c->n; i++)
	{
		if (i % 4096 == 0 && dbert_stopped(poll))
			return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
		while (i == c->n ? c->at < c->text_end : c->chars < c->tokens[i].start)
			DBERT_TRY(step(c, err));
		c->gaps[i].border = border_before(c, i);
		c->gaps[i].end = c->end;
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

/* Where the chunk ends that begins with token from and has room for so many; behind the last one's end. */
static int32_t
choose_end(const Chunking *c, int32_t from, int32_t room, int32_t last_end)
{
	int32_t		half = from + (room + 1) / 2,
				full,
				end;

	if (c->n - from <= room)
		return c->n;
	full = from + room;
	end = last_border(c, BORDER_SENTENCE, half > last_end ? half : last_end + 1, full);
	for (Border kind = BORDER_SPACE; end < 0 && kind > BORDER_NONE; kind--)
		end = last_border(c, kind, last_end + 1, full);
	return end < 0 ? full : end;
}

/* Where the chunk behind from .. end begins. */
static int32_t
choose_start(const Chunking *c, int32_t from, int32_t end, int32_t overlap)
{
	int32_t		earliest = end - overlap > from ? end - overlap : from + 1,
				start = -1;

	for (Border kind = BORDER_SENTENCE; start < 0 && kind > BORDER_NONE; kind--)
		start = first_border(c, kind, earliest, end - 1);
	return start < 0 ? end : start;
}

static DbertStatus
choose_chunks(const Chunking *c, int32_t room, int32_t overlap,
			  const DbertAllocator *alloc, const DbertPoll *poll,
			  DbertChunk **chunks, int *count, DbertError *err)
{
	size_t		capacity = 0;
	int32_t		from = 0,
				end = 0;

	while (end < c->n)
	{
		if (dbert_stopped(poll))
			return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
		end = choose_end(c, from, room, end);
		if (!dbert_grow(alloc, chunks, &capacity, *count, (size_t) *count + 1, sizeof(**chunks)))
			return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
		(*chunks)[(*count)++] = (DbertChunk) {c->tokens[from].start, c->gaps[end].end};
		from = choose_start(c, from, end, overlap);
	}
	return DBERT_OK;
}

/* ---- interface ---- */

static DbertStatus
chunk_tokens(const DbertTokenList *list, const char *text, size_t len, int32_t room, int32_t overlap,
			 const DbertAllocator *alloc, const DbertPoll *poll,
			 DbertChunk **chunks, int *count, DbertError *err)
{
	Chunking	c = {.at = (const uint8_t *) text,.text_end = (const uint8_t *) text + len,
	.tokens = list->items + 1,.n = (int32_t) list->count - 2};
	DbertStatus status;

	c.gaps = dbert_alloc_zero(alloc, (size_t) c.n + 1, sizeof(*c.gaps));
	if (c.gaps == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	status = find_gaps(&c, poll, err);
	if (status == DBERT_OK)
		status = choose_chunks(&c, room, overlap, alloc, poll, chunks, count, err);
	dbert_free(alloc, c.gaps);
	return status;
}

DbertStatus
dbert_chunk(const DbertTokenizer *t, const char *text, size_t len, int32_t max_tokens, int32_t overlap,
			const DbertAllocator *alloc, const DbertPoll *poll,
			DbertChunk **chunks, int *count, DbertError *err)
{
	DbertTokenList list = {NULL, 0, 0};
	bool		truncated;
	DbertStatus status;

	*chunks = NULL;
	*count = 0;
	if (max_tokens < 3 || overlap < 0 || overlap > (max_tokens - 2) / 2)
		return dbert_fail(err, DBERT_E_INVALID, "no chunks of %d tokens that overlap by %d", (int) max_tokens, (int) overlap);
	status = dbert_tokenize(t, text, len, NULL, 0, DBERT_CHUNK_TEXT_TOKENS, alloc, poll, &list, &truncated, err);
	if (status == DBERT_OK && truncated)
		status = dbert_fail(err, DBERT_E_LIMIT, "text has more than %d tokens", DBERT_CHUNK_TEXT_TOKENS);
	if (status == DBERT_OK)
		status = chunk_tokens(&list, text, len, max_tokens - 2, overlap, alloc, poll, chunks, count, err);
	dbert_token_list_free(&list, alloc);
	if (status != DBERT_OK)
	{
		dbert_free(alloc, *chunks);
		*chunks = NULL;
		*count = 0;
	}
	return status;
}
