/*
 * filerecord.c -- see filerecord.h.
 *
 * Times of files have a resolution of milliseconds, so fstat alone does not
 * tell every change: the chunks' checksums do.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "dbert.h"
#include "pg/store/catalog.h"
#include "pg/store/filerecord.h"

void
distil_records_begin(DistilFileRecords *records, MemoryContext context)
{
	records->context = context;
	records->first = NULL;
	if (!pg_strong_random(&records->seed, sizeof(records->seed)))
		records->seed = (uint64) GetCurrentTimestamp();
}

static void *
alloc_zero(MemoryContext context, size_t size)
{
	return MemoryContextAllocExtended(context, Max(size, 1), MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO);
}

DistilFileRecord *
distil_record_of(DistilFileRecords *records, const char *name, const struct stat *st)
{
	DistilFileRecord *r;
	size_t		n_chunks = st == NULL ? 0 : st->st_size / DISTIL_CHUNK_BYTES + 1;
	char	   *copy;

	for (r = records->first; r != NULL; r = r->next)
	{
		if (strcmp(r->name, name) == 0)
			return r;
	}
	r = alloc_zero(records->context, sizeof(DistilFileRecord));
	copy = alloc_zero(records->context, strlen(name) + 1);
	if (r == NULL || copy == NULL)
		return NULL;
	r->chunks = alloc_zero(records->context, n_chunks * sizeof(uint64));
	if (r->chunks == NULL)
		return NULL;
	r->name = strcpy(copy, name);
	r->exists = st != NULL;
	if (st != NULL)
		r->st = *st;
	r->next = records->first;
	records->first = r;
	return r;
}

bool
distil_record_is_same(const DistilFileRecord *record, const struct stat *st)
{
	const struct stat *then = &record->st;

	if (!record->exists || st == NULL)
		return !record->exists && st == NULL;
	return st->st_dev == then->st_dev && st->st_ino == then->st_ino &&
		   st->st_size == then->st_size && st->st_mtim.tv_sec == then->st_mtim.tv_sec &&
		   st->st_mtim.tv_nsec == then->st_mtim.tv_nsec &&
		   st->st_ctim.tv_sec == then->st_ctim.tv_sec &&
		   st->st_ctim.tv_nsec == then->st_ctim.tv_nsec;
}

bool
distil_record_chunk(const DistilFileRecords *records, DistilFileRecord *record, int64 seq,
					const void *data, size_t len)
{
	DbertChecksum sum;
	uint64		now;

	dbert_checksum_begin(&sum, records->seed);
	dbert_checksum_add(&sum, data, len);
	now = dbert_checksum_end(&sum) | 1; /* 0 is for chunks not read yet */
	if (record->chunks[seq] == 0)
		record->chunks[seq] = now;
	return record->chunks[seq] == now;
}
