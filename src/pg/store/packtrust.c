/*
 * packtrust.c -- see packtrust.h.
 *
 * A preloaded library remembers verified packs in shared memory.  Otherwise
 * they are records in a file of the packs' folder.  A record has a checksum
 * whose seed is this start of the server: process and time of the postmaster.
 * So records of another start, of another server that a copy of the folder came
 * from, and damaged ones say nothing, and the pack is verified again.  Who can
 * forge a record can write to the data directory, and could forge a pack.
 *
 * Records are appended, each by one write.  Two backends may verify the same
 * pack and both append, or both begin a new file: a record that is lost costs a
 * verification.  Nothing here is an error: what fails is told at DEBUG1.
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "dbert.h"
#include "pg/bridge/preload.h"
#include "pg/store/packfile.h"
#include "pg/store/packtrust.h"

/* Base backups leave out what is called so. */
#define TRUST_FILE DISTIL_PACK_FOLDER "/pgsql_tmp_verified"

/* More packs than that are verified again now and then. */
#define MAX_TRUSTED 256

typedef struct Ring
{
	uint32		next;			/* counts all that came in */
	DistilPackId ids[MAX_TRUSTED];
} Ring;

typedef struct Record
{
	DistilPackId id;
	uint64		check;
} Record;

static Ring own;				/* what this backend knows */
static Ring *shared = NULL;
static int	shared_part;		/* of preload.h */

DistilPackId
distil_pack_id(const struct stat *st)
{
	DistilPackId id = {.device = st->st_dev,.inode = st->st_ino,.size = st->st_size};

	id.written = (int64) st->st_mtim.tv_sec * INT64CONST(1000000000) + st->st_mtim.tv_nsec;
	id.changed = (int64) st->st_ctim.tv_sec * INT64CONST(1000000000) + st->st_ctim.tv_nsec;
	return id;
}

static bool
is_same(const DistilPackId *a, const DistilPackId *b)
{
	return memcmp(a, b, sizeof(DistilPackId)) == 0;
}

static bool
ring_has(const Ring *ring, const DistilPackId *id)
{
	for (uint32 i = 0; i < Min(ring->next, MAX_TRUSTED); i++)
	{
		if (is_same(&ring->ids[i], id))
			return true;
	}
	return false;
}

static void
ring_add(Ring *ring, const DistilPackId *id)
{
	if (!ring_has(ring, id))
		ring->ids[ring->next++ % MAX_TRUSTED] = *id;
}

/* ---- the file ---- */

static Record
make_record(const DistilPackId *id)
{
	Record		record = {*id, 0};
	DbertChecksum sum;
	int64		start[2] = {(int64) PostmasterPid, PgStartTime};

	dbert_checksum_begin(&sum, 0);
	dbert_checksum_add(&sum, start, sizeof(start));
	dbert_checksum_begin(&sum, dbert_checksum_end(&sum));
	dbert_checksum_add(&sum, id, sizeof(*id));
	record.check = dbert_checksum_end(&sum);
	return record;
}

static bool
is_ours(const Record *record)
{
	return make_record(&record->id).check == record->check;
}

/* Something else in the file's place is not opened, or not read. */
static int
open_records(int flags)
{
	int			fd = OpenTransientFile(TRUST_FILE, flags | O_NONBLOCK | O_NOFOLLOW | PG_BINARY);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)))
	{
		CloseTransientFile(fd);
		fd = -1;
	}
	return fd;
}

/* Returns how many whole records there are; -1: there is something else. */
static int
read_records(Record *records)
{
	int			fd = open_records(O_RDONLY);
	ssize_t		got;

	if (fd < 0)
		return -1;
	got = pg_pread(fd, records, MAX_TRUSTED * sizeof(Record), 0);
	CloseTransientFile(fd);
	return got < 0 || got % sizeof(Record) != 0 ? -1 : (int) (got / sizeof(Record));
}

static bool
file_has(const DistilPackId *id)
{
	Record	   *records = palloc(MAX_TRUSTED * sizeof(Record));
	int			n = read_records(records);
	bool		found = false;

	for (int i = 0; i < n && !found; i++)
		found = is_same(&records[i].id, id) && is_ours(&records[i]);
	pfree(records);
	return found;
}

/* A file of this record alone takes the place of what is there. */
static bool
begin_file(const Record *record)
{
	char		temp[MAXPGPATH];
	int			fd;
	bool		written;

	snprintf(temp, sizeof(temp), "%s.%d%s", TRUST_FILE, MyProcPid, DISTIL_PACK_TEMP);
	(void) unlink(temp);
	fd = OpenTransientFile(temp, O_WRONLY | O_CREAT | O_EXCL | PG_BINARY);
	if (fd < 0)
		return false;
	written = write(fd, record, sizeof(*record)) == sizeof(*record);
	CloseTransientFile(fd);
	if (written && rename(temp, TRUST_FILE) == 0)
		return true;
	(void) unlink(temp);
	return false;
}

static bool
append_to_file(const Record *record)
{
	int			fd = open_records(O_WRONLY | O_APPEND);
	bool		written;

	if (fd < 0)
		return false;
	written = write(fd, record, sizeof(*record)) == sizeof(*record);
	CloseTransientFile(fd);
	return written;
}

static void
file_add(const DistilPackId *id)
{
	Record	   *records = palloc(MAX_TRUSTED * sizeof(Record));
	Record		record = make_record(id);
	int			n = read_records(records);
	bool		good = n > 0 && n < MAX_TRUSTED && is_ours(&records[0]);

	good = good ? append_to_file(&record) : begin_file(&record);
	if (!good)
		ereport(DEBUG1,
				(errcode_for_file_access(),
				 errmsg_internal("could not write file \"%s\": %m", TRUST_FILE)));
	pfree(records);
}

/* ---- all of it ---- */

bool
distil_pack_trusted(const DistilPackId *id)
{
	bool		found = ring_has(&own, id);

	if (!found && shared != NULL)
	{
		LWLockAcquire(distil_preload_lock(shared_part), LW_SHARED);
		found = ring_has(shared, id);
		LWLockRelease(distil_preload_lock(shared_part));
	}
	else if (!found)
		found = file_has(id);
	if (found)
		ring_add(&own, id);
	return found;
}

void
distil_pack_trust(const DistilPackId *id)
{
	ring_add(&own, id);
	if (shared == NULL)
	{
		file_add(id);
		return;
	}
	LWLockAcquire(distil_preload_lock(shared_part), LW_EXCLUSIVE);
	ring_add(shared, id);
	LWLockRelease(distil_preload_lock(shared_part));
}

static Size
shared_size(void)
{
	return sizeof(Ring);
}

static void
start_shared(void)
{
	bool		found;

	shared = ShmemInitStruct("distilbert verified packs", sizeof(Ring), &found);
	if (!found)
		memset(shared, 0, sizeof(Ring));
}

void
distil_packtrust_init(void)
{
	shared_part = distil_preload_add(shared_size, start_shared);
}
