/*
 * entitylist.c -- see entitylist.h.
 *
 * A label of entities is what stands behind the first dash of a tag, as in
 * distil_entities: "PER" of "B-PER".  The tag "O" is none.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/errors.h"
#include "pg/func/entitylist.h"

DbertEntity *
distil_find_entities(const DbertBatch *batch, int i, DbertAggregation aggregation,
					 float min_score, int *count)
{
	DbertEntity *found;
	DbertError	err;

	if (dbert_batch_entities(batch, i, aggregation, min_score,
							 &found, count, &err) != DBERT_OK)
		distil_raise(&err, NULL);
	return distil_move_here(found, *count * sizeof(DbertEntity));
}

const char *
distil_entity_label(const char *tag)
{
	const char *dash = strchr(tag, '-');

	if (strcmp(tag, "O") == 0)
		return NULL;
	return dash != NULL ? dash + 1 : tag;
}

DbertAggregation
distil_aggregation_of(const text *arg)
{
	char	   *name = text_to_cstring(arg);
	DbertAggregation aggregation;

	if (!dbert_aggregation_parse(name, &aggregation))
		ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized aggregation \"%s\"", name),
			 errhint("Available are \"none\", \"simple\", \"first\", \"average\" and \"max\".")));
	pfree(name);
	return aggregation;
}
