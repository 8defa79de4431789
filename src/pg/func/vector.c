/*
 * vector.c -- see vector.h.
 *
 * A real[] without NULLs is its head and the floats as they stand; the floats
 * of a real[] with NULLs are those of the elements that are there.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/memutils.h"

#include "pg/func/vector.h"

ArrayType *
distil_vector(int n)
{
	const int	lower = 1;
	Size		size = ARR_OVERHEAD_NONULLS(1) + n * sizeof(float4);
	ArrayType  *array = palloc(size);

	distil_array_head(array, size, 1, &n, &lower, 0, FLOAT4OID);
	return array;
}

/* Set the bits of the rows that are there. */
static void
fill_null_bitmap(bits8 *bitmap, const DistilTextArray *a, int width)
{
	for (int e = 0; e < a->n; e++)
		for (int c = 0; c < width && !a->nulls[e]; c++)
		{
			size_t		bit = (size_t) e * width + c;

			bitmap[bit / 8] |= 1 << (bit % 8);
		}
}

ArrayType *
distil_matrix_like(const DistilTextArray *a, int width)
{
	int			dims[2] = {a->n, width};
	int			lower[2] = {a->lower, 1};
	int			items = ArrayGetNItems(2, dims);
	bool		has_nulls = memchr(a->nulls, true, a->n) != NULL;
	Size		header = has_nulls ? ARR_OVERHEAD_WITHNULLS(2, items) : ARR_OVERHEAD_NONULLS(2);
	Size		size = header;
	ArrayType  *matrix;

	ArrayCheckBounds(2, dims, lower);
	for (int e = 0; e < a->n; e++)
		size += a->nulls[e] ? 0 : width * sizeof(float4);
	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("array size exceeds the maximum allowed (%d)", (int) MaxAllocSize)));

	matrix = palloc(size);
	memset(matrix, 0, header);
	distil_array_head(matrix, size, 2, dims, lower, has_nulls ? header : 0, FLOAT4OID);
	if (has_nulls)
		fill_null_bitmap(ARR_NULLBITMAP(matrix), a, width);
	return matrix;
}

ArrayType *
distil_matrix_shrunk(ArrayType *matrix, const DistilTextArray *a, int width, const int *row)
{
	ArrayType  *result = distil_matrix_like(a, width);
	const float4 *from = distil_array_floats(matrix);
	float4	   *to = distil_array_floats(result);

	for (int e = 0; e < a->n; e++)
	{
		if (a->nulls[e])
			continue;
		memcpy(to, from + (Size) row[e] * width, width * sizeof(float4));
		to += width;
	}
	pfree(matrix);
	return result;
}

static double
dot(const float4 *a, const float4 *b, int n)
{
	double		sum = 0;

	for (int i = 0; i < n; i++)
		sum += (double) a[i] * b[i];
	return sum;
}

float4
distil_vector_cosine(const float4 *a, const float4 *b, int n)
{
	double		lengths = sqrt(dot(a, a, n) * dot(b, b, n));
	double		cosine = lengths > 0 ? dot(a, b, n) / lengths : 0;

	return (float4) Max(-1.0, Min(1.0, cosine));
}
