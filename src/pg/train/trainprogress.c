/*
 * trainprogress.c -- see trainprogress.h; and the view distil_progress.
 *
 * PostgreSQL's own progress views cannot be used: their list of commands is
 * fixed, and they show numbers only.  Shared memory is there for preloaded
 * libraries only.  So each training has a file of a few hundred bytes,
 * <pid>.progress.  It is written again after each step, which costs one system
 * call, and read by whoever looks at the view.
 *
 * The writer holds flock() on its file as long as it lives.  A file that can be
 * locked is therefore a leftover, even after kill -9: it is not shown, and the
 * next training that begins removes it.  A file's owner is looked up in PGPROC,
 * not in the file.  A reader may meet a half-written record; the checksum shows
 * it, and the reader reads again.
 *
 * Everybody sees process and database of all trainings, as in
 * pg_stat_progress_*; the rest is for those of distil_training_is_visible.
 */
#include "postgres.h"

#include <fcntl.h>
#include <math.h>
#include <sys/file.h>
#include <unistd.h>

#include "commands/dbcommands.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pg/train/trainfolder.h"
#include "pg/train/trainprogress.h"

#define SUFFIX ".progress"
#define MAGIC 0x44505247
#define READS 100

typedef struct Record
{
	uint32		magic;			/* with the layout's version */
	pg_crc32c	crc;			/* of fields */
	DistilProgressFields fields;
} Record;

static const char *const phase_names[] = {
	[DISTIL_PHASE_READING_MODEL] = "reading model",
	[DISTIL_PHASE_READING_ROWS] = "reading rows",
	[DISTIL_PHASE_PREPARING] = "preparing",
	[DISTIL_PHASE_TEACHER] = "asking teacher",
	[DISTIL_PHASE_TRAINING] = "training",
	[DISTIL_PHASE_EVALUATING] = "evaluating",
	[DISTIL_PHASE_CHECKPOINTING] = "writing checkpoint",
	[DISTIL_PHASE_STORING] = "storing model"
};

/* Of this process: the outermost training. */
static bool shown = false;

PG_FUNCTION_INFO_V1(distil_progress);

/* ---- the training's side ---- */

static void
own_path(char *path)
{
	snprintf(path, MAXPGPATH, "%s/%d%s", DISTIL_TRAIN_FOLDER, MyProcPid, SUFFIX);
}

/* The end of the context. */
static void
forget(void *arg)
{
	DistilProgress *progress = arg;
	char		path[MAXPGPATH];

	own_path(path);
	(void) unlink(path);
	if (progress->fd >= 0)
		close(progress->fd);
	shown = false;
}

/*
 * Only files of processes that are gone: one that lives may be about to lock
 * its file.
 */
static void
remove_leftover(void *ctx, const char *path)
{
	int			pid = atoi(strrchr(path, '/') + 1);

	if (BackendPidGetProc(pid) == NULL)
		(void) unlink(path);
}

static int
create_file(void)
{
	char		path[MAXPGPATH];
	int			fd;

	own_path(path);
	if (distil_trainfolder_make() != 0)
		return -1;
	distil_trainfolder_visit(SUFFIX, remove_leftover, NULL);
	fd = BasicOpenFile(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | PG_BINARY);
	/* a reader may hold it for a moment; a file system without flock says so */
	while (fd >= 0 && flock(fd, LOCK_EX) != 0 && errno == EINTR)
		CHECK_FOR_INTERRUPTS();
	return fd;
}

DistilProgress *
distil_progress_begin(const char *command, const char *model, MemoryContext context)
{
	DistilProgress *progress = MemoryContextAllocZero(context, sizeof(DistilProgress));
	MemoryContextCallback *callback =
		MemoryContextAllocZero(context, sizeof(MemoryContextCallback));

	strlcpy(progress->fields.command, command, sizeof(progress->fields.command));
	strlcpy(progress->fields.model, model, sizeof(progress->fields.model));
	progress->fields.started = GetCurrentTimestamp();
	progress->fields.loss = NAN;
	progress->fd = -1;
	if (shown)
		return progress;
	shown = true;
	callback->func = forget;
	callback->arg = progress;
	MemoryContextRegisterResetCallback(context, callback);
	progress->fd = create_file();
	if (progress->fd < 0)
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not create a file in \"%s\": %m", DISTIL_TRAIN_FOLDER),
				 errdetail("The training of \"%s\" is not shown in distil_progress.", model)));
	distil_progress_tell(progress);
	return progress;
}

void
distil_progress_tell(DistilProgress *progress)
{
	Record		record;

	if (progress->fd < 0)
		return;
	memset(&record, 0, sizeof(record));
	record.magic = MAGIC;
	record.fields = progress->fields;
	record.crc = distil_training_checksum(&record.fields, sizeof(record.fields));
	/* a write that fails leaves the view behind, nothing else */
	if (pg_pwrite(progress->fd, &record, sizeof(record), 0) != sizeof(record))
		return;
}

void
distil_progress_phase(DistilProgress *progress, DistilTrainPhase phase)
{
	progress->fields.phase = phase;
	distil_progress_tell(progress);
}

/* ---- the view ---- */

/* Nobody holds the file's lock: its writer is dead. */
static bool
is_leftover(int fd)
{
	return flock(fd, LOCK_SH | LOCK_NB) == 0;
}

static bool
is_sound(const Record *r)
{
	const DistilProgressFields *f = &r->fields;

	return r->magic == MAGIC && r->crc == distil_training_checksum(f, sizeof(*f)) &&
		   f->phase >= 0 && f->phase < DISTIL_PHASES &&
		   memchr(f->command, '\0', sizeof(f->command)) != NULL &&
		   memchr(f->model, '\0', sizeof(f->model)) != NULL;
}

/* false: the training has ended, or there is nothing of use. */
static bool
read_record(const char *path, Record *record)
{
	int			fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	bool		sound = false;

	if (fd < 0)
		return false;
	for (int i = 0; i < READS && !sound && !is_leftover(fd); i++)
		sound = pg_pread(fd, record, sizeof(*record), 0) == sizeof(*record) && is_sound(record);
	CloseTransientFile(fd);
	return sound;
}

static double
seconds_between(TimestampTz from, TimestampTz to)
{
	return (double) (to - from) / USECS_PER_SEC;
}

/* What the steps so far say of those to come. */
static bool
seconds_left(const DistilProgressFields *f, TimestampTz now, double *left)
{
	int64		done = f->step - f->first_step;

	if (f->phase == DISTIL_PHASE_STORING || f->stepping_since == 0 || done <= 0)
		return false;
	*left = seconds_between(f->stepping_since, now) / (double) done * (double) (f->steps - f->step);
	return true;
}

/* The columns behind pid and datid. */
static void
put_fields(const DistilProgressFields *f, Datum *values, bool *nulls)
{
	TimestampTz now = GetCurrentTimestamp();
	double		left = 0;

	*values++ = CStringGetTextDatum(f->command);
	*values++ = CStringGetTextDatum(f->model);
	*values++ = CStringGetTextDatum(phase_names[f->phase]);
	nulls[3] = nulls[4] = f->epochs == 0;
	*values++ = Int32GetDatum(f->epoch);
	*values++ = Int32GetDatum(f->epochs);
	nulls[5] = nulls[6] = f->steps == 0;
	*values++ = Int64GetDatum(f->step);
	*values++ = Int64GetDatum(f->steps);
	nulls[7] = isnan(f->loss);
	*values++ = Float4GetDatum((float4) f->loss);
	*values++ = Int64GetDatum(f->rows);
	nulls[9] = f->memory == 0;
	*values++ = Int64GetDatum(f->memory);
	*values++ = TimestampTzGetDatum(f->started);
	*values++ = Float4GetDatum((float4) seconds_between(f->started, now));
	nulls[12] = !seconds_left(f, now, &left);
	*values++ = Float4GetDatum((float4) left);
	nulls[13] = f->saved == 0;
	*values++ = TimestampTzGetDatum(f->saved);
}

#define COLUMNS 17

static void
put_row(void *ctx, const char *path)
{
	ReturnSetInfo *rsinfo = ctx;
	int			pid = atoi(strrchr(path, '/') + 1);
	PGPROC	   *proc = BackendPidGetProc(pid);
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
	Record		record;
	Oid			database,
				role;

	if (proc == NULL)
		return;
	database = proc->databaseId;
	role = proc->roleId;
	if (!read_record(path, &record))
		return;
	memset(nulls, true, sizeof(nulls));
	memset(nulls, false, 2 * sizeof(bool));
	values[0] = Int32GetDatum(pid);
	values[1] = ObjectIdGetDatum(database);
	if (distil_training_is_visible(role))
	{
		memset(nulls, false, sizeof(nulls));
		values[2] = ObjectIdGetDatum(role);
		put_fields(&record.fields, values + 3, nulls + 3);
	}
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
distil_progress(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	distil_trainfolder_visit(SUFFIX, put_row, fcinfo->resultinfo);
	return (Datum) 0;
}
