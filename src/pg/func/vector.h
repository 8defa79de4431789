/*
 * vector.h -- embeddings as arrays of real.
 */
#ifndef DISTILBERT_PG_VECTOR_H
#define DISTILBERT_PG_VECTOR_H

#include "pg/func/arrayvalue.h"

/* A real[] of n floats, which are for the caller to write. */
extern ArrayType *distil_vector(int n);

/*
 * A real[][] [a->n, width] with a's lower bound, whose rows are NULL where
 * a->nulls says so; the floats of the others are for the caller to write, one
 * row after the other.
 */
extern ArrayType *distil_matrix_like(const DistilTextArray *a, int width);

/* The same floats when more of a->nulls are true than when it was made. */
extern ArrayType *distil_matrix_shrunk(ArrayType *matrix, const DistilTextArray *a, int width,
									   const int *row);

/* The floats of a vector or a matrix. */
static inline float4 *
distil_array_floats(ArrayType *array)
{
	return (float4 *) ARR_DATA_PTR(array);
}

/* The cosine of two vectors [n], -1 .. 1; 0 if one of them has no length. */
extern float4 distil_vector_cosine(const float4 *a, const float4 *b, int n);

#endif
