/*
 * choose.c -- which table of kernels runs on this machine.
 *
 * From the best to the definition; the first that can run is taken.
 */
#include "kernel/cpu_features.h"
#include "kernel/kernel.h"

#include <string.h>

/* A table and what it needs: bits of dbert_cpu_features. */
typedef struct Candidate
{
	const DbertKernels *table;
	uint32_t	required;
} Candidate;

static const Candidate candidates[] = {
#if defined(__x86_64__)
	{&dbert_kernels_avx512_vnni, DBERT_CPU_AVX512 | DBERT_CPU_AVX512_VNNI},
	{&dbert_kernels_avx512, DBERT_CPU_AVX512},
	{&dbert_kernels_avx2_vnni, DBERT_CPU_AVX2 | DBERT_CPU_AVX_VNNI},
	{&dbert_kernels_avx2, DBERT_CPU_AVX2},
#endif
	{&dbert_kernels_openblas, 0},
	{&dbert_kernels_scalar, 0},
};

#define N_CANDIDATES ((int) (sizeof(candidates) / sizeof(candidates[0])))

static DbertStatus
can_run(const Candidate *candidate, uint32_t features, DbertError *err)
{
	if ((candidate->required & features) != candidate->required)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "this processor cannot run the kernels named \"%s\"",
						  candidate->table->name);
	return candidate->table == &dbert_kernels_openblas ? dbert_openblas_load(err) : DBERT_OK;
}

DbertStatus
dbert_kernels_choose(const char *name, const DbertKernels **out, DbertError *err)
{
	uint32_t	features = dbert_cpu_features();

	for (int i = 0; i < N_CANDIDATES; i++)
	{
		const DbertKernels *table = candidates[i].table;

		if (name != NULL && strcmp(name, table->name) != 0)
			continue;
		*out = table;
		if (name != NULL)
			return can_run(&candidates[i], features, err);
		if (can_run(&candidates[i], features, NULL) == DBERT_OK)
			return DBERT_OK;
	}
	return dbert_fail(err, DBERT_E_UNSUPPORTED, "there are no kernels named \"%s\"", name);
}
