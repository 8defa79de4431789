/*
 * tokimage.c -- opening a compiled tokenizer, and its vocabulary.
 *
 * Opening checks sizes and offsets and, in one pass each, the units and the
 * ends of the texts; then the steps and the kind check what is theirs.  After
 * it no walk through the image can leave it, whatever its bytes are.  Wrong ids
 * cannot come out of it either: every id is below n_tokens, and what comes out
 * is below n_known.
 */
#include "text/chain.h"
#include "text/tokenkind.h"

#include <string.h>

static bool
in_image(const DbertTokImage *h, uint64_t at, uint64_t count, uint64_t size)
{
	return at % 8 == 0 && at >= sizeof(*h) && at <= h->size && count <= (h->size - at) / size;
}

static bool
valid_template(const DbertTokImage *h, const DbertTemplate *t)
{
	const int32_t parts[] = {t->head, t->middle, t->tail};

	for (int i = 0; i < 3; i++)
		if (parts[i] < 0 || parts[i] > DBERT_TEMPLATE_MAX)
			return false;
	if (dbert_template_size(t) > DBERT_TEMPLATE_MAX)
		return false;
	for (int32_t i = 0; i < dbert_template_size(t); i++)
		if (t->ids[i] < 0 || t->ids[i] >= h->n_known)
			return false;
	return true;
}

static bool
valid_header(const DbertTokImage *h)
{
	const int32_t nodes[] = {h->words, h->pieces, h->names, h->raw, h->normalized};
	const int32_t ids[] = {h->unk_id, h->cls_id, h->sep_id, h->pad_id, h->mask_id};

	if (h->n_units < 256 || h->n_tokens < 1 || h->n_added < 0 || h->max_word_chars < 0 ||
		h->n_normalizers < 0 || h->n_normalizers > DBERT_MAX_STEPS ||
		h->n_splitters < 0 || h->n_splitters > DBERT_MAX_STEPS ||
		h->n_known < 1 || h->n_known > h->n_tokens || dbert_token_kind(h->kind) == NULL ||
		(h->n_known < h->n_tokens && !dbert_token_kind(h->kind)->maps_unknown) ||
		!valid_template(h, &h->single) || !valid_template(h, &h->pair))
		return false;
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		if (nodes[i] < -1 || nodes[i] >= h->n_units)
			return false;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (ids[i] < -1 || ids[i] >= h->n_known)
			return false;
	return in_image(h, h->units_at, (uint64_t) h->n_units, sizeof(DbertTrieUnit)) &&
		in_image(h, h->ends_at, (uint64_t) h->n_tokens, sizeof(uint32_t)) &&
		in_image(h, h->added_at, (uint64_t) h->n_added, sizeof(DbertImageAdded)) &&
		in_image(h, h->texts_at, h->texts_size, 1) &&
		in_image(h, h->steps_at, (uint64_t) (h->n_normalizers + h->n_splitters),
				 sizeof(DbertImageStep)) &&
		in_image(h, h->data_at, h->data_size, 1) && in_image(h, h->model_at, h->model_size, 1);
}

static bool
valid_steps(const DbertTokImage *h)
{
	const DbertImageStep *steps = dbert_image_steps(h);

	for (int32_t i = 0; i < h->n_normalizers + h->n_splitters; i++)
	{
		const DbertImageStep *s = &steps[i];

		if (s->text_at % 8 != 0 || s->text_at > h->data_size ||
			s->len > h->data_size - s->text_at || s->more_at > h->data_size ||
			s->more_len > h->data_size - s->more_at || !dbert_step_valid(s, dbert_image_data(h)))
			return false;
	}
	return true;
}

static bool
valid_contents(const DbertTokImage *h)
{
	const DbertTrieUnit *units = dbert_image_units(h);
	const DbertImageAdded *added = dbert_image_added(h);
	const uint32_t *ends = dbert_image_at(h, h->ends_at);
	uint32_t	before = 0;

	for (int32_t i = 0; i < h->n_units; i++)
		if (units[i].base < 0 || units[i].base > h->n_units - 256 ||
			units[i].value < -1 || units[i].value >= h->n_tokens)
			return false;
	for (int32_t i = 0; i < h->n_added; i++)
		if (added[i].id < 0 || added[i].id >= h->n_known)
			return false;
	for (int32_t i = 0; i < h->n_tokens; before = ends[i++])
		if (ends[i] < before || ends[i] > h->texts_size)
			return false;
	return valid_steps(h);
}

static bool
valid_kind(const DbertTokImage *h)
{
	const DbertTokenKind *kind = dbert_token_kind(h->kind);

	return kind->valid == NULL || kind->valid(h);
}

DbertStatus
dbert_tokenizer_open(const void *image, size_t image_size, DbertTokenizer *out, DbertError *err)
{
	const DbertTokImage *h = image;

	if (image_size < sizeof(*h) || (uintptr_t) image % 8 != 0 || h->magic != DBERT_TOKIMAGE_MAGIC ||
		h->version != DBERT_TOKIMAGE_VERSION || h->size > image_size ||
		!valid_header(h) || !valid_contents(h) || !valid_kind(h))
		return dbert_fail(err, DBERT_E_CORRUPT, "tokenizer image is damaged");
	*out = (DbertTokenizer)
	{
		.image = image, .n_tokens = h->n_known, .unk_id = h->unk_id, .cls_id = h->cls_id,
			.sep_id = h->sep_id, .pad_id = h->pad_id, .mask_id = h->mask_id,
			.single = &h->single, .pair = &h->pair
	};
	return DBERT_OK;
}

/* ---- the vocabulary ---- */

const char *
dbert_token_text(const DbertTokenizer *t, int32_t id, size_t *len)
{
	const DbertTokImage *h = t->image;
	const uint32_t *ends = dbert_image_at(h, h->ends_at);

	*len = 0;
	if (id < 0 || id >= h->n_tokens)
		return NULL;
	*len = dbert_image_text_len(ends, id);
	return *len > 0 ? (const char *) dbert_image_at(h, h->texts_at) + ends[id] - *len : NULL;
}

int32_t
dbert_token_id(const DbertTokenizer *t, const char *text, size_t len)
{
	const DbertTokImage *h = t->image;
	const DbertTrieUnit *units = dbert_image_units(h);
	int32_t		node = dbert_trie_find(units, h->words, text, len);

	if (node < 0 || units[node].value < 0)
		node = dbert_trie_find(units, h->names, text, len);
	return node >= 0 && units[node].value < h->n_known ? units[node].value : -1;
}

bool
dbert_tokenizer_has_pieces(const DbertTokenizer *t)
{
	const DbertTokImage *h = t->image;

	return h->kind == DBERT_KIND_WORDPIECE && h->pieces != h->words;
}

static bool
begins_with(const char *text, size_t len, const char *with)
{
	size_t		n = strlen(with);

	return len >= n && memcmp(text, with, n) == 0;
}

static bool
ends_with(const char *text, size_t len, const char *with)
{
	size_t		n = strlen(with);

	return len > n && memcmp(text + len - n, with, n) == 0;
}

bool
dbert_token_continues(const DbertTokenizer *t, int32_t before, int32_t id)
{
	const DbertTokenKind *kind = dbert_token_kind(((const DbertTokImage *) t->image)->kind);
	size_t		len,
				len_before;
	const char *text = dbert_token_text(t, id, &len),
			   *text_before = dbert_token_text(t, before, &len_before);

	if (text == NULL)
		return false;
	if (kind->unfinished != NULL)
		return text_before != NULL && ends_with(text_before, len_before, kind->unfinished);
	if (kind->continuing != NULL)
		return len > strlen(kind->continuing) && begins_with(text, len, kind->continuing);
	return kind->beginning != NULL && !begins_with(text, len, kind->beginning);
}

bool
dbert_tokenizer_same(const DbertTokenizer *a, const DbertTokenizer *b)
{
	const DbertTokImage *x = a->image,
			   *y = b->image;

	return x->size == y->size && memcmp(x, y, x->size) == 0;
}
