/*
 * candidates.h -- the tables of kernels among which a machine chooses.
 *
 * Each kind of machine has a folder here: x86 for x86-64; other is for those
 * that have no kernels of their own.  The Makefile compiles the folder of the
 * machine that the compiler builds for, and no other.  A folder defines what
 * this file declares; README.md says how to add one.
 */
#ifndef DBERT_KERNEL_CANDIDATES_H
#define DBERT_KERNEL_CANDIDATES_H

#include "kernel/kernel.h"

#include <stdint.h>

typedef struct DbertCandidate
{
	const DbertKernels *table;
	uint32_t	required;		/* runs where dbert_machine_features has all these bits */
} DbertCandidate;

/* The machine's own tables, the best first; table is NULL in the last row. */
extern const DbertCandidate dbert_machine_kernels[];

/*
 * What this processor can do and the operating system lets it, in bits that
 * the folder defines.
 */
extern uint32_t dbert_machine_features(void);

#endif
