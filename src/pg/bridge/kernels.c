/*
 * kernels.c -- see kernels.h; and the setting distilbert.force_isa.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "pg/bridge/errors.h"
#include "pg/bridge/kernels.h"

static char *force_isa;			/* name of a table of kernels, "" for the best */
static uint64 changes = 0;

const DbertKernels *
distil_kernels(void)
{
	static const DbertKernels *best = NULL;
	const DbertKernels *forced;
	DbertError	err = {0};

	if (force_isa[0] != '\0')
	{
		if (dbert_kernels_choose(force_isa, &forced, &err) != DBERT_OK)
			distil_raise(&err, NULL);
		return forced;
	}
	if (best == NULL && dbert_kernels_choose(NULL, &best, &err) != DBERT_OK)
		distil_raise(&err, NULL);
	return best;
}

uint64
distil_kernels_changes(void)
{
	return changes;
}

static bool
check_force_isa(char **newval, void **extra, GucSource source)
{
	const DbertKernels *kernels;
	DbertError	err;

	if (**newval == '\0' || dbert_kernels_choose(*newval, &kernels, &err) == DBERT_OK)
		return true;
	GUC_check_errdetail("There are no such kernels, or they cannot run on this machine.");
	return false;
}

static void
assign_force_isa(const char *newval, void *extra)
{
	changes++;
}

/*
 * The names of all tables, best first: "a", "b" or "c"; ...  It lives as long
 * as the process, for a setting keeps the address of its description.
 */
static char *
describe_names(void)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	StringInfoData names;
	const DbertKernels *table;

	initStringInfo(&names);
	for (int i = 0; (table = dbert_kernels_at(i)) != NULL; i++)
		appendStringInfo(&names, "%s\"%s\"",
						 i == 0 ? "" : dbert_kernels_at(i + 1) != NULL ? ", " : " or ",
						 table->name);
	appendStringInfoString(&names, "; empty: the best that this machine can run.");
	MemoryContextSwitchTo(old);
	return names.data;
}

void
distil_kernels_init(void)
{
	DefineCustomStringVariable("distilbert.force_isa",
							   "Kernels that models are computed with, for tests.",
							   describe_names(), &force_isa, "", PGC_SUSET, 0, check_force_isa,
							   assign_force_isa, NULL);
}
