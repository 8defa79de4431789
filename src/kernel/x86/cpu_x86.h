/*
 * cpu_x86.h -- the bits of dbert_machine_features on x86-64.
 */
#ifndef DBERT_KERNEL_CPU_X86_H
#define DBERT_KERNEL_CPU_X86_H

#define DBERT_CPU_AVX2		0x01	/* AVX2, FMA and F16C */
#define DBERT_CPU_AVX512	0x02	/* AVX-512 F, BW, DQ, VL */
#define DBERT_CPU_AVX_VNNI	0x04	/* vpdpbusd, VEX-encoded */
#define DBERT_CPU_AVX512_VNNI	0x08	/* vpdpbusd on ZMM; only with AVX512 */

#endif
