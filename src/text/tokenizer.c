/*
 * tokenizer.c -- from text to tokens: see tokenizer.h.
 *
 * A Tokenizing reads one text: the stream of addedtoken.h is cut into words at
 * white space and punctuation, and each word into pieces by longest match
 * first.  It stops when it has more tokens than asked for, and can go on from
 * there.  A word is kept only up to max_word_chars characters: a longer one is
 * a single unknown token.
 *
 * Above it, dbert_tokenize adds the template and truncates.
 */
#include "text/addedtoken.h"
#include "text/utf8.h"

#include <string.h>

typedef struct Tokenizing
{
	DbertTextStream text;
	const DbertTokImage *image;
	const DbertAllocator *alloc;
	DbertError *err;

	DbertTokenList *list;		/* NULL: count only */
	int64_t		keep;			/* tokens to store at most */
	uint8_t		type;

	int64_t		count;			/* tokens made */
	bool		done;			/* the text is read */
	int32_t		words;

	DbertChar  *word;			/* the word being read, without what exceeds max_word_chars */
	size_t		word_kept,
				word_capacity;
	int64_t		word_chars;
	int32_t		word_end;
} Tokenizing;

static DbertStatus
no_memory(DbertError *err)
{
	return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
}

static DbertStatus
push(DbertTokenList *list, const DbertAllocator *alloc, DbertToken token, DbertError *err)
{
	if (!dbert_grow(alloc, &list->items, &list->capacity, list->count, list->count + 1,
					sizeof(DbertToken)))
		return no_memory(err);
	list->items[list->count++] = token;
	return DBERT_OK;
}

static DbertStatus
emit(Tokenizing *t, int32_t id, int32_t start, int32_t end)
{
	if (t->count++ >= t->keep || t->list == NULL)
		return DBERT_OK;
	return push(t->list, t->alloc, (DbertToken) {id, start, end, t->words, t->type, 0}, t->err);
}

/* ---- words ---- */

/*
 * The id of the longest key below node that begins word[at ...]; *end is set
 * to where it ends.  -1: none.
 */
static int32_t
longest_piece(const Tokenizing *t, int32_t node, size_t at, size_t *end)
{
	const DbertTrieUnit *units = dbert_image_units(t->image);
	int32_t		id = -1;

	for (; at < t->word_kept && node >= 0; at++)
	{
		uint8_t		bytes[4];
		int			len = dbert_utf8_encode(t->word[at].cp, bytes);

		for (int b = 0; b < len && node >= 0; b++)
			node = dbert_trie_step(units, node, bytes[b]);
		if (node >= 0 && units[node].value >= 0)
		{
			id = units[node].value;
			*end = at + 1;
		}
	}
	return id;
}

/* Cut the word into pieces; *whole says whether all of it was covered. */
static DbertStatus
emit_pieces(Tokenizing *t, bool *whole)
{
	int32_t		node = t->image->words;
	size_t		at = 0,
				end = 0;

	while (at < t->word_kept)
	{
		int32_t		id = longest_piece(t, node, at, &end);

		*whole = (id >= 0);
		if (!*whole)
			return DBERT_OK;
		DBERT_TRY(emit(t, id, t->word[at].start, t->word[end - 1].end));
		at = end;
		node = t->image->pieces;
	}
	return DBERT_OK;
}

static DbertStatus
end_word(Tokenizing *t)
{
	int64_t		count = t->count;
	size_t		listed = t->list ? t->list->count : 0;
	bool		whole = false;

	if (t->word_chars == 0)
		return DBERT_OK;
	if (t->word_chars <= t->image->max_word_chars)
		DBERT_TRY(emit_pieces(t, &whole));
	if (!whole)
	{
		t->count = count;
		if (t->list)
			t->list->count = listed;
		DBERT_TRY(emit(t, t->image->unk_id, t->word[0].start, t->word_end));
	}
	t->words++;
	t->word_chars = 0;
	t->word_kept = 0;
	return DBERT_OK;
}

static DbertStatus
add_to_word(Tokenizing *t, DbertChar ch)
{
	t->word_end = ch.end;
	if (t->word_chars++ > 0 && t->word_kept >= (size_t) t->image->max_word_chars)
		return DBERT_OK;
	if (!dbert_grow(t->alloc, &t->word, &t->word_capacity, t->word_kept, t->word_kept + 1,
					sizeof(DbertChar)))
		return no_memory(t->err);
	t->word[t->word_kept++] = ch;
	return DBERT_OK;
}

/* Tokens that the text read so far has for certain. */
static int64_t
sure_count(const Tokenizing *t)
{
	return t->count + (t->word_chars > 0);
}

static DbertStatus
take_char(Tokenizing *t, DbertChar ch)
{
	bool		punct;

	if (dbert_char_is_space(ch.cp))
		return end_word(t);
	punct = dbert_char_is_punct(ch.cp);
	if (punct)
		DBERT_TRY(end_word(t));
	DBERT_TRY(add_to_word(t, ch));
	return punct ? end_word(t) : DBERT_OK;
}

/* Read on until more than limit tokens are sure, or the text is over. */
static DbertStatus
read_tokens(Tokenizing *t, int64_t limit)
{
	while (!t->done && sure_count(t) <= limit)
	{
		DbertChar	ch;
		DbertAddedHit hit = {0};
		DbertNext	next = dbert_text_next(&t->text, &ch, &hit);

		if (next == DBERT_NEXT_FAILED)
			return t->text.norm.status;
		if (next == DBERT_NEXT_CHAR)
		{
			DBERT_TRY(take_char(t, ch));
			continue;
		}
		DBERT_TRY(end_word(t));
		if (next == DBERT_NEXT_ADDED)
		{
			DBERT_TRY(emit(t, hit.id, hit.start, hit.end));
			t->words++;
		}
		t->done = (next == DBERT_NEXT_END);
	}
	return DBERT_OK;
}

static void
open_tokenizing(Tokenizing *t, const DbertTokenizer *tokenizer, const char *text, size_t len,
				const DbertAllocator *alloc, const DbertPoll *poll, DbertError *err)
{
	memset(t, 0, sizeof(*t));
	t->image = tokenizer->image;
	t->alloc = alloc;
	t->err = err;
	dbert_text_open(&t->text, t->image, text, len, alloc, poll, err);
}

static void
close_tokenizing(Tokenizing *t)
{
	dbert_text_close(&t->text);
	dbert_free(t->alloc, t->word);
}

/* ---- template and truncation ---- */

/* A token of the template. */
static DbertStatus
push_special(DbertTokenList *list, const DbertAllocator *alloc, int32_t id, uint8_t type,
			 DbertError *err)
{
	return push(list, alloc, (DbertToken) {id, 0, 0, -1, type, 1}, err);
}

/*
 * Both texts have more than room tokens, and room is odd: *first_longer says
 * whether the first has more tokens, reading no further than it takes.
 */
static DbertStatus
compare_lengths(Tokenizing *a, Tokenizing *b, int64_t room, bool *first_longer)
{
	for (int64_t limit = room; !a->done && !b->done; limit *= 2)
	{
		DBERT_TRY(read_tokens(a, limit));
		DBERT_TRY(read_tokens(b, limit));
	}
	if (a->done)
		DBERT_TRY(read_tokens(b, a->count));
	else
		DBERT_TRY(read_tokens(a, b->count));
	*first_longer = sure_count(a) > sure_count(b);
	return DBERT_OK;
}

/*
 * Longest first, by the rule of Hugging Face's truncate_encodings: the longer
 * text gives way down to the length of the shorter; then they share the room,
 * and of an odd room the longer one (the second when they are equal) has one
 * token more.
 */
static DbertStatus
share_room(Tokenizing *a, Tokenizing *b, int64_t room, int64_t *keep_a, int64_t *keep_b)
{
	int64_t		n_a,
				n_b;
	bool		first_longer;

	DBERT_TRY(read_tokens(a, room));
	DBERT_TRY(read_tokens(b, room));
	*keep_a = n_a = sure_count(a);
	*keep_b = n_b = sure_count(b);
	if (n_a + n_b <= room)
		return DBERT_OK;

	first_longer = n_a > n_b;
	if (n_a > room && n_b > room && room % 2 == 1)
		DBERT_TRY(compare_lengths(a, b, room, &first_longer));
	if (first_longer)
	{
		*keep_b = n_b <= room / 2 ? n_b : room / 2;
		*keep_a = room - *keep_b;
	}
	else
	{
		*keep_a = n_a <= room / 2 ? n_a : room / 2;
		*keep_b = room - *keep_a;
	}
	return DBERT_OK;
}

static DbertStatus
tokenize_single(Tokenizing *a, int32_t max_tokens, DbertTokenList *list, bool *truncated)
{
	const DbertTokImage *image = a->image;

	a->list = list;
	a->keep = max_tokens - 2;
	DBERT_TRY(push_special(list, a->alloc, image->cls_id, 0, a->err));
	DBERT_TRY(read_tokens(a, a->keep));
	*truncated = sure_count(a) > a->keep;
	return push_special(list, a->alloc, image->sep_id, 0, a->err);
}

/* seconds: an empty list for the tokens of the pair */
static DbertStatus
tokenize_pair(Tokenizing *a, Tokenizing *b, int32_t max_tokens, DbertTokenList *list,
			  DbertTokenList *seconds, bool *truncated)
{
	const DbertTokImage *image = a->image;
	int64_t		room = max_tokens - 3;
	int64_t		keep_a,
				keep_b;
	size_t		first = list->count + 1;

	a->list = list;
	b->list = seconds;
	a->keep = b->keep = room;
	b->type = 1;
	DBERT_TRY(push_special(list, a->alloc, image->cls_id, 0, a->err));
	DBERT_TRY(share_room(a, b, room, &keep_a, &keep_b));
	*truncated = sure_count(a) > keep_a || sure_count(b) > keep_b;

	list->count = first + (size_t) keep_a;
	DBERT_TRY(push_special(list, a->alloc, image->sep_id, 0, a->err));
	for (int64_t i = 0; i < keep_b; i++)
		DBERT_TRY(push(list, a->alloc, seconds->items[i], a->err));
	return push_special(list, a->alloc, image->sep_id, 1, a->err);
}

/* ---- interface ---- */

void
dbert_token_list_free(DbertTokenList *list, const DbertAllocator *alloc)
{
	dbert_free(alloc, list->items);
	*list = (DbertTokenList) {NULL, 0, 0};
}

DbertStatus
dbert_tokenize(const DbertTokenizer *t, const char *text, size_t len,
			   const char *pair, size_t pair_len, int32_t max_tokens,
			   const DbertAllocator *alloc, const DbertPoll *poll,
			   DbertTokenList *list, bool *truncated, DbertError *err)
{
	size_t		before = list->count;
	DbertTokenList seconds = {NULL, 0, 0};
	Tokenizing	a,
				b;
	DbertStatus status;

	*truncated = false;
	if (max_tokens < (pair ? 4 : 3))
		return dbert_fail(err, DBERT_E_INVALID, "a limit of %d tokens is too small",
						  (int) max_tokens);
	open_tokenizing(&a, t, text, len, alloc, poll, err);
	if (pair == NULL)
		status = tokenize_single(&a, max_tokens, list, truncated);
	else
	{
		open_tokenizing(&b, t, pair, pair_len, alloc, poll, err);
		status = tokenize_pair(&a, &b, max_tokens, list, &seconds, truncated);
		close_tokenizing(&b);
		dbert_token_list_free(&seconds, alloc);
	}
	close_tokenizing(&a);
	if (status != DBERT_OK)
		list->count = before;
	return status;
}

DbertStatus
dbert_count_tokens(const DbertTokenizer *t, const char *text, size_t len,
				   const DbertAllocator *alloc, const DbertPoll *poll,
				   int64_t *count, DbertError *err)
{
	Tokenizing	a;
	DbertStatus status;

	open_tokenizing(&a, t, text, len, alloc, poll, err);
	status = read_tokens(&a, INT64_MAX - 1);
	*count = a.count + 2;
	close_tokenizing(&a);
	return status;
}
