/*
 * filerecord.h -- what was read of a model's files, so that what is read again
 * is the same.
 *
 * A model's files are read several times: parsed, hashed, checked, stored.
 * Whoever writes to them meanwhile must not get in what was not checked.  So
 * the first reading of a file is remembered: what fstat says, and a checksum of
 * each chunk, with a secret seed.
 *
 * Nothing here raises: it is used below the core.
 */
#ifndef DISTILBERT_PG_FILERECORD_H
#define DISTILBERT_PG_FILERECORD_H

#include <sys/stat.h>

typedef struct DistilFileRecord
{
	const char *name;
	bool		exists;
	struct stat st;				/* when it was opened first */
	uint64	   *chunks;			/* checksums; 0: not read yet */
	struct DistilFileRecord *next;
} DistilFileRecord;

typedef struct DistilFileRecords
{
	MemoryContext context;
	uint64		seed;
	DistilFileRecord *first;
} DistilFileRecords;

extern void distil_records_begin(DistilFileRecords *records, MemoryContext context);

/*
 * The record of a file, made with st at the first call; st NULL: there is no
 * such file.  NULL: out of memory.
 */
extern DistilFileRecord *distil_record_of(DistilFileRecords *records, const char *name,
										  const struct stat *st);

/* Is the file that st tells of, or its absence (NULL), what was recorded? */
extern bool distil_record_is_same(const DistilFileRecord *record, const struct stat *st);

/*
 * A whole chunk, as it was read now: false if it was another at its first
 * reading.
 */
extern bool distil_record_chunk(const DistilFileRecords *records, DistilFileRecord *record,
								int64 seq, const void *data, size_t len);

#endif
