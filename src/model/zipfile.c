/*
 * zipfile.c -- see zipfile.h.
 *
 * An archive is read from its end: the end record, perhaps with a zip64 one
 * before it, tells where the directory is; the directory tells of each entry
 * where its local header is, behind which its bytes begin.  Sizes are believed
 * in the directory alone, for torch leaves them out of the local headers.
 */
#include "model/zipfile.h"

#include "base/bytes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Sizes of the records without what varies, and of the longest comment. */
#define END_BYTES		22
#define END64_BYTES		56
#define LOCATOR_BYTES	20
#define CENTRAL_BYTES	46
#define LOCAL_BYTES		30
#define COMMENT_MAX		65535

#define LOCAL_MAGIC		0x04034b50
#define CENTRAL_MAGIC	0x02014b50
#define END_MAGIC		0x06054b50
#define END64_MAGIC		0x06064b50
#define LOCATOR_MAGIC	0x07064b50

#define FLAG_ENCRYPTED	0x0001
#define ZIP64_EXTRA		0x0001

/* An archive while it is read. */
typedef struct Reader
{
	const DbertSource *source;
	DbertArena *arena;
	const DbertPoll *poll;
	DbertError *err;
	DbertZip   *zip;
	uint64_t	size;			/* of the file */
	uint64_t	directory;		/* where it begins */
	uint64_t	directory_size;
	uint64_t	count;			/* of its entries, as the end record tells it */
} Reader;

bool
dbert_zip_begins(const unsigned char *magic)
{
	return dbert_load_u32(magic) == LOCAL_MAGIC;
}

static DbertStatus
damaged(const Reader *r, const char *what)
{
	return dbert_fail(r->err, DBERT_E_FORMAT, "%s: not a whole zip archive: %s", r->zip->file,
					  what);
}

static DbertStatus
out_of_memory(const Reader *r)
{
	return dbert_fail(r->err, DBERT_E_NOMEM, "out of memory while reading \"%s\"", r->zip->file);
}

static DbertStatus
read_at(const Reader *r, uint64_t offset, void *buf, size_t len)
{
	return dbert_file_read(r->source, r->zip->file, offset, buf, len, r->poll, r->err);
}

/* ---- the end records ---- */

/* The zip64 end record, if a locator before the end record tells where. */
static DbertStatus
read_end64(Reader *r, uint64_t end)
{
	unsigned char locator[LOCATOR_BYTES],
				record[END64_BYTES];
	uint64_t	at;

	if (end < LOCATOR_BYTES + END64_BYTES)
		return DBERT_OK;
	DBERT_TRY(read_at(r, end - LOCATOR_BYTES, locator, sizeof(locator)));
	if (dbert_load_u32(locator) != LOCATOR_MAGIC)
		return DBERT_OK;
	at = dbert_load_u64(locator + 8);
	if (at > end - LOCATOR_BYTES - END64_BYTES)
		return damaged(r, "its zip64 end record lies outside");
	DBERT_TRY(read_at(r, at, record, sizeof(record)));
	if (dbert_load_u32(record) != END64_MAGIC)
		return damaged(r, "it has no zip64 end record");
	r->count = dbert_load_u64(record + 32);
	r->directory_size = dbert_load_u64(record + 40);
	r->directory = dbert_load_u64(record + 48);
	return DBERT_OK;
}

/* Where the end record stands in the file's last bytes; false: nowhere. */
static bool
find_end(const unsigned char *tail, size_t len, size_t *at)
{
	for (size_t i = len - END_BYTES + 1; i-- > 0;)
	{
		if (dbert_load_u32(tail + i) != END_MAGIC ||
			dbert_load_u16(tail + i + 20) != len - END_BYTES - i)
			continue;
		*at = i;
		return true;
	}
	return false;
}

static DbertStatus
read_end(Reader *r)
{
	size_t		len = r->size < END_BYTES + COMMENT_MAX ? r->size : END_BYTES + COMMENT_MAX,
				at;
	unsigned char *tail = dbert_arena_alloc(r->arena, len, 1);
	uint64_t	end;

	if (tail == NULL)
		return out_of_memory(r);
	DBERT_TRY(read_at(r, r->size - len, tail, len));
	if (!find_end(tail, len, &at))
		return damaged(r, "it has no end record");
	if (dbert_load_u16(tail + at + 4) != 0 || dbert_load_u16(tail + at + 6) != 0)
		return damaged(r, "it is one of several parts");
	r->count = dbert_load_u16(tail + at + 10);
	r->directory_size = dbert_load_u32(tail + at + 12);
	r->directory = dbert_load_u32(tail + at + 16);
	end = r->size - len + at;
	DBERT_TRY(read_end64(r, end));
	if (r->directory > end || r->directory_size > end - r->directory)
		return damaged(r, "its directory lies outside");
	if (r->directory_size > DBERT_ZIP_DIRECTORY_MAX)
		return dbert_fail(r->err, DBERT_E_LIMIT,
						  "%s: directory of %" PRIu64 " bytes, the limit is %d", r->zip->file,
						  r->directory_size, DBERT_ZIP_DIRECTORY_MAX);
	return r->count <= r->directory_size / CENTRAL_BYTES
		? DBERT_OK
		: damaged(r, "its directory is too short for its entries");
}

/* ---- the directory ---- */

/* Numbers of 32 bits that are full stand in the zip64 field, in this order. */
static bool
read_zip64_field(const unsigned char *extra, size_t len, uint64_t *numbers[3])
{
	while (len >= 4)
	{
		size_t		size = dbert_load_u16(extra + 2),
					used = 0;

		if (size > len - 4)
			return false;
		for (int i = 0; i < 3 && dbert_load_u16(extra) == ZIP64_EXTRA; i++)
		{
			if (*numbers[i] != UINT32_MAX)
				continue;
			if (size - used < 8)
				return false;
			*numbers[i] = dbert_load_u64(extra + 4 + used);
			used += 8;
		}
		extra += 4 + size;
		len -= 4 + size;
	}
	return true;
}

/* Longer names than our files' are nobody's. */
static bool
name_is_plain(const unsigned char *name, size_t len)
{
	if (len == 0 || len > DBERT_FILE_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] < 0x20 || name[i] >= 0x7f)
			return false;
	return true;
}

/*
 * The local header, behind which the bytes begin; its name is the directory's.
 */
static DbertStatus
read_local(const Reader *r, DbertZipEntry *e)
{
	unsigned char local[LOCAL_BYTES],
				name[DBERT_FILE_NAME_MAX];
	size_t		len = strlen(e->name);

	if (e->header > r->directory || r->directory - e->header < LOCAL_BYTES + len)
		return damaged(r, "an entry lies outside");
	DBERT_TRY(read_at(r, e->header, local, sizeof(local)));
	if (dbert_load_u32(local) != LOCAL_MAGIC || dbert_load_u16(local + 26) != len)
		return damaged(r, "an entry has no header");
	DBERT_TRY(read_at(r, e->header + LOCAL_BYTES, name, len));
	if (memcmp(name, e->name, len) != 0)
		return damaged(r, "an entry has two names");
	e->offset = e->header + LOCAL_BYTES + len + dbert_load_u16(local + 28);
	if (e->offset > r->directory || e->size > r->directory - e->offset)
		return damaged(r, "an entry lies outside");
	return DBERT_OK;
}

/* One entry of the directory, of at most len bytes; *used = what it takes. */
static DbertStatus
read_entry(const Reader *r, const unsigned char *at, size_t len, DbertZipEntry *e, size_t *used)
{
	size_t		name_len = len >= CENTRAL_BYTES ? dbert_load_u16(at + 28) : 0,
				extra_len = len >= CENTRAL_BYTES ? dbert_load_u16(at + 30) : 0;
	uint64_t	stored;

	if (len < CENTRAL_BYTES || dbert_load_u32(at) != CENTRAL_MAGIC)
		return damaged(r, "its directory is cut off");
	*used = CENTRAL_BYTES + name_len + extra_len + dbert_load_u16(at + 32);
	if (*used > len)
		return damaged(r, "its directory is cut off");
	if (!name_is_plain(at + CENTRAL_BYTES, name_len))
		return damaged(r, "an entry has an impossible name");
	e->name = dbert_arena_strndup(r->arena, (const char *) at + CENTRAL_BYTES, name_len);
	if (e->name == NULL)
		return out_of_memory(r);
	stored = dbert_load_u32(at + 20);
	e->size = dbert_load_u32(at + 24);
	e->header = dbert_load_u32(at + 42);
	if (!read_zip64_field(at + CENTRAL_BYTES + name_len, extra_len,
						  (uint64_t *[]) {&e->size, &stored, &e->header}))
		return damaged(r, "an entry has a zip64 field that is too short");
	if (dbert_load_u16(at + 8) & FLAG_ENCRYPTED)
		return dbert_fail(r->err, DBERT_E_UNSUPPORTED, "%s: entry \"%s\" is encrypted",
						  r->zip->file, e->name);
	if (dbert_load_u16(at + 10) != 0 || stored != e->size)
		return dbert_fail(r->err, DBERT_E_UNSUPPORTED,
						  "%s: entry \"%s\" is compressed, which torch.save never does",
						  r->zip->file, e->name);
	return read_local(r, e);
}

static DbertStatus
read_directory(Reader *r)
{
	unsigned char *bytes = dbert_arena_alloc(r->arena, (size_t) r->directory_size, 1);
	size_t		at = 0,
				used = 0;

	r->zip->entries = dbert_arena_alloc(r->arena, (size_t) r->count, sizeof(DbertZipEntry));
	if (bytes == NULL || r->zip->entries == NULL)
		return out_of_memory(r);
	DBERT_TRY(read_at(r, r->directory, bytes, (size_t) r->directory_size));
	for (; r->zip->count < r->count; at += used)
		DBERT_TRY(read_entry(r, bytes + at, (size_t) r->directory_size - at,
							 &r->zip->entries[r->zip->count++], &used));
	return at == r->directory_size ? DBERT_OK : damaged(r, "its directory has bytes left over");
}

/* ---- what must hold of all entries together ---- */

static int
compare_headers(const void *a, const void *b)
{
	const DbertZipEntry *x = a,
			   *y = b;

	return x->header < y->header ? -1 : x->header > y->header;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const DbertZipEntry *) a)->name, ((const DbertZipEntry *) b)->name);
}

static DbertStatus
check_entries(const Reader *r)
{
	DbertZipEntry *e = r->zip->entries;
	size_t		n = r->zip->count;

	if (n > 0)
		qsort(e, n, sizeof(*e), compare_headers);
	for (size_t i = 1; i < n; i++)
		if (e[i].header < e[i - 1].offset + e[i - 1].size)
			return dbert_fail(r->err, DBERT_E_FORMAT, "%s: entries \"%s\" and \"%s\" overlap",
							  r->zip->file, e[i - 1].name, e[i].name);
	if (n > 0)
		qsort(e, n, sizeof(*e), compare_names);
	for (size_t i = 1; i < n; i++)
		if (strcmp(e[i - 1].name, e[i].name) == 0)
			return dbert_fail(r->err, DBERT_E_FORMAT, "%s: entry \"%s\" is there twice",
							  r->zip->file, e[i].name);
	return DBERT_OK;
}

DbertStatus
dbert_zip_open(const DbertSource *source, const char *file, DbertArena *arena,
			   const DbertPoll *poll, DbertZip *zip, DbertError *err)
{
	Reader		r = {
		.source = source, .arena = arena, .poll = poll, .err = err, .zip = zip
	};
	int64_t		size;

	*zip = (DbertZip) {.file = file};
	DBERT_TRY(source->size(source->ctx, file, &size, err));
	if (size < END_BYTES)
		return damaged(&r, "it is too short");
	r.size = (uint64_t) size;
	DBERT_TRY(read_end(&r));
	DBERT_TRY(read_directory(&r));
	return check_entries(&r);
}

const DbertZipEntry *
dbert_zip_find(const DbertZip *zip, const char *name)
{
	DbertZipEntry key = {.name = name};

	if (zip->count == 0)
		return NULL;
	return bsearch(&key, zip->entries, zip->count, sizeof(*zip->entries), compare_names);
}
