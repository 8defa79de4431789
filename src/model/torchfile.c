/*
 * torchfile.c -- the tensors of one file of torch.save: pytorch_model.bin.
 *
 * Since torch 1.6 it is a zip archive: "<name>/data.pkl" is a pickle of a dict
 * from names to tensors, "<name>/data/<key>" the elements of a storage, of
 * which a tensor is a part.  Several tensors may be parts of one.  A part that
 * is not contiguous would have to be gathered: it is refused.
 *
 * What torch wrote before that is torchlegacy.c's.
 */
#include "model/checkpoint.h"

#include "model/torchlegacy.h"
#include "model/zipfile.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PICKLE_NAME "data.pkl"

/* A file while it is read; what it is read with goes when that is done. */
typedef struct Reader
{
	const DbertSource *source;
	const char *file;
	DbertArena *arena;			/* of the tensors */
	DbertArena	scratch;
	const DbertPoll *poll;
	DbertError *err;
	bool		legacy;			/* as torch before 1.6 has it: no archive */
	DbertTorchLegacy old;
	DbertZip	zip;
	int			prefix;			/* bytes of "<name>/" before all entries' names */
	const DbertZipEntry *pickle;
} Reader;

/* An archive, or pickles one behind the other; a tar archive is refused. */
static DbertStatus
check_beginning(Reader *r)
{
	unsigned char magic[DBERT_TORCH_LEGACY_BYTES];
	int64_t		size;

	DBERT_TRY(r->source->size(r->source->ctx, r->file, &size, r->err));
	if (size < (int64_t) sizeof(magic))
		return dbert_fail(r->err, DBERT_E_FORMAT,
						  "%s: %" PRId64 " bytes are too short for a file of torch.save", r->file,
						  size);
	DBERT_TRY(r->source->read(r->source->ctx, r->file, 0, magic, sizeof(magic), r->err));
	if (dbert_zip_begins(magic))
		return DBERT_OK;
	r->legacy = dbert_torch_legacy_begins(magic);
	if (r->legacy)
		return DBERT_OK;
	return dbert_fail(r->err, DBERT_E_FORMAT, "%s is no file of torch.save", r->file);
}

static DbertStatus
find_pickle(Reader *r)
{
	for (size_t i = 0; i < r->zip.count; i++)
	{
		const char *slash = strchr(r->zip.entries[i].name, '/');

		if (slash == NULL || strcmp(slash + 1, PICKLE_NAME) != 0)
			continue;
		if (r->pickle != NULL)
			return dbert_fail(r->err, DBERT_E_FORMAT, "%s: the archive has two " PICKLE_NAME,
							  r->file);
		r->pickle = &r->zip.entries[i];
		r->prefix = (int) (slash + 1 - r->pickle->name);
	}
	if (r->pickle == NULL)
		return dbert_fail(r->err, DBERT_E_FORMAT, "%s: the archive has no " PICKLE_NAME, r->file);
	if (r->pickle->size > DBERT_PICKLE_MAX)
		return dbert_fail(r->err, DBERT_E_LIMIT,
						  "%s: " PICKLE_NAME " of %" PRIu64 " bytes, the limit is %d", r->file,
						  r->pickle->size, DBERT_PICKLE_MAX);
	return DBERT_OK;
}

/* An entry beside the pickle, its name of two parts; NULL: there is none. */
static const DbertZipEntry *
find_entry(const Reader *r, const char *folder, const char *name, int name_len)
{
	char		path[2 * DBERT_FILE_NAME_MAX];

	snprintf(path, sizeof(path), "%.*s%s%.*s", r->prefix, r->pickle->name, folder, name_len, name);
	return dbert_zip_find(&r->zip, path);
}

/* Releases from 2.1 on say how their numbers are written. */
static DbertStatus
check_byte_order(const Reader *r)
{
	static const char order[] = "little";
	const DbertZipEntry *e = find_entry(r, "", "byteorder", 9);
	char		text[sizeof(order) - 1];

	if (e == NULL)
		return DBERT_OK;
	if (e->size == sizeof(text))
		DBERT_TRY(r->source->read(r->source->ctx, r->file, e->offset, text, sizeof(text), r->err));
	if (e->size != sizeof(text) || memcmp(text, order, sizeof(text)) != 0)
		return dbert_fail(r->err, DBERT_E_UNSUPPORTED,
						  "%s: byte order other than little endian is not supported", r->file);
	return DBERT_OK;
}

/* Do the elements stand as those of a tensor of its own would? */
static bool
is_contiguous(const DbertPickleTensor *p)
{
	int64_t		step = 1;

	for (int i = p->rank - 1; i >= 0; i--)
	{
		if (p->shape[i] != 1 && p->stride[i] != step)
			return false;
		if (__builtin_mul_overflow(step, p->shape[i], &step))
			return false;
	}
	return true;
}

/* Where a tensor's storage is in the file; offset 0: it is not there. */
typedef struct Stored
{
	uint64_t	offset,
				bytes;
} Stored;

static Stored
find_stored(const Reader *r, const DbertPickleTensor *p)
{
	const DbertTorchStorage *s = NULL;
	const DbertZipEntry *e = NULL;

	if (r->legacy)
		s = dbert_torch_legacy_find(&r->old, p);
	else
		e = find_entry(r, "data/", p->storage, p->storage_len);
	if (s != NULL)
		return (Stored) {s->offset, (uint64_t) s->count * (uint64_t) s->width};
	return e != NULL ? (Stored) {e->offset, e->size} : (Stored) {0, 0};
}

/* t's place in the file, of elements of so many bytes. */
static DbertStatus
place_tensor(const Reader *r, const DbertPickleTensor *p, uint64_t width, DbertTensor *t)
{
	Stored		s = find_stored(r, p);
	uint64_t	stored;

	if (s.offset == 0)
		return dbert_fail(r->err, DBERT_E_FORMAT, "%s: tensor \"%s\": the archive lacks its data",
						  r->file, t->name);
	if (__builtin_mul_overflow((uint64_t) p->storage_count, width, &stored) || stored != s.bytes)
		return dbert_fail(r->err, DBERT_E_FORMAT,
						  "%s: tensor \"%s\": %" PRId64 " elements of %s are announced, the "
						  "archive holds %" PRIu64 " bytes",
						  r->file, t->name, p->storage_count, t->dtype_name, s.bytes);
	if (t->count > 0 && !is_contiguous(p))
		return dbert_fail(r->err, DBERT_E_UNSUPPORTED,
						  "%s: tensor \"%s\" is saved as a view that is not contiguous", r->file,
						  t->name);
	if (p->first > p->storage_count || t->count > (uint64_t) (p->storage_count - p->first))
		return dbert_fail(r->err, DBERT_E_FORMAT, "%s: tensor \"%s\" goes beyond its data", r->file,
						  t->name);
	t->offset = s.offset + (uint64_t) p->first * width;
	return DBERT_OK;
}

static DbertStatus
read_tensor(const Reader *r, const DbertPickleTensor *p, DbertTensor *t)
{
	size_t		len = strlen(p->name);
	char		clip[DBERT_TENSOR_NAME_MAX + 1];
	int			bits = 0;

	if (len > DBERT_TENSOR_NAME_MAX)
	{
		snprintf(clip, 61, "%s", p->name);
		return dbert_fail(r->err, DBERT_E_FORMAT,
						  "%s: tensor name \"%s...\" is longer than %d bytes", r->file, clip,
						  DBERT_TENSOR_NAME_MAX);
	}
	t->file = r->file;
	t->name = dbert_arena_strndup(r->arena, p->name, len);
	if (t->name == NULL)
		return dbert_fail(r->err, DBERT_E_NOMEM, "out of memory");
	if (!dbert_tensor_set_dtype(t, p->dtype, &bits))
		return dbert_fail(r->err, DBERT_E_INTERNAL, "no dtype \"%s\"", p->dtype);
	t->rank = p->rank;
	memcpy(t->shape, p->shape, sizeof(t->shape));
	DBERT_TRY(dbert_tensor_measure(t, bits, &t->bytes, r->err));
	return place_tensor(r, p, (uint64_t) bits / 8, t);
}

/* The tensors of an archive's pickle. */
static DbertStatus
read_archive(Reader *r, DbertPickleTensor **tensors, size_t *count)
{
	unsigned char *bytes;
	size_t		len;

	DBERT_TRY(dbert_zip_open(r->source, r->file, &r->scratch, r->poll, &r->zip, r->err));
	DBERT_TRY(find_pickle(r));
	DBERT_TRY(check_byte_order(r));
	len = (size_t) r->pickle->size;
	bytes = dbert_arena_alloc(&r->scratch, len, 1);
	if (bytes == NULL)
		return dbert_fail(r->err, DBERT_E_NOMEM, "out of memory while reading \"%s\"", r->file);
	DBERT_TRY(dbert_file_read(r->source, r->file, r->pickle->offset, bytes, len, r->poll, r->err));
	return dbert_pickle_tensors((DbertPickleBytes) {bytes, len, r->file}, &r->scratch, r->poll,
								tensors, count, NULL, r->err);
}

static DbertStatus
read_legacy(Reader *r, DbertPickleTensor **tensors, size_t *count)
{
	DBERT_TRY(dbert_torch_legacy_read(r->source, r->file, &r->scratch, r->poll, &r->old, r->err));
	*tensors = r->old.tensors;
	*count = r->old.count;
	return DBERT_OK;
}

static DbertStatus
read_file(Reader *r, DbertTensor **items, size_t *count)
{
	DbertPickleTensor *tensors = NULL;

	DBERT_TRY(check_beginning(r));
	DBERT_TRY(r->legacy ? read_legacy(r, &tensors, count) : read_archive(r, &tensors, count));
	*items = dbert_arena_alloc(r->arena, *count, sizeof(**items));
	if (*items == NULL)
		return dbert_fail(r->err, DBERT_E_NOMEM, "out of memory");
	for (size_t i = 0; i < *count; i++)
		DBERT_TRY(read_tensor(r, &tensors[i], &(*items)[i]));
	return DBERT_OK;
}

DbertStatus
dbert_torch_header(const DbertSource *source, const char *file, DbertArena *arena,
				   const DbertPoll *poll, DbertTensor **items, size_t *count, DbertError *err)
{
	Reader		r = {
		.source = source, .file = file, .arena = arena, .scratch = {.alloc = arena->alloc},
		.poll = poll, .err = err
	};
	DbertStatus status = read_file(&r, items, count);

	dbert_arena_end(&r.scratch);
	return status;
}
