/*
 * choose.c -- which table of kernels runs on this machine.
 *
 * From the best to the definition; the first that can run is taken.
 */
#include "kernel/kernel.h"

#include <string.h>

DbertStatus
dbert_kernels_choose(const char *name, const DbertKernels **out, DbertError *err)
{
	if (name == NULL)
		*out = dbert_openblas_load(NULL) == DBERT_OK ? &dbert_kernels_openblas : &dbert_kernels_scalar;
	else if (strcmp(name, dbert_kernels_scalar.name) == 0)
		*out = &dbert_kernels_scalar;
	else if (strcmp(name, dbert_kernels_openblas.name) == 0)
	{
		DBERT_TRY(dbert_openblas_load(err));
		*out = &dbert_kernels_openblas;
	}
	else
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "there are no kernels named \"%s\"", name);
	return DBERT_OK;
}
