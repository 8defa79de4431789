/*
 * encode.c -- the encoder alone, for bench/peers.py and bench/families.py to
 * time against others.
 *
 *     bench/encode [KERNELS [PRECISION [DIRECTORY]]]
 *
 * A DistilBERT-base with random weights, or the model of a directory, laid out
 * for the best kernels or those named ("best" for them, too), in fp32 or int8,
 * answers lines of the input.  f16 and bf16 are fp32 with random weights that a
 * checkpoint has in 16 bits.  The lines:
 * the token counts of the texts of one batch.  Each answer is a line with the
 * seconds that the encoder and the classification head took, by the thread's
 * processor time: what other processes take of the core is left out.  After a
 * "*" every row of the last layer is computed, as embeddings need it, instead
 * of what classification reads; after "threads 2" so many threads do it, and
 * the clock on the wall is read.
 */
#include "nn/encoder.h"
#include "bench/inpages.h"
#include "base/bytes.h"
#include "kernel/half.h"
#include "model/family.h"
#include "nn/logits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_TEXTS 4096

static DbertConfig config = {
	.family = DBERT_FAMILY_DISTILBERT, .head = DBERT_HEAD_SEQUENCE, .act = DBERT_ACT_GELU,
	.layers = 6, .hidden = 768, .embed_width = 768, .heads = 12, .ffn = 3072,
	.vocab = 30522, .positions = 512, .n_labels = 2, .max_tokens = 512, .norm_eps = 1e-12f
};

static double
seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/* ---- the model ---- */

static float *
random_floats(size_t count, float scale, float offset)
{
	static uint32_t seed = 1;
	float	   *x = floats(count);

	for (size_t i = 0; i < count; i++)
	{
		seed = seed * 1664525u + 1013904223u;
		x[i] = offset + scale * ((float) (seed >> 8) / 8388608.0f - 1);
	}
	return x;
}

/* What fp32's weights are stored as. */
static DbertWeightType stored = DBERT_WEIGHT_F32;

/* The same numbers in 16 bits. */
static DbertHalves
halves_of(const float *x, size_t count)
{
	uint16_t   *halves = (uint16_t *) floats(count / 2 + 1);

	for (size_t i = 0; i < count; i++)
	{
		uint32_t	bits;

		memcpy(&bits, &x[i], sizeof(bits));
		halves[i] =
			stored == DBERT_WEIGHT_F16 ? dbert_f16_of_float(x[i]) : (uint16_t) (bits >> 16);
	}
	return (DbertHalves) {halves, stored};
}

static DbertLinear
random_linear(const DbertKernels *kernels, int n, int k, int precision)
{
	DbertLinear layer = {.b = random_floats(n, 0.02f, 0), .n = n, .k = k};
	float	   *w = random_floats((size_t) n * k, 0.035f, 0);
	size_t		size;
	float	   *packed;
	const DbertInt8Kernels *int8 = dbert_int8_of(kernels, precision);

	if (precision == DBERT_PRECISION_FP32 && stored != DBERT_WEIGHT_F32)
	{
		DbertHalves halves = halves_of(w, (size_t) n * k);

		size = kernels->packed_linear_size(n, k) / 2;
		packed = floats(size);
		kernels->half->pack((uint16_t *) packed, halves.at, n, k, stored);
		layer.w16 = (DbertHalves) {in_file(packed, size * sizeof(float)), stored};
		free((void *) halves.at);
	}
	else if (int8 != NULL)
	{
		size = int8->packed_size(n, k);
		packed = floats(size / sizeof(float));
		int8->pack(packed, w, n, k);
		layer.w8 = in_file(packed, size);
	}
	else
	{
		size = kernels->packed_linear_size(n, k);
		packed = floats(size);
		kernels->pack_linear(packed, w, n, k);
		layer.w = in_file(packed, size * sizeof(float));
	}
	free(w);
	return layer;
}

static DbertNorm
random_norm(void)
{
	return (DbertNorm)
	{
		random_floats(config.hidden, 0.1f, 1), random_floats(config.hidden, 0.1f, 0)
	};
}

static void
make_model(DbertModel *model, DbertLayer *layers, const DbertKernels *kernels)
{
	DbertWeights *w = &model->weights;
	int			c = config.hidden,
				p = config.precision;

	model->config = config;
	model->kernels = kernels;
	w->word = random_floats((size_t) config.vocab * c, 0.035f, 0);
	w->position = random_floats((size_t) config.positions * c, 0.035f, 0);
	if (stored != DBERT_WEIGHT_F32)
	{
		w->word16 = halves_of(w->word, (size_t) config.vocab * c);
		w->position16 = halves_of(w->position, (size_t) config.positions * c);
		w->word = w->position = NULL;
	}
	w->embed_norm = random_norm();
	w->layers = layers;
	for (int l = 0; l < config.layers; l++)
		layers[l] = (DbertLayer)
	{
		.qkv = random_linear(kernels, 3 * c, c, p),
			.attn_out = random_linear(kernels, c, c, p),
			.attn_norm = random_norm(),
			.ffn_in = random_linear(kernels, config.ffn, c, p),
			.ffn_out = random_linear(kernels, c, config.ffn, p),
			.ffn_norm = random_norm()
	};
	w->head_dense = random_linear(kernels, c, c, DBERT_PRECISION_FP32);
	w->head_act = DBERT_ACT_RELU;
	w->head_out = random_linear(kernels, config.n_labels, c, DBERT_PRECISION_FP32);
}

/* Sets stored, too; false: no such precision. */
static bool
parse_precision(const char *name, DbertPrecision *precision)
{
	*precision = DBERT_PRECISION_FP32;
	if (strcmp(name, "f16") == 0)
		stored = DBERT_WEIGHT_F16;
	else if (strcmp(name, "bf16") == 0)
		stored = DBERT_WEIGHT_BF16;
	else
		return dbert_precision_parse(name, precision);
	return true;
}

/* ---- a batch ---- */

typedef struct Job
{
	bool		whole;
	int			threads;		/* 0: not said */
	int			n;
	int32_t		cu[MAX_TEXTS + 1];
	int32_t		wanted[MAX_TEXTS];	/* the texts' first rows */
} Job;

static void
parse_line(char *line, Job *job)
{
	memset(job, 0, sizeof(*job));
	job->whole = line[0] == '*';
	for (char *word = strtok(line + job->whole, " \n"); word != NULL && job->n < MAX_TEXTS;
		 word = strtok(NULL, " \n"))
		if (strcmp(word, "threads") == 0 && (word = strtok(NULL, " \n")) != NULL)
			job->threads = atoi(word);
		else
		{
			job->wanted[job->n] = job->cu[job->n];
			job->cu[job->n + 1] = job->cu[job->n] + atoi(word);
			job->n++;
		}
}

/* The pool of so many threads; those asked for before stay, asleep. */
static DbertThreads *
pool_of(int threads, DbertError *err)
{
	static DbertThreads *pools[DBERT_MAX_THREADS + 1];

	if (threads < 2 || threads > DBERT_MAX_THREADS)
		return NULL;
	if (pools[threads] == NULL &&
		dbert_threads_create(threads, &dbert_malloc_allocator, &pools[threads], err) != DBERT_OK)
		abort();
	return pools[threads];
}

static double
time_batch(const DbertModel *model, const Job *job, DbertError *err)
{
	const DbertConfig *c = &model->config;
	const int32_t *cu = job->cu;
	const clockid_t clock = job->threads ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;
	int			n = job->n,
				rows = cu[n],
				longest = 0;
	int32_t    *ids = malloc(rows * sizeof(int32_t));
	float	   *hidden = floats((size_t) rows * c->hidden),
			   *workspace,
				logits[2];
	DbertRagged batch = {.n_texts = n, .cu = cu, .ids = ids, .pool = pool_of(job->threads, err)};
	size_t		size;
	double		start;

	for (int i = 0; i < rows; i++)
		ids[i] = (int32_t) ((i * 7919u + 5) % c->vocab);
	for (int b = 0; b < n; b++)
		longest = cu[b + 1] - cu[b] > longest ? cu[b + 1] - cu[b] : longest;
	if (!dbert_encoder_workspace(c, rows, longest, dbert_threads_count(batch.pool), &size))
		abort();
	workspace = floats(size);
	memset(workspace, 0, size * sizeof(float));
	memset(hidden, 0, (size_t) rows * c->hidden * sizeof(float));

	if (!job->whole)
	{
		batch.wanted = job->wanted;
		batch.n_wanted = n;
	}

	start = seconds(clock);
	if (dbert_encode(model, &batch, hidden, workspace, NULL, NULL, NULL, err) != DBERT_OK)
		abort();
	for (int b = 0; b < n; b++)
		if (dbert_head_run(model, ids + cu[b], cu[b + 1] - cu[b],
						   hidden + cu[b] * (size_t) c->hidden, workspace, logits, NULL,
						   err) != DBERT_OK)
			abort();
	start = seconds(clock) - start;
	free(ids);
	free(hidden);
	free(workspace);
	return start;
}

int
main(int argc, char **argv)
{
	static char line[1 << 16];
	static Job	job;
	static DbertModel random_model;
	DbertModel *model = &random_model;
	DbertLayer	layers[6];
	const DbertKernels *kernels;
	DbertPrecision precision;
	DbertError	err = {0};

	if (!parse_precision(argc > 2 ? argv[2] : "fp32", &precision) ||
		dbert_kernels_choose(argc > 1 && strcmp(argv[1], "best") != 0 ? argv[1] : NULL, &kernels,
							 &err) != DBERT_OK)
	{
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	config.precision = precision;
	if (argc > 3)
		model = open_model(argv[3], kernels, precision, &err);
	else
		make_model(model, layers, kernels);
	if (model == NULL)
	{
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	printf("%s %s\n", kernels->name, argc > 2 ? argv[2] : "fp32");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		parse_line(line, &job);
		printf("%.9f\n", job.n > 0 ? time_batch(model, &job, &err) : 0);
		fflush(stdout);
	}
	return 0;
}
