/* calibration.c -- see calibration.h. */
#include "postgres.h"

#include <math.h>

#include "pg/eval/calibration.h"

void
distil_calibration_add(DistilCalibration *c, double score, bool right)
{
	int			bin = (int) (score * DISTIL_CALIBRATION_BINS);

	bin = Max(Min(bin, DISTIL_CALIBRATION_BINS - 1), 0);
	c->n[bin]++;
	c->right[bin] += right;
	c->scores[bin] += score;
}

double
distil_calibration_error(const DistilCalibration *c)
{
	double		sum = 0;
	int64		n = 0;

	for (int bin = 0; bin < DISTIL_CALIBRATION_BINS; bin++)
	{
		n += c->n[bin];
		sum += fabs(c->scores[bin] - (double) c->right[bin]);
	}
	return n > 0 ? sum / (double) n : NAN;
}
