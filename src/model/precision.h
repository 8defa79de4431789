/*
 * precision.h -- what a precision's products are: names, kernels.
 */
#ifndef DBERT_MODEL_PRECISION_H
#define DBERT_MODEL_PRECISION_H

#include "kernel/kernel.h"
#include "model/config.h"

/* "fp32", "int8", "int7"; false: no such name */
extern bool dbert_precision_parse(const char *name, DbertPrecision *out);

/* The products of 8 bits that a config's precision asks for; NULL: none. */
static inline const DbertInt8Kernels *
dbert_int8_of(const DbertKernels *kernels, int32_t precision)
{
	switch (precision)
	{
		case DBERT_PRECISION_INT8:
			return kernels->int8;
		case DBERT_PRECISION_INT7:
			return kernels->int7;
	}
	return NULL;
}

/*
 * The precision of 8 bits that runs best with these kernels: int7 where its
 * products are others, which then are faster; else int8, which is as fast.
 */
static inline DbertPrecision
dbert_best_8_bits(const DbertKernels *kernels)
{
	return kernels->int7->linear != kernels->int8->linear ? DBERT_PRECISION_INT7
														  : DBERT_PRECISION_INT8;
}

#endif
