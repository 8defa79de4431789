/*
 * failmalloc.c -- a malloc that fails once: put before a server by LD_PRELOAD,
 * and told by SQL which call it is.
 *
 *		CREATE FUNCTION fail_malloc(int) RETURNS int LANGUAGE c AS '.../failmalloc.so';
 *
 * Of the calling process's allocations from now on the n-th fails; 0: none.
 * Returns how many were left before that of the call before would have failed,
 * so 0 says that it did.
 */
#include "postgres.h"

#include <errno.h>

#include "fmgr.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(fail_malloc);

/* What glibc's own functions are called behind those put before them. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t align, size_t size);

static int	left;

static bool
fails(void)
{
	if (__atomic_load_n(&left, __ATOMIC_RELAXED) <= 0 || __atomic_sub_fetch(&left, 1, __ATOMIC_RELAXED) != 0)
		return false;
	errno = ENOMEM;
	return true;
}

void *
malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t size)
{
	return fails() ? NULL : __libc_realloc(p, size);
}

void *
aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : __libc_memalign(align, size);
}

int
posix_memalign(void **p, size_t align, size_t size)
{
	void	   *new = fails() ? NULL : __libc_memalign(align, size);

	if (new == NULL)
		return ENOMEM;
	*p = new;
	return 0;
}

Datum
fail_malloc(PG_FUNCTION_ARGS)
{
	int			before = left;

	left = PG_GETARG_INT32(0);
	PG_RETURN_INT32(before);
}
