/*
 * arrayvalue.c -- see arrayvalue.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"

#include "pg/bridge/compat.h"
#include "pg/func/arrayvalue.h"

/* ---- equal elements ---- */

/* An element, or those at one place of two arrays. */
typedef struct Element
{
	const DistilTextArray *arrays;
	int			n_arrays;
	int			number;
} Element;

typedef struct SeenElement
{
	Element		key;
	char		status;
	int			last;			/* number of the last that is equal */
} SeenElement;

static uint32
hash_element(Element e)
{
	uint32		h = 0;

	for (int i = 0; i < e.n_arrays; i++)
	{
		const text *t = (const text *) DatumGetPointer(e.arrays[i].texts[e.number]);

		h = hash_combine(h, hash_bytes((const unsigned char *) VARDATA_ANY(t),
									   (int) VARSIZE_ANY_EXHDR(t)));
	}
	return h;
}

static bool
equal_elements(Element a, Element b)
{
	for (int i = 0; i < a.n_arrays; i++)
	{
		const text *x = (const text *) DatumGetPointer(a.arrays[i].texts[a.number]);
		const text *y = (const text *) DatumGetPointer(b.arrays[i].texts[b.number]);

		if (VARSIZE_ANY_EXHDR(x) != VARSIZE_ANY_EXHDR(y) ||
			memcmp(VARDATA_ANY(x), VARDATA_ANY(y), VARSIZE_ANY_EXHDR(x)) != 0)
			return false;
	}
	return true;
}

#define SH_PREFIX elements
#define SH_ELEMENT_TYPE SeenElement
#define SH_KEY_TYPE Element
#define SH_KEY key
#define SH_HASH_KEY(tb, key) hash_element(key)
#define SH_EQUAL(tb, a, b) equal_elements(a, b)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* next[e] = the next element that is equal, -1: none; is_first[e] */
static void
chain_equal(const DistilTextArray *arrays, int n_arrays, int *next, bool *is_first)
{
	const DistilTextArray *like = &arrays[n_arrays - 1];
	elements_hash *seen = elements_create(CurrentMemoryContext, 64, NULL);

	for (int e = 0; e < like->n; e++)
	{
		SeenElement *found;
		bool		is_known;

		next[e] = -1;
		is_first[e] = false;
		if (like->nulls[e])
			continue;
		found = elements_insert(seen, (Element) {arrays, n_arrays, e}, &is_known);
		if (is_known)
			next[found->last] = e;
		is_first[e] = !is_known;
		found->last = e;
	}
	elements_destroy(seen);
}

int *
distil_equal_together(const DistilTextArray *arrays, int n_arrays, int *n)
{
	int			all = arrays[n_arrays - 1].n;
	int		   *order = palloc_array(int, Max(all, 1));
	int		   *next = palloc_array(int, Max(all, 1));
	bool	   *is_first = palloc_array(bool, Max(all, 1));

	*n = 0;
	chain_equal(arrays, n_arrays, next, is_first);
	for (int e = 0; e < all; e++)
	{
		for (int same = is_first[e] ? e : -1; same >= 0; same = next[same])
			order[(*n)++] = same;
	}
	pfree(next);
	pfree(is_first);
	return order;
}

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
