/*
 * cpu_x86.c -- CPUID, and XGETBV for what the system saves and restores.
 *
 * The instruction's flag alone is not enough: without the operating system's
 * care (bits of XCR0) the upper halves of the registers would be lost at a
 * context switch, and the instruction traps.  Sources: Intel SDM volume 1,
 * 14.3 and 15.2 to 15.4; volume 2, CPUID.
 *
 * Nothing is remembered: CPUID traps under a hypervisor (tens of
 * microseconds), and a table is chosen once per model.
 */
#include "kernel/x86/cpu_x86.h"

#include "kernel/candidates.h"

#include <cpuid.h>
#include <stdbool.h>

#define LEAF1_ECX_OSXSAVE	(1u << 27)
#define LEAF1_ECX_AVX2		(1u << 12 | 1u << 29)	/* FMA, F16C */
#define LEAF7_EBX_AVX2		(1u << 5)
#define LEAF7_EBX_AVX512	(1u << 16 | 1u << 17 | 1u << 30 | 1u << 31)	/* F, DQ, BW, VL */
#define LEAF7_ECX_AVX512_VNNI	(1u << 11)
#define LEAF7_1_EAX_AVX_VNNI	(1u << 4)

#define XCR0_AVX			0x06	/* XMM and YMM */
#define XCR0_AVX512			0xe6	/* and masks, upper ZMM, ZMM16-31 */

static uint32_t
saved_state(void)
{
	uint32_t	low,
				high;

	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low;
}

static bool
all_set(uint32_t bits, uint32_t mask)
{
	return (bits & mask) == mask;
}

uint32_t
dbert_machine_features(void)
{
	uint32_t	a,
				b,
				c,
				d,
				state,
				features = 0;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !all_set(c, LEAF1_ECX_OSXSAVE | LEAF1_ECX_AVX2))
		return 0;
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
		return 0;
	state = saved_state();
	if (all_set(b, LEAF7_EBX_AVX2) && all_set(state, XCR0_AVX))
		features |= DBERT_CPU_AVX2;
	if (all_set(b, LEAF7_EBX_AVX512) && all_set(state, XCR0_AVX512))
		features |= DBERT_CPU_AVX512;
	if ((features & DBERT_CPU_AVX512) && all_set(c, LEAF7_ECX_AVX512_VNNI))
		features |= DBERT_CPU_AVX512_VNNI;
	if ((features & DBERT_CPU_AVX2) && a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) &&
		all_set(a, LEAF7_1_EAX_AVX_VNNI))
		features |= DBERT_CPU_AVX_VNNI;
	return features;
}
