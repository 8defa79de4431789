/*
 * hints.h -- what the templates tell compilers and caches: loops to unroll,
 * memory to fetch ahead.
 */
#ifndef DBERT_KERNEL_HINTS_H
#define DBERT_KERNEL_HINTS_H

/*
 * A loop of a tile becomes straight code, or acc would not live in registers.
 */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#define UNROLL_BY_4 _Pragma("clang loop unroll_count(4)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#define UNROLL_BY_4 _Pragma("GCC unroll 4")
#endif

/*
 * Bring the cache line of p into the first level, or no nearer than the
 * second; p need not be readable.  (prefetcht0 and prefetcht1 on x86, pldl1keep
 * and pldl2keep on ARM.)
 */
static inline __attribute__((always_inline)) void
v_prefetch_near(const void *p)
{
	__builtin_prefetch(p, 0, 3);
}

static inline __attribute__((always_inline)) void
v_prefetch_far(const void *p)
{
	__builtin_prefetch(p, 0, 2);
}

#endif
