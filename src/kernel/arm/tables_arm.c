/*
 * tables_arm.c -- the kernels of AArch64, the best first, and what each needs.
 */
#include "kernel/arm/cpu_arm.h"
#include "kernel/arm/tables_arm.h"
#include "kernel/candidates.h"

const DbertCandidate dbert_machine_kernels[] = {
	{&dbert_kernels_neon_i8mm, DBERT_CPU_DOTPROD | DBERT_CPU_I8MM},
	{&dbert_kernels_neon_dotprod, DBERT_CPU_DOTPROD},
	{&dbert_kernels_neon, 0},
	{NULL, 0}
};
