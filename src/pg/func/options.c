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

void
distil_check_chunks(int max_tokens, int overlap)
{
	if (max_tokens < 3)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_tokens must be at least 3, not %d", max_tokens),
				 errdetail("Two tokens of each chunk stand around its text, as "
						   "[CLS] and [SEP] do.")));
	if (overlap < 0 || overlap > (max_tokens - 2) / 2)
		ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("overlap must be between 0 and %d, not %d", (max_tokens - 2) / 2, overlap),
			 errdetail("Chunks of %d tokens may overlap by half of what they hold.", max_tokens)));
}
