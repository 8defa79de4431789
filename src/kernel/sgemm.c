/*
 * sgemm.c -- the portable product, and the choice between it and OpenBLAS.
 *
 * Sums are kept in double and rounded once, as in kernel_scalar.c.
 */
#include "kernel/sgemm.h"

#include "kernel/kernel.h"

void
dbert_f32_sgemm__scalar(bool ta, bool tb, int m, int n, int k,
						float alpha, const float *a, size_t lda,
						const float *b, size_t ldb,
						float beta, float *c, size_t ldc)
{
	const size_t a_step = ta ? lda : 1,
				b_step = tb ? 1 : ldb;

	for (int i = 0; i < m; i++)
		for (int j = 0; j < n; j++)
		{
			const float *x = a + (ta ? (size_t) i : i * lda),
					   *y = b + (tb ? j * ldb : (size_t) j);
			float	   *out = c + i * ldc + j;
			double		sum = 0;

			for (int p = 0; p < k; p++)
				sum += (double) x[p * a_step] * y[p * b_step];
			*out = (float) (alpha * sum + (beta != 0 ? beta * *out : 0));
		}
}

DbertSgemm
dbert_sgemm_choose(void)
{
	return dbert_openblas_load(NULL) == DBERT_OK ? dbert_f32_sgemm__openblas : dbert_f32_sgemm__scalar;
}
