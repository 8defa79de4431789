/*
 * pipetry.h -- work that may fail, and the ends of transactions in between.
 *
 * The worker and CALL distil_run_pipeline run the same code in a chain of short
 * transactions.  Between them nothing is held but the session's locks.
 */
#ifndef DISTILBERT_PG_PIPETRY_H
#define DISTILBERT_PG_PIPETRY_H

/*
 * Call work in a subtransaction, with a snapshot of its own if it is asked for.
 * NULL: it is done.  Else it is undone, and the error is palloc'd in the
 * current context.
 */
extern ErrorData *distil_catch(void (*work) (void *), void *arg, bool snapshot);

/* The same, but an operator's intervention (a cancelled query) is raised. */
extern ErrorData *distil_try(void (*work) (void *), void *arg, bool snapshot);

/* Is it an operator's intervention? */
extern bool distil_error_ends_work(const ErrorData *error);

/*
 * Commit, and begin the next transaction.  The current memory context stays.
 * In a CALL, SPI is connected, and not atomic.
 */
extern void distil_next_transaction(bool in_call);

#endif
