/*
 * kernels.h -- the kernels that this backend's models are computed with.
 */
#ifndef DISTILBERT_PG_KERNELS_H
#define DISTILBERT_PG_KERNELS_H

#include "dbert.h"

/*
 * This machine's best, or those of distilbert.force_isa; raises when there are
 * none.
 */
extern const DbertKernels *distil_kernels(void);

/*
 * How often the choice has changed in this process.  Whoever keeps something
 * that was made for the kernels remembers this number beside it.
 */
extern uint64 distil_kernels_changes(void);

/* Called once by _PG_init. */
extern void distil_kernels_init(void);

#endif
