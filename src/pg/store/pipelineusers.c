/*
 * pipelineusers.c -- which pipelines use a model.
 *
 * The rows of pipelines are pg/pipe's, which stands above this room; of them
 * this file knows three columns.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "pg/bridge/compat.h"
#include "pg/store/catalog.h"
#include "pg/store/modelusers.h"
#include "pg/store/pinned.h"

/* distilbert.pipeline_generation and distilbert.pipeline */
enum
{
	GENERATION_PIPELINE = 1,
	GENERATION_MODEL = 3
};
enum
{
	PIPELINE_NAME = 1,
	PIPELINE_SOURCE
};

/* "pipeline x of table y"; NULL: the table is gone, and so is the pipeline. */
static char *
describe(Datum pipeline)
{
	Relation	rel = distil_open_table("pipeline", AccessShareLock);
	char	   *name = TextDatumGetCString(pipeline);
	char	   *source = NULL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	distil_key_text(&key, PIPELINE_NAME, name);
	scan = distil_begin_scan(rel, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		source = get_rel_name(DatumGetObjectId(distil_column(tuple, PIPELINE_SOURCE, rel)));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return source == NULL ? NULL : psprintf("pipeline %s of table %s", name, source);
}

List *
distil_pipelines_using(const char *model)
{
	Relation	rel = distil_try_open_table("pipeline_generation", AccessShareLock);
	List	   *users = NIL;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (rel == NULL)
		return NIL;
	scan = distil_begin_scan(rel, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		char	   *used = TextDatumGetCString(distil_column(tuple, GENERATION_MODEL, rel));
		char	   *user = distil_names_model(used, model)
			? describe(distil_column(tuple, GENERATION_PIPELINE, rel)) : NULL;

		if (user != NULL)
			users = lappend(users, user);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return users;
}
