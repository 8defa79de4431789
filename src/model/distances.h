/*
 * distances.h -- which row of a model's tables a distance between tokens reads:
 * near ones have rows of their own, far ones share them.
 */
#ifndef DBERT_MODEL_DISTANCES_H
#define DBERT_MODEL_DISTANCES_H

#include "model/config.h"

/* Rows of MPNet's table of biases that are read. */
#define DBERT_BIAS_ROWS 32

/* The row of that table for a distance, key less query. */
extern int	dbert_bias_row(int distance);

#endif
