/*
 * tokenizer.c -- from texts to lists of tokens: see tokenizer.h.
 *
 * The template is put around what tokenizing.h reads, and what is too long is
 * truncated: a single text by reading no further, a pair by reading as far as
 * it takes to know how the two share the room.
 */
#include "text/tokenizing.h"

/* ---- template and truncation ---- */

/* Tokens from .. from + n of a template; behind: the text they stand behind. */
static DbertStatus
push_template(DbertTokenizing *a, const DbertTemplate *t, int32_t from, int32_t n, uint8_t behind,
			  DbertTokenList *list)
{
	for (int32_t i = from; i < from + n; i++)
		DBERT_TRY(dbert_token_push(list, a->alloc,
								   (DbertToken) {.id = t->ids[i], .word = -1, .type = t->types[i],
								   .special = 1, .text = behind}, a->err));
	return DBERT_OK;
}

/*
 * Both texts have more than room tokens, and room is odd: *first_longer says
 * whether the first has more tokens, reading no further than it takes.
 */
static DbertStatus
compare_lengths(DbertTokenizing *a, DbertTokenizing *b, int64_t room, bool *first_longer)
{
	for (int64_t limit = room; !a->done && !b->done; limit *= 2)
	{
		DBERT_TRY(dbert_tokenizing_read(a, limit));
		DBERT_TRY(dbert_tokenizing_read(b, limit));
	}
	if (a->done)
		DBERT_TRY(dbert_tokenizing_read(b, a->count));
	else
		DBERT_TRY(dbert_tokenizing_read(a, b->count));
	*first_longer = dbert_tokenizing_sure(a) > dbert_tokenizing_sure(b);
	return DBERT_OK;
}

/*
 * Longest first, by the rule of Hugging Face's truncate_encodings: the longer
 * text gives way down to the length of the shorter; then they share the room,
 * and of an odd room the longer one (the second when they are equal) has one
 * token more.
 */
static DbertStatus
share_room(DbertTokenizing *a, DbertTokenizing *b, int64_t room, int64_t *keep_a, int64_t *keep_b)
{
	int64_t		n_a,
				n_b;
	bool		first_longer;

	DBERT_TRY(dbert_tokenizing_read(a, room));
	DBERT_TRY(dbert_tokenizing_read(b, room));
	*keep_a = n_a = dbert_tokenizing_sure(a);
	*keep_b = n_b = dbert_tokenizing_sure(b);
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
tokenize_single(DbertTokenizing *a, int32_t max_tokens, DbertTokenList *list, bool *truncated)
{
	const DbertTemplate *t = &a->image->single;

	a->list = list;
	a->keep = max_tokens - dbert_template_size(t);
	a->type = t->text_types[0];
	DBERT_TRY(push_template(a, t, 0, t->head, 0, list));
	DBERT_TRY(dbert_tokenizing_read(a, a->keep));
	*truncated = dbert_tokenizing_sure(a) > a->keep;
	return push_template(a, t, t->head, t->tail, 0, list);
}

/* seconds: an empty list for the tokens of the pair */
static DbertStatus
tokenize_pair(DbertTokenizing *a, DbertTokenizing *b, int32_t max_tokens, DbertTokenList *list,
			  DbertTokenList *seconds, bool *truncated)
{
	const DbertTemplate *t = &a->image->pair;
	int64_t		room = max_tokens - dbert_template_size(t);
	int64_t		keep_a,
				keep_b;
	size_t		first = list->count + (size_t) t->head;

	a->list = list;
	b->list = seconds;
	a->keep = b->keep = room;
	a->type = t->text_types[0];
	b->type = t->text_types[1];
	b->number = 1;
	DBERT_TRY(push_template(a, t, 0, t->head, 0, list));
	DBERT_TRY(share_room(a, b, room, &keep_a, &keep_b));
	*truncated = dbert_tokenizing_sure(a) > keep_a || dbert_tokenizing_sure(b) > keep_b;

	list->count = first + (size_t) keep_a;
	DBERT_TRY(push_template(a, t, t->head, t->middle, 0, list));
	for (int64_t i = 0; i < keep_b; i++)
		DBERT_TRY(dbert_token_push(list, a->alloc, seconds->items[i], a->err));
	return push_template(a, t, t->head + t->middle, t->tail, 1, list);
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
	DbertTokenizing	a,
				b;
	DbertStatus status;

	*truncated = false;
	if (max_tokens <= dbert_template_size(pair ? t->pair : t->single))
		return dbert_fail(err, DBERT_E_INVALID, "a limit of %d tokens is too small",
						  (int) max_tokens);
	dbert_tokenizing_open(&a, t->image, text, len, alloc, poll, err);
	if (pair == NULL)
		status = tokenize_single(&a, max_tokens, list, truncated);
	else
	{
		dbert_tokenizing_open(&b, t->image, pair, pair_len, alloc, poll, err);
		status = tokenize_pair(&a, &b, max_tokens, list, &seconds, truncated);
		dbert_tokenizing_close(&b);
		dbert_token_list_free(&seconds, alloc);
	}
	dbert_tokenizing_close(&a);
	if (status != DBERT_OK)
		list->count = before;
	return status;
}

DbertStatus
dbert_count_tokens(const DbertTokenizer *t, const char *text, size_t len,
				   const DbertAllocator *alloc, const DbertPoll *poll,
				   int64_t *count, DbertError *err)
{
	DbertTokenizing	a;
	DbertStatus status;

	dbert_tokenizing_open(&a, t->image, text, len, alloc, poll, err);
	status = dbert_tokenizing_read(&a, INT64_MAX - 1);
	*count = a.count + dbert_template_size(t->single);
	dbert_tokenizing_close(&a);
	return status;
}
