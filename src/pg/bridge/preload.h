/*
 * preload.h -- shared memory of the server, for a library in
 * shared_preload_libraries.
 *
 * A file that wants some registers itself when the library is loaded; it need
 * not be known here.
 */
#ifndef DISTILBERT_PG_PRELOAD_H
#define DISTILBERT_PG_PRELOAD_H

#include "storage/lwlock.h"

/*
 * size says how many bytes are wanted, when all settings are known.  start is
 * called in every process that attaches, under PostgreSQL's lock for this
 * purpose, and finds or makes the memory with ShmemInitStruct.  Neither is
 * called where the library is not preloaded.  Returns the part's number.  Only
 * for use by _PG_init.
 */
extern int	distil_preload_add(Size (*size) (void), void (*start) (void));

/* A lock that belongs to the part; there is none before start was called. */
extern LWLock *distil_preload_lock(int part);

#endif
