/*
 * softloss.c -- the divergence of answers from a teacher's, by logarithms:
 * nothing overflows, and a probability that is nearly 0 keeps its digits.
 */
#include "train/softloss.h"

#include <math.h>

/* log sum exp(x / T) */
static double
log_sum(const float *x, int n, double temperature)
{
	double		max = x[0],
				sum = 0;

	for (int j = 1; j < n; j++)
		max = x[j] > max ? x[j] : max;
	for (int j = 0; j < n; j++)
		sum += exp((x[j] - max) / temperature);
	return max / temperature + log(sum);
}

double
dbert_soft_classes(float *x, const float *y, int n, double t, double share, bool differentiate)
{
	double		below_x = log_sum(x, n, t),
				below_y = log_sum(y, n, t),
				loss = 0;

	for (int j = 0; j < n; j++)
	{
		double		log_p = x[j] / t - below_x,
					log_q = y[j] / t - below_y;

		loss += t * t * exp(log_q) * (log_q - log_p);
		if (differentiate)
			x[j] = (float) (share * t * (exp(log_p) - exp(log_q)));
	}
	return loss;
}

/* log sigmoid(x) */
static double
log_sigmoid(double x)
{
	return (x < 0 ? x : 0) - log1p(exp(-fabs(x)));
}

double
dbert_soft_labels(float *x, const float *y, int n, double t, double share, bool differentiate)
{
	double		loss = 0;

	for (int j = 0; j < n; j++)
	{
		double		log_p = log_sigmoid(x[j] / t),
					log_q = log_sigmoid(y[j] / t),
					p = exp(log_p),
					q = exp(log_q);

		loss += t * t *
				(q * (log_q - log_p) + (1 - q) * (log_sigmoid(-y[j] / t) - log_sigmoid(-x[j] / t)));
		if (differentiate)
			x[j] = (float) (share * t * (p - q));
	}
	return loss;
}
