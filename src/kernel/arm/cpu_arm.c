/*
 * cpu_arm.c -- what the operating system says of an AArch64 processor.
 *
 * A program may not ask the processor itself: the registers that tell are the
 * kernel's, which reports what it supports.  NEON with fused multiply-add needs
 * no question.  Sources: Linux, Documentation/arch/arm64/elf_hwcaps.rst;
 * FreeBSD, elf_aux_info(3); Apple, "Determining instruction set
 * characteristics".  Other systems get what every processor has.
 */
#include "kernel/arm/cpu_arm.h"

#include "kernel/candidates.h"

#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__FreeBSD__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#if defined(__linux__) || defined(__FreeBSD__)

/* The numbers are part of both kernels' interface; older headers lack some. */
#define CAPABILITY_ASIMDDP	(1ul << 20)	/* of AT_HWCAP */
#define CAPABILITY2_I8MM	(1ul << 13) /* of AT_HWCAP2 */

static unsigned long
capabilities(int which)
{
#if defined(__linux__)
	return getauxval((unsigned long) which);
#else
	unsigned long value = 0;

	return elf_aux_info(which, &value, sizeof(value)) == 0 ? value : 0;
#endif
}

uint32_t
dbert_machine_features(void)
{
	return (capabilities(AT_HWCAP) & CAPABILITY_ASIMDDP ? DBERT_CPU_DOTPROD : 0) |
		(capabilities(AT_HWCAP2) & CAPABILITY2_I8MM ? DBERT_CPU_I8MM : 0);
}

#elif defined(__APPLE__)

static int
has(const char *feature)
{
	int			value = 0;
	size_t		size = sizeof(value);

	return sysctlbyname(feature, &value, &size, NULL, 0) == 0 && value != 0;
}

uint32_t
dbert_machine_features(void)
{
	return (has("hw.optional.arm.FEAT_DotProd") ? DBERT_CPU_DOTPROD : 0) |
		(has("hw.optional.arm.FEAT_I8MM") ? DBERT_CPU_I8MM : 0);
}

#else

uint32_t
dbert_machine_features(void)
{
	return 0;
}

#endif
