/*
 * memorylimit.c -- see memorylimit.h.
 */
#include "postgres.h"

#include <limits.h>

#include "utils/guc.h"

#include "pg/bridge/memorylimit.h"

static int	max_memory;			/* kB; 0: no limit */

/* What was refused last, and what there was then; 0: nothing. */
static Size refused = 0;
static Size taken_then = 0;

Size
distil_memory_limit(void)
{
	return (Size) max_memory * 1024;
}

bool
distil_memory_allows(Size taken, Size size)
{
	Size		limit = distil_memory_limit();
	bool		allowed = limit == 0 || (size <= limit && taken <= limit - size);

	refused = allowed ? 0 : size;
	taken_then = taken;
	return allowed;
}

void
distil_raise_memory_limit(void)
{
	Size		size = refused;

	refused = 0;
	if (size == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("models need more memory than \"distilbert.max_memory\" allows"),
			 errdetail("They have %zu kB and need %zu kB more; the setting is %d kB.",
					   taken_then / 1024, (size + 1023) / 1024, max_memory),
			 errhint("Raise the setting, or lower \"distilbert.threads\". Short texts need "
					 "less.")));
}

void
distil_memorylimit_init(void)
{
	DefineCustomIntVariable(
		"distilbert.max_memory",
		"Memory that models may take in a session, shared weights excepted.",
		"Batches are made smaller to keep to it, texts that need more are errors; 0: no limit.",
		&max_memory, 0, 0, MAX_KILOBYTES, PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
}
