/*
 * tokimage.c -- compiling a tokenizer into an image, and opening one.
 *
 * Compiling builds four tries in one double array, then lays everything out in
 * one allocation.  Opening checks sizes and offsets and, in one pass each, the
 * units and the ends of the texts; after it no walk through the image can
 * leave it, whatever its bytes are.  Wrong ids cannot come out of it either:
 * every id is below n_tokens.
 */
#include "text/tokimage.h"

#include "text/utf8.h"

#include <string.h>

typedef struct Compiler
{
	const DbertTokenizerSpec *spec;
	const DbertAllocator *alloc;
	DbertError *err;
	DbertTrieBuilder trie;
	DbertTrieKey *keys;			/* room for all tokens and all added tokens */
	uint8_t    *normalized;		/* texts of added tokens after normalisation */
	size_t		normalized_size;
	size_t		normalized_capacity;
	DbertTokImage head;
} Compiler;

static DbertStatus
no_memory(DbertError *err)
{
	return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
}

/* ---- checking the specification ---- */

static bool
is_utf8(const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *) text;
	const uint8_t *end = p + len;
	uint32_t	cp;
	int			n;

	for (; p < end; p += n)
		if ((n = dbert_utf8_decode(p, end, &cp)) == 0)
			return false;
	return true;
}

static DbertStatus
check_id(const DbertTokenizerSpec *s, const char *what, int32_t id, bool needed, DbertError *err)
{
	if (id >= (needed ? 0 : -1) && id < s->n_tokens)
		return DBERT_OK;
	return dbert_fail(err, DBERT_E_FORMAT,
					  "tokenizer: id %d of the %s token is outside the vocabulary of %d", (int) id,
					  what, (int) s->n_tokens);
}

static DbertStatus
check_text(const char *what, int32_t which, const char *text, size_t len, DbertError *err)
{
	if (len > DBERT_MAX_TOKEN_BYTES)
		return dbert_fail(err, DBERT_E_LIMIT, "tokenizer: %s %d is longer than %d bytes",
						  what, (int) which, DBERT_MAX_TOKEN_BYTES);
	if (!is_utf8(text, len))
		return dbert_fail(err, DBERT_E_FORMAT, "tokenizer: %s %d is not valid UTF-8", what,
						  (int) which);
	return DBERT_OK;
}

static DbertStatus
check_spec(const DbertTokenizerSpec *s, DbertError *err)
{
	if (s->n_tokens < 1)
		return dbert_fail(err, DBERT_E_FORMAT, "tokenizer: the vocabulary is empty");
	if (s->max_word_chars < 0 || s->max_word_chars > DBERT_MAX_WORD_CHARS)
		return dbert_fail(err, DBERT_E_LIMIT,
						  "tokenizer: words of %d characters are not supported, only of 0 to %d",
						  (int) s->max_word_chars, DBERT_MAX_WORD_CHARS);
	if (s->n_added < 0 || s->n_added > s->n_tokens)
		return dbert_fail(err, DBERT_E_FORMAT, "tokenizer: more added tokens than ids");
	for (int32_t i = 0; i < s->n_tokens; i++)
		if (s->tokens[i] != NULL)
			DBERT_TRY(check_text("token", i, s->tokens[i], s->token_lens[i], err));
	for (int32_t i = 0; i < s->n_added; i++)
	{
		DBERT_TRY(check_text("added token", i, s->added[i].text, s->added[i].len, err));
		DBERT_TRY(check_id(s, "added", s->added[i].id, true, err));
	}
	DBERT_TRY(check_id(s, "unknown", s->unk_id, true, err));
	DBERT_TRY(check_id(s, "[CLS]", s->cls_id, true, err));
	DBERT_TRY(check_id(s, "[SEP]", s->sep_id, true, err));
	DBERT_TRY(check_id(s, "padding", s->pad_id, false, err));
	return check_id(s, "mask", s->mask_id, false, err);
}

/* ---- tries ---- */

static DbertStatus
add_vocabulary(Compiler *c)
{
	const DbertTokenizerSpec *s = c->spec;
	size_t		n = 0;
	int32_t		duplicate;

	for (int32_t i = 0; i < s->n_tokens; i++)
		if (s->tokens[i] != NULL && s->token_lens[i] > 0)
			c->keys[n++] = (DbertTrieKey) {(const uint8_t *) s->tokens[i], s->token_lens[i], i};
	if (n == 0)
		return dbert_fail(c->err, DBERT_E_FORMAT, "tokenizer: the vocabulary is empty");
	DBERT_TRY(dbert_trie_add(&c->trie, c->keys, n, &c->head.words, &duplicate, c->err));
	if (duplicate >= 0)
		return dbert_fail(c->err, DBERT_E_FORMAT, "tokenizer: token \"%.*s\" has two ids",
						  (int) (s->token_lens[duplicate] < 100 ? s->token_lens[duplicate] : 100),
						  s->tokens[duplicate]);
	c->head.pieces = dbert_trie_find(c->trie.units, c->head.words, s->prefix, strlen(s->prefix));
	return DBERT_OK;
}

static DbertStatus
add_names(Compiler *c)
{
	const DbertTokenizerSpec *s = c->spec;
	size_t		n = 0;

	for (int32_t i = 0; i < s->n_added; i++)
		if (s->tokens[s->added[i].id] == NULL && s->added[i].len > 0)
			c->keys[n++] = (DbertTrieKey){ (const uint8_t *) s->added[i].text, s->added[i].len,
										   s->added[i].id };
	return dbert_trie_add(&c->trie, c->keys, n, &c->head.names, NULL, c->err);
}

static DbertStatus
add_raw(Compiler *c)
{
	const DbertTokenizerSpec *s = c->spec;
	size_t		n = 0;

	for (int32_t i = 0; i < s->n_added; i++)
	{
		const DbertAddedToken *a = &s->added[i];

		if (a->normalized || a->len == 0)
			continue;
		c->keys[n++] = (DbertTrieKey) {(const uint8_t *) a->text, a->len, i};
		c->head.raw_first[(uint8_t) a->text[0]] = 1;
		if (a->lstrip)
			c->head.any_lstrip = 1;
	}
	return dbert_trie_add(&c->trie, c->keys, n, &c->head.raw, NULL, c->err);
}

/* Append the normalised text of an added token to c->normalized. */
static DbertStatus
normalize_added(Compiler *c, const DbertAddedToken *a)
{
	const uint8_t *text = (const uint8_t *) a->text;
	DbertNormalizer n = {.rules = dbert_image_rules(&c->head), .end = text + a->len,
	.fence = text + a->len, .closed = true, .err = c->err};
	DbertChar	ch;
	DbertNext	next;

	dbert_norm_begin(&n, (DbertCursor) {text, 0});
	while ((next = dbert_norm_next(&n, &ch)) == DBERT_NEXT_CHAR)
	{
		if (!dbert_grow(c->alloc, &c->normalized, &c->normalized_capacity, c->normalized_size,
						c->normalized_size + 4, 1))
			return no_memory(c->err);
		c->normalized_size += (size_t) dbert_utf8_encode(ch.cp, c->normalized + c->normalized_size);
	}
	return next == DBERT_NEXT_FAILED ? n.status : DBERT_OK;
}

/*
 * Special tokens first: of equal normalised texts the first counts, as in
 * Hugging Face's.
 */
static DbertStatus
add_normalized(Compiler *c)
{
	const DbertTokenizerSpec *s = c->spec;
	size_t		n = 0,
				start = 0;

	for (int pass = 0; pass < 2; pass++)
		for (int32_t i = 0; i < s->n_added; i++)
		{
			if (!s->added[i].normalized || s->added[i].special != (pass == 0))
				continue;
			DBERT_TRY(normalize_added(c, &s->added[i]));
			/*
			 * the text's place is set below, when the buffer has stopped moving
			 */
			if (c->normalized_size > start)
				c->keys[n++] = (DbertTrieKey) {NULL, c->normalized_size - start, i};
			start = c->normalized_size;
		}
	start = 0;
	for (size_t i = 0; i < n; start += c->keys[i++].len)
		c->keys[i].text = c->normalized + start;
	return dbert_trie_add(&c->trie, c->keys, n, &c->head.normalized, NULL, c->err);
}

/* ---- layout ---- */

/* Reserve count * size bytes at the end of the image. */
static bool
reserve(uint64_t *at, uint64_t *total, size_t count, size_t size)
{
	size_t		bytes,
				sum;

	*at = *total;
	if (!dbert_mul_size(count, size, &bytes) || !dbert_add_size((size_t) *total, bytes, &sum) ||
		!dbert_add_size(sum, 7, &sum))
		return false;
	*total = sum & ~(size_t) 7;
	return true;
}

/* The text of an id: from the vocabulary, or else from the added tokens. */
static const char *
text_of_id(const Compiler *c, const int32_t *added_of, int32_t id, size_t *len)
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
lay_out(Compiler *c, const int32_t *added_of, void **image)
{
	const DbertTokenizerSpec *s = c->spec;
	DbertTokImage *h = &c->head;
	uint64_t	total;
	size_t		texts = 0,
				len;
	DbertImageAdded *added;
	uint32_t   *ends;
	char	   *out;

	for (int32_t i = 0; i < s->n_tokens; i++)
	{
		(void) text_of_id(c, added_of, i, &len);
		if (!dbert_add_size(texts, len, &texts) || texts > UINT32_MAX)
			return dbert_fail(c->err, DBERT_E_LIMIT, "vocabulary is too large");
	}
	h->n_units = (int32_t) c->trie.used;
	h->texts_size = texts;
	total = (sizeof(*h) + 7) & ~(size_t) 7;
	if (!reserve(&h->units_at, &total, c->trie.used, sizeof(DbertTrieUnit)) ||
		!reserve(&h->ends_at, &total, (size_t) s->n_tokens, sizeof(uint32_t)) ||
		!reserve(&h->added_at, &total, (size_t) s->n_added, sizeof(DbertImageAdded)) ||
		!reserve(&h->texts_at, &total, texts, 1))
		return dbert_fail(c->err, DBERT_E_LIMIT, "vocabulary is too large");
	h->size = total;

	*image = dbert_alloc_zero(c->alloc, (size_t) total, 1);
	if (*image == NULL)
		return no_memory(c->err);
	memcpy(*image, h, sizeof(*h));
	memcpy((char *) *image + h->units_at, c->trie.units, c->trie.used * sizeof(DbertTrieUnit));

	added = (DbertImageAdded *) ((char *) *image + h->added_at);
	for (int32_t i = 0; i < s->n_added; i++)
	{
		const DbertAddedToken *a = &s->added[i];

		added[i] = (DbertImageAdded) {a->id, a->single_word, a->lstrip, a->rstrip, a->special};
	}
	ends = (uint32_t *) ((char *) *image + h->ends_at);
	out = (char *) *image + h->texts_at;
	texts = 0;
	for (int32_t i = 0; i < s->n_tokens; i++)
	{
		const char *text = text_of_id(c, added_of, i, &len);

		if (len > 0)
			memcpy(out + texts, text, len);
		texts += len;
		ends[i] = (uint32_t) texts;
	}
	return DBERT_OK;
}

static DbertStatus
build(Compiler *c, int32_t *added_of, void **image)
{
	for (int32_t i = 0; i < c->spec->n_tokens; i++)
		added_of[i] = -1;
	for (int32_t i = 0; i < c->spec->n_added; i++)
		added_of[c->spec->added[i].id] = i;
	DBERT_TRY(add_vocabulary(c));
	DBERT_TRY(add_names(c));
	DBERT_TRY(add_raw(c));
	DBERT_TRY(add_normalized(c));
	return lay_out(c, added_of, image);
}

DbertStatus
dbert_tokenizer_compile(const DbertTokenizerSpec *spec, const DbertAllocator *alloc,
						void **image, size_t *image_size, DbertError *err)
{
	Compiler	c = {.spec = spec, .alloc = alloc, .err = err, .trie = {.alloc = alloc}};
	int32_t    *added_of = NULL;
	DbertStatus status;

	*image = NULL;
	*image_size = 0;
	DBERT_TRY(check_spec(spec, err));
	c.head.magic = DBERT_TOKIMAGE_MAGIC;
	c.head.version = DBERT_TOKIMAGE_VERSION;
	c.head.n_tokens = spec->n_tokens;
	c.head.n_added = spec->n_added;
	c.head.max_word_chars = spec->max_word_chars;
	c.head.unk_id = spec->unk_id;
	c.head.cls_id = spec->cls_id;
	c.head.sep_id = spec->sep_id;
	c.head.pad_id = spec->pad_id;
	c.head.mask_id = spec->mask_id;
	c.head.clean_text = spec->clean_text;
	c.head.split_cjk = spec->split_cjk;
	c.head.strip_accents = spec->strip_accents;
	c.head.lowercase = spec->lowercase;

	c.keys = dbert_alloc_array(alloc, (size_t) spec->n_tokens, sizeof(DbertTrieKey));
	added_of = dbert_alloc_array(alloc, (size_t) spec->n_tokens, sizeof(int32_t));
	if (c.keys == NULL || added_of == NULL)
		status = no_memory(err);
	else
		status = build(&c, added_of, image);
	if (status == DBERT_OK)
		*image_size = (size_t) c.head.size;
	dbert_trie_free(&c.trie);
	dbert_free(alloc, c.normalized);
	dbert_free(alloc, added_of);
	dbert_free(alloc, c.keys);
	return status;
}

/* ---- opening ---- */

static bool
in_image(const DbertTokImage *h, uint64_t at, uint64_t count, uint64_t size)
{
	return at % 8 == 0 && at >= sizeof(*h) && at <= h->size && count <= (h->size - at) / size;
}

static bool
valid_header(const DbertTokImage *h)
{
	const int32_t nodes[] = {h->words, h->pieces, h->names, h->raw, h->normalized};
	const int32_t ids[] = {h->unk_id, h->cls_id, h->sep_id, h->pad_id, h->mask_id};

	if (h->n_units < 256 || h->n_tokens < 1 || h->n_added < 0 ||
		h->max_word_chars < 0 || h->max_word_chars > DBERT_MAX_WORD_CHARS)
		return false;
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		if (nodes[i] < -1 || nodes[i] >= h->n_units)
			return false;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (ids[i] < (i < 3 ? 0 : -1) || ids[i] >= h->n_tokens)
			return false;
	return in_image(h, h->units_at, (uint64_t) h->n_units, sizeof(DbertTrieUnit)) &&
		in_image(h, h->ends_at, (uint64_t) h->n_tokens, sizeof(uint32_t)) &&
		in_image(h, h->added_at, (uint64_t) h->n_added, sizeof(DbertImageAdded)) &&
		in_image(h, h->texts_at, h->texts_size, 1);
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
		if (added[i].id < 0 || added[i].id >= h->n_tokens)
			return false;
	for (int32_t i = 0; i < h->n_tokens; before = ends[i++])
		if (ends[i] < before || ends[i] > h->texts_size)
			return false;
	return true;
}

DbertStatus
dbert_tokenizer_open(const void *image, size_t image_size, DbertTokenizer *out, DbertError *err)
{
	const DbertTokImage *h = image;

	if (image_size < sizeof(*h) || (uintptr_t) image % 8 != 0 || h->magic != DBERT_TOKIMAGE_MAGIC ||
		h->version != DBERT_TOKIMAGE_VERSION || h->size > image_size ||
		!valid_header(h) || !valid_contents(h))
		return dbert_fail(err, DBERT_E_CORRUPT, "tokenizer image is damaged");
	*out = (DbertTokenizer){ image,     h->n_tokens, h->unk_id, h->cls_id,
							 h->sep_id, h->pad_id,   h->mask_id };
	return DBERT_OK;
}

/* ---- the vocabulary ---- */

const char *
dbert_token_text(const DbertTokenizer *t, int32_t id, size_t *len)
{
	const DbertTokImage *h = t->image;
	const uint32_t *ends = dbert_image_at(h, h->ends_at);
	uint32_t	start;

	*len = 0;
	if (id < 0 || id >= h->n_tokens)
		return NULL;
	start = id > 0 ? ends[id - 1] : 0;
	*len = ends[id] - start;
	return *len > 0 ? (const char *) dbert_image_at(h, h->texts_at) + start : NULL;
}

int32_t
dbert_token_id(const DbertTokenizer *t, const char *text, size_t len)
{
	const DbertTokImage *h = t->image;
	const DbertTrieUnit *units = dbert_image_units(h);
	int32_t		node = dbert_trie_find(units, h->words, text, len);

	if (node < 0 || units[node].value < 0)
		node = dbert_trie_find(units, h->names, text, len);
	return node >= 0 ? units[node].value : -1;
}

bool
dbert_tokenizer_same(const DbertTokenizer *a, const DbertTokenizer *b)
{
	const DbertTokImage *x = a->image,
			   *y = b->image;

	return x->size == y->size && memcmp(x, y, x->size) == 0;
}
