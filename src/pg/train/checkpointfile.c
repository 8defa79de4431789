/*
 * checkpointfile.c -- see checkpointfile.h.
 *
 * Files are written in pieces that go to the disk one by one: interrupts are
 * served while the disk is waited for (filesync.h).
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/timestamp.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/errors.h"
#include "pg/bridge/filesync.h"
#include "pg/train/checkpointfile.h"
#include "pg/train/trainfolder.h"

#define MAGIC UINT64CONST(0x3130504b43545344)	/* "DSTCKP01" */

/* Written at once, and brought to the disk at once. */
#define PIECE_BYTES (1024 * 1024)
#define SYNC_BYTES (16 * 1024 * 1024)

/* ---- the header ---- */

/*
 * A string that may be shown.  Those of another database, whose encoding may
 * differ, are not.
 */
static bool
is_string(const char *s, size_t size, Oid database)
{
	size_t		len = strnlen(s, size);

	return len < size && (database != MyDatabaseId || pg_verifymbstr(s, (int) len, true));
}

static bool
is_sound(const DistilCheckpointHeader *h, const struct stat *st)
{
	return h->magic == MAGIC && h->size == (uint64) st->st_size &&
		   h->crc == distil_training_checksum(h, offsetof(DistilCheckpointHeader, crc)) &&
		   is_string(h->command, sizeof(h->command), h->database) &&
		   is_string(h->model, sizeof(h->model), h->database) && IS_VALID_TIMESTAMP(h->saved);
}

int
distil_checkpoint_open(const char *path, DistilCheckpointHeader *header)
{
	int			fd = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | PG_BINARY);
	struct stat st;

	/* a link, or a socket, is there and is no checkpoint */
	if (fd < 0 && (errno == ELOOP || errno == ENXIO))
		errno = 0;
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		read(fd, header, sizeof(*header)) == sizeof(*header) && is_sound(header, &st))
		return fd;
	CloseTransientFile(fd);
	errno = 0;
	return -1;
}

bool
distil_checkpoint_read(const char *path, DistilCheckpointHeader *header)
{
	int			fd = distil_checkpoint_open(path, header);

	if (fd < 0)
		return false;
	CloseTransientFile(fd);
	return true;
}

/* Bytes of the file. */
static uint64
size_of(DbertTrainer *trainer, int n_rows)
{
	DbertTrainerBlock block;
	uint64		size = sizeof(DistilCheckpointHeader) + sizeof(DistilTrainRow) * (uint64) n_rows +
		sizeof(pg_crc32c);

	for (int i = 0; dbert_trainer_block(trainer, i, &block); i++)
		size += block.bytes;
	return size;
}

DistilCheckpointHeader
distil_checkpoint_header(const DistilCheckpointHeader *owner, const DistilTrainLoop *loop)
{
	DistilCheckpointHeader h = *owner;

	h.magic = MAGIC;
	h.size = size_of(loop->trainer, loop->state.n_rows);
	h.saved = GetCurrentTimestamp();
	h.steps = loop->steps;
	h.epochs = loop->epochs;
	h.kept = dbert_trainer_kept(loop->trainer);
	h.state = loop->state;
	h.state.rows = NULL;
	h.rows_crc = distil_training_checksum(loop->state.rows,
										  sizeof(DistilTrainRow) * loop->state.n_rows);
	h.crc = distil_training_checksum(&h, offsetof(DistilCheckpointHeader, crc));
	return h;
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
 * Bring what was written to the disk, and drop it from the system's cache.
 * Nobody will read it soon, and when the file is deleted, to drop a gigabyte of
 * cache at once would take long.
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

bool
distil_checkpoint_put(int fd, const DistilCheckpointHeader *h, const DistilTrainLoop *loop)
{
	Writer		w = {.fd = fd};
	DbertTrainerBlock block;
	pg_crc32c	crc;

	if (!put(&w, h, sizeof(*h)) ||
		!put(&w, loop->state.rows, sizeof(DistilTrainRow) * loop->state.n_rows))
		return false;
	INIT_CRC32C(w.crc);
	for (int i = 0; dbert_trainer_block(loop->trainer, i, &block); i++)
	{
		if (!put(&w, block.data, block.bytes))
			return false;
	}
	crc = w.crc;
	FIN_CRC32C(crc);
	return put(&w, &crc, sizeof(crc)) && distil_fsync(fd) == 0;
}

/* ---- reading ---- */

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

bool
distil_checkpoint_get(int fd, const DistilCheckpointHeader *h, DistilTrainLoop *loop)
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
	if (h->size != size_of(loop->trainer, h->state.n_rows) ||
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
