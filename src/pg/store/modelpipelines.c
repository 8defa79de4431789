/*
 * modelpipelines.c -- see modelpipelines.h.
 *
 * A pipeline's values are all of one content of a model.  If that goes, or
 * another comes under its name, what is there stays, but nothing can be added.
 * (The table is pg/pipe's; only the name of the model is of interest here.)
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "utils/builtins.h"

#include "pg/bridge/compat.h"
#include "pg/store/catalog.h"
#include "pg/store/modelpipelines.h"
#include "pg/store/names.h"

enum
{
	GENERATION_PIPELINE = 1,
	GENERATION_NUMBER,
	GENERATION_MODEL
};

static char *
text_column(HeapTuple tuple, AttrNumber column, Relation rel)
{
	return TextDatumGetCString(distil_column(tuple, column, rel));
}

/* Generations of a pipeline follow each other. */
List *
distil_pipelines_with_model(const char *model)
{
	Relation	rel = distil_try_open_table("pipeline_generation", AccessShareLock);
	List	   *names = NIL;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (rel == NULL)
		return NIL;
	scan = distil_begin_scan(rel, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		char	   *pipeline = text_column(tuple, GENERATION_PIPELINE, rel);

		if (strcmp(text_column(tuple, GENERATION_MODEL, rel), model) == 0 &&
			(names == NIL || strcmp(llast(names), pipeline) != 0))
			names = lappend(names, pipeline);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	distil_sort_strings(names);
	return names;
}
