/*
 * pipelauncher.h -- the process that starts workers where the library is in
 * shared_preload_libraries.
 */
#ifndef DISTILBERT_PG_PIPELAUNCHER_H
#define DISTILBERT_PG_PIPELAUNCHER_H

/* Called once by _PG_init: registers it where the library is preloaded. */
extern void distil_pipelauncher_init(void);

#endif
