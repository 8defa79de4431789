/*
 * encode.c -- the encoder alone, for bench/peers.py to time against others.
 *
 * A DistilBERT-base with random weights, laid out for the best kernels (or
 * those named as the argument), answers lines of the input: the token counts
 * of the texts of one batch.  Each answer is a line with the seconds that the
 * encoder and the classification head took, by the thread's processor time:
 * what other processes take of the core is left out.
 */
#include "nn/encoder.h"
#include "nn/head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_TEXTS 4096

static const DbertConfig config = {
	.family = DBERT_FAMILY_DISTILBERT, .head = DBERT_HEAD_SEQUENCE, .act = DBERT_ACT_GELU,
	.layers = 6, .hidden = 768, .heads = 12, .ffn = 3072, .vocab = 30522, .positions = 512,
	.n_labels = 2, .max_tokens = 512, .norm_eps = 1e-12f
};

static double
thread_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static float *
floats(size_t count)
{
	void	   *p;

	if (posix_memalign(&p, 64, (count + 1) * sizeof(float)) != 0)
		abort();
	return p;
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

static DbertLinear
random_linear(const DbertKernels *kernels, int n, int k)
{
	float	   *w = random_floats((size_t) n * k, 0.035f, 0);
	float	   *packed = floats(kernels->packed_linear_size(n, k));

	kernels->pack_linear(packed, w, n, k);
	free(w);
	return (DbertLinear)
	{
		packed, random_floats(n, 0.02f, 0), n, k
	};
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
	int			c = config.hidden;

	model->config = config;
	model->kernels = kernels;
	w->word = random_floats((size_t) config.vocab * c, 0.035f, 0);
	w->position = random_floats((size_t) config.positions * c, 0.035f, 0);
	w->embed_norm = random_norm();
	w->layers = layers;
	for (int l = 0; l < config.layers; l++)
		layers[l] = (DbertLayer)
	{
		.qkv = random_linear(kernels, 3 * c, c),
			.attn_out = random_linear(kernels, c, c),
			.attn_norm = random_norm(),
			.ffn_in = random_linear(kernels, config.ffn, c),
			.ffn_out = random_linear(kernels, c, config.ffn),
			.ffn_norm = random_norm()
	};
	w->head_dense = random_linear(kernels, c, c);
	w->head_act = DBERT_ACT_RELU;
	w->head_out = random_linear(kernels, config.n_labels, c);
}

/* ---- a batch ---- */

/* cu from a line of token counts; the number of texts. */
static int
parse_lengths(char *line, int32_t *cu)
{
	int			n = 0;

	cu[0] = 0;
	for (char *word = strtok(line, " \n"); word != NULL && n < MAX_TEXTS; word = strtok(NULL, " \n"), n++)
		cu[n + 1] = cu[n] + atoi(word);
	return n;
}

static double
time_batch(const DbertModel *model, const int32_t *cu, int n, DbertError *err)
{
	int			rows = cu[n],
				longest = 0;
	int32_t    *ids = malloc(rows * sizeof(int32_t));
	float	   *hidden = floats((size_t) rows * config.hidden),
			   *workspace,
				logits[2];
	DbertRagged batch = {n, cu, ids, NULL};
	size_t		size;
	double		start;

	for (int i = 0; i < rows; i++)
		ids[i] = (int32_t) ((i * 7919u + 5) % config.vocab);
	for (int b = 0; b < n; b++)
		longest = cu[b + 1] - cu[b] > longest ? cu[b + 1] - cu[b] : longest;
	if (!dbert_encoder_workspace(&config, rows, longest, &size))
		abort();
	workspace = floats(size);
	memset(workspace, 0, size * sizeof(float));
	memset(hidden, 0, (size_t) rows * config.hidden * sizeof(float));

	start = thread_time();
	if (dbert_encode(model, &batch, hidden, workspace, NULL, NULL, NULL, err) != DBERT_OK)
		abort();
	for (int b = 0; b < n; b++)
		if (dbert_head_run(model, ids + cu[b], cu[b + 1] - cu[b], hidden + cu[b] * (size_t) config.hidden,
						   workspace, logits, NULL, err) != DBERT_OK)
			abort();
	start = thread_time() - start;
	free(ids);
	free(hidden);
	free(workspace);
	return start;
}

int
main(int argc, char **argv)
{
	static char line[1 << 16];
	static int32_t cu[MAX_TEXTS + 1];
	DbertModel	model = {0};
	DbertLayer	layers[6];
	const DbertKernels *kernels;
	DbertError	err;

	if (dbert_kernels_choose(argc > 1 ? argv[1] : NULL, &kernels, &err) != DBERT_OK)
	{
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	make_model(&model, layers, kernels);
	printf("%s\n", kernels->name);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		int			n = parse_lengths(line, cu);

		printf("%.9f\n", n > 0 ? time_batch(&model, cu, n, &err) : 0);
		fflush(stdout);
	}
	return 0;
}
