/*
 * textarray.h -- arrays of texts as arguments, and arrays that answer them.
 */
#ifndef DISTILBERT_PG_TEXTARRAY_H
#define DISTILBERT_PG_TEXTARRAY_H

#include "utils/array.h"

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

/*
 * An array like a, of the values; NULL where a->nulls says so.  type: text, or
 * one of 4 bytes by value.
 */
extern ArrayType *distil_array_like(const DistilTextArray *a, Datum *values, Oid type);

/*
 * The n elements of an array in which NULL would make no sense: it raises,
 * naming the argument.
 */
extern Datum *distil_text_elements(Datum value, const char *argument, int *n);

#endif
