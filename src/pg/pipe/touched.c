/*
 * touched.c -- the condition of a pipeline's triggers for UPDATE.
 *
 *	   distilbert.touched(n, old, new, ..., more ...)
 *			does one of the first n pairs differ?
 *
 * Arguments of "any" come as they are stored.  Two are compared by their bytes,
 * of a value that is stored elsewhere by those of its pointer: a text of any
 * length costs nothing, and what was not assigned to is found equal.  A text
 * that is written again as it was may count as touched; whoever computes finds
 * that out.  A condition that is false keeps the row from the queue of trigger
 * events at all.
 *
 * What stands behind the pairs only names columns (pipeline.h).
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

#include "pg/bridge/compat.h"

PG_FUNCTION_INFO_V1(distil_pipeline_touched);

typedef struct ArgumentType
{
	Oid			type;
	int16		length;
	bool		byval;
} ArgumentType;

/* The arguments' types, looked up at the first call. */
static const ArgumentType *
argument_types(FunctionCallInfo fcinfo)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	ArgumentType *types = flinfo->fn_extra;

	if (types != NULL)
		return types;
	types = MemoryContextAlloc(flinfo->fn_mcxt, sizeof(ArgumentType) * Max(PG_NARGS(), 1));
	for (int i = 0; i < PG_NARGS(); i++)
	{
		types[i].type = get_fn_expr_argtype(flinfo, i);
		get_typlenbyval(types[i].type, &types[i].length, &types[i].byval);
	}
	flinfo->fn_extra = types;
	return types;
}

static bool
differ(const NullableDatum *a, const NullableDatum *b, ArgumentType type)
{
	if (a->isnull || b->isnull)
		return a->isnull != b->isnull;
	return !datumIsEqual(a->value, b->value, type.byval, type.length);
}

Datum
distil_pipeline_touched(PG_FUNCTION_ARGS)
{
	const ArgumentType *types = argument_types(fcinfo);
	int			n = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT32(0);

	n = Min(Max(n, 0), (PG_NARGS() - 1) / 2);
	for (int i = 1; i <= 2 * n; i += 2)
	{
		if (types[i].type != types[i + 1].type ||
			differ(&fcinfo->args[i], &fcinfo->args[i + 1], types[i]))
			PG_RETURN_BOOL(true);
	}
	PG_RETURN_BOOL(false);
}
