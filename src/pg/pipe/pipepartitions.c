/*
 * pipepartitions.c -- see pipepartitions.h.
 *
 * ATTACH PARTITION locks out writers of the partition and gives it the
 * triggers. So when a partition is seen here for the first time, all rows that
 * are older than its triggers can be seen, too.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/ownersql.h"
#include "pg/pipe/pipepartitions.h"
#include "pg/pipe/pipequeue.h"
#include "pg/pipe/pipetriggers.h"

List *
distil_partitions_of(Oid source)
{
	List	   *parts = NIL;
	ListCell   *lc;

	if (get_rel_relkind(source) != RELKIND_PARTITIONED_TABLE)
		return NIL;
	foreach(lc, find_all_inheritors(source, NoLock, NULL))
	{
		if (get_rel_relkind(lfirst_oid(lc)) != RELKIND_PARTITIONED_TABLE)
			parts = lappend_oid(parts, lfirst_oid(lc));
	}
	list_sort(parts, list_oid_cmp);
	return parts;
}

/* "SELECT s.key, ... FROM ONLY part s" */
static char *
select_keys(Oid part, const DistilPipelineColumns *columns)
{
	return psprintf("SELECT %s FROM ONLY %s s",
					distil_sql_keys("s", part, columns->keys, columns->n_keys),
					distil_sql_table(part));
}

/* The rows of a result that were fetched: a row of the queue. */
static void
queue_fetched(const char *pipeline, int n_columns)
{
	int			dims[2] = {SPI_processed, n_columns};
	int			lbounds[2] = {1, 1};
	Datum	   *texts = palloc_array(Datum, dims[0] * n_columns);

	for (int i = 0; i < dims[0]; i++)
	{
		for (int c = 0; c < n_columns; c++)
			texts[i * n_columns + c] = CStringGetTextDatum(
				SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, c + 1));
	}
	distil_queue_add(pipeline, construct_md_array(texts, NULL, 2, dims, lbounds, TEXTOID, -1,
												  false, TYPALIGN_INT));
	pfree(texts);
}

/* All keys of a partition, a thousand at a time. */
static void
queue_part(const DistilPipeline *p, Oid part, const DistilPipelineColumns *columns)
{
	DistilOwnerState state = distil_become_owner(p->owner, true);
	int			nestlevel = distil_key_text_begin();
	Portal		portal;

	SPI_connect();
	portal = SPI_cursor_parse_open(NULL, select_keys(part, columns),
								   &(SPIParseOpenOptions) {.read_only = true});
	for (;;)
	{
		SPI_cursor_fetch(portal, true, DISTIL_QUEUE_KEYS);
		if (SPI_processed == 0)
			break;
		queue_fetched(p->name, columns->n_keys);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	SPI_finish();
	distil_key_text_end(nestlevel);
	distil_resign_owner(state);
}

/*
 * A partition that has no trigger yet, or not any more, is none of ours at this
 * moment; false: look again.
 */
static bool
see_to_part(const DistilPipeline *p, Oid part)
{
	Relation	rel = try_relation_open(part, AccessShareLock);
	DistilPipelineColumns columns;
	bool		found;

	if (rel == NULL)
		return false;
	found = distil_pipeline_columns(rel, p->name, &columns);
	relation_close(rel, NoLock);
	if (!found)
		return false;
	if (p->columns.n_values == 0)
		distil_triggers_make_truncate(p, part);
	queue_part(p, part, &columns);
	return true;
}

static void
remove_what_is_left(const DistilPipeline *p)
{
	for (int i = 0; i < p->n_generations; i++)
	{
		if (OidIsValid(p->generations[i].target))
			distil_target_remove_orphans(p->generations[i].target, p->source, &p->columns);
	}
}

bool
distil_partitions_follow(DistilPipeline *p)
{
	List	   *parts = distil_partitions_of(p->source);
	List	   *added = list_difference_oid(parts, p->parts);
	List	   *gone = list_difference_oid(p->parts, parts);
	ListCell   *lc;

	if (added == NIL && gone == NIL)
		return false;
	foreach(lc, added)
	{
		if (!see_to_part(p, lfirst_oid(lc)))
			parts = list_delete_oid(parts, lfirst_oid(lc));
	}
	foreach(lc, gone)
		distil_triggers_drop_truncate(p, lfirst_oid(lc));
	if (gone != NIL)
		remove_what_is_left(p);
	p->parts = parts;
	distil_pipeline_update(p);
	return true;
}
