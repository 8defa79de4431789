/*
 * distances.h -- which row of a model's tables a distance between tokens reads:
 * near ones have rows of their own, far ones share them.
 */
#ifndef DBERT_MODEL_DISTANCES_H
#define DBERT_MODEL_DISTANCES_H

#include "kernel/kernel.h"
#include "model/config.h"

/* Rows of MPNet's table of biases that are read. */
#define DBERT_BIAS_ROWS 32

/* The row of that table for a distance, key less query. */
extern int	dbert_bias_row(int distance);

/* The row of the checkpoint's vectors for a distance, query less key. */
extern int	dbert_distance_row(const DbertDistances *d, int distance);

/*
 * A pack has a vector for each distance, of each head apart: so many rows, that
 * for distance 0 at zero, and so many floats.
 */
extern int	dbert_distance_rows(const DbertConfig *config);
extern int	dbert_distance_zero(const DbertConfig *config);
extern size_t dbert_distance_floats(const DbertConfig *config, const DbertKernels *kernels);

#endif
