/*
 * tables_other.c -- a machine without kernels of its own: OpenBLAS or the
 * definition serve it (choose.c).
 */
#include "kernel/candidates.h"

const DbertCandidate dbert_machine_kernels[] = {
	{NULL, 0}
};

uint32_t
dbert_machine_features(void)
{
	return 0;
}
