/*
 * guarded.c -- random floats between guards.
 */
#include "test/support/guarded.h"

#include "test/support/testhelp.h"

#include <stdlib.h>

#define GUARDS 64				/* floats before and after */

const DbertKernels *const ref = &dbert_kernels_scalar;
const DbertKernels *table;
unsigned	seed = 1;

float
random_float(void)
{
	seed = seed * 1664525u + 1013904223u;
	return (float) (seed >> 8) / 8388608.0f - 1;
}

float *
guarded(size_t count)
{
	void	   *memory;
	float	   *base;

	if (posix_memalign(&memory, 64, (count + 2 * GUARDS) * sizeof(float)) != 0)
		abort();
	base = memory;
	for (size_t i = 0; i < GUARDS; i++)
		base[i] = base[GUARDS + count + i] = GUARD;
	for (size_t i = 0; i < count; i++)
		base[GUARDS + i] = random_float();
	return base + GUARDS;
}

void
guarded_free(float *x, size_t count)
{
	int			broken = 0;

	for (size_t i = 1; i <= GUARDS; i++)
		broken += x[-(ptrdiff_t) i] != GUARD || x[count + i - 1] != GUARD;
	CHECK_MSG(broken == 0, "%s: %d floats outside a buffer of %d overwritten", table->name, broken,
			  (int) count);
	free(x - GUARDS);
}

void
fill(float *x, size_t count, float value)
{
	for (size_t i = 0; i < count; i++)
		x[i] = value;
}
