/*
 * test_golden.c -- whole models against what Hugging Face computes in float64.
 *
 * Walks test/fixtures/ and, when it is there, ../shared/golden/: folders with
 * a model and a golden.json that holds, for each case, the text (and pair),
 * ids, offsets, and logits, pooled vectors or hidden means.  (Models of
 * families that are still to come are skipped.)  For each table of
 * kernels: ids and offsets equal, numbers within 1e-4, every text the same
 * bits alone, with all others and in reverse order.  Without the file
 * tokenizer.json, from vocab.txt, the same ids.  Copies of the weights in F16
 * and BF16 give the bits that F32 copies of the rounded values give.  In int8
 * the answers are near those of fp32, and again the same bits in any company.
 */
#include "base/bytes.h"
#include "dbert.h"
#include "nn/encoder.h"
#include "nn/logits.h"
#include "nn/pool.h"
#include "test/support/dirsource.h"
#include "test/support/kerneltables.h"
#include "test/support/shareddata.h"
#include "test/support/testhelp.h"

#include <dirent.h>
#include <jansson.h>

#define TOLERANCE 1e-4
#define INT8_COSINE 0.99
#define INT8_TOLERANCE 0.3		/* logits of random weights are about 1 */

static int	folders_seen;

/* ---- a model in memory ---- */

typedef struct Loaded
{
	void	   *image;
	DbertModel *model;
} Loaded;

static DbertStatus
load_from(Loaded *out, const DbertSource *source, DbertPrecision precision,
		  const DbertKernels *kernels, DbertError *err)
{
	const DbertAllocator *a = &dbert_malloc_allocator;
	DbertPack  *pack = NULL;
	DbertStatus status;

	memset(out, 0, sizeof(*out));
	status = dbert_pack_begin(source, NULL, precision, kernels, a, NULL, &pack, err);
	if (status != DBERT_OK)
		return status;
	if (posix_memalign(&out->image, 64, dbert_pack_size(pack)) != 0)
		abort();
	status = dbert_pack_write(pack, out->image, NULL, err);
	if (status == DBERT_OK)
		status = dbert_model_open(out->image, dbert_pack_size(pack), kernels, a, &out->model, err);
	dbert_pack_end(pack);
	return status;
}

static void
unload(Loaded *loaded)
{
	if (loaded->model != NULL)
		dbert_model_close(loaded->model);
	free(loaded->image);
}

/* false (and a failed check) when the folder does not load. */
static bool
load_as(Loaded *out, const DbertSource *source, const char *what, DbertPrecision precision,
		const DbertKernels *kernels)
{
	DbertError	err = {0};

	if (load_from(out, source, precision, kernels, &err) == DBERT_OK)
		return true;
	CHECK_MSG(false, "%s: %s: %s", what, dbert_status_text(err.code), err.msg);
	unload(out);
	return false;
}

static bool
load(Loaded *out, const DbertSource *source, const char *what, const DbertKernels *kernels)
{
	return load_as(out, source, what, DBERT_PRECISION_FP32, kernels);
}

/* ---- cases ---- */

typedef struct Golden
{
	const char *dir;
	json_t	   *root;
	json_t	   *cases;
	int			n;
} Golden;

/*
 * A batch of the cases in the given order: from, from + step, ...; not yet run.
 */
static DbertBatch *
add_wanted(const DbertModel *model, const Golden *g, int want, int from, int step, int count)
{
	DbertBatch *batch = NULL;
	DbertError	err = {0};

	CHECK(dbert_batch_create(model, want, &dbert_malloc_allocator, &batch, &err) == DBERT_OK);
	for (int i = 0; i < count; i++)
	{
		json_t	   *c = json_array_get(g->cases, from + i * step);
		json_t	   *text = json_object_get(c, "text"),
				   *pair = json_object_get(c, "pair");

		CHECK_MSG(dbert_batch_add(batch, json_string_value(text), json_string_length(text),
								  json_string_value(pair), json_string_length(pair), true,
								  NULL, &err) == DBERT_OK, "%s: %s", g->dir, err.msg);
	}
	return batch;
}

static DbertBatch *
add_cases(const DbertModel *model, const Golden *g, int from, int step, int count)
{
	int want =
		DBERT_WANT_EMBEDDING | (model->config.head == DBERT_HEAD_NONE ? 0 : DBERT_WANT_LOGITS);

	return add_wanted(model, g, want, from, step, count);
}

static DbertBatch *
batch_of(const DbertModel *model, const Golden *g, int from, int step, int count)
{
	DbertBatch *batch = add_cases(model, g, from, step, count);
	DbertError	err = {0};

	CHECK_MSG(dbert_batch_run(batch, NULL, &err) == DBERT_OK, "%s: %s", g->dir, err.msg);
	return batch;
}

/*
 * |got - want| <= TOLERANCE over a flat array of numbers, got with the given
 * stride.
 */
static void
check_numbers(const Golden *g, int i, const char *what, const float *got, size_t stride,
			  json_t *want)
{
	size_t		n = json_array_size(want);

	for (size_t j = 0; j < n; j++)
	{
		double		w = json_number_value(json_array_get(want, j));

		if (!(fabs(got[j * stride] - w) <= TOLERANCE))
		{
			CHECK_MSG(false, "%s case %d: %s[%zu] is %.7f, want %.7f", g->dir, i, what, j,
					  got[j * stride], w);
			return;
		}
	}
}

static void
check_tokens(const Golden *g, int i, const DbertBatch *batch)
{
	json_t	   *c = json_array_get(g->cases, i);
	json_t	   *ids = json_object_get(c, "input_ids"),
			   *offsets = json_object_get(c, "offsets"),
			   *types = json_object_get(c, "type_ids");
	int			count,
				want = (int) json_array_size(ids);
	const DbertToken *tokens = dbert_batch_text_tokens(batch, i, &count);

	CHECK_MSG(count == want, "%s case %d: %d tokens, want %d", g->dir, i, count, want);
	for (int j = 0; j < count && j < want; j++)
	{
		json_t	   *offset = json_array_get(offsets, j);
		bool		same = tokens[j].id == json_integer_value(json_array_get(ids, j)) &&
			tokens[j].start == json_integer_value(json_array_get(offset, 0)) &&
			tokens[j].end == json_integer_value(json_array_get(offset, 1)) &&
			(types == NULL || tokens[j].type == json_integer_value(json_array_get(types, j)));

		CHECK_MSG(same, "%s case %d: token %d is %d at %d..%d", g->dir, i, j,
				  tokens[j].id, tokens[j].start, tokens[j].end);
		if (!same)
			return;
	}
}

/* The top tokens of one row of vocabulary logits, by probability. */
static void
check_mask_row(const Golden *g, int i, const float *logits, int n, json_t *mask)
{
	json_t	   *ids = json_object_get(mask, "ids"),
			   *scores = json_object_get(mask, "scores");
	double		sum = 0;
	int			best = 0;

	for (int j = 0; j < n; j++)
	{
		sum += exp(logits[j]);
		best = logits[j] > logits[best] ? j : best;
	}
	CHECK_MSG(best == json_integer_value(json_array_get(ids, 0)), "%s case %d: best token %d",
			  g->dir, i, best);
	for (size_t j = 0; j < json_array_size(ids); j++)
		CHECK_NEAR(exp(logits[json_integer_value(json_array_get(ids, j))]) / sum,
				   json_number_value(json_array_get(scores, j)), 1e-6);
}

static void
check_logits(const Golden *g, int i, const DbertBatch *batch, const DbertModel *model)
{
	json_t	   *c = json_array_get(g->cases, i);
	json_t	   *logits = json_object_get(c, "logits"),
			   *mask = json_object_get(c, "mask");
	int			rows,
				columns = dbert_head_columns(model);
	const float *got = dbert_batch_logits(batch, i, &rows);

	if (model->config.head == DBERT_HEAD_SEQUENCE)
	{
		CHECK(rows == 1 && columns == (int) json_array_size(logits));
		check_numbers(g, i, "logits", got, 1, logits);
	}
	else if (model->config.head == DBERT_HEAD_TOKEN)
	{
		CHECK(rows == (int) json_array_size(logits));
		for (int r = 0; r < rows; r++)
			check_numbers(g, i, "logits", got + (size_t) r * columns, 1, json_array_get(logits, r));
	}
	else if (model->config.head == DBERT_HEAD_SPAN)
	{
		CHECK(columns == 2 && rows == (int) json_array_size(json_object_get(c, "start_logits")));
		check_numbers(g, i, "start_logits", got, 2, json_object_get(c, "start_logits"));
		check_numbers(g, i, "end_logits", got + 1, 2, json_object_get(c, "end_logits"));
	}
	else if (model->config.head == DBERT_HEAD_MASK)
	{
		CHECK(rows == (int) json_array_size(mask));
		for (int r = 0; r < rows; r++)
			check_mask_row(g, i, got + (size_t) r * columns, columns, json_array_get(mask, r));
	}
}

/* ---- hidden states, layer by layer ---- */

typedef struct LayerCheck
{
	const Golden *golden;
	int			case_no;
	json_t	   *means;
	DbertConfig config;
	int			n_tokens;
} LayerCheck;

static void
check_layer(void *ctx, int layer, const float *hidden)
{
	LayerCheck *check = ctx;
	float	   *mean = malloc(check->config.hidden * sizeof(float));

	dbert_pool(&check->config, hidden, check->n_tokens, 0, mean);
	check_numbers(check->golden, check->case_no, "hidden_mean_by_layer", mean, 1,
				  json_array_get(check->means, layer));
	free(mean);
}

/* All modes of pooling, where the golden has them. */
static void
check_poolings(const Golden *g, int i, const DbertConfig *config, const float *hidden, int n,
			   json_t *want)
{
	static const char *const modes[] = {
		[DBERT_POOL_MEAN] = "mean",
		[DBERT_POOL_CLS] = "cls",
		[DBERT_POOL_MAX] = "max",
		[DBERT_POOL_MEAN_SQRT_LEN] = "mean_sqrt_len_tokens",
		[DBERT_POOL_WEIGHTED_MEAN] = "weightedmean",
		[DBERT_POOL_LAST] = "lasttoken"
	};
	DbertConfig c = *config;
	float	   *pooled = malloc(sizeof(float) * c.hidden);

	for (c.pooling = DBERT_POOL_MEAN; want != NULL && c.pooling <= DBERT_POOL_LAST; c.pooling++)
	{
		CHECK(json_array_size(json_object_get(want, modes[c.pooling])) == (size_t) c.hidden);
		dbert_pool(&c, hidden, n, 0, pooled);
		check_numbers(g, i, modes[c.pooling], pooled, 1, json_object_get(want, modes[c.pooling]));
	}
	free(pooled);
}

/*
 * Encodes one text, checks each layer's mean, and the pooled vectors of the
 * last.
 */
static void
check_hidden(const Golden *g, int i, const DbertBatch *batch, const DbertModel *model)
{
	json_t	   *c = json_array_get(g->cases, i);
	LayerCheck	check = {g, i, json_object_get(c, "hidden_mean_by_layer"), model->config, 0};
	int			n;
	const DbertToken *tokens = dbert_batch_text_tokens(batch, i, &n);
	int32_t    *ids = malloc(n * sizeof(int32_t));
	uint8_t    *types = malloc(n);
	int32_t		cu[] = {0, n};
	DbertRagged ragged = {.n_texts = 1,.cu = cu,.ids = ids,.types = types};
	float	   *hidden = malloc(sizeof(float) * n * model->config.hidden),
			   *pooled = malloc(sizeof(float) * model->config.hidden);
	size_t		floats;
	void	   *workspace;

	for (int j = 0; j < n; j++)
	{
		ids[j] = tokens[j].id;
		types[j] = tokens[j].type;
	}
	check.n_tokens = n;
	check.config.pooling = DBERT_POOL_MEAN;
	check.config.normalize = 0;
	CHECK(dbert_encoder_workspace(&model->config, n, n, 1, &floats));
	if (posix_memalign(&workspace, 64, floats * sizeof(float)) != 0)
		abort();
	CHECK(dbert_encode(model, &ragged, hidden, workspace, NULL,
					   check.means ? check_layer : NULL, &check, NULL) == DBERT_OK);
	CHECK(check.means == NULL || json_array_size(check.means) == (size_t) model->config.layers + 1);

	dbert_pool(&check.config, hidden, n, 0, pooled);
	check_numbers(g, i, "mean", pooled, 1, json_object_get(c, "mean"));
	check.config.pooling = DBERT_POOL_CLS;
	dbert_pool(&check.config, hidden, n, 0, pooled);
	check_numbers(g, i, "cls", pooled, 1, json_object_get(c, "cls"));
	check_poolings(g, i, &check.config, hidden, n, json_object_get(c, "poolings"));
	free(ids);
	free(types);
	free(hidden);
	free(pooled);
	free(workspace);
}

/* ---- the same bits ---- */

static bool
same_results(const DbertModel *model, const DbertBatch *a, int i, const DbertBatch *b, int j)
{
	int			rows_a,
				rows_b;
	const float *logits_a = dbert_batch_logits(a, i, &rows_a),
			   *logits_b = dbert_batch_logits(b, j, &rows_b);
	size_t		bytes = sizeof(float) * rows_a * dbert_head_columns(model);

	return rows_a == rows_b && (bytes == 0 || memcmp(logits_a, logits_b, bytes) == 0) &&
		memcmp(dbert_batch_embedding(a, i), dbert_batch_embedding(b, j),
			   sizeof(float) * model->config.embedding) == 0;
}

static void
check_company(const Golden *g, const DbertModel *model, const DbertBatch *all)
{
	DbertBatch *reverse = batch_of(model, g, g->n - 1, -1, g->n);

	for (int i = 0; i < g->n; i++)
	{
		DbertBatch *alone = batch_of(model, g, i, 1, 1);

		CHECK_MSG(same_results(model, all, i, alone, 0),
				  "%s, %s: case %d has other bits alone", g->dir, model->kernels->name, i);
		CHECK_MSG(same_results(model, all, i, reverse, g->n - 1 - i),
				  "%s, %s: case %d has other bits in reverse", g->dir, model->kernels->name, i);
		dbert_batch_free(alone);
	}
	dbert_batch_free(reverse);
}

/* ---- embeddings ---- */

/*
 * What sentence-transformers gives, as embeddings of a text, a query and a
 * passage; the bits do not depend on the company.
 */
static void
check_embeddings(const Golden *g, const DbertModel *model)
{
	static const struct
	{
		const char *key;
		int			want;
	}			kinds[] = {
		{"embedding", 0}, {"query", DBERT_WANT_QUERY}, {"passage", DBERT_WANT_PASSAGE}
	};

	for (int k = 0; k < 3; k++)
	{
		int			want = DBERT_WANT_EMBEDDING | kinds[k].want;
		DbertBatch *all = add_wanted(model, g, want, 0, 1, g->n);
		DbertError	err = {0};

		CHECK(dbert_batch_run(all, NULL, &err) == DBERT_OK);
		for (int i = 0; i < g->n; i++)
		{
			json_t	   *golden = json_object_get(json_array_get(g->cases, i), kinds[k].key);
			DbertBatch *alone = add_wanted(model, g, want, i, 1, 1);

			CHECK(golden == NULL || json_array_size(golden) == (size_t) model->config.embedding);
			check_numbers(g, i, kinds[k].key, dbert_batch_embedding(all, i), 1, golden);
			CHECK(dbert_batch_run(alone, NULL, &err) == DBERT_OK);
			CHECK(memcmp(dbert_batch_embedding(all, i), dbert_batch_embedding(alone, 0),
						 sizeof(float) * model->config.embedding) == 0);
			dbert_batch_free(alone);
		}
		dbert_batch_free(all);
	}
}

/* ---- files changed on the way ---- */

/* A source that hides one file, or gives other bytes for one. */
typedef struct ChangedSource
{
	DbertSource base;
	const char *name;
	const unsigned char *bytes; /* NULL: hide the file */
	size_t		size;
} ChangedSource;

static DbertStatus
changed_size(void *ctx, const char *name, int64_t *size, DbertError *err)
{
	ChangedSource *s = ctx;

	if (strcmp(name, s->name) != 0)
		return s->base.size(s->base.ctx, name, size, err);
	*size = s->bytes ? (int64_t) s->size : -1;
	return DBERT_OK;
}

static DbertStatus
changed_read(void *ctx, const char *name, uint64_t offset, void *buf, size_t len, DbertError *err)
{
	ChangedSource *s = ctx;

	if (strcmp(name, s->name) != 0)
		return s->base.read(s->base.ctx, name, offset, buf, len, err);
	memcpy(buf, s->bytes + offset, len);
	return DBERT_OK;
}

static bool
has_file(const Golden *g, const char *name)
{
	DbertSource source = dir_source(g->dir);
	int64_t		size;

	return source.size(source.ctx, name, &size, NULL) == DBERT_OK && size >= 0;
}

/* Each of the two tokenizer files alone gives the golden ids. */
static void
check_tokenizer_files(const Golden *g, const DbertKernels *kernels)
{
	static const char *const files[] = {"tokenizer.json", "vocab.txt"};

	if (!has_file(g, files[0]) || !has_file(g, files[1]))
		return;
	for (int f = 0; f < 2; f++)
	{
		ChangedSource changed = {dir_source(g->dir), files[f], NULL, 0};
		DbertSource source = {changed_size, changed_read, &changed};
		Loaded		loaded;
		DbertBatch *batch;

		if (!load(&loaded, &source, g->dir, kernels))
			continue;
		batch = add_cases(loaded.model, g, 0, 1, g->n);
		for (int i = 0; i < g->n; i++)
			check_tokens(g, i, batch);
		dbert_batch_free(batch);
		unload(&loaded);
	}
}

/* ---- F16 and BF16 ---- */

static uint32_t
bits_of(float f)
{
	uint32_t	u;

	memcpy(&u, &f, sizeof(u));
	return u;
}

/* Round to nearest even; the weights here are far from the limits. */
static uint16_t
bf16_of(float f)
{
	uint32_t	u = bits_of(f);

	return (uint16_t) ((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static uint16_t
f16_of(float f)
{
	int			sign = bits_of(f) >> 16 & 0x8000;
	double		a = fabs(f);
	int			e;

	if (a < 0x1p-14)
		return (uint16_t) (sign | (int) nearbyint(a * 0x1p24));
	frexp(a, &e);
	/* 1024 .. 2048; a carry runs into the exponent, as it should */
	return (uint16_t) (sign | (((e + 13) << 10) + (int) nearbyint(ldexp(a, 11 - e))));
}

/*
 * F32 numbers to dtype, or, as_f32, to dtype's values in F32; returns the bytes
 * written.
 */
static size_t
convert_floats(unsigned char *out, const unsigned char *in, size_t bytes, const char *dtype,
			   bool as_f32)
{
	bool		f16 = strcmp(dtype, "F16") == 0;
	size_t		used = 0;

	for (size_t i = 0; i < bytes; i += 4)
	{
		float		f = dbert_float_of_bits(dbert_load_u32(in + i));
		uint16_t	h = f16 ? f16_of(f) : bf16_of(f);
		float		r = f16 ? dbert_float_of_f16(h) : dbert_float_of_bf16(h);

		memcpy(out + used, as_f32 ? (void *) &r : (void *) &h, as_f32 ? 4 : 2);
		used += as_f32 ? 4 : 2;
	}
	return used;
}

static size_t
begin_of(json_t *tensor)
{
	return json_integer_value(json_array_get(json_object_get(tensor, "data_offsets"), 0));
}

/*
 * Convert a tensor's data to the end of out and tell its header the new place.
 */
static void
convert_tensor(json_t *tensor, const unsigned char *data, unsigned char *out, size_t *used,
			   const char *dtype, bool as_f32)
{
	size_t begin = begin_of(tensor),
		   end = json_integer_value(json_array_get(json_object_get(tensor, "data_offsets"), 1)),
		   start = *used;

	*used += convert_floats(out + start, data + begin, end - begin, dtype, as_f32);
	json_object_set_new(tensor, "dtype", json_string(as_f32 ? "F32" : dtype));
	json_object_set_new(tensor, "data_offsets",
						json_pack("[I,I]", (json_int_t) start, (json_int_t) *used));
}

/*
 * A copy of a safetensors file of F32 tensors with values rounded to dtype,
 * stored as dtype or as F32 again; NULL when the file has other tensors.
 */
static unsigned char *
convert_weights(const unsigned char *file, size_t size, const char *dtype, bool as_f32,
				size_t *out_size)
{
	uint64_t	header_len = dbert_load_u64(file);
	json_t	   *header = json_loadb((const char *) file + 8, header_len, 0, NULL);
	unsigned char *converted = malloc(size),
			   *out = NULL;
	size_t		used = 0,
				text_len;
	const char *name;
	json_t	   *tensor;
	char	   *text;

	json_object_del(header, "__metadata__");
	json_object_foreach(header, name, tensor)
	{
		if (strcmp(json_string_value(json_object_get(tensor, "dtype")), "F32") != 0)
			goto done;
		convert_tensor(tensor, file + 8 + header_len, converted, &used, dtype, as_f32);
	}
	text = json_dumps(header, JSON_COMPACT);
	text_len = strlen(text);
	*out_size = 8 + text_len + used;
	out = malloc(*out_size);
	for (int i = 0; i < 8; i++)
		out[i] = (unsigned char) ((uint64_t) text_len >> 8 * i);
	memcpy(out + 8, text, text_len);
	memcpy(out + 8 + text_len, converted, used);
	free(text);
done:
	free(converted);
	json_decref(header);
	return out;
}

static DbertBatch *
run_with_weights(const Golden *g, Loaded *loaded, const unsigned char *file, size_t size,
				 const DbertKernels *kernels)
{
	ChangedSource changed = {dir_source(g->dir), "model.safetensors", file, size};
	DbertSource source = {changed_size, changed_read, &changed};

	return load(loaded, &source, g->dir, kernels) ? batch_of(loaded->model, g, 0, 1, g->n) : NULL;
}

/* 16-bit weights: the bits that the same values as F32 give. */
static void
check_short_floats(const Golden *g, const DbertKernels *kernels)
{
	static const char *const dtypes[] = {"F16", "BF16"};
	DbertSource source = dir_source(g->dir);
	int64_t		size;
	unsigned char *file;

	if (!has_file(g, "model.safetensors"))
		return;
	source.size(source.ctx, "model.safetensors", &size, NULL);
	file = malloc(size);
	CHECK(source.read(source.ctx, "model.safetensors", 0, file, size, NULL) == DBERT_OK);

	for (int d = 0; d < 2; d++)
	{
		size_t		short_size,
					long_size;
		unsigned char *as_short = convert_weights(file, size, dtypes[d], false, &short_size),
				   *as_long = convert_weights(file, size, dtypes[d], true, &long_size);
		Loaded		a = {NULL, NULL},
					b = {NULL, NULL};
		DbertBatch *batch_a =
					   as_short ? run_with_weights(g, &a, as_short, short_size, kernels) : NULL,
				   *batch_b = as_long ? run_with_weights(g, &b, as_long, long_size, kernels) : NULL;

		for (int i = 0; batch_a && batch_b && i < g->n; i++)
			CHECK_MSG(same_results(a.model, batch_a, i, batch_b, i),
					  "%s case %d: %s weights give other bits than their values", g->dir, i,
					  dtypes[d]);
		dbert_batch_free(batch_a);
		dbert_batch_free(batch_b);
		unload(&a);
		unload(&b);
		free(as_short);
		free(as_long);
	}
	free(file);
}

/* ---- folders ---- */

/* The angle between the pooled vectors, and the logits. */
static void
check_close(const Golden *g, int i, const DbertModel *model, const DbertBatch *fp32,
			const DbertBatch *int8)
{
	const float *a = dbert_batch_embedding(fp32, i),
			   *b = dbert_batch_embedding(int8, i);
	double		aa = 0,
				bb = 0,
				ab = 0,
				worst = 0;
	int			rows;

	for (int j = 0; j < model->config.embedding; j++)
	{
		aa += (double) a[j] * a[j];
		bb += (double) b[j] * b[j];
		ab += (double) a[j] * b[j];
	}
	CHECK_MSG(ab / sqrt(aa * bb) >= INT8_COSINE, "%s, %s case %d: cosine of int8 is %.5f", g->dir,
			  model->kernels->name, i, ab / sqrt(aa * bb));
	a = dbert_batch_logits(fp32, i, &rows);
	b = dbert_batch_logits(int8, i, &rows);
	for (int j = 0; j < rows * dbert_head_columns(model); j++)
		worst = fmax(worst, fabs(a[j] - b[j]));
	CHECK_MSG(worst <= INT8_TOLERANCE, "%s, %s case %d: logits of int8 off by %.4f",
			  g->dir, model->kernels->name, i, worst);
}

/* The same model in 8 bits: close to fp32, and the same bits in any company. */
static void
check_int8(const Golden *g, const DbertKernels *kernels, const DbertBatch *fp32)
{
	DbertSource source = dir_source(g->dir);
	Loaded		loaded;
	DbertBatch *all;

	if (!load_as(&loaded, &source, g->dir, DBERT_PRECISION_INT8, kernels))
		return;
	CHECK(loaded.model->weights.layers[0].qkv.w8 != NULL && loaded.model->weights.word == NULL);
	all = batch_of(loaded.model, g, 0, 1, g->n);
	for (int i = 0; i < g->n; i++)
		check_close(g, i, loaded.model, fp32, all);
	check_company(g, loaded.model, all);
	dbert_batch_free(all);
	unload(&loaded);
}

static void
check_with_kernels(const Golden *g, const DbertKernels *kernels)
{
	DbertSource source = dir_source(g->dir);
	Loaded		loaded;
	DbertBatch *all;

	if (!load(&loaded, &source, g->dir, kernels))
		return;
	all = batch_of(loaded.model, g, 0, 1, g->n);
	for (int i = 0; i < g->n; i++)
	{
		check_tokens(g, i, all);
		check_logits(g, i, all, loaded.model);
		check_hidden(g, i, all, loaded.model);
	}
	check_embeddings(g, loaded.model);
	check_company(g, loaded.model, all);
	check_int8(g, kernels, all);
	dbert_batch_free(all);
	unload(&loaded);
}

/* A model of a family that is still to come? */
static bool
is_to_come(const char *dir)
{
	DbertSource source = dir_source(dir);
	DbertError	err = {0};
	Loaded		loaded;
	bool		refused = load_from(&loaded, &source, DBERT_PRECISION_FP32, &dbert_kernels_scalar,
									&err) != DBERT_OK && may_be_refused(dir, &err);

	unload(&loaded);
	if (refused)
		printf("skipped - to come: %s: %s\n", dir, err.msg);
	return refused;
}

static void
check_folder(const char *dir)
{
	Golden		g = {.dir = dir};
	char		path[4096];
	json_error_t why;
	const DbertKernels *kernels;
	DbertError	err;

	snprintf(path, sizeof(path), "%s/golden.json", dir);
	g.root = json_load_file(path, JSON_ALLOW_NUL, &why);
	CHECK_MSG(g.root != NULL, "%s: %s", path, why.text);
	g.cases = json_object_get(g.root, "cases");
	g.n = (int) json_array_size(g.cases);
	CHECK_MSG(g.n > 0, "%s has no cases", path);
	folders_seen++;

	for (int at = 0; g.n > 0 && (kernels = kernels_next(&at, KERNELS_NAME)) != NULL;)
		check_with_kernels(&g, kernels);
	/* matters of reading the files: once, with the best table */
	if (dbert_kernels_choose(NULL, &kernels, &err) == DBERT_OK && g.n > 0)
	{
		check_tokenizer_files(&g, kernels);
		check_short_floats(&g, kernels);
	}
	json_decref(g.root);
}

/* Every model below parent with a golden.json. */
static void
walk(const char *parent)
{
	struct dirent **entries;
	int			n = scandir(parent, &entries, NULL, alphasort);

	for (int i = 0; i < n; i++)
	{
		Golden		g;
		char		dir[2048];

		snprintf(dir, sizeof(dir), "%s/%s", parent, entries[i]->d_name);
		g.dir = dir;
		if (entries[i]->d_name[0] != '.' && has_file(&g, "golden.json") &&
			has_file(&g, "config.json") && !is_to_come(dir))
			check_folder(dir);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

static void
test_fixtures(void)
{
	folders_seen = 0;
	walk("test/fixtures");
	CHECK_MSG(folders_seen > 0, "no model with a golden.json below test/fixtures");
}

static void
test_shared_goldens(void)
{
	char		parent[2048];

	if (shared_dir() == NULL)
		SKIP("../shared is absent");
	folders_seen = 0;
	snprintf(parent, sizeof(parent), "%s/golden", shared_dir());
	walk(parent);
	CHECK_MSG(folders_seen >= 10, "only %d models in %s", folders_seen, parent);
}

int
main(void)
{
	RUN(test_fixtures);
	RUN(test_shared_goldens);
	return tests_end();
}
