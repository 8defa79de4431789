/*
 * guarded.h -- random floats between guards, for the tests of kernels: a write
 * outside a buffer fails the test that made it.
 */
#ifndef DBERT_TEST_GUARDED_H
#define DBERT_TEST_GUARDED_H

#include "kernel/kernel.h"

#include <stddef.h>

#define GUARD 123456.5f		/* in front of and behind each buffer */

/* The definition, and the table under test. */
extern const DbertKernels *const ref;
extern const DbertKernels *table;

/* Of the random floats, -1 .. 1. */
extern unsigned seed;
extern float random_float(void);

/*
 * count random floats between guards, 64-byte aligned; freed by guarded_free,
 * which looks at the guards.
 */
extern float *guarded(size_t count);
extern void guarded_free(float *x, size_t count);

extern void fill(float *x, size_t count, float value);

#endif
