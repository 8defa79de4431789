/* numbers.c -- see numbers.h. */
#include "base/numbers.h"

#include <math.h>

/* The sum of exp(x[n] - max), *max being the largest of them. */
static double
sum_exp(const float *x, int n, float *max)
{
	double		sum = 0;

	*max = x[dbert_best_of(x, n, 1)];
	for (int i = 0; i < n; i++)
		sum += exp((double) x[i] - *max);
	return sum;
}

void
dbert_softmax(const float *x, int n, float *out)
{
	float		max;
	double		sum = sum_exp(x, n, &max);

	for (int i = 0; i < n; i++)
		out[i] = (float) (exp((double) x[i] - max) / sum);
}

double
dbert_log_sum_exp(const float *x, int n)
{
	float		max;
	double		sum = sum_exp(x, n, &max);

	return max + log(sum);
}

double
dbert_logistic(double x)
{
	return 1 / (1 + exp(-x));
}

int
dbert_best_of(const float *x, int n, size_t step)
{
	int			best = 0;

	for (int i = 1; i < n; i++)
		if (x[step * i] > x[step * best])
			best = i;
	return best;
}

void
dbert_normalize(float *x, int n)
{
	double		square = 0,
				length;

	for (int j = 0; j < n; j++)
		square += (double) x[j] * x[j];
	length = sqrt(square);
	if (length < 1e-12)
		length = 1e-12;
	for (int j = 0; j < n; j++)
		x[j] = (float) (x[j] / length);
}
