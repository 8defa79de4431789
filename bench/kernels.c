/*
 * kernels.c -- how fast each table of kernels is on this machine.
 *
 *     bench/kernels [name ...]		the tables to measure, default: all that run
 *     bench/kernels --machine name	the peak and the memory's speed alone
 *
 * For each table: products on DistilBERT-base's shapes, of 8 bits (int8, and
 * int7 where it is faster), of fp32 and of weights of 16 bits, in GFLOP/s (an
 * integer multiply-add counts as much) and as a fraction of the fp32 multiply-add
 * peak, which the same program measures, and up to which bytes and operations
 * would let the products go (memory: a plain loop over as many weights); one
 * head's attention; the row operations.  Every product takes the next of many
 * weights, as the layers of a model do, so that none is found in a cache.
 * Figures are medians of the thread's processor time, so that what other
 * processes take of the core does not count; pin it all the same: taskset -c 1.
 */
#include "kernel/half.h"
#include "kernel/peak.h"
#include "model/precision.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_ROWS 512
#define LONG_TEXT 8192
#define MAX_SAMPLES 201
#define SECONDS 0.15			/* of sampling a figure */
#define WEIGHT_BYTES ((size_t) 160 << 20)	/* far beyond any cache */

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a,
				y = *(const double *) b;

	return x < y ? -1 : x > y;
}

/* What a product's weights are. */
typedef enum Kind
{
	FP32,
	F16,
	BF16,
	INT8,
	INT7
} Kind;

static const char *const kind_names[] = {"fp32", "F16", "BF16", "int8", "int7"};

/* ---- what is timed ---- */

/* One call's operands; which is the number of the call. */
typedef struct Work
{
	const DbertKernels *table;
	const DbertInt8Kernels *int8;	/* of the table, or NULL */
	int			m;
	int			n;
	int			k;
	int			act;
	float	   *x;
	float	   *y;
	float	   *weights;
	size_t		weight_floats;
	int			weight_count;
	float	   *scratch;		/* int8, attention */
	DbertScoring scoring;
} Work;

static void
call_linear(const Work *w, int which)
{
	w->table->linear(w->y, w->n, w->x, w->k,
					 w->weights + which % w->weight_count * w->weight_floats, w->x, w->m, w->n,
					 w->k, w->act);
}

static void
call_f16(const Work *w, int which)
{
	const float *weights = w->weights + which % w->weight_count * w->weight_floats;

	w->table->half->linear(w->y, w->n, w->x, w->k, (const uint16_t *) weights, DBERT_WEIGHT_F16,
						   w->x, w->m, w->n, w->k, w->act);
}

static void
call_bf16(const Work *w, int which)
{
	const float *weights = w->weights + which % w->weight_count * w->weight_floats;

	w->table->half->linear(w->y, w->n, w->x, w->k, (const uint16_t *) weights, DBERT_WEIGHT_BF16,
						   w->x, w->m, w->n, w->k, w->act);
}

static void
call_int8(const Work *w, int which)
{
	w->int8->linear(w->y, w->n, w->x, w->k,
					w->weights + which % w->weight_count * w->weight_floats, w->x, w->m, w->n, w->k,
					w->act, w->scratch);
}

/* All queries of a text, as many at a time as the encoder takes (nn/attention.c). */
static void
call_attention(const Work *w, int which)
{
	const size_t ld = 36 * (size_t) w->k;
	const int	window = w->scoring.window;
	int			keys = window > 0 && 6 * window < w->m ? 6 * window : w->m,
				rows = (int) (w->table->block_work / (2 * (size_t) keys * (size_t) w->k));

	if (window > 0 && rows > 4 * window)
		rows = 4 * window;
	for (int i = 0; i < w->m; i += rows)
	{
		DbertScoring s = w->scoring;
		int			m = w->m - i < rows ? w->m - i : rows;
		DbertKeys	seen;

		s.query = i;
		s.same_keys = i > 0 && window == 0;
		seen = dbert_scoring_keys(&s, 0, m - 1, w->m);
		s.key = seen.first;
		w->table->attention(w->y + (size_t) i * w->k, w->k, w->x + i * ld,
							w->x + w->k + seen.first * ld, w->x + 2 * w->k + seen.first * ld, ld,
							m, seen.end - seen.first, w->k, &s, w->scratch);
	}
}

static void
call_layer_norm(const Work *w, int which)
{
	w->table->layer_norm_rows(w->y, w->x, w->x, w->x, w->x, w->m, w->n, 1e-12f);
}

/* Median seconds of a call. */
static double
median_time(void (*call) (const Work *w, int which), const Work *w)
{
	double		samples[MAX_SAMPLES];
	double		start = now();
	int			n = 0;

	while (n < MAX_SAMPLES && (n < 5 || now() - start < SECONDS))
	{
		double		t = now();

		call(w, n);
		samples[n++] = now() - t;
	}
	qsort(samples, n, sizeof(double), compare_doubles);
	return samples[n / 2];
}

static float *
floats(size_t count)
{
	void	   *p;

	if (posix_memalign(&p, 64, count * sizeof(float)) != 0)
		abort();
	for (size_t i = 0; i < count; i++)
		((float *) p)[i] = (float) (i % 97) * 0.01f - 0.48f;
	return p;
}

/* ---- the machine ---- */

/* GB/s of a plain loop over weights; the best of some. */
static double
memory_speed(void)
{
	size_t		count = WEIGHT_BYTES / sizeof(uint64_t);
	uint64_t   *words = (uint64_t *) floats(WEIGHT_BYTES / sizeof(float));
	double		best = 0;

	for (int round = 0; round < 7; round++)
	{
		uint64_t	sums[8] = {0};
		double		start = now(),
					speed;

		for (size_t i = 0; i < count; i += 8)
			for (int j = 0; j < 8; j++)
				sums[j] += words[i + j];
		for (int j = 1; j < 8; j++)
			sums[0] += sums[j];
		words[0] = sums[0];		/* lest the loop be left out */
		speed = 1e-9 * WEIGHT_BYTES / (now() - start);
		best = speed > best ? speed : best;
	}
	free(words);
	return best;
}

/* ---- the tables printed ---- */

static const DbertInt8Kernels *
int8_of(const DbertKernels *table, Kind kind)
{
	return kind == INT7 ? table->int7 : kind == INT8 ? table->int8 : NULL;
}

/* Bytes of a packed weight. */
static size_t
weight_bytes(const DbertKernels *table, Kind kind, int n, int k)
{
	if (kind >= INT8)
		return int8_of(table, kind)->packed_size(n, k);
	return table->packed_linear_size(n, k) * (kind == FP32 ? sizeof(float) : sizeof(uint16_t));
}

/* GFLOP/s of a product on weights of a kind. */
static double
product_rate(const DbertKernels *table, Kind kind, int m, int n, int k)
{
	static void (*const calls[]) (const Work *w, int which) = {
		call_linear, call_f16, call_bf16, call_int8, call_int8
	};
	Work		w = {.table = table, .int8 = int8_of(table, kind), .m = m, .n = n, .k = k};
	size_t		size = weight_bytes(table, kind, n, k);
	double		seconds;

	w.weight_floats = (size + 63) / 64 * 16;
	w.weight_count = (int) (WEIGHT_BYTES / sizeof(float) / w.weight_floats);
	w.weights = floats(w.weight_count * w.weight_floats);
	w.x = floats((size_t) MAX_ROWS * 3072);
	w.y = floats((size_t) MAX_ROWS * 3072);
	w.scratch = floats(dbert_int8_scratch(m, k));
	seconds = median_time(calls[kind], &w);
	free(w.weights);
	free(w.x);
	free(w.y);
	free(w.scratch);
	return 2e-9 * m * n * k / seconds;
}

/* Of fp32 and 16 bits: as fast as memory and arithmetic let it be. */
static double
ceiling(const DbertKernels *table, Kind kind, double peak, double memory, int m, int n, int k)
{
	double		by_memory = 2.0 * m * n * k / (double) weight_bytes(table, kind, n, k) * memory;

	return by_memory < peak ? by_memory : peak;
}

static void
bench_products(const DbertKernels *table, Kind kind, double peak, double memory)
{
	const double int8_peak = kind >= INT8 ? dbert_machine_int8_peak(int8_of(table, kind)) : 0;
	static const int shapes[][2] = {{2304, 768}, {768, 768}, {3072, 768}, {768, 3072}};
	static const int rows[] = {1, 2, 4, 8, 12, 16, 24, 32, 64, 96, 128, 192, 384, 512};

	printf("%s: %s products [M,K] x [K,N], G%sOP/s (of the fp32 peak of %.0f)\n", table->name,
		   kind_names[kind], kind >= INT8 ? "" : "FL", peak);
	if (int8_peak > 0)
		printf("multiplied and added in registers, as these do it: %.0f\n", int8_peak);
	printf("%12s", "M");
	for (int i = 0; i < 4; i++)
		printf("  %6dx%-6d ", shapes[i][0], shapes[i][1]);
	printf(kind >= INT8 ? "\n" : "  of the first shape's ceiling\n");
	for (int r = 0; r < (int) (sizeof(rows) / sizeof(rows[0])); r++)
	{
		double		first = 0;

		printf("%12d", rows[r]);
		for (int i = 0; i < 4; i++)
		{
			double		rate = product_rate(table, kind, rows[r], shapes[i][0], shapes[i][1]);

			printf("  %6.1f (%.2f)", rate, peak > 0 ? rate / peak : 0);
			first = i == 0 ? rate : first;
			fflush(stdout);
		}
		if (kind < INT8 && peak > 0)
			printf("  %.2f of %.0f", first / ceiling(table, kind, peak, memory, rows[r],
													 shapes[0][0], shapes[0][1]),
				   ceiling(table, kind, peak, memory, rows[r], shapes[0][0], shapes[0][1]));
		printf("\n");
	}
}

/* Rows for distances below t, distance 0 in the middle of a panel. */
static void
add_distances(Work *w, int t)
{
	w->scoring.zero = (t + 31) / 32 * 32 + 16;
	w->weights = floats(w->table->packed_linear_size(w->scoring.zero + t, w->k));
	w->scoring.query_rows = w->scoring.key_rows = w->weights;
}

/* Operands of a head of t tokens. */
static Work
attention_work(const DbertKernels *table, int t)
{
	return (Work){ .table = table,
				   .m = t,
				   .k = 64,
				   .scoring = { .scale = 0.125f },
				   .x = floats((size_t) t * 36 * 64),
				   .y = floats((size_t) t * 64),
				   .scratch = floats(dbert_attention_scratch(t, 64)) };
}

static void
free_work(Work *w)
{
	free(w->x);
	free(w->y);
	free(w->weights);
	free(w->scratch);
}

/* GFLOP/s of the two products with so many keys for each query, and of the peak. */
static void
print_attention(const char *name, const Work *w, double keys, double seconds, double peak)
{
	double		rate = 4e-9 * w->m * keys * w->k / seconds;

	printf("%12s  %6.1f (%.2f)", name, rate, peak > 0 ? rate / peak : 0);
}

/* Then with a bias by distance, and with vectors for distances: how much longer. */
static void
bench_attention(const DbertKernels *table, double peak)
{
	static const int lengths[] = {8, 16, 32, 64, 128, 256, 512};

	printf("%s: attention of a head, D = 64, GFLOP/s of its two products; times as long with a "
		   "bias, with vectors for distances\n",
		   table->name);
	for (int i = 0; i < (int) (sizeof(lengths) / sizeof(lengths[0])); i++)
	{
		int			t = lengths[i];
		Work		w = attention_work(table, t);
		double		plain = median_time(call_attention, &w),
					bias;
		float	   *biases = floats(2 * (size_t) t);
		char		name[16];

		w.scoring.bias = biases + t;
		bias = median_time(call_attention, &w);
		w.scoring.bias = NULL;
		add_distances(&w, t);
		snprintf(name, sizeof(name), "%d", t);
		print_attention(name, &w, t, plain, peak);
		printf("  %5.2f  %5.2f\n", bias / plain, median_time(call_attention, &w) / plain);
		free(biases);
		free_work(&w);
	}
}

/* A long text, whose tokens see all of it, or 64 to each side, as ModernBERT's do. */
static void
bench_long_attention(const DbertKernels *table, double peak)
{
	Work		w = attention_work(table, LONG_TEXT);

	print_attention("8192", &w, LONG_TEXT, median_time(call_attention, &w), peak);
	w.scoring.window = 64;
	printf("\n");
	print_attention("window of 64", &w, 129, median_time(call_attention, &w), peak);
	printf("\n");
	free_work(&w);
}

static void
bench_rows(const DbertKernels *table)
{
	static const char *const names[] = {"no activation", "gelu", "gelu_tanh", "relu", "tanh"};
	Work		w = {.table = table, .m = 64, .n = 768, .k = 1, .weight_count = 1};
	double		count = (double) w.m * w.n;

	w.x = floats((size_t) count);
	w.y = floats((size_t) count);
	w.weights = floats(table->packed_linear_size(w.n, w.k));
	printf("%s: row operations, elements/ns\n", table->name);
	printf("  layer_norm_rows %.2f\n", 1e-9 * count / median_time(call_layer_norm, &w));
	for (w.act = DBERT_ACT_NONE; w.act <= DBERT_ACT_TANH; w.act++)
		printf("  product of depth 1, %s %.2f\n", names[w.act],
			   1e-9 * count / median_time(call_linear, &w));
	free(w.x);
	free(w.y);
	free(w.weights);
}

/*
 * Tables that differ in their products of 8 bits alone: the rest is measured
 * with the last of them.
 */
static bool
shares_fp32(const DbertKernels *table)
{
	const DbertKernels *other;
	bool		later = false;

	for (int i = 0; (other = dbert_kernels_at(i)) != NULL; i++)
	{
		if (later && other->linear == table->linear)
			return true;
		later = later || other == table;
	}
	return false;
}

static void
bench_table(const char *name, bool machine_alone)
{
	const DbertKernels *table;
	DbertError	err;
	double		peak,
				memory;

	if (dbert_kernels_choose(name, &table, &err) != DBERT_OK)
	{
		printf("%s: %s\n", name, err.msg);
		return;
	}
	peak = dbert_machine_peak(table);
	memory = memory_speed();
	printf("%s: peak %.1f GFLOP/s, memory %.1f GB/s\n", table->name, peak, memory);
	if (machine_alone)
		return;
	bench_products(table, INT8, peak, memory);
	if (dbert_best_8_bits(table) == DBERT_PRECISION_INT7)
		bench_products(table, INT7, peak, memory);
	if (shares_fp32(table))
		return;
	for (Kind kind = FP32; kind <= (table->half != NULL ? BF16 : FP32); kind++)
		bench_products(table, kind, peak, memory);
	bench_attention(table, peak);
	bench_long_attention(table, peak);
	bench_rows(table);
}

int
main(int argc, char **argv)
{
	const DbertKernels *table;

	bool		machine_alone = argc > 1 && strcmp(argv[1], "--machine") == 0;

	for (int i = 1 + machine_alone; i < argc; i++)
		bench_table(argv[i], machine_alone);
	/* the definition is not meant to be fast: only by name */
	for (int i = 0; argc == 1 && (table = dbert_kernels_at(i)) != &dbert_kernels_scalar; i++)
		bench_table(table->name, false);
	return 0;
}
