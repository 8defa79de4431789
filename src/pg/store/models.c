/*
 * models.c -- what the view distil_models shows: how a row looks, and the rows
 * of installed models.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/store/builtin.h"
#include "pg/store/describe.h"
#include "pg/store/dirsource.h"
#include "pg/store/identity.h"
#include "pg/store/installedcontent.h"
#include "pg/store/models.h"
#include "pg/store/pinned.h"
#include "pg/store/unknown.h"

/* The view's columns, in its order. */
enum
{
	VIEW_NAME,
	VIEW_TASK,
	VIEW_ARCHITECTURE,
	VIEW_LABELS,
	VIEW_LAYERS,
	VIEW_HIDDEN_SIZE,
	VIEW_DIMENSIONS,
	VIEW_PARAMETERS,
	VIEW_MAX_TOKENS,
	VIEW_PRECISION,
	VIEW_BYTES,
	VIEW_SHA256,
	VIEW_BUILTIN,
	VIEW_LOADED_AT,
	VIEW_COLUMNS
};

static Datum
hex_datum(const uint8 *sha256)
{
	char		hex[DISTIL_SHA256_HEX];

	return CStringGetTextDatum(distil_sha256_hex(sha256, hex));
}

HeapTuple
distil_info_tuple(const DistilInfo *info, TupleDesc desc)
{
	Datum		values[VIEW_COLUMNS] = {0};
	bool		nulls[VIEW_COLUMNS] = {false};

	if (desc->natts > VIEW_COLUMNS)
		elog(ERROR, "a row of distil_models has more columns than the library knows");
	values[VIEW_NAME] = CStringGetTextDatum(info->name);
	values[VIEW_TASK] = CStringGetTextDatum(info->task);
	values[VIEW_ARCHITECTURE] = CStringGetTextDatum(info->architecture);
	nulls[VIEW_LABELS] = info->n_labels == 0;
	if (info->n_labels > 0)
		values[VIEW_LABELS] = distil_labels_datum(info);
	values[VIEW_LAYERS] = Int32GetDatum(info->layers);
	values[VIEW_HIDDEN_SIZE] = Int32GetDatum(info->hidden_size);
	values[VIEW_DIMENSIONS] = Int32GetDatum(info->dimensions);
	values[VIEW_PARAMETERS] = Int64GetDatum(info->parameters);
	values[VIEW_MAX_TOKENS] = Int32GetDatum(info->max_tokens);
	values[VIEW_PRECISION] = CStringGetTextDatum(info->precision);
	values[VIEW_BYTES] = Int64GetDatum(info->bytes);
	values[VIEW_SHA256] = hex_datum(info->sha256);
	values[VIEW_BUILTIN] = BoolGetDatum(info->builtin);
	nulls[VIEW_LOADED_AT] = info->builtin;
	values[VIEW_LOADED_AT] = TimestampTzGetDatum(info->loaded_at);
	return heap_form_tuple(desc, values, nulls);
}

/* The files are hashed unless somebody did. */
static void
find_identity(const DbertSource *source, DbertPack *pack, const uint8 *key, DistilInfo *info)
{
	DistilContent content;
	bool		known = distil_content_recall(key, &content);

	if (!known)
		distil_identity(source, distil_pack_files(pack), info->task, info->precision, NULL, NULL,
						content.sha256, &content.bytes);
	distil_dirsource_settle(source);
	if (!known)
		distil_content_remember(key, &content);
	memcpy(info->sha256, content.sha256, DISTIL_SHA256_BYTES);
	info->bytes = content.bytes;
}

static void
describe_builtin(const char *name, DistilInfo *info, MemoryContext context)
{
	const char *path = distil_builtin_path(name);
	const DbertSource *source = distil_dirsource_installed(path, context);
	uint8		key[DISTIL_SHA256_BYTES];
	DbertPack  *pack;

	distil_builtin_key(path, key);
	pack = distil_pack_begin(source, NULL, DISTIL_DEFAULT_PRECISION,
							 psprintf("could not read model \"%s\"", name), context);
	distil_describe(pack, name, NULL, DISTIL_DEFAULT_PRECISION, info);
	find_identity(source, pack, key, info);
	info->builtin = true;
}

PG_FUNCTION_INFO_V1(distil_builtin_models);
Datum
distil_builtin_models(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext context;
	List	   *names;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	names = distil_builtin_names();
	context = AllocSetContextCreate(CurrentMemoryContext, "distilbert description",
									ALLOCSET_DEFAULT_SIZES);
	foreach(lc, names)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		DistilInfo	info;

		CHECK_FOR_INTERRUPTS();
		describe_builtin(lfirst(lc), &info, context);
		tuplestore_puttuple(rsinfo->setResult, distil_info_tuple(&info, rsinfo->setDesc));
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	MemoryContextDelete(context);
	return (Datum) 0;
}

static void
installed_content(const char *name, const char *path, uint8 *sha256)
{
	DistilContent content;
	uint8		key[DISTIL_SHA256_BYTES];
	MemoryContext context;
	MemoryContext old;
	DistilInfo	info;

	distil_builtin_key(path, key);
	if (distil_content_recall(key, &content))
	{
		memcpy(sha256, content.sha256, DISTIL_SHA256_BYTES);
		return;
	}
	context = AllocSetContextCreate(CurrentMemoryContext, "distilbert description",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	describe_builtin(name, &info, context);
	memcpy(sha256, info.sha256, DISTIL_SHA256_BYTES);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

bool
distil_find_content(const char *name, Snapshot snapshot, uint8 *sha256)
{
	DistilInfo	info;
	const char *path;

	if (distil_catalog_find(name, snapshot, &info))
	{
		memcpy(sha256, info.sha256, DISTIL_SHA256_BYTES);
		return true;
	}
	path = distil_builtin_path(name);
	if (path != NULL)
		installed_content(name, path, sha256);
	return path != NULL;
}

void
distil_model_content(const char *name, Snapshot snapshot, uint8 *sha256)
{
	const DistilPinned pinned = distil_unpin(name);

	if (!distil_find_content(pinned.name, snapshot, sha256))
		distil_raise_unknown(pinned.name, snapshot);
	distil_check_pinned(&pinned, sha256);
}
