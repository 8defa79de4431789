/*
 * guarded.h -- random floats between guards, for the tests of kernels: a write
 * outside a buffer fails the test that made it.
 */
#ifndef DBERT_GUARDED_H
#define DBERT_GUARDED_H

#include "kernel/kernel.h"
#include "test/testhelp.h"

#include <stddef.h>

#define GUARD 123456.5f
#define GUARDS 64				/* floats before and after */

static const DbertKernels *const ref = &dbert_kernels_scalar;
static const DbertKernels *table;	/* under test */

static unsigned seed = 1;

static float
random_float(void)
{
	seed = seed * 1664525u + 1013904223u;
	return (float) (seed >> 8) / 8388608.0f - 1;
}

/*
 * count floats of -1 .. 1 between guards, 64-byte aligned; freed by
 * guarded_free
 */
static float *
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

static void
guarded_free(float *x, size_t count)
{
	int			broken = 0;

	for (size_t i = 1; i <= GUARDS; i++)
		broken += x[-(ptrdiff_t) i] != GUARD || x[count + i - 1] != GUARD;
	CHECK_MSG(broken == 0, "%s: %d floats outside a buffer of %d overwritten", table->name, broken,
			  (int) count);
	free(x - GUARDS);
}

static inline void
fill(float *x, size_t count, float value)
{
	for (size_t i = 0; i < count; i++)
		x[i] = value;
}

#endif
