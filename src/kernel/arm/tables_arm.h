/*
 * tables_arm.h -- the tables of AArch64: each is defined by the file of its
 * name and needs what tables_arm.c says.
 */
#ifndef DBERT_KERNEL_TABLES_ARM_H
#define DBERT_KERNEL_TABLES_ARM_H

#include "kernel/kernel.h"

extern const DbertKernels dbert_kernels_neon;
extern const DbertKernels dbert_kernels_neon_dotprod;
extern const DbertKernels dbert_kernels_neon_i8mm;

extern const DbertInt8Kernels dbert_int8_neon;
extern const DbertInt8Kernels dbert_int7_neon;
extern const DbertInt8Kernels dbert_int8_neon_dotprod;
extern const DbertInt8Kernels dbert_int7_neon_dotprod;
extern const DbertInt8Kernels dbert_int8_neon_i8mm;
extern const DbertInt8Kernels dbert_int7_neon_i8mm;

#endif
