/*
 * kerneltables.c -- see kerneltables.h.
 */
#include "test/support/kerneltables.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
count_tables(void)
{
	int			n = 0;

	while (dbert_kernels_at(n) != NULL)
		n++;
	return n;
}

static bool
share(const DbertKernels *a, const DbertKernels *b, KernelsPart part)
{
	return (part == KERNELS_FP32 && a->linear == b->linear) ||
		   (part == KERNELS_INT8 && a->int8 == b->int8);
}

/*
 * Has a table that comes after the i-th, and so needs no more than it, the same
 * part?
 */
static bool
is_repeated(int i, KernelsPart part)
{
	const DbertKernels *later;

	for (int j = i + 1; (later = dbert_kernels_at(j)) != NULL; j++)
		if (share(dbert_kernels_at(i), later, part))
			return true;
	return false;
}

/* The best one alone, as DBERT_TABLES asks for. */
static const DbertKernels *
best_alone(int *at)
{
	const DbertKernels *table = NULL;
	DbertError	err;

	if ((*at)++ == 0 && dbert_kernels_choose(NULL, &table, &err) != DBERT_OK)
		printf("# skipped: %s\n", err.msg);
	return table;
}

const DbertKernels *
kernels_next(int *at, KernelsPart part)
{
	const char *which = getenv("DBERT_TABLES");

	if (which != NULL && strcmp(which, "best") == 0)
		return best_alone(at);
	for (int i; (i = count_tables() - ++*at) >= 0;)
	{
		const DbertKernels *table;
		DbertError	err;

		if (is_repeated(i, part))
			continue;
		if (dbert_kernels_choose(dbert_kernels_at(i)->name, &table, &err) == DBERT_OK)
			return table;
		printf("# skipped: %s\n", err.msg);
	}
	return NULL;
}

unsigned
control_bits(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_stmxcsr() & ~0x3fu;
#elif defined(__aarch64__)
	unsigned long bits;

	__asm__ volatile("mrs %0, fpcr" : "=r"(bits));
	return (unsigned) bits;
#else
	return 0;
#endif
}
