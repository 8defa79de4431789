/*
 * modelsource.c -- see modelsource.h; and distil_export_model.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/bridge/errors.h"
#include "pg/store/builtin.h"
#include "pg/store/catalog.h"
#include "pg/store/describe.h"
#include "pg/store/dirsource.h"
#include "pg/store/identity.h"
#include "pg/store/models.h"
#include "pg/store/modelsource.h"
#include "pg/store/pinned.h"
#include "pg/store/tablesource.h"
#include "pg/store/unknown.h"

DistilModelSource
distil_model_source(const char *name, MemoryContext context)
{
	DistilModelSource s = {.files = NULL,.precision = DISTIL_DEFAULT_PRECISION};
	const DistilPinned pinned = distil_unpin(name);
	const char *path;
	DistilInfo	row;

	Assert(CurrentMemoryContext == context);
	s.name = name = pinned.name;
	s.snapshot = RegisterSnapshot(GetLatestSnapshot());
	if (pinned.digits != NULL && distil_find_content(name, s.snapshot, s.sha256))
		distil_check_pinned(&pinned, s.sha256);
	if (distil_catalog_find(name, s.snapshot, &row))
	{
		s.source = distil_tablesource_open(name, s.snapshot, &s.files);
		s.task = distil_core_task(row.task);
		s.loaded_for = row.task;
		s.precision = row.precision;
		memcpy(s.sha256, row.sha256, sizeof(s.sha256));
		return s;
	}
	path = distil_builtin_path(name);
	if (path == NULL)
		distil_raise_unknown(name, s.snapshot);
	distil_builtin_key(path, s.sha256);
	s.source = distil_dirsource_installed(path, context);
	s.files = distil_pack_files(distil_pack_begin(s.source, NULL, DISTIL_DEFAULT_PRECISION,
												  psprintf("could not read model \"%s\"", name),
												  context));
	return s;
}

void
distil_model_source_end(DistilModelSource *s)
{
	UnregisterSnapshot(s->snapshot);
}


/* ---- distil_export_model ---- */

static bytea *
read_whole(const DbertSource *source, const char *file)
{
	DbertError	err = {0};
	int64_t		size;
	bytea	   *data;

	if (source->size(source->ctx, file, &size, &err) != DBERT_OK)
		distil_raise(&err, NULL);
	if (size < 0 || size > MaxAllocSize - VARHDRSZ)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("file \"%s\" of %lld bytes does not fit a bytea", file, (long long) size)));
	data = palloc(VARHDRSZ + size);
	SET_VARSIZE(data, VARHDRSZ + size);
	for (int64 at = 0; at < size; at += DISTIL_CHUNK_BYTES)
	{
		CHECK_FOR_INTERRUPTS();
		if (source->read(source->ctx, file, at, VARDATA(data) + at,
						 Min(size - at, DISTIL_CHUNK_BYTES), &err) != DBERT_OK)
			distil_raise(&err, NULL);
	}
	return data;
}

static void
export_files(ReturnSetInfo *rsinfo, const char *name, MemoryContext context)
{
	DistilModelSource s = distil_model_source(name, context);

	for (int i = 0; s.files[i] != NULL; i++)
	{
		Datum		values[2];
		bool		nulls[2] = {false};

		values[0] = CStringGetTextDatum(s.files[i]);
		values[1] = PointerGetDatum(read_whole(s.source, s.files[i]));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		pfree(DatumGetPointer(values[1]));
	}
	distil_dirsource_settle(s.source);
	distil_model_source_end(&s);
}

PG_FUNCTION_INFO_V1(distil_export_model);
Datum
distil_export_model(PG_FUNCTION_ARGS)
{
	const char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context;

	InitMaterializedSRF(fcinfo, 0);
	context = AllocSetContextCreate(caller, "distilbert export", ALLOCSET_DEFAULT_SIZES);
	PG_TRY();
	{
		MemoryContextSwitchTo(context);
		export_files((ReturnSetInfo *) fcinfo->resultinfo, name, context);
	}
	PG_FINALLY();
	{
		MemoryContextSwitchTo(caller);
		MemoryContextDelete(context);
	}
	PG_END_TRY();
	return (Datum) 0;
}
