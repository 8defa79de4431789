/*
 * traincheckpoint.c -- see traincheckpoint.h.
 *
 * A file is written under a temporary name (checkpointfile.h), then it takes
 * the place of its predecessor by rename.  What it was made by (role, database,
 * model, digests) must be what asks for it.
 *
 * Leftovers go when the next file is written: temporary files of processes that
 * are gone, and checkpoints of databases and roles that are gone.
 */
#include "postgres.h"

#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>

#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/procarray.h"
#include "utils/syscache.h"

#include "pg/bridge/filesync.h"
#include "pg/bridge/removefile.h"
#include "pg/bridge/sha256.h"
#include "pg/train/traincheckpoint.h"
#include "pg/train/trainfolder.h"
#include "pg/train/trainsettings.h"

struct DistilTrainCheckpoint
{
	DistilCheckpointHeader owner;	/* who trains what: the rest is not filled in */
	char		path[MAXPGPATH];
	char		temp[MAXPGPATH];	/* "": there is none */
	bool		warned;
	MemoryContextCallback callback;
};

/* ---- names ---- */

/*
 * The file is named by a hash of the model's name, which may have slashes, or
 * differ from another in case alone.
 */
static void
set_path(DistilTrainCheckpoint *c)
{
	DistilSha256 *sha = distil_sha256_begin();
	uint8		digest[DISTIL_SHA256_BYTES];
	char		hex[DISTIL_SHA256_HEX];

	distil_sha256_add(sha, c->owner.model, strlen(c->owner.model));
	distil_sha256_end(sha, digest);
	snprintf(c->path, sizeof(c->path), "%s/%u-%u-%.32s%s", DISTIL_TRAIN_FOLDER, c->owner.database,
			 c->owner.role, distil_sha256_hex(digest, hex), DISTIL_CHECKPOINT_SUFFIX);
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

	c->owner.database = MyDatabaseId;
	c->owner.role = GetUserId();
	strlcpy(c->owner.command, command, sizeof(c->owner.command));
	strlcpy(c->owner.model, model, sizeof(c->owner.model));
	c->owner.digests = *digests;
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

/* ---- room on the disk ---- */

typedef struct Sweep
{
	const DistilTrainCheckpoint *c;
	uint64		bytes;			/* of all checkpoints but its own */
} Sweep;

static void
sweep_temp(void *ctx, const char *path)
{
	const char *at = strstr(path, DISTIL_CHECKPOINT_SUFFIX ".");

	if (at == NULL || BackendPidGetProc(atoi(at + strlen(DISTIL_CHECKPOINT_SUFFIX "."))) == NULL)
		(void) distil_unlink_aside(path);
}

static void
sweep_checkpoint(void *ctx, const char *path)
{
	Sweep	   *sweep = ctx;
	struct stat st;
	DistilCheckpointHeader h;

	if (strcmp(path, sweep->c->path) == 0 || stat(path, &st) != 0)
		return;
	if (distil_checkpoint_read(path, &h) &&
		(get_database_name(h.database) == NULL ||
		 !SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(h.role))))
		(void) distil_unlink_aside(path);
	else
		sweep->bytes += st.st_size;
}

/* After the leftovers are gone. */
static bool
has_room(const DistilTrainCheckpoint *c, uint64 size)
{
	Sweep		sweep = {.c = c};
	uint64		limit = (uint64) distil_guc_checkpoint_space * 1024 * 1024;

	distil_trainfolder_visit(DISTIL_CHECKPOINT_TEMP, sweep_temp, NULL);
	distil_trainfolder_visit(DISTIL_CHECKPOINT_SUFFIX, sweep_checkpoint, &sweep);
	return sweep.bytes + size <= limit;
}

/* ---- writing ---- */

/* The temporary file takes the place of its predecessor. */
static bool
rename_temp(DistilTrainCheckpoint *c, int fd)
{
	if (distil_rename_aside(c->temp, c->path) != 0)
		return false;
	c->temp[0] = '\0';
	return distil_fsync_renamed(fd, c->path) == 0;
}

/*
 * On failure false and errno; the temporary file may be left.  It is closed
 * before it is unlinked, by a cancel, too: whoever closes it last waits for the
 * disk.
 */
static bool
write_file(DistilTrainCheckpoint *c, const DistilCheckpointHeader *h, const DistilTrainLoop *loop)
{
	int			fd;
	volatile bool good = false;
	volatile int saved_errno = 0;

	if (distil_trainfolder_make() != 0)
		return false;
	snprintf(c->temp, sizeof(c->temp), "%s.%d%s", c->path, MyProcPid, DISTIL_CHECKPOINT_TEMP);
	fd = OpenTransientFile(c->temp, O_WRONLY | O_CREAT | O_TRUNC | PG_BINARY);
	if (fd < 0)
		return false;
	PG_TRY();
	{
		good = distil_checkpoint_put(fd, h, loop) && rename_temp(c, fd);
		saved_errno = errno;
	}
	PG_FINALLY();
	{
		CloseTransientFile(fd);
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
				(errmsg("could not write a checkpoint of the training of \"%s\"", c->owner.model),
				 errdetail_internal("%s", detail),
				 errhint("The training goes on; interrupted, it would resume from its last "
						 "checkpoint, if there is one.")));
	c->warned = true;
}

void
distil_checkpoint_save(DistilTrainCheckpoint *c, DistilTrainLoop *loop)
{
	DistilCheckpointHeader h = distil_checkpoint_header(&c->owner, loop);

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
			 errmsg("the checkpoint of the training of \"%s\" is damaged", c->owner.model),
			 errdetail("Its file is \"%s\".", c->path),
			 errhint("Call without resume to train from the beginning.")));
}

static void
raise_other(const DistilTrainCheckpoint *c, const char *what)
{
	ereport(ERROR,
		(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
		 errmsg("the checkpoint of the training of \"%s\" is one of another training",
				c->owner.model),
		 errdetail_internal("%s", what),
		 errhint("Call as it was called then, or without resume to train from the beginning.")));
}

/* Was it made by the same call, on the same rows? */
static void
check_same(const DistilTrainCheckpoint *c, const DistilCheckpointHeader *h)
{
	const DistilTrainDigests *now = &c->owner.digests,
			   *then = &h->digests;

	if (h->database != c->owner.database || h->role != c->owner.role ||
		strcmp(h->model, c->owner.model) != 0)
		raise_damaged(c);		/* it is not where it was made */
	if (strcmp(h->command, c->owner.command) != 0)
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
is_possible(const DistilCheckpointHeader *h, const DistilTrainLoop *loop)
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

bool
distil_checkpoint_load(DistilTrainCheckpoint *c, DistilTrainLoop *loop)
{
	DistilTrainRow *rows = loop->state.rows;
	DistilCheckpointHeader h;
	int			fd = distil_checkpoint_open(c->path, &h);

	if (fd < 0 && errno == ENOENT)
		return false;
	if (fd < 0 && errno != 0)
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("could not open file \"%s\": %m", c->path)));
	if (fd < 0)
		raise_damaged(c);
	check_same(c, &h);
	if (!is_possible(&h, loop) || !distil_checkpoint_get(fd, &h, loop))
		raise_damaged(c);
	CloseTransientFile(fd);
	loop->state = h.state;
	loop->state.rows = rows;
	loop->progress->fields.saved = h.saved;
	return true;
}
