/*
 * tokenizing.c -- see tokenizing.h.
 *
 * A word is kept up to the image's max_word_chars characters only (WordPiece
 * makes a single unknown token of a longer one).
 */
#include "text/tokenizing.h"

#include "text/tokenkind.h"

#include <string.h>

/* Of a longer word a kind may cut what it can. */
#define WORD_BLOCK 2048

DbertStatus
dbert_token_push(DbertTokenList *list, const DbertAllocator *alloc, DbertToken token,
				 DbertError *err)
{
	if (!dbert_grow(alloc, &list->items, &list->capacity, list->count, list->count + 1,
					sizeof(DbertToken)))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	list->items[list->count++] = token;
	return DBERT_OK;
}

/* As the ByteLevel post-processor trims. */
DbertStatus
dbert_emit_trimmed(DbertTokenizing *t, int32_t id, int32_t start, int32_t end, int32_t before,
				   int32_t after)
{
	const DbertTokImage *image = t->image;

	/* the space that was put before a text is not to be cut off */
	if (before > 0 && image->trim_keeps_first && (t->count == 0 || start == 0))
		before--;
	if (image->trim_offsets)
	{
		start = before < end - start ? start + before : end;
		if (end >= after)
			end = end - after > start ? end - after : start;
	}
	return dbert_emit(t, id, start, end);
}

/* ---- words ---- */

void
dbert_word_begins_at(DbertTokenizing *t, size_t n)
{
	t->word_kept -= n;
	if (t->word_kept > t->block / 2)
		t->block = t->block < SIZE_MAX / 2 ? 2 * t->block : SIZE_MAX;
	memmove(t->word, t->word + n, t->word_kept * sizeof(DbertChar));
}

static DbertStatus
end_word(DbertTokenizing *t)
{
	if (t->word_chars == 0)
		return DBERT_OK;
	DBERT_TRY(t->kind->cut(t));
	t->words++;
	t->word_chars = 0;
	t->word_kept = 0;
	return DBERT_OK;
}

static inline DbertStatus
add_to_word(DbertTokenizing *t, DbertChar ch)
{
	t->word_end = ch.end;
	if (t->word_chars++ > 0 && t->word_kept >= (size_t) t->image->max_word_chars)
		return DBERT_OK;
	if (t->word_kept == t->word_capacity &&
		!dbert_grow(t->alloc, &t->word, &t->word_capacity, t->word_kept, t->word_kept + 1,
					sizeof(DbertChar)))
		return dbert_fail(t->err, DBERT_E_NOMEM, "out of memory");
	t->word[t->word_kept++] = ch;
	return t->word_kept == t->block ? t->kind->cut_some(t) : DBERT_OK;
}

/* BertPreTokenizer: words at white space, punctuation marks by themselves. */
static DbertStatus
take_char_as_bert(DbertTokenizing *t, DbertChar ch)
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

static DbertStatus
take_char(DbertTokenizing *t, DbertChar ch)
{
	if (!t->image->split_by_steps)
		return take_char_as_bert(t, ch);
	if (ch.begins)
		DBERT_TRY(end_word(t));
	return add_to_word(t, ch);
}

/* ---- reading ---- */

/* DbertChain.source: a piece ends where an added token stands. */
static DbertNext
next_to_split(void *ctx, DbertChar *out)
{
	DbertTokenizing *t = ctx;

	t->after = dbert_text_next(&t->text, out, &t->hit);
	if (t->after == DBERT_NEXT_ADDED)
		return DBERT_NEXT_END;
	out->begins = t->piece_begins;
	t->piece_begins = false;
	return t->after;
}

/* As dbert_text_next, but split. */
static DbertNext
next_split(DbertTokenizing *t, DbertChar *ch, DbertAddedHit *hit)
{
	DbertNext	next = dbert_chain_next(&t->splitters, ch);

	if (next != DBERT_NEXT_END)
		return next;
	*hit = t->hit;
	dbert_chain_begin(&t->splitters);
	t->splitters.later = true;
	t->piece_begins = true;
	return t->after;
}

static DbertStatus
take_added(DbertTokenizing *t, const DbertAddedHit *hit)
{
	DBERT_TRY(dbert_emit_trimmed(t, hit->id, hit->start, hit->end, hit->spaces_before,
								 hit->spaces_after));
	t->words++;
	return DBERT_OK;
}

DbertStatus
dbert_tokenizing_read(DbertTokenizing *t, int64_t limit)
{
	while (!t->done && dbert_tokenizing_sure(t) <= limit)
	{
		DbertChar	ch;
		DbertAddedHit hit = {0};
		DbertNext	next = t->splitters.n > 0 ? next_split(t, &ch, &hit)
											  : dbert_text_next(&t->text, &ch, &hit);

		if (next == DBERT_NEXT_FAILED)
			return t->text.norm.status;
		if (next == DBERT_NEXT_CHAR)
		{
			DBERT_TRY(take_char(t, ch));
			continue;
		}
		DBERT_TRY(end_word(t));
		if (next == DBERT_NEXT_ADDED)
			DBERT_TRY(take_added(t, &hit));
		t->done = (next == DBERT_NEXT_END);
	}
	return DBERT_OK;
}

void
dbert_tokenizing_open(DbertTokenizing *t, const DbertTokImage *image, const char *text,
					  size_t len, const DbertAllocator *alloc, const DbertPoll *poll,
					  DbertError *err)
{
	memset(t, 0, sizeof(*t));
	t->image = image;
	t->kind = dbert_token_kind(image->kind);
	t->block = t->kind->cut_some != NULL ? WORD_BLOCK : SIZE_MAX;
	t->alloc = alloc;
	t->poll = poll;
	t->err = err;
	dbert_text_open(&t->text, image, text, len, alloc, poll, err);
	t->splitters.steps = dbert_image_steps(image) + image->n_normalizers;
	t->splitters.n = image->n_splitters;
	t->splitters.data = dbert_image_data(image);
	t->splitters.alloc = alloc;
	t->splitters.norm = &t->text.norm;
	t->splitters.source = next_to_split;
	t->splitters.ctx = t;
	t->piece_begins = true;
}

void
dbert_tokenizing_close(DbertTokenizing *t)
{
	if (t->kind->close != NULL && t->state != NULL)
		t->kind->close(t);
	dbert_chain_close(&t->splitters);
	dbert_text_close(&t->text);
	dbert_free(t->alloc, t->word);
}
