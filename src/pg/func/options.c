/*
 * options.c -- see options.h.
 */
#include "postgres.h"

#include "pg/func/options.h"

void
distil_check_score(const char *option, float value)
{
	if (!(value >= 0 && value <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be between 0 and 1", option)));
}

void
distil_check_at_least_one(const char *option, int value)
{
	if (value < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be at least 1, not %d", option, value)));
}
