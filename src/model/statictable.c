/*
 * statictable.c -- see statictable.h.
 *
 * model2vec's safetensors hold "embeddings" and, where the vocabulary was
 * reduced or weighted, "mapping" (a token's row) and "weights" (a token's
 * factor).  sentence-transformers' hold "embedding.weight".  A vector's length
 * and the vocabulary's are those of these tensors; no config says them.
 */
#include "model/statictable.h"

#include "base/bytes.h"
#include "model/family.h"
#include "text/utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* model2vec's own. */
#define MAX_LENGTH 512

/* Longer tokens count as tokens of this length. */
#define LENGTHS 64

/* As the family's table of modules has it. */
#define TABLE_NAME "embedding.weight"

/* The id of the family that looks its tokens up. */
static int
lookup_family(void)
{
	int			id = 0;

	while (!dbert_family(id)->lookup)
		id++;
	return id;
}

DbertStatus
dbert_static_is_model2vec(const DbertJson *root, bool *is, DbertError *err)
{
	const char *type = NULL;

	if (root->value != NULL)
	{
		DBERT_TRY(dbert_json_expect(root, JSON_OBJECT, err));
		DBERT_TRY(dbert_json_string(root, "model_type", &type, err));
	}
	*is = type != NULL && dbert_family_find(type) == lookup_family();
	return DBERT_OK;
}

DbertStatus
dbert_static_settings(const DbertJson *root, bool *normalize, int64_t *max_tokens, DbertError *err)
{
	const json_t *limit = json_object_get(root->value, "max_length");

	*normalize = false;
	*max_tokens = MAX_LENGTH;
	if (limit != NULL && json_is_null(limit))
		*max_tokens = 0;
	else
		DBERT_TRY(dbert_json_int(root, "max_length", 1, DBERT_MAX_POSITIONS, max_tokens, err));
	return dbert_json_bool(root, "normalize", normalize, err);
}

int32_t
dbert_static_max_chars(const DbertTokenizer *tokenizer, int64_t max_tokens)
{
	int32_t		lengths[LENGTHS] = {0},
				n = 0,
				below = 0,
				twice = 0;
	int64_t		chars;

	for (int32_t id = 0; id < tokenizer->n_tokens; id++)
	{
		size_t		len = 0;
		const char *text = dbert_token_text(tokenizer, id, &len);
		int32_t		count = text != NULL ? dbert_utf8_count(text, len) : 0;

		n += text != NULL;
		lengths[count < LENGTHS ? count : LENGTHS - 1] += text != NULL;
	}
	/* the two in the middle, which are one of an odd number */
	for (int32_t i = 0; i < LENGTHS; below += lengths[i++])
		twice += i * ((below <= (n - 1) / 2 && (n - 1) / 2 < below + lengths[i]) +
					  (below <= n / 2 && n / 2 < below + lengths[i]));
	chars = max_tokens * (twice / 2);
	return chars > INT32_MAX ? INT32_MAX : (int32_t) chars;
}

/* The tensor must be a vector of the vocabulary's length. */
static DbertStatus
check_vector(const DbertTensor *t, int64_t *vocab, DbertError *err)
{
	char		shape[DBERT_SHAPE_TEXT];

	if (t->rank != 1 || t->shape[0] < 1 || t->shape[0] > DBERT_MAX_VOCAB ||
		(*vocab > 0 && t->shape[0] != *vocab))
		return dbert_fail(err, DBERT_E_SHAPE,
						  "%s: tensor \"%s\": shape %s is not that of a number for each token",
						  t->file, t->name, dbert_shape_text(t->shape, t->rank, shape));
	*vocab = t->shape[0];
	return DBERT_OK;
}

/* Of the integers in raw[n], row[n]. */
static DbertStatus
convert_rows(const DbertTensor *t, const unsigned char *raw, int32_t n_rows, int32_t *row,
			 DbertError *err)
{
	bool		wide = strcmp(t->dtype_name, "I64") == 0;

	for (size_t i = 0; i < t->count; i++)
	{
		uint64_t value = wide ? dbert_load_u64(raw + 8 * i) : dbert_load_u32(raw + 4 * i);

		if (value >= (uint64_t) n_rows)
			return dbert_fail(err, DBERT_E_FORMAT,
							  "%s: tensor \"%s\": element %zu is not one of %d rows", t->file,
							  t->name, i, n_rows);
		row[i] = (int32_t) value;
	}
	return DBERT_OK;
}

static DbertStatus
read_mapping(const DbertSource *source, const DbertTensor *t, DbertArena *arena,
			 const DbertPoll *poll, int32_t n_rows, const int32_t **out, DbertError *err)
{
	unsigned char *raw;
	int32_t    *row;
	DbertStatus status;

	if (strcmp(t->dtype_name, "I64") != 0 && strcmp(t->dtype_name, "I32") != 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: tensor \"%s\" is of dtype %s, supported are I64 and I32", t->file,
						  t->name, t->dtype_name);
	row = dbert_arena_alloc(arena, (size_t) t->count, sizeof(*row));
	raw = dbert_alloc(arena->alloc, (size_t) t->bytes);
	if (row == NULL || raw == NULL)
		status = dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	else
		status = dbert_file_read(source, t->file, t->offset, raw, (size_t) t->bytes, poll, err);
	if (status == DBERT_OK)
		status = convert_rows(t, raw, n_rows, row, err);
	dbert_free(arena->alloc, raw);
	*out = row;
	return status;
}

static DbertStatus
read_weights(const DbertSource *source, const DbertTensor *t, DbertArena *arena,
			 const DbertPoll *poll, const float **out, DbertError *err)
{
	float	   *weight;
	void	   *block;
	DbertStatus status;

	if (t->dtype == DBERT_DTYPE_OTHER || t->dtype == DBERT_DTYPE_I8)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: tensor \"%s\" is of dtype %s", t->file,
						  t->name, t->dtype_name);
	weight = dbert_arena_alloc(arena, (size_t) t->count, sizeof(*weight));
	block = dbert_alloc(arena->alloc, DBERT_READ_BLOCK);
	if (weight == NULL || block == NULL)
		status = dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	else
		status = dbert_tensor_read(source, t, weight, block, poll, err);
	dbert_free(arena->alloc, block);
	*out = weight;
	return status;
}

/* How rows belong to tokens; *vocab = their number. */
static DbertStatus
read_token_rows(const DbertSource *source, const DbertTensorSet *tensors, DbertArena *arena,
				const DbertPoll *poll, DbertTokenRows *rows, int64_t *vocab, DbertError *err)
{
	const DbertTensor *mapping = dbert_tensors_find(tensors, "mapping"),
			   *weights = dbert_tensors_find(tensors, "weights");

	*vocab = 0;
	if (mapping != NULL)
	{
		DBERT_TRY(check_vector(mapping, vocab, err));
		DBERT_TRY(read_mapping(source, mapping, arena, poll, rows->n_rows, &rows->row, err));
	}
	else
		*vocab = rows->n_rows;
	if (weights == NULL)
		return DBERT_OK;
	DBERT_TRY(check_vector(weights, vocab, err));
	return read_weights(source, weights, arena, poll, &rows->weight, err);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const DbertTensor *) a)->name, ((const DbertTensor *) b)->name);
}

/* The table, by either of its names. */
static DbertStatus
find_table(DbertTensorSet *tensors, DbertTensor **table, DbertError *err)
{
	char		shape[DBERT_SHAPE_TEXT];

	*table = (DbertTensor *) dbert_tensors_find(tensors, "embeddings");
	if (*table == NULL)
		*table = (DbertTensor *) dbert_tensors_find(tensors, TABLE_NAME);
	if (*table == NULL)
		return dbert_fail(err, DBERT_E_FORMAT,
						  "%s has neither a tensor \"embeddings\" nor \"" TABLE_NAME "\"",
						  tensors->name);
	if ((*table)->rank != 2 || (*table)->shape[0] < 1 || (*table)->shape[0] > DBERT_MAX_VOCAB ||
		(*table)->shape[1] < 1 || (*table)->shape[1] > DBERT_MAX_HIDDEN)
		return dbert_fail(err, DBERT_E_SHAPE,
						  "%s: tensor \"%s\": shape %s is not that of rows of at most %d numbers",
						  (*table)->file, (*table)->name,
						  dbert_shape_text((*table)->shape, (*table)->rank, shape),
						  DBERT_MAX_HIDDEN);
	return DBERT_OK;
}

DbertStatus
dbert_static_read(const DbertSource *source, DbertTensorSet *tensors, DbertArena *arena,
				  const DbertPoll *poll, DbertConfig *config, DbertTokenRows *rows,
				  DbertError *err)
{
	DbertTensor *table;
	int64_t		vocab;

	memset(config, 0, sizeof(*config));
	memset(rows, 0, sizeof(*rows));
	DBERT_TRY(find_table(tensors, &table, err));
	rows->n_rows = (int32_t) table->shape[0];
	config->family = lookup_family();
	config->hidden = config->embed_width = (int32_t) table->shape[1];
	DBERT_TRY(read_token_rows(source, tensors, arena, poll, rows, &vocab, err));
	config->vocab = (int32_t) vocab;
	config->heads = config->ffn = 1;
	config->positions = config->max_tokens = DBERT_MAX_POSITIONS;
	config->norm_eps = 1e-12f;
	config->embedding = config->dimensions = config->hidden;
	config->pooling = DBERT_POOL_MEAN;
	dbert_family_name_architecture(config, DBERT_HEAD_NONE);
	table->name = TABLE_NAME;
	table->shape[0] = vocab;
	qsort(tensors->items, tensors->count, sizeof(*tensors->items), compare_names);
	return DBERT_OK;
}
