/*
 * test_encoder.c -- encoder, heads and pooling on models made by hand, against
 * a naive reference in double written from the papers alone: every formula is
 * spelled out per token, with the whole T x T attention matrix.
 */
#include "kernel/int8.h"
#include "dbert.h"
#include "model/family.h"
#include "nn/encoder.h"
#include "nn/logits.h"
#include "nn/layers.h"
#include "nn/pool.h"
#include "test/support/kerneltables.h"
#include "test/support/testhelp.h"

#include <pthread.h>

#define MAX_LAYERS 3

static unsigned seed = 7;

static float
random_float(void)
{
	seed = seed * 1664525u + 1013904223u;
	return (float) (seed >> 8) / 8388608.0f - 1;
}

static float *
aligned_floats(size_t count)
{
	void	   *p = NULL;

	if (posix_memalign(&p, 64, count * sizeof(float)) != 0)
		abort();
	return p;
}

/* ---- a model with random weights ---- */

typedef struct Built
{
	DbertModel	model;
	DbertLayer	layers[MAX_LAYERS];
	void	   *blocks[100];
	int			n_blocks;
} Built;

static float *
random_array(Built *b, size_t count, float scale, float offset)
{
	float	   *x = aligned_floats(count);

	for (size_t i = 0; i < count; i++)
		x[i] = offset + scale * random_float();
	b->blocks[b->n_blocks++] = x;
	return x;
}

/*
 * A weight's row-major original lies before the packed one, for the reference.
 */
static const float *
original(const DbertLinear *l)
{
	return l->w - ((size_t) l->n * l->k + 15) / 16 * 16;
}

static DbertLinear
random_linear(Built *b, int n, int k, bool bias)
{
	size_t		plain = ((size_t) n * k + 15) / 16 * 16;
	float *w = random_array(b, plain + b->model.kernels->packed_linear_size(n, k), 2 / sqrtf(k), 0);

	b->model.kernels->pack_linear(w + plain, w, n, k);
	return (DbertLinear)
	{
		.w = w + plain, .b = bias ? random_array(b, n, 0.5f, 0) : NULL, .n = n, .k = k
	};
}

static DbertNorm
random_norm(Built *b, int c)
{
	return (DbertNorm)
	{
		random_array(b, c, 0.3f, 1), random_array(b, c, 0.3f, 0)
	};
}

static void
build(Built *b, const DbertConfig *config, const DbertKernels *kernels)
{
	DbertWeights *w = &b->model.weights;
	int			c = config->hidden,
				width = config->embed_width > 0 ? config->embed_width : c;

	memset(b, 0, sizeof(*b));
	b->model.config = *config;
	b->model.config.embed_width = width;
	b->model.config.pair_types = config->types > 0;
	b->model.kernels = kernels;
	b->model.alloc = &dbert_malloc_allocator;
	b->model.tokenizer.mask_id = 4;
	w->word = random_array(b, (size_t) config->vocab * width, 1, 0);
	w->position = random_array(b, (size_t) config->positions * width, 1, 0);
	w->type = config->types ? random_array(b, (size_t) config->types * width, 1, 0) : NULL;
	w->embed_norm = random_norm(b, width);
	if (width != c)
		w->embed_project = random_linear(b, c, width, true);
	w->layers = b->layers;
	for (int l = 0; l < config->layers; l++)
	{
		b->layers[l].qkv = random_linear(b, 3 * c, c, true);
		b->layers[l].attn_out = random_linear(b, c, c, true);
		b->layers[l].attn_norm = random_norm(b, c);
		b->layers[l].ffn_in = random_linear(b, config->ffn, c, true);
		b->layers[l].ffn_out = random_linear(b, c, config->ffn, true);
		b->layers[l].ffn_norm = random_norm(b, c);
	}
	if (config->head == DBERT_HEAD_NONE)
		return;
	w->head_act = config->head == DBERT_HEAD_SEQUENCE ? DBERT_ACT_TANH : config->act;
	if (!dbert_family_of(config)->heads[config->head].embed_width)
		width = c;
	if (config->head == DBERT_HEAD_SEQUENCE || config->head == DBERT_HEAD_MASK)
		w->head_dense = random_linear(b, width, c, true);
	if (config->head == DBERT_HEAD_MASK)
		w->head_norm = random_norm(b, width);
	w->head_out = random_linear(b, config->n_labels, width, config->head != DBERT_HEAD_TOKEN);
}

static void
release(Built *b)
{
	for (int i = 0; i < b->n_blocks; i++)
		free(b->blocks[i]);
}

/* ---- the reference ---- */

static void
ref_linear(double *y, const double *x, const DbertLinear *l)
{
	for (int i = 0; i < l->n; i++)
	{
		y[i] = l->b ? l->b[i] : 0;
		for (int j = 0; j < l->k; j++)
			y[i] += x[j] * original(l)[(size_t) i * l->k + j];
	}
}

static void
ref_norm(double *x, const DbertNorm *norm, int c, double eps)
{
	double		mean = 0,
				var = 0;

	for (int j = 0; j < c; j++)
		mean += x[j] / c;
	for (int j = 0; j < c; j++)
		var += (x[j] - mean) * (x[j] - mean) / c;
	for (int j = 0; j < c; j++)
		x[j] = (x[j] - mean) / sqrt(var + eps) * norm->gamma[j] + norm->beta[j];
}

static double
ref_act(double x, int act)
{
	switch (act)
	{
		case DBERT_ACT_GELU:
			return 0.5 * x * (1 + erf(x / sqrt(2)));
		case DBERT_ACT_GELU_TANH:
			return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
		case DBERT_ACT_RELU:
			return x > 0 ? x : 0;
		case DBERT_ACT_TANH:
			return tanh(x);
	}
	return x;
}

/*
 * Row of token i's position: transformers' create_position_ids_from_input_ids.
 */
static int
ref_position(const DbertConfig *config, const int32_t *ids, int i)
{
	int			pad = config->first_position - 1,
				count = 0;

	if (pad < 0)
		return i;
	for (int j = 0; j <= i; j++)
		count += ids[j] != pad;
	return ids[i] != pad ? count + pad : pad;
}

static double *
ref_embed(const DbertModel *m, const int32_t *ids, const uint8_t *types, int t)
{
	int			c = m->config.hidden,
				w = m->config.embed_width;
	double	   *x = calloc((size_t) t * c, sizeof(double));
	double	   *row = malloc(sizeof(double) * w);

	for (int i = 0; i < t; i++)
	{
		for (int j = 0; j < w; j++)
			row[j] = (double) m->weights.word[ids[i] * w + j] +
					 m->weights.position[ref_position(&m->config, ids, i) * w + j] +
					 (m->config.types ? m->weights.type[types[i] * w + j] : 0);
		ref_norm(row, &m->weights.embed_norm, w, m->config.norm_eps);
		if (w == c)
			memcpy(x + i * c, row, sizeof(double) * c);
		else
			ref_linear(x + i * c, row, &m->weights.embed_project);
	}
	free(row);
	return x;
}

static void
ref_attention(const DbertModel *m, const DbertLayer *l, double *x, int t)
{
	int			c = m->config.hidden,
				d = c / m->config.heads;
	double	   *qkv = malloc(sizeof(double) * t * 3 * c);
	double	   *mixed = calloc((size_t) t * c, sizeof(double));
	double	   *p = malloc(sizeof(double) * t);
	double	   *out = malloc(sizeof(double) * c);

	for (int i = 0; i < t; i++)
		ref_linear(qkv + i * 3 * c, x + i * c, &l->qkv);
	for (int h = 0; h < m->config.heads; h++)
		for (int i = 0; i < t; i++)
		{
			double		sum = 0;

			for (int j = 0; j < t; j++)
			{
				double		score = 0;

				for (int e = 0; e < d; e++)
					score += qkv[i * 3 * c + h * d + e] * qkv[j * 3 * c + c + h * d + e];
				sum += p[j] = exp(score / sqrt(d));
			}
			for (int j = 0; j < t; j++)
				for (int e = 0; e < d; e++)
					mixed[i * c + h * d + e] += p[j] / sum * qkv[j * 3 * c + 2 * c + h * d + e];
		}
	for (int i = 0; i < t; i++)
	{
		ref_linear(out, mixed + i * c, &l->attn_out);
		for (int j = 0; j < c; j++)
			x[i * c + j] += out[j];
		ref_norm(x + i * c, &l->attn_norm, c, m->config.norm_eps);
	}
	free(qkv);
	free(mixed);
	free(p);
	free(out);
}

static void
ref_feed_forward(const DbertModel *m, const DbertLayer *l, double *x, int t)
{
	int			c = m->config.hidden,
				f = m->config.ffn;
	double	   *inner = malloc(sizeof(double) * f);
	double	   *out = malloc(sizeof(double) * c);

	for (int i = 0; i < t; i++)
	{
		ref_linear(inner, x + i * c, &l->ffn_in);
		for (int j = 0; j < f; j++)
			inner[j] = ref_act(inner[j], m->config.act);
		ref_linear(out, inner, &l->ffn_out);
		for (int j = 0; j < c; j++)
			x[i * c + j] += out[j];
		ref_norm(x + i * c, &l->ffn_norm, c, m->config.norm_eps);
	}
	free(inner);
	free(out);
}

/* The head on one row of hidden states. */
static void
ref_head(const DbertModel *m, const double *x, double *logits)
{
	const DbertWeights *w = &m->weights;
	int			width = w->head_out.k;
	double	   *y = malloc(sizeof(double) * width);

	if (w->head_dense.w)
	{
		ref_linear(y, x, &w->head_dense);
		for (int j = 0; j < width; j++)
			y[j] = ref_act(y[j], w->head_act);
	}
	else
		memcpy(y, x, sizeof(double) * width);
	if (w->head_norm.gamma)
		ref_norm(y, &w->head_norm, width, m->config.norm_eps);
	ref_linear(logits, y, &w->head_out);
	free(y);
}

/* ---- a batch of random tokens ---- */

typedef struct Texts
{
	DbertRagged ragged;
	int32_t    *cu;
	int32_t    *ids;
	uint8_t    *types;
	float	   *hidden;
	float	   *workspace;
} Texts;

static void
make_texts(Texts *texts, const DbertConfig *config, const int *lengths, int n)
{
	size_t		floats;
	int			longest = 0;

	texts->cu = calloc(n + 1, sizeof(int32_t));
	for (int b = 0; b < n; b++)
	{
		texts->cu[b + 1] = texts->cu[b] + lengths[b];
		longest = lengths[b] > longest ? lengths[b] : longest;
	}
	texts->ids = calloc(texts->cu[n] + 1, sizeof(int32_t));
	texts->types = calloc(texts->cu[n] + 1, 1);
	for (int i = 0; i < texts->cu[n]; i++)
	{
		texts->ids[i] = (int32_t) ((random_float() + 1) / 2 * config->vocab) % config->vocab;
		texts->types[i] = config->types > 1 && random_float() > 0;
	}
	texts->ragged = (DbertRagged)
	{
		.n_texts = n,.cu = texts->cu,.ids = texts->ids,.types = texts->types
	};
	CHECK(dbert_encoder_workspace(config, texts->cu[n], longest, 1, &floats));
	texts->hidden = malloc(sizeof(float) * ((size_t) texts->cu[n] * config->hidden + 1));
	/* exactly what was asked for, so that the sanitizer sees a step beyond */
	texts->workspace = aligned_floats(floats);
}

static void
free_texts(Texts *texts)
{
	free(texts->cu);
	free(texts->ids);
	free(texts->types);
	free(texts->hidden);
	free(texts->workspace);
}

/* ---- comparisons ---- */

static const DbertConfig small = {
	.family = DBERT_FAMILY_BERT,.head = DBERT_HEAD_SEQUENCE,.act = DBERT_ACT_GELU,
	.layers = 2,.hidden = 21,.heads = 3,.ffn = 40,.vocab = 30,.positions = 200,.types = 2,
	.n_labels = 3,.max_tokens = 200,.norm_eps = 1e-12f
};

typedef struct Snapshots
{
	float	   *layer[MAX_LAYERS + 1];
	size_t		floats;
} Snapshots;

static void
keep_layer(void *ctx, int layer, const float *hidden)
{
	Snapshots  *s = ctx;

	s->layer[layer] = malloc(s->floats * sizeof(float));
	memcpy(s->layer[layer], hidden, s->floats * sizeof(float));
}

static double
max_difference(const float *got, const double *want, size_t count)
{
	double		worst = 0;

	for (size_t i = 0; i < count; i++)
		if (!(fabs(got[i] - want[i]) <= worst))
			worst = fabs(got[i] - want[i]);
	return worst;
}

/* Rows of logits of a text of t tokens. */
static int
count_rows(const DbertModel *model, const int32_t *ids, int t)
{
	int			rows = 0;

	for (int i = 0; i < t; i++)
		rows += dbert_head_wants(model, ids[i], i);
	return rows;
}

/* Hidden states after each layer and logits of every text. */
static void
compare_with_reference(const DbertConfig *config, const DbertKernels *kernels,
					   const int *lengths, int n)
{
	Built		built;
	Texts		texts;
	Snapshots	snaps = {{NULL}, 0};
	DbertError	err = {0};
	int			c = config->hidden;

	build(&built, config, kernels);
	make_texts(&texts, config, lengths, n);
	snaps.floats = (size_t) texts.cu[n] * c;
	CHECK(dbert_encode(&built.model, &texts.ragged, texts.hidden, texts.workspace, NULL,
					   keep_layer, &snaps, &err) == DBERT_OK);
	for (int b = 0; b < n; b++)
	{
		int			t = lengths[b],
					rows = count_rows(&built.model, texts.ids + texts.cu[b], t),
					columns = dbert_head_columns(&built.model),
					row = 0;
		size_t		at = (size_t) texts.cu[b] * c;
		double *x = ref_embed(&built.model, texts.ids + texts.cu[b], texts.types + texts.cu[b], t);
		double	   *want = malloc(sizeof(double) * (columns + 1));
		float	   *logits = malloc(sizeof(float) * ((size_t) rows * columns + 1));

		CHECK_NEAR(max_difference(snaps.layer[0] + at, x, (size_t) t * c), 0, 3e-6);
		for (int l = 0; l < config->layers; l++)
		{
			ref_attention(&built.model, &built.layers[l], x, t);
			ref_feed_forward(&built.model, &built.layers[l], x, t);
			CHECK_NEAR(max_difference(snaps.layer[l + 1] + at, x, (size_t) t * c), 0, 2e-5);
		}
		CHECK(memcmp(texts.hidden + at, snaps.layer[config->layers] + at, sizeof(float) * t * c) ==
			  0);

		CHECK(dbert_head_run(&built.model, texts.ids + texts.cu[b], t, texts.hidden + at,
							 texts.workspace, logits, NULL, &err) == DBERT_OK);
		for (int i = 0; columns > 0 && i < t; i++)
			if (config->head == DBERT_HEAD_TOKEN || config->head == DBERT_HEAD_SPAN ||
				(config->head == DBERT_HEAD_SEQUENCE && i == 0) ||
				(config->head == DBERT_HEAD_MASK && texts.ids[texts.cu[b] + i] == 4))
			{
				ref_head(&built.model, x + i * c, want);
				CHECK_NEAR(max_difference(logits + row++ * columns, want, columns), 0, 5e-5);
			}
		CHECK(row == rows);
		free(x);
		free(want);
		free(logits);
	}
	for (int l = 0; l <= config->layers; l++)
		free(snaps.layer[l]);
	free_texts(&texts);
	release(&built);
}

static const int mixed_lengths[] = {1, 5, 64, 2, 65, 130, 63, 3};

#define N_MIXED ((int) (sizeof(mixed_lengths) / sizeof(mixed_lengths[0])))

/* Calls test for each table that runs here. */
static void
for_each_table(void (*test) (const DbertKernels *))
{
	const DbertKernels *kernels;

	for (int at = 0; (kernels = kernels_next(&at, KERNELS_FP32)) != NULL;)
		test(kernels);
}

static void
reference_cases(const DbertKernels *kernels)
{
	DbertConfig config = small;

	for (int head = DBERT_HEAD_NONE; head <= DBERT_HEAD_MASK; head++)
	{
		config.head = head;
		config.n_labels = head == DBERT_HEAD_MASK ? config.vocab : head == DBERT_HEAD_SPAN ? 2 : 3;
		config.act = head % 2 ? DBERT_ACT_GELU : DBERT_ACT_GELU_TANH;
		compare_with_reference(&config, kernels, mixed_lengths, N_MIXED);
	}
	config.family = DBERT_FAMILY_DISTILBERT;
	config.types = 0;
	config.head = DBERT_HEAD_TOKEN;
	config.act = DBERT_ACT_RELU;
	config.hidden = 32;
	config.heads = 1;
	config.layers = 3;
	compare_with_reference(&config, kernels, mixed_lengths, N_MIXED);
	config.heads = 32;			/* D = 1 */
	compare_with_reference(&config, kernels, mixed_lengths, 3);
	config.heads = 4;
	config.embed_width = 13;	/* embeddings are projected, up and down */
	compare_with_reference(&config, kernels, mixed_lengths, N_MIXED);
	config.embed_width = 70;
	compare_with_reference(&config, kernels, mixed_lengths, N_MIXED);
	config.family = DBERT_FAMILY_ELECTRA;	/* the head works at their width */
	config.head = DBERT_HEAD_MASK;
	config.n_labels = config.vocab;
	compare_with_reference(&config, kernels, mixed_lengths, N_MIXED);
	config.embed_width = 13;
	compare_with_reference(&config, kernels, mixed_lengths, N_MIXED);
}

/* Positions behind padding's, tokens of padding among the others. */
static void
position_cases(const DbertKernels *kernels)
{
	DbertConfig config = small;

	config.family = DBERT_FAMILY_ROBERTA;
	config.positions = 132;		/* as many as the longest text has tokens, and two */
	for (config.first_position = 1; config.first_position <= 2; config.first_position++)
		compare_with_reference(&config, kernels, mixed_lengths, N_MIXED);
	config.first_position = 2;
	config.hidden = 24;
	config.embed_width = 13;
	compare_with_reference(&config, kernels, mixed_lengths, N_MIXED);
}

static void
test_against_reference(void)
{
	for_each_table(reference_cases);
}

static void
test_positions(void)
{
	for_each_table(position_cases);
}

/* ---- the same bits in any company ---- */

static void
same_bits(const DbertKernels *kernels)
{
	/* C, H, F, W */
	static const int sizes[][4] = {
		{21, 3, 40}, {50, 5, 90}, {64, 4, 100}, {64, 4, 100, 24}, {21, 3, 40, 50}
	};

	for (int k = 0; k < 5; k++)
	{
		DbertConfig config = small;
		Built		built;
		Texts		all;

		config.hidden = sizes[k][0];
		config.heads = sizes[k][1];
		config.ffn = sizes[k][2];
		config.embed_width = sizes[k][3];
		build(&built, &config, kernels);
		make_texts(&all, &config, mixed_lengths, N_MIXED);
		CHECK(dbert_encode(&built.model, &all.ragged, all.hidden, all.workspace,
						   NULL, NULL, NULL, NULL) == DBERT_OK);
		for (int b = 0; b < N_MIXED; b++)
		{
			int32_t		cu[] = {0, mixed_lengths[b]};
			DbertRagged alone = {
				.n_texts = 1, .cu = cu, .ids = all.ids + all.cu[b], .types = all.types + all.cu[b]
			};
			size_t		bytes = sizeof(float) * cu[1] * config.hidden;
			float	   *hidden = malloc(bytes + 16);

			/* rows at another alignment than in the batch */
			CHECK(dbert_encode(&built.model, &alone, hidden + 3, all.workspace,
							   NULL, NULL, NULL, NULL) == DBERT_OK);
			CHECK_MSG(memcmp(hidden + 3, all.hidden + (size_t) all.cu[b] * config.hidden, bytes) ==
						  0,
					  "%s: text of %d tokens, C %d: other bits alone", kernels->name, cu[1],
					  config.hidden);
			free(hidden);
		}
		free_texts(&all);
		release(&built);
	}
}

static void
test_same_bits_in_any_company(void)
{
	for_each_table(same_bits);
}

/* ---- the last layer for the wanted rows alone ---- */

/*
 * Which rows of a text of t tokens, i its row; text 3 of mixed_lengths (2
 * tokens) has none.
 */
static bool
first_row(int i, int t)
{
	return i == 0;
}

static bool
some_rows(int i, int t)
{
	return t != 2 && (i * 7 % 5 == 2 || i == t - 1);
}

static bool
no_row(int i, int t)
{
	return false;
}

static int
list_wanted(int32_t *wanted, const int32_t *cu, int n, bool (*is_wanted) (int, int))
{
	int			count = 0;

	for (int b = 0; b < n; b++)
		for (int i = cu[b]; i < cu[b + 1]; i++)
			if (is_wanted(i - cu[b], cu[b + 1] - cu[b]))
				wanted[count++] = i;
	return count;
}

/*
 * Rows of got and of want, at their places; bits where the table promises them.
 */
static void
compare_rows(const DbertKernels *kernels, const float *got, const float *want,
			 const int32_t *rows, int n, int c, bool bits)
{
	for (int i = 0; i < n; i++)
	{
		const float *g = got + (size_t) rows[i] * c,
				   *w = want + (size_t) rows[i] * c;
		double		worst = 0;

		for (int j = 0; j < c; j++)
			if (!(fabs((double) g[j] - w[j]) <= worst))
				worst = fabs((double) g[j] - w[j]);
		CHECK_MSG(bits ? memcmp(g, w, sizeof(float) * c) == 0 : worst <= 2e-6,
				  "%s: C %d, row %d differs by %g", kernels->name, c, (int) rows[i], worst);
	}
}

/* Against the whole layer, and each text alone against the batch. */
static void
wanted_case(const DbertKernels *kernels, const DbertConfig *config, bool (*is_wanted) (int, int))
{
	Built		built;
	Texts		all;
	int			c = config->hidden,
				n;
	size_t		floats;
	float	   *hidden;
	int32_t    *wanted;

	build(&built, config, kernels);
	make_texts(&all, config, mixed_lengths, N_MIXED);
	floats = (size_t) all.cu[N_MIXED] * c;
	hidden = malloc(sizeof(float) * floats);
	wanted = malloc(sizeof(int32_t) * all.cu[N_MIXED]);
	CHECK(dbert_encode(&built.model, &all.ragged, all.hidden, all.workspace, NULL, NULL, NULL,
					   NULL) == DBERT_OK);

	n = list_wanted(wanted, all.cu, N_MIXED, is_wanted);
	all.ragged.wanted = wanted;
	all.ragged.n_wanted = n;
	CHECK(dbert_encode(&built.model, &all.ragged, hidden, all.workspace, NULL, NULL, NULL, NULL) ==
		  DBERT_OK);
	compare_rows(kernels, hidden, all.hidden, wanted, n, c, !kernels->rows_matter);

	memcpy(all.hidden, hidden, sizeof(float) * floats);
	for (int b = 0; b < N_MIXED; b++)
	{
		int32_t		cu[] = {0, mixed_lengths[b]};
		DbertRagged alone = { .n_texts = 1,
							  .cu = cu,
							  .ids = all.ids + all.cu[b],
							  .types = all.types + all.cu[b],
							  .wanted = wanted };

		alone.n_wanted = n = list_wanted(wanted, cu, 1, is_wanted);
		CHECK(dbert_encode(&built.model, &alone, hidden, all.workspace, NULL, NULL, NULL, NULL) ==
			  DBERT_OK);
		compare_rows(kernels, hidden, all.hidden + (size_t) all.cu[b] * c, wanted, n, c, true);
	}
	free(hidden);
	free(wanted);
	free_texts(&all);
	release(&built);
}

static void
wanted_cases(const DbertKernels *kernels)
{
	/* C below, beside and on the border of panels of 16 and 32 columns */
	static const int sizes[][3] = {{21, 3, 40}, {50, 5, 90}, {64, 4, 100}, {80, 5, 33}};

	for (int k = 0; k < 4; k++)
	{
		DbertConfig config = small;

		config.hidden = sizes[k][0];
		config.heads = sizes[k][1];
		config.ffn = sizes[k][2];
		config.layers = k % 2 + 1;
		wanted_case(kernels, &config, first_row);
		wanted_case(kernels, &config, some_rows);
		wanted_case(kernels, &config, no_row);
	}
}

static void
test_wanted_rows(void)
{
	for_each_table(wanted_cases);
}

/* ---- threads ---- */

/*
 * stop is asked by the thread that made the call alone, while no worker is in a
 * part
 */
typedef struct Asked
{
	pthread_t	by;
	int			left;
	int			times;
} Asked;

static bool
stop_by(void *ctx)
{
	Asked	   *asked = ctx;

	CHECK(pthread_equal(asked->by, pthread_self()));
	asked->times++;
	return asked->left-- <= 0;
}

static void
threads_case(const DbertKernels *kernels, const DbertConfig *config, int threads)
{
	static const int lengths[] = {1, 200, 3, 64, 2, 65, 130, 63, 3, 150, 190, 12};
	const int	n = sizeof(lengths) / sizeof(lengths[0]);
	Built		built;
	Texts		all;
	DbertThreads  *pool = NULL;
	size_t		floats,
				count;
	float	   *hidden,
			   *workspace;
	Asked		asked = {.by = pthread_self()};
	DbertPoll	poll = {stop_by, &asked};

	build(&built, config, kernels);
	make_texts(&all, config, lengths, n);
	count = (size_t) all.cu[n] * config->hidden;
	hidden = malloc(sizeof(float) * count);
	CHECK(dbert_encoder_workspace(config, all.cu[n], 200, threads, &floats));
	workspace = aligned_floats(floats);
	CHECK(dbert_threads_create(threads, &dbert_malloc_allocator, &pool, NULL) == DBERT_OK);

	CHECK(dbert_encode(&built.model, &all.ragged, all.hidden, all.workspace, NULL, NULL, NULL,
					   NULL) == DBERT_OK);
	all.ragged.pool = pool;
	asked.left = INT32_MAX;
	CHECK(dbert_encode(&built.model, &all.ragged, hidden, workspace, &poll, NULL, NULL, NULL) ==
		  DBERT_OK);
	CHECK_MSG(memcmp(hidden, all.hidden, sizeof(float) * count) == 0,
			  "%s, %d threads: other bits", kernels->name, threads);

	/* given up anywhere, the pool is ready for the next run */
	for (int after = asked.times - 1; after >= 0; after = after / 2 - 1)
	{
		asked.left = after;
		CHECK(dbert_encode(&built.model, &all.ragged, hidden, workspace, &poll, NULL, NULL, NULL) ==
			  DBERT_E_CANCELLED);
		CHECK(dbert_encode(&built.model, &all.ragged, hidden, workspace, NULL, NULL, NULL, NULL) ==
			  DBERT_OK);
		CHECK(memcmp(hidden, all.hidden, sizeof(float) * count) == 0);
	}
	dbert_threads_free(pool);
	free(hidden);
	free(workspace);
	free_texts(&all);
	release(&built);
}

static void
threads_cases(const DbertKernels *kernels)
{
	DbertConfig config = small;

	for (int threads = 2; threads <= 4; threads++)
		threads_case(kernels, &config, threads);
	if (kernels == &dbert_kernels_scalar)
		return;					/* too slow */
	config.hidden = 192;
	config.heads = 12;
	config.ffn = 768;
	for (int threads = 2; threads <= 4; threads++)
		threads_case(kernels, &config, threads);
}

static void
test_threads(void)
{
	for_each_table(threads_cases);
}

/* ---- giving up, limits ---- */

static bool
stop_after(void *ctx)
{
	return (*(int *) ctx)-- <= 0;
}

static void
test_cancel(void)
{
	Built		built;
	Texts		texts;
	int			polls = 0,
				left;
	DbertPoll	poll = {stop_after, &left};
	DbertError	err;
	DbertStatus status;

	build(&built, &small, &dbert_kernels_scalar);
	make_texts(&texts, &small, mixed_lengths, 2);
	do
	{
		left = polls++;
		err.code = DBERT_OK;
		status = dbert_encode(&built.model, &texts.ragged, texts.hidden, texts.workspace,
							  &poll, NULL, NULL, &err);
		CHECK(status == err.code);
		CHECK(status == DBERT_OK || status == DBERT_E_CANCELLED);
	} while (status != DBERT_OK && polls < 10000);
	/* 2 texts; per layer: qkv, 3 heads of each, out, 2 in the feed-forward */
	CHECK_MSG(polls - 1 == 2 + 2 * (1 + 2 * 3 + 1 + 2), "%d polls", polls - 1);
	free_texts(&texts);
	release(&built);
}

/* No product between two polls may be longer than the table's block_work. */
static void
test_block_rows(void)
{
	const DbertModel scalar = { .kernels = &dbert_kernels_scalar },
					 openblas = { .kernels = &dbert_kernels_openblas },
					 int8 = { .kernels = &dbert_kernels_openblas,
							  .config.precision = DBERT_PRECISION_INT8 },
					 *s = &scalar, *o = &openblas;

	CHECK(dbert_block_rows(o, 1, 8 * DBERT_BLOCK_ROWS, 8, 8) == DBERT_BLOCK_ROWS);
	CHECK(dbert_block_rows(o, 1, DBERT_BLOCK_ROWS + 1, 8, 8) == DBERT_BLOCK_ROWS / 2 + 1);
	CHECK(dbert_block_rows(o, 1, 5, 8, 8) == 5);
	CHECK(dbert_block_rows(o, 1, 100000, 30522, 768) ==
		  (int) (o->kernels->block_work / (30522 * 768)));
	CHECK(dbert_block_rows(&int8, 1, 100, 3072, 768) ==
		  (int) (dbert_int8_scalar.block_work / (3072 * 768)));
	CHECK(dbert_block_rows(s, 1, 100, 3072, 768) == 1);
	CHECK(dbert_block_rows(s, 1, 100, INT32_MAX, INT32_MAX) == 1);

	/* threads: parts of one size for each, but not of a few rows */
	CHECK(dbert_block_rows(o, 2, 300, 8, 8) == 75);
	CHECK(dbert_block_rows(o, 4, 512, 8, 8) == 64);
	CHECK(dbert_block_rows(o, 4, 30, 8, 8) == 15);
	CHECK(dbert_block_rows(o, 4, 5, 8, 8) == 5);
	CHECK(dbert_block_rows(s, 4, 100, 3072, 768) == 1);
}

static void
test_limits(void)
{
	Built		built;
	Texts		texts;
	DbertConfig config = small;
	DbertConfig huge = small;
	DbertError	err;
	size_t		floats,
				more;

	build(&built, &config, &dbert_kernels_scalar);
	make_texts(&texts, &config, (int[]) {200, 5}, 2);
	CHECK(dbert_encode(&built.model, &texts.ragged, texts.hidden, texts.workspace,
					   NULL, NULL, NULL, &err) == DBERT_OK);
	built.model.config.positions = 199;
	CHECK(dbert_encode(&built.model, &texts.ragged, texts.hidden, texts.workspace,
					   NULL, NULL, NULL, &err) == DBERT_E_LIMIT);

	huge.hidden = INT32_MAX;
	CHECK(!dbert_encoder_workspace(&huge, 1, SIZE_MAX / 2, 1, &floats));
	CHECK(!dbert_encoder_workspace(&huge, 1, (size_t) INT32_MAX * 1024, 1, &floats));
	CHECK(dbert_encoder_workspace(&small, 10, 10, 1, &floats));
	CHECK(dbert_encoder_workspace(&small, 10, 200, 1, &more) && more > floats);
	CHECK(dbert_encoder_workspace(&small, 10, 10, 3, &more) && more > floats);
	free_texts(&texts);
	release(&built);
}

/* Nothing to do is fine. */
static void
test_no_texts(void)
{
	Built		built;
	Texts		texts;

	build(&built, &small, &dbert_kernels_scalar);
	make_texts(&texts, &small, NULL, 0);
	CHECK(dbert_encode(&built.model, &texts.ragged, texts.hidden, texts.workspace,
					   NULL, NULL, NULL, NULL) == DBERT_OK);
	free_texts(&texts);
	release(&built);
}

/* ---- pooling ---- */

static void
test_pooling(void)
{
	const float hidden[] = {1, -2, 3, 5, 4, -6};	/* [3,2] */
	DbertConfig config = {.hidden = 2,.pooling = DBERT_POOL_MEAN};
	float		out[2];

	dbert_pool(&config, hidden, 3, 0, out);
	CHECK_NEAR(out[0], 8.0 / 3, 1e-7);
	CHECK_NEAR(out[1], -1, 1e-7);
	config.pooling = DBERT_POOL_CLS;
	dbert_pool(&config, hidden, 3, 0, out);
	CHECK(out[0] == 1 && out[1] == -2);
	config.pooling = DBERT_POOL_MAX;
	dbert_pool(&config, hidden, 3, 0, out);
	CHECK(out[0] == 4 && out[1] == 5);
	dbert_normalize(out, 2);
	CHECK_NEAR(out[0], 4 / sqrt(41), 1e-7);
	CHECK_NEAR(out[1], 5 / sqrt(41), 1e-7);
	out[0] = out[1] = 0;
	dbert_normalize(out, 2);
	CHECK(out[0] == 0 && out[1] == 0);
}

/* The first token left out; of one token that is all there is, none is. */
static void
test_pooling_without_prompt(void)
{
	static const struct
	{
		DbertPooling pooling;
		double		want[2];
		bool		reads[3];
	} cases[] = {
		{ DBERT_POOL_MEAN, { 3.5, -0.5 }, { false, true, true } },
		{ DBERT_POOL_MEAN_SQRT_LEN, { 7 / 1.41421356, -1 / 1.41421356 }, { false, true, true } },
		{ DBERT_POOL_WEIGHTED_MEAN,
		  { (2 * 3 + 3 * 4) / 5.0, (2 * 5 - 3 * 6) / 5.0 },
		  { false, true, true } },
		{ DBERT_POOL_CLS, { 3, 5 }, { false, true, false } },
		{ DBERT_POOL_MAX, { 4, 5 }, { false, true, true } },
		{ DBERT_POOL_LAST, { 4, -6 }, { false, false, true } }
	};
	const float hidden[] = {1, -2, 3, 5, 4, -6};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		DbertConfig config = {.hidden = 2,.pooling = cases[i].pooling};
		float		out[2];

		dbert_pool(&config, hidden, 3, 1, out);
		CHECK_NEAR(out[0], cases[i].want[0], 1e-6);
		CHECK_NEAR(out[1], cases[i].want[1], 1e-6);
		for (int t = 0; t < 3; t++)
			CHECK(dbert_pool_reads(&config, 3, 1, t) == cases[i].reads[t]);
	}
}

int
main(void)
{
	RUN(test_against_reference);
	RUN(test_positions);
	RUN(test_same_bits_in_any_company);
	RUN(test_wanted_rows);
	RUN(test_threads);
	RUN(test_cancel);
	RUN(test_block_rows);
	RUN(test_limits);
	RUN(test_no_texts);
	RUN(test_pooling);
	RUN(test_pooling_without_prompt);
	return tests_end();
}
