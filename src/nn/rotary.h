/*
 * rotary.h -- rotary positions: queries and keys turned by angles that grow
 * with a token's place, so that scores depend on distances.
 *
 * The sines and cosines of a run stand in its scratch, row by row: a row for
 * each place of the longest text, D numbers wide.  Where long texts have angles
 * of their own (DBERT_ROTARY_DYNAMIC), rows for each of their tokens follow.
 *
 * Source: Su et al. 2021 (arXiv:2104.09864), in the form of GPT-NeoX: column i
 * of a head turns with column i + D/2.
 */
#ifndef DBERT_NN_ROTARY_H
#define DBERT_NN_ROTARY_H

#include "nn/run.h"

/* Fill the run's scratch for these texts; nothing to do without rotation. */
extern DbertStatus dbert_rotary_fill(const DbertRun *run, const int32_t *cu, int n_texts);

/*
 * Turn heads [m, heads D], rows ld apart, of the tokens from the one numbered
 * first on: tokens of the texts cu, or those that picked lists (not NULL).
 */
extern void dbert_rotate(const DbertRun *run, bool local, const int32_t *cu, int n_texts,
						 const int32_t *picked, int first, int m, float *x, size_t ld, int heads);

#endif
