/*
 * arrayvalue.c -- see arrayvalue.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "pg/func/arrayvalue.h"

/* ---- arguments ---- */

DistilTextArray
distil_array_open(Datum value)
{
	DistilTextArray a;

	a.array = DatumGetArrayTypeP(value);
	if (ARR_NDIM(a.array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("array of texts must have one dimension, not %d", ARR_NDIM(a.array))));
	a.lower = ARR_NDIM(a.array) == 1 ? ARR_LBOUND(a.array)[0] : 1;
	deconstruct_array(a.array, TEXTOID, -1, false, TYPALIGN_INT, &a.texts, &a.nulls, &a.n);
	return a;
}

void
distil_array_close(DistilTextArray *a, Datum value)
{
	pfree(a->texts);
	pfree(a->nulls);
	if ((Pointer) a->array != DatumGetPointer(value))
		pfree(a->array);
}

Datum *
distil_text_elements(Datum value, const char *argument, int *n)
{
	DistilTextArray a = distil_array_open(value);

	for (int i = 0; i < a.n; i++)
	{
		if (a.nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not contain null values", argument)));
	}
	*n = a.n;
	return a.texts;
}

int
distil_count_nulls(const DistilTextArray *a)
{
	int			count = 0;

	for (int e = 0; e < a->n; e++)
		count += a->nulls[e];
	return count;
}

/* ---- answers ---- */

ArrayType *
distil_array_like(const DistilTextArray *a, Datum *values, Oid type)
{
	int			dims[1] = {a->n};
	int			lower[1] = {a->lower};
	bool		by_value = type != TEXTOID;

	if (a->n == 0)
		return construct_empty_array(type);
	return construct_md_array(values, a->nulls, 1, dims, lower, type,
							  by_value ? 4 : -1, by_value, TYPALIGN_INT);
}

void
distil_array_head(ArrayType *array, Size size, int ndim, const int *dims, const int *lower,
				  Size nulls, Oid type)
{
	SET_VARSIZE(array, size);
	array->ndim = ndim;
	array->dataoffset = (int32) nulls;
	array->elemtype = type;
	memcpy(ARR_DIMS(array), dims, ndim * sizeof(int));
	memcpy(ARR_LBOUND(array), lower, ndim * sizeof(int));
}
