/*
 * tables_x86.h -- the tables of x86-64: each is defined by the file of its
 * name and needs what tables_x86.c says.
 */
#ifndef DBERT_KERNEL_TABLES_X86_H
#define DBERT_KERNEL_TABLES_X86_H

#include "kernel/kernel.h"

extern const DbertKernels dbert_kernels_avx2;
extern const DbertKernels dbert_kernels_avx2_vnni;
extern const DbertKernels dbert_kernels_avx512;
extern const DbertKernels dbert_kernels_avx512_vnni;

extern const DbertInt8Kernels dbert_int8_avx2;
extern const DbertInt8Kernels dbert_int7_avx2;
extern const DbertInt8Kernels dbert_int8_avx2_vnni;
extern const DbertInt8Kernels dbert_int7_avx2_vnni;
extern const DbertInt8Kernels dbert_int8_avx512;
extern const DbertInt8Kernels dbert_int7_avx512;
extern const DbertInt8Kernels dbert_int8_avx512_vnni;
extern const DbertInt8Kernels dbert_int7_avx512_vnni;

#endif
