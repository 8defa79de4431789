/*
 * cpu_features.h -- what the processor can do and the operating system lets it.
 */
#ifndef DBERT_KERNEL_CPU_FEATURES_H
#define DBERT_KERNEL_CPU_FEATURES_H

#include <stdint.h>

#define DBERT_CPU_AVX2		0x01	/* AVX2 and FMA */
#define DBERT_CPU_AVX512	0x02	/* AVX-512 F, BW, DQ, VL */

/* The DBERT_CPU_* bits of this machine; 0 where it is not x86-64. */
extern uint32_t dbert_cpu_features(void);

#endif
