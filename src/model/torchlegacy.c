/*
 * torchlegacy.c -- what torch.save wrote before release 1.6: pickles one behind
 * the other, then the elements.
 *
 *		a number that marks the format; its version
 *		sizes of the machine's types: nobody asks for them
 *		a dict from names to tensors
 *		the keys of the storages, in the order in which these follow:
 *			int64		number of elements
 *			elements, little endian on every machine
 *
 * Source: torch's serialization.py, _legacy_save and _legacy_load.
 */
#include "model/torchlegacy.h"

#include "base/bytes.h"
#include "base/sort.h"
#include "model/checkpoint.h"
#include "model/json.h"

#include <inttypes.h>
#include <string.h>

static const unsigned char mark[] = "\x80\2\x8a\nl\xfc\x9c\x46\xf9\x20j\xa8P\x19.";
static const unsigned char version[] = "\x80\2M\xe9\3.";

#define MARK_BYTES (sizeof(mark) - 1)
#define VERSION_BYTES (sizeof(version) - 1)

typedef struct Legacy
{
	const DbertSource *source;
	const char *file;
	uint64_t	size;			/* of the file */
	DbertArena *arena;
	const DbertPoll *poll;
	DbertError *err;
	DbertTorchLegacy *out;
	unsigned char *bytes;		/* [len], the file's first ones */
	size_t		len,
				next;			/* behind the pickles that were read */
} Legacy;

bool
dbert_torch_legacy_begins(const unsigned char bytes[DBERT_TORCH_LEGACY_BYTES])
{
	return memcmp(bytes, mark, MARK_BYTES) == 0;
}

/* ---- pickles ---- */

static DbertStatus
read_beginning(Legacy *l)
{
	int64_t		size;

	DBERT_TRY(l->source->size(l->source->ctx, l->file, &size, l->err));
	l->size = (uint64_t) size;
	l->len = size < DBERT_PICKLE_MAX ? (size_t) size : DBERT_PICKLE_MAX;
	l->bytes = dbert_arena_alloc(l->arena, l->len, 1);
	if (l->bytes == NULL)
		return dbert_fail(l->err, DBERT_E_NOMEM, "out of memory while reading \"%s\"", l->file);
	DBERT_TRY(dbert_file_read(l->source, l->file, 0, l->bytes, l->len, l->poll, l->err));
	if (l->len < MARK_BYTES + VERSION_BYTES || !dbert_torch_legacy_begins(l->bytes) ||
		memcmp(l->bytes + MARK_BYTES, version, VERSION_BYTES) != 0)
		return dbert_fail(l->err, DBERT_E_UNSUPPORTED,
						  "%s: only version 1001 of the format before torch 1.6 is supported",
						  l->file);
	l->next = MARK_BYTES + VERSION_BYTES;
	return DBERT_OK;
}

/* The part of the bytes that has not been read. */
static DbertPickleBytes
rest(const Legacy *l)
{
	return (DbertPickleBytes) {l->bytes + l->next, l->len - l->next, l->file};
}

static DbertStatus
read_pickles(Legacy *l, DbertPickleText **keys, size_t *n_keys)
{
	size_t		used = 0;

	DBERT_TRY(dbert_pickle_skip(rest(l), l->arena, l->poll, &used, l->err));
	l->next += used;
	DBERT_TRY(dbert_pickle_tensors(rest(l), l->arena, l->poll, &l->out->tensors, &l->out->count,
								   &used, l->err));
	l->next += used;
	DBERT_TRY(dbert_pickle_texts(rest(l), l->arena, l->poll, keys, n_keys, &used, l->err));
	l->next += used;
	return DBERT_OK;
}

/* ---- storages ---- */

static int
compare_storages(const void *x, const void *y)
{
	const DbertTorchStorage *a = x,
			   *b = y;

	if (a->key_len != b->key_len)
		return a->key_len < b->key_len ? -1 : 1;
	return memcmp(a->key, b->key, (size_t) a->key_len);
}

static DbertTorchStorage *
find_storage(const DbertTorchLegacy *out, const char *key, int key_len)
{
	DbertTorchStorage wanted = {.key = key, .key_len = key_len};
	size_t		low = 0,
				high = out->n_storages;

	while (low < high)
	{
		size_t		mid = low + (high - low) / 2;
		int			order = compare_storages(&wanted, &out->storages[mid]);

		if (order == 0)
			return &out->storages[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

/* Those that the tensors are parts of, each once. */
static DbertStatus
list_storages(Legacy *l)
{
	DbertTorchLegacy *out = l->out;

	out->storages = dbert_arena_alloc(l->arena, out->count, sizeof(*out->storages));
	if (out->storages == NULL)
		return dbert_fail(l->err, DBERT_E_NOMEM, "out of memory while reading \"%s\"", l->file);
	for (size_t i = 0; i < out->count; i++)
	{
		const DbertPickleTensor *p = &out->tensors[i];
		DbertTensor t = {0};
		int			bits = 0;

		if (!dbert_tensor_set_dtype(&t, p->dtype, &bits))
			return dbert_fail(l->err, DBERT_E_INTERNAL, "no dtype \"%s\"", p->dtype);
		out->storages[i] = (DbertTorchStorage) {
			p->storage, p->storage_len, bits / 8, p->storage_count, 0
		};
	}
	DBERT_TRY(dbert_sort(out->storages, out->count, sizeof(*out->storages), compare_storages,
						 l->arena->alloc, l->poll, l->err));
	for (size_t i = 0; i < out->count; i++)
		if (i == 0 || compare_storages(&out->storages[i - 1], &out->storages[i]) != 0)
			out->storages[out->n_storages++] = out->storages[i];
	return DBERT_OK;
}

/* A storage that begins at *at, which becomes its end. */
static DbertStatus
place_storage(const Legacy *l, DbertTorchStorage *s, uint64_t *at)
{
	unsigned char count[8];
	uint64_t	bytes;

	if (*at > l->size || l->size - *at < sizeof(count))
		return dbert_fail(l->err, DBERT_E_FORMAT, "%s: the file is cut off", l->file);
	DBERT_TRY(l->source->read(l->source->ctx, l->file, *at, count, sizeof(count),
							  l->err));
	*at += sizeof(count);
	if (s->offset > 0 || dbert_load_u64(count) != (uint64_t) s->count ||
		__builtin_mul_overflow((uint64_t) s->count, (uint64_t) s->width, &bytes))
		return dbert_fail(l->err, DBERT_E_FORMAT,
						  "%s: %" PRIu64 " elements of storage \"%.*s\" follow, %" PRId64
						  " are announced",
						  l->file, dbert_load_u64(count), s->key_len, s->key, s->count);
	if (bytes > l->size - *at)
		return dbert_fail(l->err, DBERT_E_FORMAT, "%s: the file is cut off", l->file);
	s->offset = *at;
	*at += bytes;
	return DBERT_OK;
}

static DbertStatus
place_storages(const Legacy *l, const DbertPickleText *keys, size_t n_keys)
{
	uint64_t	at = l->next;

	for (size_t i = 0; i < n_keys; i++)
	{
		DbertTorchStorage *s = keys[i].len > DBERT_CLIP
			? NULL : find_storage(l->out, (const char *) keys[i].text, (int) keys[i].len);

		if (dbert_stopped(l->poll))
			return dbert_fail(l->err, DBERT_E_CANCELLED, "cancelled while reading \"%s\"",
							  l->file);
		if (s == NULL)
			return dbert_fail(l->err, DBERT_E_FORMAT, "%s: a storage belongs to no tensor",
							  l->file);
		DBERT_TRY(place_storage(l, s, &at));
	}
	return DBERT_OK;
}

const DbertTorchStorage *
dbert_torch_legacy_find(const DbertTorchLegacy *legacy, const DbertPickleTensor *tensor)
{
	const DbertTorchStorage *s = find_storage(legacy, tensor->storage, tensor->storage_len);

	return s != NULL && s->offset > 0 ? s : NULL;
}

DbertStatus
dbert_torch_legacy_read(const DbertSource *source, const char *file, DbertArena *arena,
						const DbertPoll *poll, DbertTorchLegacy *out, DbertError *err)
{
	Legacy		l = {
		.source = source, .file = file, .arena = arena, .poll = poll, .err = err, .out = out
	};
	DbertPickleText *keys = NULL;
	size_t		n_keys = 0;

	*out = (DbertTorchLegacy) {0};
	DBERT_TRY(read_beginning(&l));
	DBERT_TRY(read_pickles(&l, &keys, &n_keys));
	DBERT_TRY(list_storages(&l));
	return place_storages(&l, keys, n_keys);
}
