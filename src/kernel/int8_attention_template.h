/*
 * int8_attention_template.h -- one head of one text in whole numbers, as int8.h
 * says, written once over a vec_*.h, an ivec_*.h and int8_template.h.
 *
 * The including file says how its instructions multiply, as there.
 *
 * Keys are packed like weights, as [T,D], and met by QUERIES queries at a time.
 * Values lie in panels of NR columns, a line for two tokens:
 *
 *   line 0   v[0][0] v[1][0]  v[0][1] v[1][1] .. v[1][NR-1]
 *   line 1   v[2][0] v[3][0]  ..
 */
#ifndef DBERT_KERNEL_INT8_ATTENTION_TEMPLATE_H
#define DBERT_KERNEL_INT8_ATTENTION_TEMPLATE_H

#include "kernel/int8_template.h"
#include "kernel/softmax_template.h"

#define QUERIES 24				/* a multiple of MR */
#define WEIGHED 8				/* rows of scores that stay in L1 */

/* One call: what is packed, and a block's rows. */
typedef struct Attention
{
	int			t;
	int			d;
	char	   *keys;
	int32_t    *values;
	float	   *value_scales;
	float	   *largest;		/* of a value's column; then what it is multiplied by */
	int8_t	   *numbers;		/* of a key */
	Quantum    *queries;
	float	   *scores;			/* rows lds apart */
	size_t		lds;
	int16_t    *weights;		/* likewise */
	float		scales[QUERIES];	/* of the queries, then of the weights */
	int32_t		taken[QUERIES];
} Attention;

/* A multiple of 16, which is one of all vectors and groups. */
static inline int
whole(int n)
{
	return (n + 15) / 16 * 16;
}

static inline int
panels_width(int n)
{
	return (n + NR - 1) / NR * NR;
}

/* The sum of all lanes' numbers, which is exact in floats. */
static inline float
sum_whole(IVec numbers)
{
	return v_sum(i_to_float(numbers));
}

/* ---- keys ---- */

/* A key in whole numbers; returns its scale and their sum. */
static float
round_key(int8_t *numbers, int32_t *sum, const float *k, int d, int steps)
{
	const Range range = row_range(k, d);
	const DbertI8Scale s = dbert_i8_scale(-range.low > range.high ? -range.low : range.high, steps);
	IVec		total = i_set(0);

	for (int p = 0; p < whole(d); p += VL)
	{
		IVec		w = i_round(v_mul(load_filled(k + p, d - p, v_zero()), v_set(s.inverse)));

		i_store8(numbers + p, w);
		total = i_add(total, w);
	}
	*sum = s.inverse != 0 ? (int32_t) sum_whole(total) : 0;
	return s.scale;
}

static void
pack_keys(const Attention *a, const float *k, size_t ld, int steps)
{
	const size_t panel = panel_size(a->d);
	const int	count = panel_lines(a->d);

	memset(a->keys + (size_t) (a->t - 1) / NR * panel, 0, panel);	/* what is missing there */
	for (int j = 0; j < a->t; j++)
	{
		float	   *scales = (float *) (a->keys + (size_t) j / NR * panel);
		int32_t    *sums = (int32_t *) (scales + NR);
		char	   *lines = (char *) (sums + NR) + j % NR * GROUP;

		scales[j % NR] = round_key(a->numbers, &sums[j % NR], k + j * ld, a->d, steps);
		for (int p = 0; p < count; p++)
			memcpy(lines + p * LINE, a->numbers + p * GROUP, GROUP);
	}
}

/* ---- values ---- */

/* The scales of all columns; 0 of those that there are not. */
static void
scale_values(const Attention *a, const float *v, size_t ld)
{
	float	   *poison = a->value_scales,
			   *largest = a->largest;
	int			width = panels_width(a->d);

	memset(largest, 0, width * sizeof(float));
	memset(poison, 0, width * sizeof(float));
	for (int i = 0; i < a->t; i++, v += ld)
		for (int c = 0; c < a->d; c += VL)
		{
			Vec			value = load_filled(v + c, a->d - c, v_zero());

			v_store(largest + c, v_max(v_abs(value), v_load(largest + c)));
			v_store(poison + c, v_add(v_mul(value, v_zero()), v_load(poison + c)));
		}
	for (int c = 0; c < width; c++)
	{
		DbertI8Scale s = dbert_i8_scale(poison[c] + largest[c], DBERT_I8_VALUE_STEPS);

		a->value_scales[c] = s.scale;
		largest[c] = s.inverse;
	}
}

static void
pack_values(const Attention *a, const float *v, size_t ld)
{
	const size_t panel = (size_t) (a->t + 1) / 2 * NR;

	scale_values(a, v, ld);
	for (int i = 0; i < a->t; i += 2)
		for (int c = 0; c < panels_width(a->d); c += VL)
		{
			Vec			inverse = v_load(a->largest + c),
						first = load_filled(v + i * ld + c, a->d - c, v_zero()),
						second = v_zero();

			if (i + 1 < a->t)
				second = load_filled(v + (i + 1) * ld + c, a->d - c, v_zero());
			i_store(a->values + c / NR * panel + (size_t) i / 2 * NR + c % NR,
					i_pair(i_round(v_mul(first, inverse)), i_round(v_mul(second, inverse))));
		}
}

/* ---- a block of queries ---- */

static void
meet_keys(const Attention *a, int rows)
{
	const size_t panel = panel_size(a->d);
	const char *at = a->keys;

	for (int n0 = 0; n0 < a->t; n0 += NR, at += panel)
	{
		Tile		tile = {
			.y = a->scores + n0, .ldy = a->lds, .x = a->queries, .ldx = row_quanta(a->d),
			.row_scales = a->scales, .taken = a->taken, .panel = at,
			.columns = a->t - n0 < NR ? a->t - n0 : NR, .lines = panel_lines(a->d),
			.fetch = at + panel,
		};

		panel_run(tile, rows, DBERT_ACT_NONE);
	}
}

/*
 * A row of exponentials becomes weights; returns their scale, 1 over their sum,
 * which is below 2^24.
 */
static float
round_weights(const Attention *a, int16_t *weights, const float *scores, float sum)
{
	Vec			factor = v_set(DBERT_I8_WEIGHT16_STEPS / sum);
	IVec		total = i_set(0);

	for (int j = 0; j < a->t; j += VL)
	{
		IVec		w = i_round(v_mul(load_filled(scores + j, a->t - j, v_zero()), factor));

		i_store16(weights + j, w);
		total = i_add(total, w);
	}
	return sum <= FLT_MAX ? 1 / sum_whole(total) : NAN;
}

/*
 * Some rows of scores become weights, step by step: within a row each step
 * waits for the one before it.
 */
static void
weigh_keys(Attention *a, int first, int rows, float scale)
{
	float	   *scores = a->scores + first * a->lds;
	int16_t    *weights = a->weights + first * a->lds;
	float		most[WEIGHED],
				sums[WEIGHED];

	for (int i = 0; i < rows; i++)
		most[i] = greatest(scores + i * a->lds, a->t);
	for (int i = 0; i < rows; i++)
		sums[i] = exponentials_below(scores + i * a->lds, a->t, most[i], scale);
	for (int i = 0; i < rows; i++)
		a->scales[first + i] = round_weights(a, weights + i * a->lds, scores + i * a->lds, sums[i]);
}

/* MR rows of weights by a panel of values; some of them are wanted. */
static void
value_tile(const Attention *a, float *out, size_t ldo, int first, int rows, int c)
{
	IVec		acc[MR][NV];
	const int	lines = (a->t + 1) / 2;
	const int32_t *v = a->values + (size_t) c * lines;
	const int16_t *w = a->weights + first * a->lds;

	UNROLL
	for (int i = 0; i < MR; i++)
		UNROLL
		for (int j = 0; j < NV; j++)
			acc[i][j] = i_set(0);
	for (int p = 0; p < lines; p++, v += NR, w += 2)
		UNROLL
		for (int i = 0; i < MR; i++)
		{
			int32_t		two;

			memcpy(&two, w + i * a->lds, sizeof(two));
			UNROLL
			for (int j = 0; j < NV; j++)
				acc[i][j] = i_dot16(acc[i][j], i_set(two), i_load(v + j * VL));
		}
	UNROLL
	for (int i = 0; i < MR; i++)
		UNROLL
		for (int j = 0; j < NV; j++)
			if (i < rows)
				store_first(out + i * ldo + c + j * VL, a->d - c - j * VL,
							v_mul(i_to_float(acc[i][j]),
								  v_mul(v_set(a->scales[first + i]),
										v_load(a->value_scales + c + j * VL))));
}

static void
attend_block(Attention *a, float *out, size_t ldo, const float *q, size_t ld, int rows,
			 float scale, int query_steps)
{
	quantize_rows(a->queries, a->scales, a->taken, q, ld, rows, a->d, query_steps);
	meet_keys(a, rows);
	for (int i = 0; i < rows; i += WEIGHED)
		weigh_keys(a, i, rows - i < WEIGHED ? rows - i : WEIGHED, scale);
	for (int c = 0; c < a->d; c += NR)
		for (int i = 0; i < rows; i += MR)
			value_tile(a, out + i * ldo, ldo, i, rows - i, c);
}

/* ---- a call ---- */

/* The parts of the scratch, each at a multiple of 64 bytes. */
static void
place(Attention *a, float *scratch)
{
	const size_t width = panels_width(a->d) + 16;
	char	   *at = (char *) scratch;

	a->lds = whole(a->t) + 16;
	a->value_scales = (float *) at;
	a->largest = a->value_scales + width;
	a->numbers = (int8_t *) (a->largest + width);
	at += 64 * ((2 * width * sizeof(float) + whole(a->d) + 63) / 64);
	a->queries = (Quantum *) at;
	at += (QUERIES + 1) * row_quanta(a->d) * sizeof(Quantum);
	a->scores = (float *) at;
	a->weights = (int16_t *) (a->scores + QUERIES * a->lds);
	a->values = (int32_t *) (a->weights + QUERIES * a->lds);
	a->keys = (char *) (a->values + (size_t) (a->t + 1) / 2 * panels_width(a->d));
}

static inline void
attend(float *out, size_t ldo, const float *q, const float *k, const float *v, size_t ld, int m,
	   int t, int d, float scale, float *scratch, int query_steps, int key_steps)
{
	Attention	a = {.t = t, .d = d};

	place(&a, scratch);
	pack_keys(&a, k, ld, key_steps);
	pack_values(&a, v, ld);
	for (int blocks = (m + QUERIES - 1) / QUERIES, i = 0; blocks > 0; blocks--)
	{
		int			rows = (m - i + blocks - 1) / blocks;

		attend_block(&a, out + i * ldo, ldo, q + i * ld, ld, rows, scale, query_steps);
		i += rows;
	}
}

static inline void
attention8(float *out, size_t ldo, const float *q, const float *k, const float *v, size_t ld,
		   int m, int t, int d, float scale, float *scratch)
{
	attend(out, ldo, q, k, v, ld, m, t, d, scale, scratch, DBERT_I8_ROW_STEPS, DBERT_I8_KEY_STEPS);
}

static inline void
attention7(float *out, size_t ldo, const float *q, const float *k, const float *v, size_t ld,
		   int m, int t, int d, float scale, float *scratch)
{
	attend(out, ldo, q, k, v, ld, m, t, d, scale, scratch, DBERT_I7_QUERY_STEPS,
		   DBERT_I7_KEY_STEPS);
}

#endif
