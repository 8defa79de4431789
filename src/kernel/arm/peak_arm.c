/*
 * peak_arm.c -- the peaks of AArch64: multiply-adds in registers, timed.
 *
 * In assembly, for a compiler sees that all products are the same; each
 * function is called for tables that may run here.
 */
#include "kernel/peak.h"

#include "kernel/arm/tables_arm.h"

#include <time.h>

#define ROUNDS 200000
#define TRIES 30

/* Sixteen chains: four units, four cycles of latency. */
#define CHAINS 16
#define CLOBBERED \
	"v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19", "v20", "v21", \
		"v22", "v23", "v30", "v31"
#define EACH(do) \
	do("0") do("1") do("2") do("3") do("4") do("5") do("6") do("7") do("16") do("17") do("18") \
		do("19") do("20") do("21") do("22") do("23")

#define FMLA(n) "fmla v" n ".4s, v30.4s, v31.s[0]\n\t"

/* In numbers, as assemblers know these by flags only: register n, v30, v31. */
#define SDOT(n) ".inst 0x4f9fe3c0 + " n "\n\t"
#define USMMLA(n) ".inst 0x4e9fafc0 + " n "\n\t"

#define CLEAR(n) "movi v" n ".4s, #0\n\t"

static void
clear(void)
{
	__asm__ volatile(EACH(CLEAR) CLEAR("30") CLEAR("31") ::: CLOBBERED);
}

static void
multiply_add(void)
{
	for (int i = 0; i < ROUNDS; i++)
		__asm__ volatile(EACH(FMLA) ::: CLOBBERED);
}

static void
multiply_add_sdot(void)
{
	for (int i = 0; i < ROUNDS; i++)
		__asm__ volatile(EACH(SDOT) ::: CLOBBERED);
}

static void
multiply_add_usmmla(void)
{
	for (int i = 0; i < ROUNDS; i++)
		__asm__ volatile(EACH(USMMLA) ::: CLOBBERED);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/*
 * GOP/s of a function whose CHAINS times ROUNDS instructions do so many
 * multiply-adds each; the best of some tries.
 */
static double
measure(void (*work) (void), int multiply_adds)
{
	double		best = 0;

	clear();
	for (int i = 0; i < TRIES; i++)
	{
		double		start = now(),
					rate;

		work();
		rate = 2e-9 * multiply_adds * CHAINS * ROUNDS / (now() - start);
		best = rate > best ? rate : best;
	}
	return best;
}

double
dbert_machine_peak(const DbertKernels *table)
{
	return measure(multiply_add, 4);
}

double
dbert_machine_int8_peak(const DbertInt8Kernels *table)
{
	if (table == &dbert_int8_neon_i8mm)
		return measure(multiply_add_usmmla, 32);
	return table == &dbert_int8_neon_dotprod ? measure(multiply_add_sdot, 16) : 0;
}
