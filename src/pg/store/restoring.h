/*
 * restoring.h -- dumps whose tables come before the models that they use.
 */
#ifndef DISTILBERT_PG_RESTORING_H
#define DISTILBERT_PG_RESTORING_H

#include "utils/snapshot.h"

/* Is the current command one that restores the rows of a table from a dump? */
extern bool distil_restoring(void);

/*
 * Is the model of this name not there yet, while a dump is restored?  Then who
 * asks for it gets NULL.  Raises no error where there never will be one; warns
 * once for a transaction.
 */
extern bool distil_model_is_awaited(const char *name);

/* Has this name a row, and that all of its chunks? */
extern bool distil_model_is_complete(const char *name, Snapshot snapshot);

/*
 * Wait for those who found that models are awaited, until their rows are there,
 * and keep others from finding it, until the transaction ends.  They may hold
 * any lock of their tables: who needs these takes them before.
 */
extern void distil_awaited_lock(void);

/* End this at once. */
extern void distil_awaited_unlock(void);

/* Called once by _PG_init. */
extern void distil_restoring_init(void);

#endif
