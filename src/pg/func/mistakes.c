/*
 * mistakes.c -- calls that look right and are not: forms that raise.
 *
 *	   distil_classify(text)		which needs a model
 *	   distil_embed(text, 64)		where options go by name
 *
 * For a call that no form of a function fits the server says that the function
 * does not exist, and hints at type casts.  The commonest of these calls have
 * forms of their own, which say what is to be written.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "pg/bridge/quoted.h"

/* More names would not be read. */
#define MOST_NAMES 5

/* The models that classify, as the view beside the function shows them. */
static const char *
classifiers(Oid function)
{
	const char *schema = get_namespace_name(get_func_namespace(function));
	MemoryContext caller = CurrentMemoryContext;
	StringInfoData list;

	SPI_connect();
	SPI_execute(
		psprintf("SELECT name FROM %s.distil_models WHERE task IN ('sentiment', 'classify') "
				 "ORDER BY builtin, name",
				 quote_identifier(schema)),
		true, MOST_NAMES);
	MemoryContextSwitchTo(caller);
	initStringInfo(&list);
	for (uint64 i = 0; i < SPI_processed; i++)
		distil_append_quoted(&list, SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
	SPI_finish();
	return list.data;
}

/* How the function is called. */
static const char *
usage_of(const char *function)
{
	if (strcmp(function, "distil_score") == 0)
		return "distil_score(text, 'model', 'label')";
	if (strcmp(function, "distil_pair_scores") == 0)
		return "distil_pair_scores(text, text, 'model')";
	return psprintf("%s(text, 'model')", function);
}

PG_FUNCTION_INFO_V1(distil_needs_model);
Datum
distil_needs_model(PG_FUNCTION_ARGS)
{
	const char *function = get_func_name(fcinfo->flinfo->fn_oid);
	const char *names = classifiers(fcinfo->flinfo->fn_oid);

	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_FUNCTION),
			 errmsg("%s needs the name of a model", function),
			 *names != '\0'
				 ? errhint("Write %s, with the name of a model that classifies, such as %s.",
						   usage_of(function), names)
				 : errhint("Write %s. There is no model that classifies yet: load one by "
						   "distil_load_model, or train one by distil_train.",
						   usage_of(function))));
}

PG_FUNCTION_INFO_V1(distil_needs_name);
Datum
distil_needs_name(PG_FUNCTION_ARGS)
{
	const char *function = get_func_name(fcinfo->flinfo->fn_oid);

	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_FUNCTION),
			 errmsg("%s takes the number of dimensions by its name", function),
			 errhint("Write %s(text, dimensions => %s).", function,
					 PG_ARGISNULL(1) ? "64" : psprintf("%d", PG_GETARG_INT32(1)))));
}
