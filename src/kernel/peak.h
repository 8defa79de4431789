/*
 * peak.h -- what the arithmetic of this machine could do at best.
 *
 * Each machine's folder has a peak_*.c.  Only bench/kernels links it: the
 * extension and the tests are built without.
 */
#ifndef DBERT_KERNEL_PEAK_H
#define DBERT_KERNEL_PEAK_H

#include "kernel/kernel.h"

/*
 * GFLOP/s of one core's multiply-adds of fp32 in registers, with the
 * instructions that a table uses; measured, 0 if not known.
 */
extern double dbert_machine_peak(const DbertKernels *table);

/*
 * GOP/s of the multiply-adds of 8 bits as these products do them, where
 * the instructions set a limit that is not a multiple of the peak above; else
 * 0.
 */
extern double dbert_machine_int8_peak(const DbertInt8Kernels *table);

#endif
