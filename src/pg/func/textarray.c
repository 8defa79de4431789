/*
 * textarray.c -- see textarray.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "pg/func/textarray.h"

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
