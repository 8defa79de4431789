/*
 * traincheckpoint.c -- see traincheckpoint.h; and distil_checkpoints.
 *
 * A file: header, a row for each epoch done, the trainer's blocks, their
 * CRC-32C.  It is written under a temporary name, in pieces that go to the disk
 * one by one (filesync.h: interrupts are served while the disk is waited for);
 * then it takes the place of its predecessor by rename.
 *
 * A file may be anybody's work: nothing of it is believed before sizes, ranges
 * and checksums were looked at, and it holds nothing but numbers.  What it was
 * made by (role, database, model, digests) must be what asks for it.
 *
 * Leftovers: temporary files of processes that are no more, and checkpoints of
 * databases and roles that are no more, go when the next one is written.
 */
#include "postgres.h"

#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/dbcommands.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/procarray.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/errors.h"
#include "pg/bridge/filesync.h"
#include "pg/bridge/removefile.h"
#include "pg/bridge/sha256.h"
#include "pg/train/traincheckpoint.h"
#include "pg/train/trainfolder.h"
#include "pg/train/trainsettings.h"

#define SUFFIX ".checkpoint"
#define TEMP_SUFFIX ".tmp"
#define MAGIC UINT64CONST(0x3130504b43545344)	/* "DSTCKP01" */

/* Written at once, and brought to the disk at once. */
#define PIECE_BYTES (1024 * 1024)
#define SYNC_BYTES (16 * 1024 * 1024)

typedef struct Header
{
	uint64		magic;
	uint64		size;			/* of the file */
	Oid			database;
	Oid			role;
	char		command[16];
	char		model[64];
	DistilTrainDigests digests;
	int64		saved;			/* TimestampTz */
	int64		steps;			/* of the whole training */
	int32		epochs;
	int32		kept;			/* best values are among the blocks */
	DistilTrainState state;		/* rows: 0 */
	pg_crc32c	rows_crc;
	pg_crc32c	crc;			/* of the header before this */
} Header;

struct DistilTrainCheckpoint
{
	Header		header;			/* what does not change */
	char		path[MAXPGPATH];
	char		temp[MAXPGPATH];	/* "": there is none */
	bool		warned;
	MemoryContextCallback callback;
};

PG_FUNCTION_INFO_V1(distil_checkpoints);
PG_FUNCTION_INFO_V1(distil_drop_checkpoint);

/* ---- names ---- */

/*
 * Names of models have slashes and differ in case alone: their hash names the
 * file.
 */
static void
set_path(DistilTrainCheckpoint *c)
{
	DistilSha256 *sha = distil_sha256_begin();
	uint8		digest[DISTIL_SHA256_BYTES];
	char		hex[DISTIL_SHA256_HEX];

	distil_sha256_add(sha, c->header.model, strlen(c->header.model));
	distil_sha256_end(sha, digest);
	snprintf(c->path, sizeof(c->path), "%s/%u-%u-%.32s%s", DISTIL_TRAIN_FOLDER, c->header.database,
			 c->header.role, distil_sha256_hex(digest, hex), SUFFIX);
}

static void
remove_temp(void *arg)
{
	DistilTrainCheckpoint *c = arg;

	if (c->temp[0] != '\0')
		(void) distil_unlink_aside(c->temp);
	c->temp[0] = '\0';
}

DistilTrainCheckpoint *
distil_checkpoint_begin(const char *command, const char *model, const DistilTrainDigests *digests,
						MemoryContext context)
{
	DistilTrainCheckpoint *c = MemoryContextAllocZero(context, sizeof(DistilTrainCheckpoint));

	c->header.magic = MAGIC;
	c->header.database = MyDatabaseId;
	c->header.role = GetUserId();
	strlcpy(c->header.command, command, sizeof(c->header.command));
	strlcpy(c->header.model, model, sizeof(c->header.model));
	c->header.digests = *digests;
	set_path(c);
	c->callback.func = remove_temp;
	c->callback.arg = c;
	MemoryContextRegisterResetCallback(context, &c->callback);
	return c;
}

void
distil_checkpoint_remove_at_commit(const DistilTrainCheckpoint *c)
{
	distil_remove_file_at_end(c->path, true);
}

/* ---- reading headers ---- */

static bool
is_sound(const Header *h, const struct stat *st)
{
	return h->magic == MAGIC && h->size == (uint64) st->st_size &&
		   h->crc == distil_training_checksum(h, offsetof(Header, crc)) &&
		   memchr(h->command, '\0', sizeof(h->command)) != NULL &&
		   memchr(h->model, '\0', sizeof(h->model)) != NULL;
}

/*
 * A descriptor behind the header, or -1: there is no such file (errno), or it
 * is damaged (errno 0).
 */
static int
open_file(const char *path, Header *header)
{
	int			fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		read(fd, header, sizeof(*header)) == sizeof(*header) && is_sound(header, &st))
		return fd;
	CloseTransientFile(fd);
	errno = 0;
	return -1;
}

static bool
read_header(const char *path, Header *header)
{
	int			fd = open_file(path, header);

	if (fd < 0)
		return false;
	CloseTransientFile(fd);
	return true;
}

/* ---- room on the disk ---- */

typedef struct Sweep
{
	const DistilTrainCheckpoint *c;
	uint64		bytes;			/* of all checkpoints but its own */
} Sweep;

static void
sweep_temp(void *ctx, const char *path)
{
	const char *at = strstr(path, SUFFIX ".");

	if (at == NULL || BackendPidGetProc(atoi(at + strlen(SUFFIX "."))) == NULL)
		(void) distil_unlink_aside(path);
}

static void
sweep_checkpoint(void *ctx, const char *path)
{
	Sweep	   *sweep = ctx;
	struct stat st;
	Header		h;

	if (strcmp(path, sweep->c->path) == 0 || stat(path, &st) != 0)
		return;
	if (read_header(path, &h) && (get_database_name(h.database) == NULL ||
								  !SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(h.role))))
		(void) distil_unlink_aside(path);
	else
		sweep->bytes += st.st_size;
}

static bool
has_room(const DistilTrainCheckpoint *c, uint64 size)
{
	Sweep		sweep = {.c = c};
	uint64		limit = (uint64) distil_guc_checkpoint_space * 1024 * 1024;

	distil_trainfolder_visit(TEMP_SUFFIX, sweep_temp, NULL);
	distil_trainfolder_visit(SUFFIX, sweep_checkpoint, &sweep);
	return sweep.bytes + size <= limit;
}

/* ---- writing ---- */

typedef struct Writer
{
	int			fd;
	pg_crc32c	crc;
	off_t		at;				/* written so far */
	off_t		synced;			/* of which so much is on the disk */
} Writer;

/*
 * To the disk, and out of the system's cache: nobody will read it soon, and to
 * throw away a gigabyte at once, with the file, takes long.
 */
static bool
sync_written(Writer *w)
{
	if (distil_fsync(w->fd) != 0)
		return false;
#if defined(USE_POSIX_FADVISE) && defined(POSIX_FADV_DONTNEED)
	(void) posix_fadvise(w->fd, w->synced, w->at - w->synced, POSIX_FADV_DONTNEED);
#endif
	w->synced = w->at;
	return true;
}

/* false and errno */
static bool
put_piece(Writer *w, const void *data, size_t len)
{
	ssize_t		written;

	CHECK_FOR_INTERRUPTS();
	errno = 0;
	written = write(w->fd, data, len);
	if (written != (ssize_t) len)
	{
		errno = errno != 0 ? errno : ENOSPC;
		return false;
	}
	w->at += len;
	return w->at - w->synced < SYNC_BYTES || sync_written(w);
}

static bool
put(Writer *w, const void *data, size_t len)
{
	const char *at = data;

	for (size_t n; len > 0; at += n, len -= n)
	{
		n = Min(len, PIECE_BYTES);
		COMP_CRC32C(w->crc, at, n);
		if (!put_piece(w, at, n))
			return false;
	}
	return true;
}

static uint64
blocks_size(DbertTrainer *trainer)
{
	DbertTrainerBlock block;
	uint64		size = 0;

	for (int i = 0; dbert_trainer_block(trainer, i, &block); i++)
		size += block.bytes;
	return size;
}

static Header
make_header(const DistilTrainCheckpoint *c, const DistilTrainLoop *loop)
{
	Header		h = c->header;
	Size		rows = sizeof(DistilTrainRow) * loop->state.n_rows;

	h.size = sizeof(Header) + rows + blocks_size(loop->trainer) + sizeof(pg_crc32c);
	h.saved = GetCurrentTimestamp();
	h.steps = loop->steps;
	h.epochs = loop->epochs;
	h.kept = dbert_trainer_kept(loop->trainer);
	h.state = loop->state;
	h.state.rows = NULL;
	h.rows_crc = distil_training_checksum(loop->state.rows, rows);
	h.crc = distil_training_checksum(&h, offsetof(Header, crc));
	return h;
}

static bool
put_all(Writer *w, const Header *h, const DistilTrainLoop *loop)
{
	DbertTrainerBlock block;
	pg_crc32c	crc;

	if (!put(w, h, sizeof(*h)) ||
		!put(w, loop->state.rows, sizeof(DistilTrainRow) * loop->state.n_rows))
		return false;
	INIT_CRC32C(w->crc);
	for (int i = 0; dbert_trainer_block(loop->trainer, i, &block); i++)
	{
		if (!put(w, block.data, block.bytes))
			return false;
	}
	crc = w->crc;
	FIN_CRC32C(crc);
	return put(w, &crc, sizeof(crc)) && distil_fsync(w->fd) == 0;
}

/* It takes the place of its predecessor. */
static bool
rename_temp(DistilTrainCheckpoint *c, int fd)
{
	if (distil_rename_aside(c->temp, c->path) != 0)
		return false;
	c->temp[0] = '\0';
	return distil_fsync_renamed(fd, c->path) == 0;
}

/*
 * false and errno; the temporary file is there then, perhaps.  Closed before it
 * is unlinked, also by a cancel: the last one to have it open waits for the
 * disk.
 */
static bool
write_file(DistilTrainCheckpoint *c, const Header *h, const DistilTrainLoop *loop)
{
	Writer		w = {.fd = -1};
	volatile bool good = false;
	volatile int saved_errno = 0;

	if (distil_trainfolder_make() != 0)
		return false;
	snprintf(c->temp, sizeof(c->temp), "%s.%d%s", c->path, MyProcPid, TEMP_SUFFIX);
	w.fd = OpenTransientFile(c->temp, O_WRONLY | O_CREAT | O_TRUNC | PG_BINARY);
	if (w.fd < 0)
		return false;
	PG_TRY();
	{
		good = put_all(&w, h, loop) && rename_temp(c, w.fd);
		saved_errno = errno;
	}
	PG_FINALLY();
	{
		CloseTransientFile(w.fd);
	}
	PG_END_TRY();
	errno = saved_errno;
	return good;
}

/* Once for a training: the cause may last. */
static void
warn(DistilTrainCheckpoint *c, const char *detail)
{
	if (!c->warned)
		ereport(WARNING,
				(errmsg("could not write a checkpoint of the training of \"%s\"", c->header.model),
				 errdetail_internal("%s", detail),
				 errhint("The training goes on; interrupted, it would resume from its last "
						 "checkpoint, if there is one.")));
	c->warned = true;
}

void
distil_checkpoint_save(DistilTrainCheckpoint *c, DistilTrainLoop *loop)
{
	Header		h = make_header(c, loop);

	if (!has_room(c, h.size))
	{
		warn(c, psprintf("With its %llu MB all checkpoints together would take more than "
						 "distilbert.checkpoint_space, %d MB.",
						 (unsigned long long) (h.size >> 20), distil_guc_checkpoint_space));
		return;
	}
	if (!write_file(c, &h, loop))
	{
		int			saved_errno = errno;

		remove_temp(c);
		warn(c, psprintf("Writing file \"%s\": %s.", c->path, strerror(saved_errno)));
		return;
	}
	loop->progress->fields.saved = h.saved;
}

/* ---- reading ---- */

static void
raise_damaged(const DistilTrainCheckpoint *c)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the checkpoint of the training of \"%s\" is damaged", c->header.model),
			 errdetail("Its file is \"%s\".", c->path),
			 errhint("Call without resume to train from the beginning.")));
}

static void
raise_other(const DistilTrainCheckpoint *c, const char *what)
{
	ereport(ERROR,
		(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
		 errmsg("the checkpoint of the training of \"%s\" is one of another training",
				c->header.model),
		 errdetail_internal("%s", what),
		 errhint("Call as it was called then, or without resume to train from the beginning.")));
}

/* Was it made by the same call, on the same rows? */
static void
check_same(const DistilTrainCheckpoint *c, const Header *h)
{
	const DistilTrainDigests *now = &c->header.digests,
			   *then = &h->digests;

	if (h->database != c->header.database || h->role != c->header.role ||
		strcmp(h->model, c->header.model) != 0)
		raise_damaged(c);		/* it is not where it was made */
	if (strcmp(h->command, c->header.command) != 0)
		raise_other(c, psprintf("It was made by distil_%s.", h->command));
	if (memcmp(now->base, then->base, sizeof(now->base)) != 0)
		raise_other(c, "It began with another model, or with other content under the same name.");
	if (memcmp(now->rows, then->rows, sizeof(now->rows)) != 0)
		raise_other(c, "The queries gave other rows then, or the same in another order; ORDER BY a "
					   "key keeps them in order.");
	if (memcmp(now->options, then->options, sizeof(now->options)) != 0)
		raise_other(c, "Other arguments differ.");
}

/* Whatever a loop relies on. */
static bool
is_possible(const Header *h, const DistilTrainLoop *loop)
{
	const DistilTrainState *s = &h->state;

	return h->steps == loop->steps && h->epochs == loop->epochs && s->epoch >= 1 &&
		   s->epoch <= loop->epochs + 1 && s->n_rows == s->epoch - 1 && s->next >= 0 &&
		   s->next <= loop->n_examples && (s->epoch <= loop->epochs || s->next == 0) &&
		   s->step >= 0 && s->step <= loop->steps && s->epoch_steps >= 0 &&
		   s->epoch_steps <= s->step && (s->next == 0) == (s->epoch_steps == 0) &&
		   s->since_best >= 0 && s->since_best < s->epoch && s->seconds >= 0 &&
		   h->kept == (loop->early_stopping > 0 && isfinite(s->best));
}

static bool
get(int fd, void *data, size_t len, pg_crc32c *crc)
{
	char	   *at = data;

	for (size_t n; len > 0; at += n, len -= n)
	{
		n = Min(len, PIECE_BYTES);
		CHECK_FOR_INTERRUPTS();
		if (read(fd, at, n) != (ssize_t) n)
			return false;
		COMP_CRC32C(*crc, at, n);
	}
	return true;
}

/* Is what lies behind the header as it was written? */
static bool
get_all(int fd, const Header *h, DistilTrainLoop *loop)
{
	Size		rows = sizeof(DistilTrainRow) * h->state.n_rows;
	DbertTrainerBlock block;
	DbertError	err;
	pg_crc32c	crc,
				stored,
				unused = 0;

	if (dbert_trainer_continue(loop->trainer, h->state.step, h->kept, distil_poll(), &err) !=
		DBERT_OK)
		distil_raise(&err, loop->subject);
	if (h->size != sizeof(Header) + rows + blocks_size(loop->trainer) + sizeof(pg_crc32c) ||
		!get(fd, loop->state.rows, rows, &unused) ||
		distil_training_checksum(loop->state.rows, rows) != h->rows_crc)
		return false;
	INIT_CRC32C(crc);
	for (int i = 0; dbert_trainer_block(loop->trainer, i, &block); i++)
	{
		if (!get(fd, block.data, block.bytes, &crc))
			return false;
	}
	FIN_CRC32C(crc);
	return get(fd, &stored, sizeof(stored), &unused) && stored == crc;
}

bool
distil_checkpoint_load(DistilTrainCheckpoint *c, DistilTrainLoop *loop)
{
	DistilTrainRow *rows = loop->state.rows;
	Header		h;
	int			fd = open_file(c->path, &h);

	if (fd < 0 && errno == ENOENT)
		return false;
	if (fd < 0 && errno != 0)
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("could not open file \"%s\": %m", c->path)));
	if (fd < 0)
		raise_damaged(c);
	check_same(c, &h);
	if (!is_possible(&h, loop) || !get_all(fd, &h, loop))
		raise_damaged(c);
	CloseTransientFile(fd);
	loop->state = h.state;
	loop->state.rows = rows;
	loop->progress->fields.saved = h.saved;
	return true;
}

/* ---- SQL ---- */

#define COLUMNS 10

static void
put_row(void *ctx, const char *path)
{
	ReturnSetInfo *rsinfo = ctx;
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {false};
	Header		h;
	int			n = 0;

	if (!read_header(path, &h) || h.database != MyDatabaseId || !distil_training_is_visible(h.role))
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
	distil_trainfolder_visit(SUFFIX, put_row, fcinfo->resultinfo);
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
	Header		h;

	if (!read_header(path, &h) || strcmp(h.model, drop->model) != 0 ||
		h.database != MyDatabaseId || !has_privs_of_role(GetUserId(), h.role))
		return;
	drop->found |= distil_unlink_aside(path) == 0;
}

Datum
distil_drop_checkpoint(PG_FUNCTION_ARGS)
{
	Drop		drop = {.model = text_to_cstring(PG_GETARG_TEXT_PP(0))};

	distil_trainfolder_visit(SUFFIX, drop_file, &drop);
	PG_RETURN_BOOL(drop.found);
}
