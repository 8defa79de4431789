/*
 * gate_template.h -- gates, written once over a vec_*.h: rows that are
 * activated weigh others, element by element.
 *
 * Source: Shazeer 2020 (arXiv:2002.05202).
 */
#ifndef DBERT_KERNEL_GATE_TEMPLATE_H
#define DBERT_KERNEL_GATE_TEMPLATE_H

#include "kernel/activate_template.h"

/* y = f(a) b; y may be a or b. */
static inline __attribute__((always_inline)) void
map_gate(float *y, const float *a, const float *b, int n, Vec (*f) (Vec))
{
	int			i = 0;

	for (; i + VL <= n; i += VL)
		v_store(y + i, v_mul(f(v_load(a + i)), v_load(b + i)));
	if (i < n)
	{
		VecMask		rest = v_first(n - i);

		v_store_part(y + i, rest,
					 v_mul(f(v_load_part(a + i, rest)), v_load_part(b + i, rest)));
	}
}

static void
gate_row(float *y, const float *a, const float *b, int n, int act)
{
	switch (act)
	{
		case DBERT_ACT_GELU:
			map_gate(y, a, b, n, v_gelu);
			break;
		case DBERT_ACT_GELU_TANH:
			map_gate(y, a, b, n, v_gelu_tanh);
			break;
		case DBERT_ACT_RELU:
			map_gate(y, a, b, n, v_relu);
			break;
		case DBERT_ACT_TANH:
			map_gate(y, a, b, n, v_tanh);
			break;
		case DBERT_ACT_SILU:
			map_gate(y, a, b, n, v_silu);
			break;
	}
}

static void
gate_rows(float *y, const float *a, const float *b, size_t ld, int m, int n, int act)
{
	for (int i = 0; i < m; i++)
		gate_row(y + i * ld, a + i * ld, b + i * ld, n, act);
}

#endif
