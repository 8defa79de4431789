/*
 * arrayvalue.h -- arrays of texts as arguments; arrays as answers.
 */
#ifndef DISTILBERT_PG_ARRAYVALUE_H
#define DISTILBERT_PG_ARRAYVALUE_H

#include "utils/array.h"

/* ---- arguments ---- */

typedef struct DistilTextArray
{
	ArrayType  *array;			/* detoasted */
	int			n;
	int			lower;			/* its lower bound */
	Datum	   *texts;			/* [n], into array */
	bool	   *nulls;			/* [n] */
} DistilTextArray;

/* Raises for an array of more than one dimension. */
extern DistilTextArray distil_array_open(Datum value);
extern void distil_array_close(DistilTextArray *a, Datum value);

extern int	distil_count_nulls(const DistilTextArray *a);

/*
 * The numbers of the elements that are not NULL in any of the arrays, as nulls
 * of the last one says: in order, but equal elements (at the same place in all
 * of them) follow the first of them.  *n: how many.  palloc'd.
 */
extern int *distil_equal_together(const DistilTextArray *arrays, int n_arrays, int *n);

/*
 * The n elements of an array in which NULL would make no sense: it raises,
 * naming the argument.
 */
extern Datum *distil_text_elements(Datum value, const char *argument, int *n);

/* ---- answers ---- */

/*
 * An array like a, of the values; NULL where a->nulls says so.  type: text, or
 * one of 4 bytes by value.
 */
extern ArrayType *distil_array_like(const DistilTextArray *a, Datum *values, Oid type);

/*
 * Fill in the head of an array that is written by hand: its elements, and a
 * bitmap of nulls if nulls is not 0 (bytes before the elements), follow it.
 */
extern void distil_array_head(ArrayType *array, Size size, int ndim, const int *dims,
							  const int *lower, Size nulls, Oid type);

#endif
