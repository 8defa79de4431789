/*
 * entitylist.c -- see entitylist.h.
 *
 * A label of entities is what stands behind the first dash of a tag, as in
 * distil_entities: "PER" of "B-PER".  The tag "O" is none.
 */
#include "postgres.h"

#include "pg/bridge/compat.h"
#include "pg/func/entitylist.h"
#include "pg/bridge/errors.h"

/*
 * What the core allocates lives as long as the batch, so nothing may raise
 * before it is freed.
 */
DbertEntity *
distil_find_entities(const DbertBatch *batch, int i, DbertAggregation aggregation,
					 float min_score, int *count)
{
	int			n_tokens;
	DbertEntity *result;
	DbertEntity *found;
	DbertError	err;

	(void) dbert_batch_text_tokens(batch, i, &n_tokens);
	result = palloc(n_tokens * sizeof(DbertEntity));	/* no more than tokens */
	if (dbert_batch_entities(batch, i, aggregation, min_score,
							 &found, count, &err) != DBERT_OK)
		distil_raise(&err, NULL);
	memcpy(result, found, *count * sizeof(DbertEntity));
	pfree(found);				/* distil_allocator's memory is palloc's */
	return result;
}

const char *
distil_entity_label(const char *tag)
{
	const char *dash = strchr(tag, '-');

	if (strcmp(tag, "O") == 0)
		return NULL;
	return dash != NULL ? dash + 1 : tag;
}
