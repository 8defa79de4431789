/*
 * tables_x86.c -- the kernels of x86-64, the best first, and what each needs.
 */
#include "kernel/candidates.h"
#include "kernel/x86/cpu_x86.h"
#include "kernel/x86/tables_x86.h"

const DbertCandidate dbert_machine_kernels[] = {
	{&dbert_kernels_avx512_vnni, DBERT_CPU_AVX512 | DBERT_CPU_AVX512_VNNI},
	{&dbert_kernels_avx512, DBERT_CPU_AVX512},
	{&dbert_kernels_avx2_vnni, DBERT_CPU_AVX2 | DBERT_CPU_AVX_VNNI},
	{&dbert_kernels_avx2, DBERT_CPU_AVX2},
	{NULL, 0}
};
