/*
 * kerneltables.h -- the tables of kernels that a test walks, and the state of
 * the processor that none of them may change.
 */
#ifndef DBERT_TEST_KERNELTABLES_H
#define DBERT_TEST_KERNELTABLES_H

#include "kernel/kernel.h"

/* Of the tables that have the same of this, a walk takes one. */
typedef enum KernelsPart
{
	KERNELS_FP32,				/* everything but int8 */
	KERNELS_INT8,
	KERNELS_NAME				/* all tables */
} KernelsPart;

/*
 * The tables that this machine can run, from the definition to the best, then
 * NULL; *at is 0 at first.  Those that it cannot run are reported and left
 * out.
 *
 *     for (int at = 0; (table = kernels_next(&at, KERNELS_FP32)) != NULL;)
 *
 * With DBERT_TABLES=best in the environment it is the best one alone: on slow
 * machines, where the others were seen on machines before.
 */
extern const DbertKernels *kernels_next(int *at, KernelsPart part);

/*
 * How the processor rounds and what it does with subnormals and exceptions,
 * without the flags that any arithmetic sets; 0 where it is not known.
 */
extern unsigned control_bits(void);

#endif
