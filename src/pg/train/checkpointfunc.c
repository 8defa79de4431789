/*
 * checkpointfunc.c -- distil_checkpoints and distil_drop_checkpoint.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pg/bridge/filesync.h"
#include "pg/train/checkpointfile.h"
#include "pg/train/trainfolder.h"

PG_FUNCTION_INFO_V1(distil_checkpoints);
PG_FUNCTION_INFO_V1(distil_drop_checkpoint);

#define COLUMNS 10

static void
put_row(void *ctx, const char *path)
{
	ReturnSetInfo *rsinfo = ctx;
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {false};
	DistilCheckpointHeader h;
	int			n = 0;

	if (!distil_checkpoint_read(path, &h) || h.database != MyDatabaseId ||
		!distil_training_is_visible(h.role))
		return;
	values[n++] = CStringGetTextDatum(h.model);
	values[n++] = ObjectIdGetDatum(h.role);
	values[n++] = CStringGetTextDatum(h.command);
	values[n++] = Int32GetDatum(Min(h.state.epoch, h.epochs));
	values[n++] = Int32GetDatum(h.epochs);
	values[n++] = Int64GetDatum(h.state.step);
	values[n++] = Int64GetDatum(h.steps);
	values[n++] = Float4GetDatum((float4) h.state.seconds);
	values[n++] = Int64GetDatum((int64) h.size);
	values[n++] = TimestampTzGetDatum(h.saved);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
distil_checkpoints(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	distil_trainfolder_visit(DISTIL_CHECKPOINT_SUFFIX, put_row, fcinfo->resultinfo);
	return (Datum) 0;
}

typedef struct Drop
{
	const char *model;
	bool		found;
} Drop;

static void
drop_file(void *ctx, const char *path)
{
	Drop	   *drop = ctx;
	DistilCheckpointHeader h;

	if (!distil_checkpoint_read(path, &h) || strcmp(h.model, drop->model) != 0 ||
		h.database != MyDatabaseId || !has_privs_of_role(GetUserId(), h.role))
		return;
	drop->found |= distil_unlink_aside(path) == 0;
}

Datum
distil_drop_checkpoint(PG_FUNCTION_ARGS)
{
	Drop		drop = {.model = text_to_cstring(PG_GETARG_TEXT_PP(0))};

	distil_trainfolder_visit(DISTIL_CHECKPOINT_SUFFIX, drop_file, &drop);
	PG_RETURN_BOOL(drop.found);
}
