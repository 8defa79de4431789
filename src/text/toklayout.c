/*
 * toklayout.c -- where everything stands in a tokenizer's image.
 */
#include "text/tokcompile.h"

#include <string.h>

bool
dbert_tok_reserve(uint64_t *at, size_t *total, size_t count, size_t size)
{
	size_t		bytes,
				sum;

	*at = *total;
	if (!dbert_mul_size(count, size, &bytes) || !dbert_add_size(*total, bytes, &sum) ||
		!dbert_add_size(sum, 7, &sum))
		return false;
	*total = sum & ~(size_t) 7;
	return true;
}

DbertStatus
dbert_tok_make_block(DbertTokCompiler *c, const void *head, size_t head_size, size_t total)
{
	c->model = dbert_alloc_zero(c->alloc, total, 1);
	c->head.model_size = total;
	if (c->model == NULL)
		return dbert_fail(c->err, DBERT_E_NOMEM, "out of memory");
	if (head_size > 0)
		memcpy(c->model, head, head_size);
	return DBERT_OK;
}

/* The text of an id: from the vocabulary, or else from the added tokens. */
static const char *
text_of_id(const DbertTokCompiler *c, const int32_t *added_of, int32_t id, size_t *len)
{
	const DbertTokenizerSpec *s = c->spec;

	*len = 0;
	if (s->tokens[id] != NULL)
	{
		*len = s->token_lens[id];
		return s->tokens[id];
	}
	if (added_of[id] < 0)
		return NULL;
	*len = s->added[added_of[id]].len;
	return s->added[added_of[id]].text;
}

static DbertStatus
place_sections(DbertTokCompiler *c, const int32_t *added_of)
{
	const DbertTokenizerSpec *s = c->spec;
	DbertTokImage *h = &c->head;
	size_t		total = (sizeof(*h) + 7) & ~(size_t) 7,
				texts = 0,
				len;

	for (int32_t i = 0; i < s->n_tokens; i++)
	{
		(void) text_of_id(c, added_of, i, &len);
		if (!dbert_add_size(texts, len, &texts) || texts > UINT32_MAX)
			return dbert_fail(c->err, DBERT_E_LIMIT, "vocabulary is too large");
	}
	h->n_units = (int32_t) c->trie.used;
	h->texts_size = texts;
	if (!dbert_tok_reserve(&h->units_at, &total, c->trie.used, sizeof(DbertTrieUnit)) ||
		!dbert_tok_reserve(&h->ends_at, &total, (size_t) s->n_tokens, sizeof(uint32_t)) ||
		!dbert_tok_reserve(&h->added_at, &total, (size_t) s->n_added, sizeof(DbertImageAdded)) ||
		!dbert_tok_reserve(&h->texts_at, &total, texts, 1) ||
		!dbert_tok_reserve(&h->steps_at, &total, (size_t) (h->n_normalizers + h->n_splitters),
						   sizeof(DbertImageStep)) ||
		!dbert_tok_reserve(&h->data_at, &total, (size_t) h->data_size, 1) ||
		!dbert_tok_reserve(&h->model_at, &total, (size_t) h->model_size, 1))
		return dbert_fail(c->err, DBERT_E_LIMIT, "vocabulary is too large");
	h->size = total;
	return DBERT_OK;
}

/* The tokens' texts, one behind the other. */
static void
write_texts(const DbertTokCompiler *c, const int32_t *added_of, uint32_t *ends, char *out)
{
	size_t		at = 0,
				len;

	for (int32_t i = 0; i < c->spec->n_tokens; i++)
	{
		const char *text = text_of_id(c, added_of, i, &len);

		if (len > 0)
			memcpy(out + at, text, len);
		at += len;
		ends[i] = (uint32_t) at;
	}
}

/* memcpy that takes NULL for nothing. */
static void
write_bytes(char *image, uint64_t at, const void *from, size_t size)
{
	if (size > 0)
		memcpy(image + at, from, size);
}

DbertStatus
dbert_tok_lay_out(DbertTokCompiler *c, const int32_t *added_of, void **image)
{
	DbertTokImage *h = &c->head;
	DbertImageAdded *added;
	char	   *at;

	DBERT_TRY(place_sections(c, added_of));
	*image = at = dbert_alloc_zero(c->alloc, (size_t) h->size, 1);
	if (at == NULL)
		return dbert_fail(c->err, DBERT_E_NOMEM, "out of memory");
	write_bytes(at, 0, h, sizeof(*h));
	write_bytes(at, h->units_at, c->trie.units, c->trie.used * sizeof(DbertTrieUnit));
	added = (DbertImageAdded *) (at + h->added_at);
	for (int32_t i = 0; i < h->n_added; i++)
	{
		const DbertAddedToken *a = &c->spec->added[i];

		added[i] = (DbertImageAdded) {a->id, a->single_word, a->lstrip, a->rstrip, a->special};
	}
	write_texts(c, added_of, (uint32_t *) (at + h->ends_at), at + h->texts_at);
	write_bytes(at, h->steps_at, c->steps,
				(size_t) (h->n_normalizers + h->n_splitters) * sizeof(DbertImageStep));
	write_bytes(at, h->data_at, c->data, (size_t) h->data_size);
	write_bytes(at, h->model_at, c->model, (size_t) h->model_size);
	return DBERT_OK;
}
