/*
 * choose.c -- which table of kernels runs on this machine.
 *
 * The machine's own tables come first, then those that run everywhere, from
 * the best to the definition.  The first that can run is taken.
 */
#include "kernel/candidates.h"

#include <string.h>

static const DbertCandidate portable[] = {
	{&dbert_kernels_openblas, 0},
	{&dbert_kernels_scalar, 0},
	{NULL, 0}
};

/* The i-th candidate, NULL beyond the last. */
static const DbertCandidate *
candidate_at(int i)
{
	for (const DbertCandidate *c = dbert_machine_kernels; c->table != NULL; c++)
		if (i-- == 0)
			return c;
	for (const DbertCandidate *c = portable; c->table != NULL; c++)
		if (i-- == 0)
			return c;
	return NULL;
}

const DbertKernels *
dbert_kernels_at(int i)
{
	const DbertCandidate *candidate = candidate_at(i);

	return candidate != NULL ? candidate->table : NULL;
}

static DbertStatus
can_run(const DbertCandidate *candidate, uint32_t features, DbertError *err)
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
	const uint32_t features = dbert_machine_features();
	const DbertCandidate *candidate;

	for (int i = 0; (candidate = candidate_at(i)) != NULL; i++)
	{
		if (name != NULL && strcmp(name, candidate->table->name) != 0)
			continue;
		*out = candidate->table;
		if (name != NULL)
			return can_run(candidate, features, err);
		if (can_run(candidate, features, NULL) == DBERT_OK)
			return DBERT_OK;
	}
	return dbert_fail(err, DBERT_E_UNSUPPORTED, "there are no kernels named \"%s\"", name);
}
