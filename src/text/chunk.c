/*
 * chunk.c -- see chunk.h.
 *
 * Phases: tokenise; cut words that fit no chunk into parts; walk through text
 * and tokens together and note, for the gap before each token, what kind of
 * border it is and where the text before it ends; choose borders, greedily.
 *
 * Every chunk begins at a word or at such a part, which was tokenised by itself
 * ("##ing" alone may be "i", "##n", "##g"): its tokens are those counted here.
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
#include "text/utf8.h"

#include <utf8proc.h>

typedef enum Border
{
	BORDER_NONE,				/* inside a word */
	BORDER_WORD,				/* between two words of the tokenizer: "don" and "'" */
	BORDER_IDEOGRAPH,			/* before one, or its bracket */
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
	bool		opened;			/* by a bracket or a quote */
	bool		cjk;
	int			lines;			/* ends of lines since then */
	bool		space;
} Chunking;

/* ---- words that fit no chunk ---- */

typedef struct Splitting
{
	const DbertTokenizer *tokenizer;
	const DbertAllocator *alloc;
	const DbertPoll *poll;
	DbertError *err;
	const uint8_t *at,
			   *text_end;
	int32_t		chars;			/* before at */
	int32_t		room;
	int32_t		words;			/* made so far */
	DbertTokenList out;
} Splitting;

static const uint8_t *
next_char(const uint8_t *at, const uint8_t *end)
{
	do
		at++;
	while (at < end && dbert_utf8_is_tail(*at));
	return at;
}

/* Tokens of the text itself, without those of the template. */
static int32_t
own_tokens(const DbertTokenizer *t, const DbertTokenList *list)
{
	return (int32_t) list->count - dbert_template_size(t->single);
}

/* Does token i share a character with the one before it? */
static bool
shares_character(const DbertToken *tokens, int32_t i)
{
	return tokens[i].start < tokens[i - 1].end;
}

/* The text's at moves on to a character. */
static DbertStatus
go_to(Splitting *s, int32_t from)
{
	for (; s->chars < from; s->chars++)
	{
		if (s->chars % 65536 == 0 && dbert_stopped(s->poll))
			return dbert_fail(s->err, DBERT_E_CANCELLED, "cancelled");
		s->at = next_char(s->at, s->text_end);
	}
	return DBERT_OK;
}

/*
 * list = the tokens of so many characters from at on, those of the template
 * included.
 */
static DbertStatus
tokenize_part(Splitting *s, int32_t chars, DbertTokenList *list)
{
	const uint8_t *behind = s->at;
	bool		truncated;

	for (int32_t i = 0; i < chars; i++)
		behind = next_char(behind, s->text_end);
	list->count = 0;
	return dbert_tokenize(s->tokenizer, (const char *) s->at, behind - s->at, NULL, 0,
						  DBERT_NO_LIMIT, s->alloc, s->poll, list, &truncated, s->err);
}

/*
 * Append n tokens as one word; base: where the text begins that their places
 * count from.
 */
static DbertStatus
append_word(Splitting *s, const DbertToken *tokens, int32_t n, int32_t base)
{
	DbertTokenList *out = &s->out;

	if (!dbert_grow(s->alloc, &out->items, &out->capacity, out->count, out->count + n,
					sizeof(*tokens)))
		return dbert_fail(s->err, DBERT_E_NOMEM, "out of memory");
	for (int32_t i = 0; i < n; i++)
	{
		DbertToken	token = tokens[i];

		token.start += base;
		token.end += base;
		token.word = s->words;
		out->items[out->count++] = token;
	}
	s->words++;
	return DBERT_OK;
}

/*
 * How many characters of a word of n tokens its first part may have at most:
 * those before the first token that has no room.
 */
static int32_t
most_characters(const Splitting *s, const DbertToken *word)
{
	int32_t		chars = word[s->room].start - word[0].start;

	return chars > 0 ? chars : 1;
}

/*
 * Append the first part of a word that begins at at: as many characters, from
 * most down to one, as have room by themselves.  *chars is how many they are.
 */
static DbertStatus
append_part(Splitting *s, int32_t most, DbertTokenList *part, int32_t *chars)
{
	int32_t		around = dbert_template_size(s->tokenizer->single);

	for (*chars = most;; (*chars)--)
	{
		int32_t		n;

		if (dbert_stopped(s->poll))
			return dbert_fail(s->err, DBERT_E_CANCELLED, "cancelled");
		DBERT_TRY(tokenize_part(s, *chars, part));
		n = own_tokens(s->tokenizer, part);
		if (n <= s->room)
			return append_word(s, part->items + s->tokenizer->single->head, n, s->chars);
		if (*chars == 1)
			return dbert_fail(s->err, DBERT_E_LIMIT,
							  "one character has %d tokens, chunks of at most %d tokens have room "
							  "for %d: max_tokens must be at least %d",
							  (int) n, (int) (s->room + around), (int) s->room, (int) (n + around));
	}
}

/*
 * Parts of at most room tokens; each begins at a character and is tokenised
 * anew, and so is what follows, from its beginning to the word's end.
 */
static DbertStatus
append_parts(Splitting *s, const DbertToken *word, int32_t n, DbertTokenList *list)
{
	int32_t		end = word[n - 1].end;
	int32_t		base = 0;		/* of the tokens' places */

	while (n > s->room)
	{
		int32_t		chars;

		DBERT_TRY(go_to(s, base + word[0].start));
		DBERT_TRY(append_part(s, most_characters(s, word), list, &chars));
		base = s->chars + chars;
		DBERT_TRY(go_to(s, base));
		DBERT_TRY(tokenize_part(s, end - base, list));
		word = list->items + s->tokenizer->single->head;
		n = own_tokens(s->tokenizer, list);
	}
	return append_word(s, word, n, base);
}

/*
 * How many of tokens[n] are the first one's word, and those it shares a
 * character with; tokens of the template are alone.
 */
static int32_t
word_tokens(const DbertToken *tokens, int32_t n)
{
	int32_t		count = 1;

	while (count < n && !tokens[count].special &&
		   (tokens[count].word == tokens[count - 1].word || shares_character(tokens, count)))
		count++;
	return count;
}

static int32_t
longest_word(const DbertToken *tokens, int32_t n)
{
	int32_t		longest = 0;

	for (int32_t i = 0, count; i < n; i += count)
	{
		count = word_tokens(tokens + i, n - i);
		longest = count > longest ? count : longest;
	}
	return longest;
}

/* Make out of list one in which no word has more than room tokens. */
static DbertStatus
split_words(Splitting *s, const DbertTokenList *list, DbertTokenList *rest)
{
	int32_t		n = (int32_t) list->count;

	for (int32_t i = 0, count; i < n; i += count)
	{
		count = word_tokens(list->items + i, n - i);
		DBERT_TRY(append_parts(s, list->items + i, count, rest));
	}
	return DBERT_OK;
}

/* Cut words of more than room tokens, if there are any. */
static DbertStatus
split_long_words(const DbertTokenizer *t, const char *text, size_t len, int32_t room,
				 const DbertAllocator *alloc, const DbertPoll *poll, DbertTokenList *list,
				 DbertError *err)
{
	Splitting	s = {.tokenizer = t,.alloc = alloc,.poll = poll,.err = err,.room = room,
	.at = (const uint8_t *) text,.text_end = (const uint8_t *) text + len};
	DbertTokenList rest = {NULL, 0, 0};
	DbertStatus status;

	if (longest_word(list->items, (int32_t) list->count) <= room)
		return DBERT_OK;
	status = split_words(&s, list, &rest);
	dbert_token_list_free(&rest, alloc);
	dbert_token_list_free(status == DBERT_OK ? list : &s.out, alloc);
	if (status == DBERT_OK)
		*list = s.out;
	return status;
}

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
	static const uint32_t closers[] = { '"',    '\'',   ')',    ']',    '}',
										0xbb,   0x2019, 0x201d, 0x203a, 0x3009,
										0x300b, 0x300d, 0x300f, 0xff09, 0 };

	return is_one_of(cp, closers);
}

static bool
opens(uint32_t cp)
{
	utf8proc_category_t category = utf8proc_category((utf8proc_int32_t) cp);

	return category == UTF8PROC_CATEGORY_PS || category == UTF8PROC_CATEGORY_PI;
}

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
	if (!closes(cp))
		c->ideographic = is_ideographic_stop(cp);
	c->opened = opens(cp);
	c->cjk = dbert_char_is_cjk(cp);
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
	if (c->tokens[i].word == c->tokens[i - 1].word || shares_character(c->tokens, i))
		return BORDER_NONE;
	(void) dbert_utf8_decode(c->at, c->text_end, &next);
	if (c->lines > 1 ||
		(c->stopped && c->space &&
		 utf8proc_category((utf8proc_int32_t) next) != UTF8PROC_CATEGORY_LL) ||
		(c->stopped && c->ideographic && !closes(next)))
		return BORDER_SENTENCE;
	if (c->space)
		return BORDER_SPACE;
	return (dbert_char_is_cjk(next) && !c->opened) || (c->cjk && opens(next)) ? BORDER_IDEOGRAPH
																			  : BORDER_WORD;
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

static DbertStatus
choose_chunks(const Chunking *c, int32_t room, int32_t overlap,
			  const DbertAllocator *alloc, const DbertPoll *poll,
			  DbertChunk **chunks, int *count, DbertError *err)
{
	size_t		capacity = 0;
	int32_t		from = 0,
				end = 0,
				last_end;

	while (end < c->n)
	{
		if (dbert_stopped(poll))
			return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
		last_end = end;
		end = choose_end(c, from, room, end);
		if (end <= last_end)
			return dbert_fail(err, DBERT_E_INTERNAL, "no border in %d tokens of a text",
							  (int) room);
		if (!dbert_grow(alloc, chunks, &capacity, *count, (size_t) *count + 1, sizeof(**chunks)))
			return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
		(*chunks)[(*count)++] = (DbertChunk) {c->tokens[from].start, c->gaps[end].end};
		from = choose_start(c, from, end, room, overlap);
	}
	return DBERT_OK;
}

/* ---- interface ---- */

static DbertStatus
chunk_tokens(const DbertTokenizer *t, const DbertTokenList *list, const char *text, size_t len,
			 int32_t room, int32_t overlap, const DbertAllocator *alloc, const DbertPoll *poll,
			 DbertChunk **chunks, int *count, DbertError *err)
{
	Chunking	c = {.at = (const uint8_t *) text,.text_end = (const uint8_t *) text + len,
	.tokens = list->items + t->single->head,.n = own_tokens(t, list)};
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
dbert_chunk(const DbertTokenizer *t, const char *text, size_t len, int32_t max_tokens,
			int32_t overlap, const DbertAllocator *alloc, const DbertPoll *poll,
			DbertChunk **chunks, int *count, DbertError *err)
{
	DbertTokenList list = {NULL, 0, 0};
	int32_t		room = max_tokens - dbert_template_size(t->single);
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
		status = split_long_words(t, text, len, room, alloc, poll, &list, err);
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
