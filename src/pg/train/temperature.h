/*
 * temperature.h -- one number that makes scores as sure as they may be: the
 * logits are divided by it.
 *
 * It is chosen to make the true labels of rows that were not learnt from most
 * likely.  It changes no label.
 *
 * Source: Guo, Pleiss, Sun and Weinberger 2017 (arXiv:1706.04599), section 4;
 * Platt 1999, "Probabilistic outputs for support vector machines" (targets that
 * are not quite 0 and 1, so that few rows do not give a certainty).
 */
#ifndef DISTILBERT_PG_TEMPERATURE_H
#define DISTILBERT_PG_TEMPERATURE_H

#include "pg/eval/calibration.h"

/*
 * Logits of rows that were held back.  Either each row has one true label,
 * classes[n]; or each label is true or not, targets[n, n_labels] of 1 and 0.
 */
typedef struct DistilHeldLogits
{
	int			n;
	int			n_labels;
	float	   *logits;			/* [n, n_labels] */
	int32	   *classes;
	float	   *targets;
} DistilHeldLogits;

/* From DISTIL_TEMPERATURE_LEAST to _MOST. */
extern double distil_temperature_of(const DistilHeldLogits *held);

#define DISTIL_TEMPERATURE_LEAST 0.05
#define DISTIL_TEMPERATURE_MOST 20.0

/* The calibration error of their scores at a temperature. */
extern double distil_temperature_error(const DistilHeldLogits *held, double temperature);

#endif
