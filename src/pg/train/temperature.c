/*
 * temperature.c -- see temperature.h.
 *
 * The loss is convex in b = 1 / temperature, so its least value is where its
 * derivative, which rises with b, is 0: found by halving, on log b's scale.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "pg/train/temperature.h"

#define HALVINGS 40

/* A target of 1 of n rows that may be one of k. */
static double
near_one(int n, int k)
{
	return (n + 1.0) / (n + k);
}

/* scores[k], their sum 1 */
static void
softmax(const float *logits, int k, double b, double *scores)
{
	double		most = logits[0],
				sum = 0;

	for (int j = 1; j < k; j++)
		most = Max(most, logits[j]);
	for (int j = 0; j < k; j++)
		sum += scores[j] = exp(b * (logits[j] - most));
	for (int j = 0; j < k; j++)
		scores[j] /= sum;
}

/* The derivative of a row's loss: what the scores expect, less what is true. */
static double
slope_of_class(const DistilHeldLogits *h, int row, double b, double *scores)
{
	const float *logits = h->logits + (Size) row * h->n_labels;
	int			k = h->n_labels;
	double		one = near_one(h->n, k),
				rest = k > 1 ? (1 - one) / (k - 1) : 0,
				slope = 0;

	softmax(logits, k, b, scores);
	for (int j = 0; j < k; j++)
		slope += (scores[j] - (j == h->classes[row] ? one : rest)) * logits[j];
	return slope;
}

static double
sigmoid(double x)
{
	return 1 / (1 + exp(-x));
}

static double
slope_of_labels(const DistilHeldLogits *h, int row, double b)
{
	double		one = near_one(h->n, 2),
				slope = 0;

	for (int j = 0; j < h->n_labels; j++)
	{
		Size		at = (Size) row * h->n_labels + j;
		double		target = h->targets[at] > 0 ? one : 1 - one;

		slope += (sigmoid(b * h->logits[at]) - target) * h->logits[at];
	}
	return slope;
}

static double
slope_of(const DistilHeldLogits *h, double b, double *scores)
{
	double		slope = 0;

	for (int row = 0; row < h->n; row++)
	{
		CHECK_FOR_INTERRUPTS();
		slope += h->classes != NULL ? slope_of_class(h, row, b, scores)
									: slope_of_labels(h, row, b);
	}
	return slope;
}

double
distil_temperature_of(const DistilHeldLogits *held)
{
	double	   *scores = palloc(sizeof(double) * Max(held->n_labels, 1)),
				low = log(1 / DISTIL_TEMPERATURE_MOST),
				high = log(1 / DISTIL_TEMPERATURE_LEAST);

	for (int i = 0; i < HALVINGS; i++)
	{
		double		middle = (low + high) / 2;

		if (slope_of(held, exp(middle), scores) > 0)
			high = middle;
		else
			low = middle;
	}
	pfree(scores);
	return exp(-(low + high) / 2);
}

/* Of one label the best one's score counts, of several each one's. */
static void
add_row(const DistilHeldLogits *h, int row, double b, double *scores, DistilCalibration *c)
{
	const float *logits = h->logits + (Size) row * h->n_labels;
	int			best = 0;

	if (h->classes == NULL)
	{
		for (int j = 0; j < h->n_labels; j++)
			distil_calibration_add(c, sigmoid(b * logits[j]),
								   h->targets[(Size) row * h->n_labels + j] > 0);
		return;
	}
	softmax(logits, h->n_labels, b, scores);
	for (int j = 1; j < h->n_labels; j++)
		if (scores[j] > scores[best])
			best = j;
	distil_calibration_add(c, scores[best], best == h->classes[row]);
}

double
distil_temperature_error(const DistilHeldLogits *held, double temperature)
{
	double	   *scores = palloc(sizeof(double) * Max(held->n_labels, 1));
	DistilCalibration c = {0};

	for (int row = 0; row < held->n; row++)
	{
		CHECK_FOR_INTERRUPTS();
		add_row(held, row, 1 / temperature, scores, &c);
	}
	pfree(scores);
	return distil_calibration_error(&c);
}
