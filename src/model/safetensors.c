/*
 * safetensors.c -- one safetensors header, and reading a tensor's values.
 *
 * A file is: u64 little-endian length of the header, the header (a JSON object:
 * tensor name -> dtype, shape, data_offsets; "__metadata__" -> strings), then
 * the buffer that the offsets refer to.  The set of files of a checkpoint is
 * checkpoint.c's matter.
 */
#include "model/checkpoint.h"

#include "base/bytes.h"
#include "model/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every dtype of the format, with its bits. */
static const struct
{
	const char *name;
	int			bits;
	DbertDtype	dtype;
}			dtypes[] = {
	{"F32", 32, DBERT_DTYPE_F32},
	{"F16", 16, DBERT_DTYPE_F16},
	{"BF16", 16, DBERT_DTYPE_BF16},
	{"F64", 64, DBERT_DTYPE_F64},
	{"BOOL", 8, DBERT_DTYPE_OTHER},
	{"U8", 8, DBERT_DTYPE_OTHER},
	{"I8", 8, DBERT_DTYPE_I8},
	{"I16", 16, DBERT_DTYPE_OTHER},
	{"U16", 16, DBERT_DTYPE_OTHER},
	{"I32", 32, DBERT_DTYPE_OTHER},
	{"U32", 32, DBERT_DTYPE_OTHER},
	{"I64", 64, DBERT_DTYPE_OTHER},
	{"U64", 64, DBERT_DTYPE_OTHER},
	{"C64", 64, DBERT_DTYPE_OTHER},
	{"F4", 4, DBERT_DTYPE_OTHER},
	{"F6_E2M3", 6, DBERT_DTYPE_OTHER},
	{"F6_E3M2", 6, DBERT_DTYPE_OTHER},
	{"F8_E4M3", 8, DBERT_DTYPE_OTHER},
	{"F8_E5M2", 8, DBERT_DTYPE_OTHER},
	{"F8_E8M0", 8, DBERT_DTYPE_OTHER},
};

#define N_DTYPES ((int) (sizeof(dtypes) / sizeof(dtypes[0])))

const char *
dbert_shape_text(const int64_t *shape, int rank, char out[DBERT_SHAPE_TEXT])
{
	size_t		n = 0;

	out[n++] = '[';
	for (int i = 0; i < rank; i++)
		n += (size_t) snprintf(out + n, DBERT_SHAPE_TEXT - n, "%s%" PRId64, i ? "," : "", shape[i]);
	snprintf(out + n, DBERT_SHAPE_TEXT - n, "]");
	return out;
}

static DbertStatus
read_metadata(const DbertJson *header, DbertError *err)
{
	DbertJson	metadata;
	const char *key;
	json_t	   *value;

	DBERT_TRY(dbert_json_child(header, "__metadata__", JSON_OBJECT, &metadata, err));
	if (metadata.value == NULL)
		return DBERT_OK;
	json_object_foreach((json_t *) metadata.value, key, value)
		if (!json_is_string(value))
			return dbert_fail(err, DBERT_E_FORMAT, "%s: a value is not a string", metadata.where);
	return DBERT_OK;
}

bool
dbert_tensor_set_dtype(DbertTensor *t, const char *name, int *bits)
{
	for (int i = 0; i < N_DTYPES; i++)
	{
		if (strcmp(dtypes[i].name, name) == 0)
		{
			t->dtype = dtypes[i].dtype;
			t->dtype_name = dtypes[i].name;
			*bits = dtypes[i].bits;
			return true;
		}
	}
	return false;
}

static DbertStatus
read_dtype(const DbertJson *entry, DbertTensor *t, int *bits, DbertError *err)
{
	const char *name = NULL;
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_string(entry, "dtype", &name, err));
	if (name == NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: no \"dtype\"", entry->where);
	if (dbert_tensor_set_dtype(t, name, bits))
		return DBERT_OK;
	return dbert_fail(err, DBERT_E_FORMAT, "%s: unknown dtype \"%s\"", entry->where,
					  dbert_clip(name, clip));
}

/* An array of non-negative integers, at most max of them. */
static DbertStatus
read_sizes(const DbertJson *entry, const char *key, int max, int64_t *out, int *count,
		   DbertError *err)
{
	DbertJson	array;
	size_t		n;

	DBERT_TRY(dbert_json_child(entry, key, JSON_ARRAY, &array, err));
	if (array.value == NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: no \"%s\"", entry->where, key);
	n = json_array_size(array.value);
	if (n > (size_t) max)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: has %zu elements, at most %d are allowed",
						  array.where, n, max);
	for (size_t i = 0; i < n; i++)
	{
		const json_t *v = json_array_get(array.value, i);

		if (!json_is_integer(v) || json_integer_value(v) < 0)
			return dbert_fail(err, DBERT_E_FORMAT, "%s: element %zu is not a non-negative integer",
							  array.where, i);
		out[i] = json_integer_value(v);
	}
	*count = (int) n;
	return DBERT_OK;
}

DbertStatus
dbert_tensor_measure(DbertTensor *t, int bits, uint64_t *bytes, DbertError *err)
{
	uint64_t	count = 1,
				total;

	for (int i = 0; i < t->rank; i++)
		if (__builtin_mul_overflow(count, (uint64_t) t->shape[i], &count))
			return dbert_fail(err, DBERT_E_FORMAT, "%s: tensor \"%s\": its shape overflows",
							  t->file, t->name);
	if (__builtin_mul_overflow(count, (uint64_t) bits, &total) || total % 8 != 0)
		return dbert_fail(err, DBERT_E_FORMAT,
						  "%s: tensor \"%s\": %" PRIu64 " elements of %s are no number of bytes",
						  t->file, t->name, count, t->dtype_name);
	t->count = count;
	*bytes = total / 8;
	return DBERT_OK;
}

static DbertStatus
read_tensor(const DbertJson *header, const char *name, DbertArena *arena, DbertTensor *t,
			DbertError *err)
{
	DbertJson	entry;
	int64_t		offsets[2];
	int			n = 0,
				bits = 0;
	uint64_t	bytes = 0;
	char		clip[DBERT_CLIP],
				shape[DBERT_SHAPE_TEXT];

	if (strlen(name) > DBERT_TENSOR_NAME_MAX)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: tensor name \"%s\" is longer than %d bytes",
						  header->where, dbert_clip(name, clip), DBERT_TENSOR_NAME_MAX);
	t->file = header->where;
	t->name = dbert_arena_strndup(arena, name, strlen(name));
	if (t->name == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	entry.value = json_object_get(header->value, name);
	snprintf(entry.where, sizeof(entry.where), "%.255s: tensor %s", header->where,
			 dbert_clip(name, clip));
	DBERT_TRY(dbert_json_expect(&entry, JSON_OBJECT, err));
	DBERT_TRY(read_dtype(&entry, t, &bits, err));
	DBERT_TRY(read_sizes(&entry, "shape", DBERT_TENSOR_RANK_MAX, t->shape, &t->rank, err));
	DBERT_TRY(read_sizes(&entry, "data_offsets", 2, offsets, &n, err));
	if (n != 2 || offsets[0] > offsets[1])
		return dbert_fail(err, DBERT_E_FORMAT, "%s: \"data_offsets\" are not two rising offsets",
						  entry.where);
	DBERT_TRY(dbert_tensor_measure(t, bits, &bytes, err));
	t->offset = (uint64_t) offsets[0];
	t->bytes = (uint64_t) (offsets[1] - offsets[0]);
	if (t->bytes != bytes)
		return dbert_fail(err, DBERT_E_FORMAT,
						  "%s: tensor \"%s\": shape %s of %s takes %" PRIu64
						  " bytes, its offsets span %" PRIu64,
						  header->where, name, dbert_shape_text(t->shape, t->rank, shape),
						  t->dtype_name, bytes, t->bytes);
	return DBERT_OK;
}

static int
compare_offsets(const void *a, const void *b)
{
	const DbertTensor *x = a,
			   *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

/* The tensors must tile the buffer: no hole, no overlap, no byte left. */
static DbertStatus
check_tiling(DbertTensor *items, size_t count, const char *file, uint64_t buffer, DbertError *err)
{
	uint64_t	end = 0;

	if (count > 0)
		qsort(items, count, sizeof(*items), compare_offsets);
	for (size_t i = 0; i < count; i++)
	{
		if (items[i].offset != end)
			return dbert_fail(err, DBERT_E_FORMAT,
							  "%s: tensor \"%s\" begins at byte %" PRIu64 ", %s %" PRIu64, file,
							  items[i].name, items[i].offset,
							  items[i].offset > end ? "leaving a hole after"
													: "overlapping its predecessor that ends at",
							  end);
		end += items[i].bytes;	/* cannot overflow: offset + bytes was an int64 */
	}
	if (end != buffer)
		return dbert_fail(err, DBERT_E_FORMAT,
						  "%s: its tensors take %" PRIu64 " bytes, the file holds %" PRIu64,
						  file, end, buffer);
	return DBERT_OK;
}

static DbertStatus
parse_header(const DbertJson *header, uint64_t data, uint64_t buffer, DbertArena *arena,
			 DbertTensor **items, size_t *count, DbertError *err)
{
	size_t		n = 0;
	const char *name;
	json_t	   *value;

	DBERT_TRY(dbert_json_expect(header, JSON_OBJECT, err));
	DBERT_TRY(read_metadata(header, err));
	*items = dbert_arena_alloc(arena, json_object_size(header->value), sizeof(DbertTensor));
	if (*items == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	json_object_foreach((json_t *) header->value, name, value)
		if (strcmp(name, "__metadata__") != 0)
			DBERT_TRY(read_tensor(header, name, arena, &(*items)[n++], err));
	DBERT_TRY(check_tiling(*items, n, header->where, buffer, err));
	for (size_t i = 0; i < n; i++)
		(*items)[i].offset += data;
	*count = n;
	return DBERT_OK;
}

/* The header's place: its length, checked against the file's. */
static DbertStatus
read_header_length(const DbertSource *source, const char *file, uint64_t *header,
				   uint64_t *size, DbertError *err)
{
	unsigned char prefix[8];
	int64_t		bytes;

	DBERT_TRY(source->size(source->ctx, file, &bytes, err));
	if (bytes < 0)
		return dbert_fail(err, DBERT_E_FORMAT, "the model has no file \"%s\"", file);
	if (bytes < 8)
		return dbert_fail(err, DBERT_E_FORMAT,
						  "%s: %" PRId64 " bytes are too short for a safetensors file", file,
						  bytes);
	DBERT_TRY(source->read(source->ctx, file, 0, prefix, sizeof(prefix), err));
	*size = (uint64_t) bytes;
	*header = dbert_load_u64(prefix);
	if (*header > DBERT_TENSOR_HEADER_MAX)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: header of %" PRIu64 " bytes, the limit is %d",
						  file, *header, DBERT_TENSOR_HEADER_MAX);
	if (*header > *size - 8)
		return dbert_fail(err, DBERT_E_FORMAT,
						  "%s: header of %" PRIu64 " bytes in a file of %" PRIu64, file, *header,
						  *size);
	return DBERT_OK;
}

DbertStatus
dbert_safetensors_header(const DbertSource *source, const char *file, DbertArena *arena,
						 const DbertPoll *poll, DbertTensor **items, size_t *count,
						 DbertError *err)
{
	uint64_t	length = 0,
				size = 0;
	char	   *text;
	DbertJsonTree tree = {0};
	DbertJson	header;
	DbertStatus status;

	DBERT_TRY(read_header_length(source, file, &length, &size, err));
	text = dbert_alloc(arena->alloc, (size_t) length);
	if (text == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory while reading \"%s\"", file);
	status = dbert_file_read(source, file, 8, text, (size_t) length, poll, err);
	if (status == DBERT_OK && (length == 0 || text[0] != '{'))
		status = dbert_fail(err, DBERT_E_FORMAT, "%s: the header does not begin with \"{\"", file);
	if (status == DBERT_OK)
		status = dbert_json_parse(text, (size_t) length, file, 0, arena->alloc, poll, &tree, err);
	dbert_free(arena->alloc, text);
	if (status != DBERT_OK)
		return status;
	header.value = tree.root;
	snprintf(header.where, sizeof(header.where), "%s", file);
	status = parse_header(&header, 8 + length, size - 8 - length, arena, items, count, err);
	dbert_json_free(&tree);
	for (size_t i = 0; status == DBERT_OK && i < *count; i++)
		(*items)[i].file = file;
	return status;
}

size_t
dbert_dtype_size(DbertDtype dtype)
{
	switch (dtype)
	{
		case DBERT_DTYPE_F64:
			return 8;
		case DBERT_DTYPE_F32:
			return 4;
		case DBERT_DTYPE_I8:
			return 1;
		default:
			return 2;
	}
}

static double
double_at(const unsigned char *src)
{
	uint64_t	bits = dbert_load_u64(src);
	double		x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

/* n elements of a block as floats. */
static void
convert(float *dst, const unsigned char *src, size_t n, DbertDtype dtype)
{
	for (size_t i = 0; i < n; i++)
	{
		if (dtype == DBERT_DTYPE_F64)
			dst[i] = (float) double_at(src + 8 * i);
		else if (dtype == DBERT_DTYPE_F32)
			dst[i] = dbert_float_of_bits(dbert_load_u32(src + 4 * i));
		else if (dtype == DBERT_DTYPE_I8)
			dst[i] = (int8_t) src[i];
		else if (dtype == DBERT_DTYPE_F16)
			dst[i] = dbert_float_of_f16(dbert_load_u16(src + 2 * i));
		else
			dst[i] = dbert_float_of_bf16(dbert_load_u16(src + 2 * i));
	}
}

/* What is beyond the largest float by half a step or more becomes infinite. */
static bool
all_in_range(const unsigned char *src, size_t n, DbertDtype dtype)
{
	int			bad = 0;

	for (size_t i = 0; i < n && dtype == DBERT_DTYPE_F64; i++)
		bad |= isinf((float) double_at(src + 8 * i));
	return !bad;
}

/* Whether all n elements of a block are finite: no exponent is all ones. */
static bool
all_finite(const unsigned char *src, size_t n, DbertDtype dtype)
{
	uint32_t mask = dtype == DBERT_DTYPE_F32   ? 0x7f800000
					: dtype == DBERT_DTYPE_F16 ? 0x7c00
											   : 0x7f80;
	int			bad = 0;

	if (dtype == DBERT_DTYPE_F64)
		for (size_t i = 0; i < n; i++)
			bad |= !isfinite(double_at(src + 8 * i));
	else if (dtype == DBERT_DTYPE_I8)
		bad = 0;
	else if (dtype == DBERT_DTYPE_F32)
		for (size_t i = 0; i < n; i++)
			bad |= (dbert_load_u32(src + 4 * i) & mask) == mask;
	else
		for (size_t i = 0; i < n; i++)
			bad |= (dbert_load_u16(src + 2 * i) & mask) == mask;
	return !bad;
}

/* A block as it is. */
static void
copy_halves(uint16_t *dst, const unsigned char *src, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dst[i] = dbert_load_u16(src + 2 * i);
}

/* To one of the two, or, where both are NULL, to neither. */
static DbertStatus
read_values(const DbertSource *source, const DbertTensor *tensor, float *floats, uint16_t *halves,
			void *block, const DbertPoll *poll, DbertError *err)
{
	size_t		width = dbert_dtype_size(tensor->dtype);
	uint64_t	block_count = DBERT_READ_BLOCK / width;

	for (uint64_t done = 0; done < tensor->count;)
	{
		uint64_t	left = tensor->count - done;
		size_t		n = (size_t) (left < block_count ? left : block_count);

		DBERT_TRY(dbert_file_read(source, tensor->file, tensor->offset + done * width,
								  block, n * width, poll, err));
		if (!all_finite(block, n, tensor->dtype))
			return dbert_fail(err, DBERT_E_FORMAT, "%s: tensor \"%s\" holds NaN or infinity",
							  tensor->file, tensor->name);
		if (!all_in_range(block, n, tensor->dtype))
			return dbert_fail(err, DBERT_E_FORMAT,
							  "%s: tensor \"%s\" holds a number beyond the range of F32",
							  tensor->file, tensor->name);
		if (floats != NULL)
			convert(floats + done, block, n, tensor->dtype);
		if (halves != NULL)
			copy_halves(halves + done, block, n);
		done += n;
	}
	return DBERT_OK;
}

DbertStatus
dbert_tensor_read(const DbertSource *source, const DbertTensor *tensor, float *dst,
				  void *block, const DbertPoll *poll, DbertError *err)
{
	return read_values(source, tensor, dst, NULL, block, poll, err);
}

DbertStatus
dbert_tensor_read_halves(const DbertSource *source, const DbertTensor *tensor, uint16_t *dst,
						 void *block, const DbertPoll *poll, DbertError *err)
{
	return read_values(source, tensor, NULL, dst, block, poll, err);
}
