/*
 * memorylimit.h -- how much memory models may have: distilbert.max_memory.
 *
 * The core cannot raise.  So an allocator asks here first and returns NULL
 * where the limit forbids more; the core then fails with E_NOMEM.  What was
 * refused is kept, so that the error can say that it was the setting.
 */
#ifndef DISTILBERT_PG_MEMORYLIMIT_H
#define DISTILBERT_PG_MEMORYLIMIT_H

/* Bytes that the models of this process may have together; 0: no limit. */
extern Size distil_memory_limit(void);

/*
 * May models that have taken bytes have size more?  To be asked before each
 * allocation, whatever the limit.
 */
extern bool distil_memory_allows(Size taken, Size size);

/* After E_NOMEM: raise if the last answer of distil_memory_allows was no. */
extern void distil_raise_memory_limit(void);

/* Called once by _PG_init. */
extern void distil_memorylimit_init(void);

#endif
