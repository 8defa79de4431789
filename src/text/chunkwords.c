/*
 * chunkwords.c -- see chunkwords.h.
 *
 * What begins inside a word has other tokens there than by itself ("##ing"
 * alone may be "i", "##n", "##g"), and where a word brings the space before it
 * along ("Ġquick"), so has a word that begins a chunk.  So parts are tokenised
 * by themselves, each with what follows it, and that only as far as a part may
 * reach: a text without a space costs no more than others.
 */
#include "text/chunkwords.h"

#include "text/chartype.h"

typedef struct Splitting
{
	const DbertTokenizer *tokenizer;
	const DbertAllocator *alloc;
	const DbertPoll *poll;
	DbertError *err;
	DbertTextPlace place;		/* what stands before it is done */
	int32_t		room;
	int32_t		words;			/* made so far */
	DbertTokenList out;
} Splitting;

/* The place moves on to a character. */
static DbertStatus
go_to(Splitting *s, int32_t from)
{
	while (from - s->place.chars > 65536 && s->place.at < s->place.end)
	{
		if (dbert_stopped(s->poll))
			return dbert_fail(s->err, DBERT_E_CANCELLED, "cancelled");
		dbert_text_go(&s->place, s->place.chars + 65536);
	}
	dbert_text_go(&s->place, from);
	return DBERT_OK;
}

/* White space at the place? */
static bool
at_space(const Splitting *s)
{
	return dbert_char_is_space(dbert_char_at(s->place.at, s->place.end));
}

/*
 * list = the tokens of so many characters from at on, those of the template
 * included.
 */
static DbertStatus
tokenize_part(Splitting *s, int32_t chars, DbertTokenList *list)
{
	DbertTextPlace behind = s->place;
	bool		truncated;

	dbert_text_go(&behind, s->place.chars + chars);
	list->count = 0;
	return dbert_tokenize(s->tokenizer, (const char *) s->place.at, behind.at - s->place.at, NULL,
						  0, DBERT_NO_LIMIT, s->alloc, s->poll, list, &truncated, s->err);
}

/*
 * list = the tokens of the next characters, left of them at most: all of them,
 * or more tokens than there is room for.
 */
static DbertStatus
tokenize_ahead(Splitting *s, int32_t left, DbertTokenList *list)
{
	for (int64_t chars = 256 + 8 * (int64_t) s->room;; chars *= 2)
	{
		DBERT_TRY(tokenize_part(s, (int32_t) (chars < left ? chars : left), list));
		if (chars >= left || dbert_own_tokens(s->tokenizer, list) > s->room)
			return DBERT_OK;
	}
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
		n = dbert_own_tokens(s->tokenizer, part);
		if (n <= s->room)
			return append_word(s, part->items + s->tokenizer->single->head, n, s->place.chars);
		if (*chars == 1)
			return dbert_fail(s->err, DBERT_E_LIMIT,
							  "one character has %d tokens, chunks of at most %d tokens have room "
							  "for %d: max_tokens must be at least %d",
							  (int) n, (int) (s->room + around), (int) s->room, (int) (n + around));
	}
}

/*
 * Parts of at most room tokens of the word up to end; each begins at a
 * character and is tokenised anew, and so is what follows.  base: where the
 * text begins that the tokens' places count from.
 */
static DbertStatus
append_parts(Splitting *s, const DbertToken *word, int32_t n, int32_t base, int32_t end,
			 DbertTokenList *list)
{
	while (n > s->room)
	{
		int32_t		chars;

		DBERT_TRY(go_to(s, base + word[0].start));
		DBERT_TRY(append_part(s, most_characters(s, word), list, &chars));
		base = s->place.chars + chars;
		DBERT_TRY(go_to(s, base));
		DBERT_TRY(tokenize_ahead(s, end - base, list));
		word = list->items + s->tokenizer->single->head;
		n = dbert_own_tokens(s->tokenizer, list);
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
		   (tokens[count].word == tokens[count - 1].word || dbert_shares_character(tokens, count)))
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

/*
 * From how many tokens on a word may be too long by itself: where it brings the
 * space before it along, it may have more without than with it.
 */
static int32_t
suspicious_word(const Splitting *s)
{
	return dbert_tokenizer_has_pieces(s->tokenizer) ? s->room : s->room / 2;
}

/*
 * Append a word: as it is, or, if it may not fit a chunk, as it is by itself,
 * without the white space before it, in parts.
 */
static DbertStatus
split_word(Splitting *s, const DbertToken *word, int32_t n, DbertTokenList *list)
{
	int32_t		start = word[0].start,
				end = word[n - 1].end;

	if (n <= suspicious_word(s))
		return append_word(s, word, n, 0);
	DBERT_TRY(go_to(s, start));
	while (start < end && at_space(s))
		DBERT_TRY(go_to(s, ++start));
	if (start >= end)
		return append_word(s, word, n, 0);
	DBERT_TRY(tokenize_ahead(s, end - start, list));
	return append_parts(s, list->items + s->tokenizer->single->head,
						dbert_own_tokens(s->tokenizer, list), start, end, list);
}

/* Make out of list one in which no word has more than room tokens. */
static DbertStatus
split_words(Splitting *s, const DbertTokenList *list, DbertTokenList *rest)
{
	int32_t		n = (int32_t) list->count;

	for (int32_t i = 0, count; i < n; i += count)
	{
		count = word_tokens(list->items + i, n - i);
		DBERT_TRY(split_word(s, list->items + i, count, rest));
	}
	return DBERT_OK;
}

/*
 * Number the words anew: a token that begins with white space begins a word,
 * too.  Tokenizers that do not cut the text into words have but one.
 */
static DbertStatus
separate_words(Splitting *s, DbertTokenList *list)
{
	DbertToken *tokens = list->items;
	int32_t		before = 0,
				words = 0;

	for (size_t i = 0; i < list->count; i++)
	{
		int32_t		word = tokens[i].word;

		if (tokens[i].special)
			continue;
		DBERT_TRY(go_to(s, tokens[i].start));
		if (i > 0 && (word != before ||
					  (at_space(s) && !dbert_shares_character(tokens, (int32_t) i))))
			words++;
		tokens[i].word = words;
		before = word;
	}
	return DBERT_OK;
}

/* Cut words of more than room tokens, if there are any. */
DbertStatus
dbert_chunk_words(const DbertTokenizer *t, const char *text, size_t len, int32_t room,
				  const DbertAllocator *alloc, const DbertPoll *poll, DbertTokenList *list,
				  DbertError *err)
{
	Splitting	s = {.tokenizer = t,.alloc = alloc,.poll = poll,.err = err,.room = room,
	.place = dbert_text_begin(text, len)};
	DbertTokenList rest = {NULL, 0, 0};
	DbertStatus status;

	DBERT_TRY(separate_words(&s, list));
	if (longest_word(list->items, (int32_t) list->count) <= suspicious_word(&s))
		return DBERT_OK;
	s.place = dbert_text_begin(text, len);
	status = split_words(&s, list, &rest);
	dbert_token_list_free(&rest, alloc);
	dbert_token_list_free(status == DBERT_OK ? list : &s.out, alloc);
	if (status == DBERT_OK)
		*list = s.out;
	return status;
}
