/*
 * load.c -- distil_load_model and distil_drop_model.
 *
 * Loading reads the directory four times.  It is parsed.  It is hashed, for
 * what is there already under this name need not be loaded again.  Then every
 * value is checked.  Then it is stored, and hashed once more.  The source sees
 * to it that all four read the same, and in the end that all files were there
 * together.  Nothing is written before all is checked.
 * Other loads and drops wait only from the first write on, until the end of the
 * transaction.
 *
 * What is there already is looked up with a fresh snapshot, as for any object
 * that is created, whatever the isolation level of the transaction.
 */
#include "postgres.h"

#include "access/xact.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/arguments.h"
#include "pg/bridge/errors.h"
#include "pg/bridge/kernels.h"
#include "pg/store/builtin.h"
#include "pg/store/catalog.h"
#include "pg/store/describe.h"
#include "pg/store/dirsource.h"
#include "pg/store/identity.h"
#include "pg/store/load.h"
#include "pg/store/models.h"
#include "pg/store/modelusers.h"
#include "pg/store/modeltask.h"
#include "pg/store/names.h"
#include "pg/store/packfile.h"
#include "pg/store/pinned.h"
#include "pg/store/unknown.h"

void
distil_prevent_read_only(const char *function)
{
	PreventCommandIfReadOnly(function);
	PreventCommandIfParallelMode(function);
	PreventCommandDuringRecovery(function);
}

DistilReplace
distil_replace(bool replace, bool force)
{
	return !replace ? DISTIL_REPLACE_NONE : force ? DISTIL_REPLACE_ANY : DISTIL_REPLACE_UNUSED;
}

static bool
find_latest(const char *name, DistilInfo *info)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	bool		found = distil_catalog_find(name, snapshot, info);

	UnregisterSnapshot(snapshot);
	return found;
}

/*
 * A model of this name is there: is it not to be replaced if objects name it?
 */
static void
check_unused(const char *name, DistilReplace replace)
{
	if (replace == DISTIL_REPLACE_UNUSED)
		distil_prevent_use(name, "replace",
						   "Give force => true to replace it all the same, then compute again what "
						   "they keep; or load the new model under another name.");
}

/*
 * May info be loaded under its name?  false: the same content is there already,
 * and info becomes its row.
 */
static bool
check_existing(DistilInfo *info, DistilReplace replace)
{
	DistilInfo	row;

	if (!find_latest(info->name, &row))
	{
		if (distil_builtin_path(info->name) != NULL)
			check_unused(info->name, replace);
		return true;
	}
	if (memcmp(row.sha256, info->sha256, DISTIL_SHA256_BYTES) == 0)
	{
		ereport(NOTICE,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("model \"%s\" is already loaded with the same content, skipping", info->name)));
		*info = row;
		return false;
	}
	if (replace == DISTIL_REPLACE_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("model \"%s\" already exists with different content", info->name),
				 errhint("Choose another name, or give replace => true; indexes and stored columns "
						 "computed with the old content must then be computed again.")));
	check_unused(info->name, replace);
	return true;
}

static void
check_builtin(const char *name, DistilReplace replace)
{
	if (replace == DISTIL_REPLACE_NONE && distil_builtin_path(name) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("model \"%s\" is installed with the server", name),
				 errhint("Choose another name, or give replace => true for a model that takes its "
						 "place in this database.")));
}

void
distil_check_new_name(const char *name, DistilReplace replace)
{
	DistilInfo	row;
	bool		found;

	distil_check_name(name);
	check_builtin(name, replace);
	found = find_latest(name, &row);
	if (found || distil_builtin_path(name) != NULL)
		check_unused(name, replace);
	if (replace == DISTIL_REPLACE_NONE && found)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("model \"%s\" already exists", name),
				 errhint("Choose another name, or give replace => true.")));
}

/* Remove a row that is there; its pack goes when the transaction commits. */
static void
delete_model(const char *name)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	DistilInfo	row;

	if (distil_catalog_find(name, snapshot, &row))
	{
		if (!distil_catalog_shares(&row, snapshot))
			distil_pack_remove_at_end(row.sha256, row.precision, true);
		distil_catalog_delete(name, snapshot);
	}
	UnregisterSnapshot(snapshot);
	CommandCounterIncrement();
}

static void
store_chunk(void *ctx, const char *file, int32 seq, const void *data, size_t len)
{
	distil_chunks_add(ctx, file, seq, data, len);
}

/*
 * If there is no pack yet, one that is made until then goes when this is rolled
 * back.
 */
static void
store_model(DistilInfo *info, const DbertSource *source, const char *const *files)
{
	uint8		stored[DISTIL_SHA256_BYTES];
	int64		bytes;
	DistilChunkWriter *writer;

	delete_model(info->name);
	if (!distil_pack_exists(distil_pack_path(info->sha256, info->precision)))
		distil_pack_remove_at_end(info->sha256, info->precision, false);

	distil_catalog_insert(info);
	writer = distil_chunks_begin(info->name);
	distil_identity(source, files, info->task, info->precision,
					store_chunk, writer, stored, &bytes);
	distil_chunks_end(writer);
	if (memcmp(stored, info->sha256, DISTIL_SHA256_BYTES) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("files of the model changed while they were read")));

	distil_catalog_changed();
	CommandCounterIncrement();
}

void
distil_check_model(const char *name, const DbertSource *source, const char *task,
				   const char *precision, const char *subject)
{
	MemoryContext scratch =
		AllocSetContextCreate(CurrentMemoryContext, "distilbert check", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	DistilInfo	info;

	distil_describe(distil_pack_begin(source, task, precision, subject, scratch), name, task,
					precision, &info);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

void
distil_store_model(const char *name, const DbertSource *source, const char *task,
				   const char *precision, DistilReplace replace, const char *subject,
				   DistilInfo *info)
{
	DbertPack  *pack = distil_pack_begin(source, task, precision, subject, CurrentMemoryContext);
	const char *const *files = distil_pack_files(pack);
	DbertError	err = {0};

	distil_describe(pack, name, task, precision, info);
	distil_identity(source, files, info->task, info->precision,
					NULL, NULL, info->sha256, &info->bytes);
	if (!check_existing(info, replace))
		return;
	if (dbert_pack_write(pack, NULL, distil_poll(), &err) != DBERT_OK)
		distil_raise(&err, subject);

	distil_catalog_lock();
	if (check_existing(info, replace))	/* somebody may have been faster */
		store_model(info, source, files);
}

/* Errors that half-written files may cause. */
static bool
may_come_from_files(int sqlstate)
{
	return sqlstate == ERRCODE_INVALID_PARAMETER_VALUE || sqlstate == ERRCODE_IO_ERROR ||
		   sqlstate == ERRCODE_FEATURE_NOT_SUPPORTED || sqlstate == ERRCODE_PROGRAM_LIMIT_EXCEEDED;
}

static DistilLoadArgs
read_arguments(FunctionCallInfo fcinfo, int options)
{
	DistilLoadArgs args = {.name = distil_text_argument(fcinfo, 0, "name of the model")};

	args.task = PG_ARGISNULL(options) ? NULL : distil_text_argument(fcinfo, options, "task");
	args.replace = distil_replace(distil_bool_argument(fcinfo, options + 1),
								  distil_bool_argument(fcinfo, options + 3));
	args.precision = PG_ARGISNULL(options + 2)
						 ? DISTIL_DEFAULT_PRECISION
						 : distil_text_argument(fcinfo, options + 2, "precision");
	distil_check_name(args.name);
	if (args.task != NULL)
		distil_check_task(args.task);
	(void) distil_precision(args.precision);
	check_builtin(args.name, args.replace);
	return args;
}

static TupleDesc
result_desc(FunctionCallInfo fcinfo)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return BlessTupleDesc(desc);
}

/* Says so where the other precision of 8 bits would run better here. */
static void
tell_best_precision(const char *precision)
{
	const DbertPrecision own = distil_precision(precision),
						 best = dbert_best_8_bits(distil_kernels());

	if (own == DBERT_PRECISION_FP32 || own == best)
		return;
	if (best == DBERT_PRECISION_INT7)
		ereport(NOTICE,
				(errmsg("precision int7 is faster than int8 on this processor"),
				 errdetail("The processor has no VNNI, which int8 needs to be as fast.")));
	else
		ereport(NOTICE,
				(errmsg("precision int8 is as fast as int7 on this processor, and more accurate")));
}

Datum
distil_load(FunctionCallInfo fcinfo, int options,
			void (*load) (const DistilLoadArgs *args, DistilInfo *info))
{
	TupleDesc	desc = result_desc(fcinfo);
	DistilLoadArgs args = read_arguments(fcinfo, options);
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context;
	DistilInfo	info;
	HeapTuple	volatile tuple = NULL;

	args.fcinfo = fcinfo;
	/* deleted on error, too: it holds open files */
	context = AllocSetContextCreate(caller, "distilbert load", ALLOCSET_DEFAULT_SIZES);
	PG_TRY();
	{
		MemoryContextSwitchTo(context);
		load(&args, &info);
		MemoryContextSwitchTo(caller);
		tuple = distil_info_tuple(&info, desc);
	}
	PG_FINALLY();
	{
		MemoryContextSwitchTo(caller);
		MemoryContextDelete(context);
	}
	PG_END_TRY();
	tell_best_precision(args.precision);
	return HeapTupleGetDatum(tuple);
}

void
distil_load_source(const DistilLoadArgs *args, const DbertSource *source, DistilInfo *info)
{
	distil_store_model(args->name, source, args->task, args->precision, args->replace,
					   psprintf("could not load model \"%s\"", args->name), info);
}

/*
 * Whatever is wrong with files that have changed meanwhile, that they did is
 * what the user must know.
 */
static void
load_directory(const DistilLoadArgs *args, DistilInfo *info)
{
	const char *path = distil_text_argument(args->fcinfo, 1, "path of the model directory");
	const DbertSource *source = distil_dirsource_open(path, CurrentMemoryContext);

	PG_TRY();
	{
		distil_load_source(args, source, info);
	}
	PG_CATCH();
	{
		if (may_come_from_files(geterrcode()))
			distil_dirsource_settle(source);
		PG_RE_THROW();
	}
	PG_END_TRY();
	distil_dirsource_settle(source);
}

PG_FUNCTION_INFO_V1(distil_load_model);
Datum
distil_load_model(PG_FUNCTION_ARGS)
{
	distil_prevent_read_only("distil_load_model()");
	return distil_load(fcinfo, 2, load_directory);
}

/* There is no row of this name.  Raises unless that is allowed. */
static void
check_droppable(const char *name, bool if_exists)
{
	if (distil_builtin_path(name) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("model \"%s\" is installed with the server and cannot be dropped", name)));
	if (!if_exists)
		distil_raise_unknown(name, RegisterSnapshot(GetLatestSnapshot()));
}

PG_FUNCTION_INFO_V1(distil_drop_model);
Datum
distil_drop_model(PG_FUNCTION_ARGS)
{
	const DistilPinned pinned =
		distil_unpin(distil_text_argument(fcinfo, 0, "name of the model"));
	const char *name = pinned.name;
	bool		if_exists = distil_bool_argument(fcinfo, 1);
	DistilInfo	row;

	distil_prevent_read_only("distil_drop_model()");
	distil_catalog_lock();
	if (!find_latest(name, &row))
	{
		check_droppable(name, if_exists);
		ereport(NOTICE, (errmsg("model \"%s\" does not exist, skipping", name)));
		PG_RETURN_BOOL(false);
	}
	distil_check_pinned(&pinned, row.sha256);
	if (!distil_bool_argument(fcinfo, 2))
		distil_prevent_use(
			name, "drop",
			psprintf("Drop or change these objects first, or drop the model all the same by "
					 "distil_drop_model(%s, force => true).",
					 quote_literal_cstr(name)));
	delete_model(name);
	distil_catalog_changed();
	CommandCounterIncrement();
	PG_RETURN_BOOL(true);
}
