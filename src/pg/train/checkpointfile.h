/*
 * checkpointfile.h -- the file that a checkpoint is.
 *
 * It holds a header, a row for each epoch done, the trainer's blocks, and their
 * CRC-32C.  A file may be anybody's work: nothing in it is believed before
 * sizes and checksums were looked at, and it holds nothing but numbers.
 */
#ifndef DISTILBERT_PG_CHECKPOINTFILE_H
#define DISTILBERT_PG_CHECKPOINTFILE_H

#include "port/pg_crc32c.h"

#include "pg/bridge/sha256.h"
#include "pg/train/trainstate.h"

/* How files are called in the trainings' folder; temporary ones end so. */
#define DISTIL_CHECKPOINT_SUFFIX ".checkpoint"
#define DISTIL_CHECKPOINT_TEMP ".tmp"

/*
 * Two trainings with the same three give the same model, on the same processor
 * with the same OpenBLAS.  Apart, so that an error can say what has changed.
 */
typedef struct DistilTrainDigests
{
	uint8		base[DISTIL_SHA256_BYTES];	/* content of the models it begins with */
	uint8		options[DISTIL_SHA256_BYTES];
	uint8		rows[DISTIL_SHA256_BYTES];	/* tokens and labels, in their order */
} DistilTrainDigests;

typedef struct DistilCheckpointHeader
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
} DistilCheckpointHeader;

/* The header of a file for loop; of owner is what does not change. */
extern DistilCheckpointHeader distil_checkpoint_header(const DistilCheckpointHeader *owner,
													   const DistilTrainLoop *loop);

/*
 * Write all of a file and bring it to the disk; false and errno where that
 * cannot be done.  Interrupts are served.
 */
extern bool distil_checkpoint_put(int fd, const DistilCheckpointHeader *h,
								  const DistilTrainLoop *loop);

/*
 * A descriptor behind the header, or -1: there is no such file (errno), or it
 * is damaged (errno 0).
 */
extern int	distil_checkpoint_open(const char *path, DistilCheckpointHeader *header);

/* The header of a file; false: there is none that is sound. */
extern bool distil_checkpoint_read(const char *path, DistilCheckpointHeader *header);

/*
 * What lies behind the header, into loop's rows and trainer; false: it is not
 * as it was written.
 */
extern bool distil_checkpoint_get(int fd, const DistilCheckpointHeader *h, DistilTrainLoop *loop);

#endif
