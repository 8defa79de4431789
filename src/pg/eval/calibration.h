/*
 * calibration.h -- are scores as often right as they say?
 *
 * The expected calibration error: scores fall into bins of equal width; in each
 * the mean score is compared with the share that is right, and the differences
 * are averaged by the number of scores.
 *
 * Source: Guo, Pleiss, Sun and Weinberger 2017 (arXiv:1706.04599), section 2.
 */
#ifndef DISTILBERT_PG_CALIBRATION_H
#define DISTILBERT_PG_CALIBRATION_H

#define DISTIL_CALIBRATION_BINS 15

/* Begins as zeroes. */
typedef struct DistilCalibration
{
	int64		n[DISTIL_CALIBRATION_BINS];
	int64		right[DISTIL_CALIBRATION_BINS];
	double		scores[DISTIL_CALIBRATION_BINS];	/* their sums */
} DistilCalibration;

/* score: 0 .. 1 */
extern void distil_calibration_add(DistilCalibration *c, double score, bool right);

/* NaN where nothing was added. */
extern double distil_calibration_error(const DistilCalibration *c);

#endif
