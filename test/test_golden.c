/*
 * test_golden.c -- whole models against what Hugging Face computes in float64,
 * with each table of kernels: ids and offsets equal, numbers within 1e-4.
 */
#include "dbert.h"
#include "nn/encoder.h"
#include "nn/logits.h"
#include "nn/pool.h"
#include "test/support/dirsource.h"
#include "test/support/goldens.h"
#include "test/support/kerneltables.h"
#include "test/support/testhelp.h"

#define TOLERANCE 1e-4

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

/* ---- all tokens against the whole vocabulary ---- */

/*
 * SPLADE's weights, max over tokens of log(1 + relu(logit)): the largest, and
 * their sum.  For the head each token is a mask.
 */
static void
check_splade(const Golden *g, int i, const DbertModel *model, const float *hidden, int n,
			 float *workspace)
{
	json_t	   *splade = json_object_get(json_array_get(g->cases, i), "splade"),
			   *ids = json_object_get(splade, "ids");
	int			columns = dbert_head_columns(model);
	int32_t    *masks = malloc(n * sizeof(int32_t));
	float	   *logits = malloc(sizeof(float) * n * columns),
			   *largest = calloc(columns, sizeof(float));
	double		sum = 0;

	for (int j = 0; j < n; j++)
		masks[j] = model->tokenizer.mask_id;
	CHECK(dbert_head_run(model, masks, n, hidden, workspace, logits, NULL, NULL) == DBERT_OK);
	for (int j = 0; j < n * columns; j++)
		largest[j % columns] = fmaxf(largest[j % columns], logits[j]);
	for (int j = 0; j < columns; j++)
		sum += log1p(largest[j]);
	for (size_t j = 0; j < json_array_size(ids); j++)
		CHECK_NEAR(log1p(largest[json_integer_value(json_array_get(ids, j))]),
				   json_number_value(json_array_get(json_object_get(splade, "weights"), j)),
				   TOLERANCE);
	CHECK_NEAR(sum / json_number_value(json_object_get(splade, "sum")), 1, 1e-5);
	free(masks);
	free(logits);
	free(largest);
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
	if (json_object_get(c, "splade") != NULL)
		check_splade(g, i, model, hidden, n, workspace);
	free(ids);
	free(types);
	free(hidden);
	free(pooled);
	free(workspace);
}

/* ---- embeddings ---- */

static bool
golden_has(const Golden *g, const char *key)
{
	for (int i = 0; i < g->n; i++)
		if (json_object_get(json_array_get(g->cases, i), key) != NULL)
			return true;
	return false;
}

/*
 * What sentence-transformers gives, as embeddings of a text and, where the
 * golden has them, of a query and a passage; the bits do not depend on the
 * company.
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
		DbertBatch *all;
		DbertError	err = {0};

		if (k > 0 && !golden_has(g, kinds[k].key))
			continue;
		all = golden_add(model, g, want, 0, 1, g->n);
		CHECK(dbert_batch_run(all, NULL, &err) == DBERT_OK);
		for (int i = 0; i < g->n; i++)
		{
			json_t	   *golden = json_object_get(json_array_get(g->cases, i), kinds[k].key);
			DbertBatch *alone = golden_add(model, g, want, i, 1, 1);

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

/* ---- folders ---- */

static void
check_with_kernels(const Golden *g, const DbertKernels *kernels)
{
	DbertSource source = dir_source(g->dir);
	Loaded		loaded;
	DbertBatch *all;

	if (!golden_load(&loaded, g, &source, DBERT_PRECISION_FP32, kernels))
		return;
	all = golden_run(loaded.model, g, 0, 1, g->n);
	for (int i = 0; i < g->n; i++)
	{
		check_golden_tokens(g, i, all);
		check_logits(g, i, all, loaded.model);
		check_hidden(g, i, all, loaded.model);
	}
	check_embeddings(g, loaded.model);
	dbert_batch_free(all);
	golden_unload(&loaded);
}

static void
check_folder(const Golden *g)
{
	const DbertKernels *kernels;

	for (int at = 0; (kernels = kernels_next(&at, KERNELS_NAME)) != NULL;)
		check_with_kernels(g, kernels);
}

static void
test_fixtures(void)
{
	goldens_of_fixtures(check_folder);
}

static void
test_shared_goldens(void)
{
	goldens_of_shared_data(check_folder);
}

int
main(void)
{
	RUN(test_fixtures);
	if (SHARED_GOLDENS)
		RUN(test_shared_goldens);
	return tests_end();
}
