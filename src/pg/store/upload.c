/*
 * upload.c -- models that come over the connection: distil_upload_part,
 * _finish and _cancel.
 *
 * A client sends the files in parts, in any order, each in a transaction of its
 * own if it likes.  Then it asks for the model, which goes the way of
 * distil_load_model with the parts in place of a directory: all of it is
 * stored, or nothing, and then the parts stay for another attempt.
 *
 * What is sent and never finished is dropped a day after its last part, by
 * whoever sends a part next.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/bridge/arguments.h"
#include "pg/bridge/compat.h"
#include "pg/store/load.h"
#include "pg/store/names.h"
#include "pg/store/upload.h"
#include "pg/store/uploadrows.h"

/* Longest name of a file, with its folder. */
#define MOST_FILE_NAME 255

/* distilbert.upload_limit, in MB */
static int	upload_limit;

#define BYTES_PER_MB ((int64) 1024 * 1024)

/* ---- arguments ---- */

/* A name as the readers ask for it: relative, with "/", and not up. */
static bool
is_file_name(const char *file)
{
	size_t		len = strlen(file);

	if (len == 0 || len > MOST_FILE_NAME || file[0] == '/' || file[len - 1] == '/' ||
		strchr(file, '\\') != NULL || strstr(file, "//") != NULL)
		return false;
	for (const char *p = file; *p != '\0'; p++)
	{
		if ((unsigned char) *p < ' ' || *p == 0x7f)
			return false;
	}
	while (*file != '\0')
	{
		len = strcspn(file, "/");
		if (strspn(file, ".") == len)
			return false;
		file += len;
		file += *file == '/';
	}
	return true;
}

static void
check_part(const char *file, int32 part, int64 size)
{
	if (!is_file_name(file))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid name of a file: \"%s\"", file),
				 errhint("Names are relative to the model's directory, with \"/\", such as "
						 "\"config.json\" and \"1_Pooling/config.json\".")));
	if (part < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid number of a part of file \"%s\": %d", file, part),
				 errhint("The parts of each file are numbered from 1.")));
	if (size > DISTIL_PART_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("part %d of file \"%s\" is too large", part, file),
				 errdetail("It has %lld bytes.", (long long) size),
				 errhint("Cut files into parts of at most %d bytes, numbered from 1.",
						 DISTIL_PART_BYTES)));
}

static void
check_room(const DistilUploadBytes *bytes, int64 size)
{
	if (bytes->all + size > upload_limit * BYTES_PER_MB)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("uploads would take more than %d MB in this database", upload_limit),
				 errdetail("Parts of %lld MB are there, %lld MB of them of this upload.",
						   (long long) (bytes->all / BYTES_PER_MB),
						   (long long) (bytes->own / BYTES_PER_MB)),
				 errhint("Finish or cancel the uploads in the view distil_uploads, or have "
						 "\"distilbert.upload_limit\" raised.")));
}

/* ---- the functions ---- */

PG_FUNCTION_INFO_V1(distil_upload_part);
Datum
distil_upload_part(PG_FUNCTION_ARGS)
{
	const char *name = distil_text_argument(fcinfo, 0, "name of the model");
	const char *file = distil_text_argument(fcinfo, 1, "name of the file");
	DistilUploadBytes bytes;
	struct varlena *data;
	int64		size;

	if (PG_ARGISNULL(2) || PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("number and data of a part must not be null")));
	distil_prevent_read_only("distil_upload_part()");
	distil_check_name(name);
	check_part(file, PG_GETARG_INT32(2), toast_raw_datum_size(PG_GETARG_DATUM(3)) - VARHDRSZ);

	data = PG_GETARG_VARLENA_PP(3);
	size = VARSIZE_ANY_EXHDR(data);
	bytes = distil_upload_bytes(name);
	if (bytes.old && distil_uploads_lock(false))
	{
		distil_uploads_drop_abandoned();
		bytes = distil_upload_bytes(name);
	}
	if (distil_upload_add(name, file, PG_GETARG_INT32(2), data))
	{
		check_room(&bytes, size);
		bytes.own += size;
	}
	PG_RETURN_INT64(bytes.own);
}

static void
load_upload(const DistilLoadArgs *args, DistilInfo *info)
{
	Snapshot	snapshot;

	distil_uploads_lock(true);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	distil_load_source(args, distil_upload_source(args->name, snapshot), info);
	UnregisterSnapshot(snapshot);
	distil_upload_drop(args->name);
}

PG_FUNCTION_INFO_V1(distil_upload_finish);
Datum
distil_upload_finish(PG_FUNCTION_ARGS)
{
	distil_prevent_read_only("distil_upload_finish()");
	return distil_load(fcinfo, 1, load_upload);
}

PG_FUNCTION_INFO_V1(distil_upload_cancel);
Datum
distil_upload_cancel(PG_FUNCTION_ARGS)
{
	const char *name = distil_text_argument(fcinfo, 0, "name of the model");

	distil_prevent_read_only("distil_upload_cancel()");
	distil_uploads_lock(true);
	PG_RETURN_BOOL(distil_upload_drop(name));
}

void
distil_upload_init(void)
{
	DefineCustomIntVariable("distilbert.upload_limit",
							"What the parts of all uploads of a database may take.",
							"Parts are uploaded by distil_upload_part.",
							&upload_limit, 4096, 0, INT_MAX, PGC_SUSET, GUC_UNIT_MB, NULL, NULL,
							NULL);
}
