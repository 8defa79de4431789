/*
 * cpu_arm.h -- the bits of dbert_machine_features on AArch64.
 */
#ifndef DBERT_KERNEL_CPU_ARM_H
#define DBERT_KERNEL_CPU_ARM_H

#define DBERT_CPU_DOTPROD	0x01	/* sdot */
#define DBERT_CPU_I8MM		0x02	/* usmmla */

#endif
