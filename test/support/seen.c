/*
 * seen.c -- what kernels compute inside others.
 */
#include "test/support/seen.h"

#include <stdlib.h>
#include <string.h>

float *
zeros(size_t count)
{
	void	   *p;

	if (posix_memalign(&p, 64, (count + 1) * sizeof(float)) != 0)
		abort();
	return memset(p, 0, (count + 1) * sizeof(float));
}

void
seen_activation(const DbertKernels *kernels, float *x, int n, int act)
{
	const float one = 1;
	float	   *pack = zeros(kernels->packed_linear_size(n, 1));

	kernels->pack_linear(pack, x, n, 1);
	kernels->linear(x, n, &one, 1, pack, NULL, 1, n, 1, act);
	free(pack);
}

void
seen_softmax(const DbertKernels *kernels, float *x, int n)
{
	const size_t size = (size_t) n * n;
	float	   *q = zeros(3 * size),
			   *k = q + size,
			   *v = k + size,
			   *scratch = zeros(dbert_attention_scratch(n, n));

	q[0] = 1;
	for (int j = 0; j < n; j++)
	{
		k[(size_t) j * n] = x[j];
		v[(size_t) j * n + j] = 1;
	}
	kernels->attention(x, n, q, k, v, n, 1, n, n, &(DbertScoring){.scale = 1}, scratch);
	free(q);
	free(scratch);
}
