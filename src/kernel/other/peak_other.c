/*
 * peak_other.c -- nothing is known of the peaks of this machine.
 */
#include "kernel/peak.h"

double
dbert_machine_peak(const DbertKernels *table)
{
	return 0;
}

double
dbert_machine_int8_peak(const DbertInt8Kernels *table)
{
	return 0;
}
