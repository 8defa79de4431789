/*
 * pipelock.h -- strong locks on tables that others are using.
 */
#ifndef DISTILBERT_PG_PIPELOCK_H
#define DISTILBERT_PG_PIPELOCK_H

#include "storage/lockdefs.h"

/*
 * Lock a table until the transaction ends.  Whoever comes after a waiting
 * strong lock waits behind it, so this waits for a tenth of a second only, lets
 * the others through, and tries again.  It goes on until the session's
 * lock_timeout.
 */
extern void distil_lock_politely(Oid relation, LOCKMODE mode);

#endif
