/*
 * classweights.h -- how much the rows of each class count in a training.
 */
#ifndef DISTILBERT_PG_CLASSWEIGHTS_H
#define DISTILBERT_PG_CLASSWEIGHTS_H

/*
 * weights[n_labels] as the argument class_weights says: "balanced", as
 * scikit-learn (rows / (classes * rows of the class)); or a JSON object of
 * labels and numbers, 1 for labels that it does not name.  NULL for NULL.
 * counts: rows of each class.  Labels are UTF-8.
 */
extern const float *distil_class_weights(const char *spec, const char *const *labels, int n_labels,
										 const int64 *counts);

#endif
