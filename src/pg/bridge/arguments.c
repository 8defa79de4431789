/*
 * arguments.c -- see arguments.h.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "pg/bridge/arguments.h"
#include "pg/bridge/compat.h"

char *
distil_text_argument(FunctionCallInfo fcinfo, int i, const char *what)
{
	if (PG_ARGISNULL(i))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", what)));
	return text_to_cstring(PG_GETARG_TEXT_PP(i));
}

bool
distil_bool_argument(FunctionCallInfo fcinfo, int i)
{
	return !PG_ARGISNULL(i) && PG_GETARG_BOOL(i);
}
