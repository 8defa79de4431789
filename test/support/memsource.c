/*
 * memsource.c -- a source in memory, and model.safetensors made from a list of
 * tensors.
 */
#include "test/support/memsource.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- files ---- */

static MemFile *
mem_find(MemModel *m, const char *name)
{
	for (int i = 0; i < m->n_files; i++)
		if (strcmp(m->files[i].name, name) == 0)
			return &m->files[i];
	return NULL;
}

void
mem_put_bytes(MemModel *m, const char *name, const void *data, size_t size)
{
	MemFile    *f = mem_find(m, name);
	char	   *copy = malloc(size + 1);

	if (f == NULL)
	{
		f = &m->files[m->n_files++];
		snprintf(f->name, sizeof(f->name), "%s", name);
		f->data = NULL;
	}
	memcpy(copy, data, size);
	free(f->data);
	f->data = copy;
	f->size = size;
}

void
mem_put(MemModel *m, const char *name, const char *text)
{
	mem_put_bytes(m, name, text, strlen(text));
}

void
mem_drop(MemModel *m, const char *name)
{
	MemFile    *f = mem_find(m, name);

	if (f == NULL)
		return;
	free(f->data);
	*f = m->files[--m->n_files];
}

void
mem_edit(MemModel *m, const char *name, const char *from, const char *to)
{
	MemFile    *f = mem_find(m, name);
	char	   *at;
	char	   *out;
	size_t		head;

	f->data[f->size] = '\0';
	at = strstr(f->data, from);
	if (at == NULL)
	{
		printf("mem_edit: no \"%s\" in %s\n", from, name);
		abort();
	}
	head = (size_t) (at - f->data);
	out = malloc(f->size + strlen(to) + 1);
	memcpy(out, f->data, head);
	strcpy(out + head, to);
	strcat(out + head, at + strlen(from));
	mem_put(m, name, out);
	free(out);
}

void
mem_free(MemModel *m)
{
	for (int i = 0; i < m->n_files; i++)
		free(m->files[i].data);
	memset(m, 0, sizeof(*m));
}

static DbertStatus
mem_size(void *ctx, const char *name, int64_t *size, DbertError *err)
{
	MemFile    *f = mem_find(ctx, name);

	*size = f != NULL ? (int64_t) f->size : -1;
	return DBERT_OK;
}

static DbertStatus
mem_read(void *ctx, const char *name, uint64_t offset, void *buf, size_t len, DbertError *err)
{
	MemModel   *m = ctx;
	MemFile    *f = mem_find(m, name);

	if (m->fail_read > 0 && --m->fail_read == 0)
		return dbert_fail(err, DBERT_E_IO, "no reading today");
	if (f == NULL || offset > f->size || len > f->size - offset)
		abort();				/* the reader promised to stay inside */
	memcpy(buf, f->data + offset, len);
	return DBERT_OK;
}

DbertSource
mem_source(MemModel *m)
{
	DbertSource source = {mem_size, mem_read, m};

	return source;
}

/* ---- tensors ---- */

float
mem_value(const char *name, size_t i)
{
	uint32_t	h = 2166136261u;

	for (; *name; name++)
		h = (h ^ (unsigned char) *name) * 16777619u;
	h = (h ^ (uint32_t) i) * 16777619u;
	h ^= h >> 15;
	return (float) ((int) (h % 127) - 63) / 64;
}

MemTensor *
mem_tensor(MemModel *m, const char *name)
{
	for (int i = 0; i < m->n_tensors; i++)
		if (strcmp(m->tensors[i].name, name) == 0)
			return &m->tensors[i];
	return NULL;
}

void
mem_drop_tensor(MemModel *m, const char *name)
{
	*mem_tensor(m, name) = m->tensors[m->n_tensors - 1];
	m->n_tensors--;
}

void
mem_add_tensor(MemModel *m, int rows, int cols, const char *fmt,...)
{
	MemTensor  *t = &m->tensors[m->n_tensors++];
	va_list		args;

	memset(t, 0, sizeof(*t));
	va_start(args, fmt);
	vsnprintf(t->name, sizeof(t->name), fmt, args);
	va_end(args);
	t->dtype = "F32";
	t->rank = rows > 0 ? 2 : 1;
	t->shape[0] = rows > 0 ? rows : cols;
	t->shape[1] = rows > 0 ? cols : 0;
}

static size_t
mem_width(const MemTensor *t)
{
	return strcmp(t->dtype, "F32") == 0 ? 4 : strstr(t->dtype, "F16") != NULL ? 2 : 8;
}

static size_t
mem_count(const MemTensor *t)
{
	size_t		n = 1;

	for (int i = 0; i < t->rank; i++)
		n *= (size_t) t->shape[i];
	return n;
}

/* Multiples of 1/64 below 1, infinity and NaN only. */
static uint16_t
mem_half(float x)
{
	uint32_t	bits;
	int			exponent;

	memcpy(&bits, &x, 4);
	exponent = (int) (bits >> 23 & 0xff);
	if (exponent == 0xff)
		return (uint16_t) (bits >> 16 & 0x8000) | 0x7c00 | (bits & 0x7fffff ? 0x200 : 0);
	if (exponent == 0)
		return 0;
	return (uint16_t) ((bits >> 16 & 0x8000) | (uint32_t) (exponent - 112) << 10 |
					   (bits >> 13 & 0x3ff));
}

static void
mem_store(const MemTensor *t, size_t i, double wide, char *at)
{
	float		x = (float) wide;
	uint32_t	bits;
	uint16_t	half;

	memcpy(&bits, &x, 4);
	if (strcmp(t->dtype, "F32") == 0)
		memcpy(at + 4 * i, &bits, 4);	/* little-endian hosts run these tests */
	else if (strcmp(t->dtype, "F16") == 0)
	{
		half = mem_half(x);
		memcpy(at + 2 * i, &half, 2);
	}
	else if (strcmp(t->dtype, "BF16") == 0)
	{
		half = (uint16_t) (bits >> 16);
		memcpy(at + 2 * i, &half, 2);
	}
	else if (strcmp(t->dtype, "F64") == 0)
		memcpy(at + 8 * i, &wide, 8);
	else
		memset(at + 8 * i, 0, 8);
}

size_t
mem_bytes(const MemTensor *t)
{
	return mem_count(t) * mem_width(t);
}

void
mem_fill(const MemTensor *t, char *out)
{
	size_t		count = mem_count(t);

	for (size_t j = 0; j < count; j++)
		mem_store(t, j, j + 1 == count && t->bad != 0 ? t->bad : mem_value(t->name, j), out);
}

void
mem_save(MemModel *m, const char *file, int from, int to)
{
	size_t		cap = 1 << 16,
				n = 8,
				data = 0;
	char	   *out;

	for (int i = from; i < to; i++)
		cap += 300 + mem_bytes(&m->tensors[i]);
	out = malloc(cap);
	n += (size_t) sprintf(out + n, "{\"__metadata__\":{\"format\":\"pt\"}");
	for (int i = from; i < to; i++)
	{
		const MemTensor *t = &m->tensors[i];
		size_t		bytes = mem_bytes(t);

		n += (size_t) sprintf(out + n, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", t->name, t->dtype);
		for (int d = 0; d < t->rank; d++)
			n += (size_t) sprintf(out + n, "%s%" PRId64, d ? "," : "", t->shape[d]);
		n += (size_t) sprintf(out + n, "],\"data_offsets\":[%zu,%zu]}", data, data + bytes);
		data += bytes;
	}
	n += (size_t) sprintf(out + n, "}");
	while (n % 8 != 0)
		out[n++] = ' ';
	for (int i = 0; i < 8; i++)
		out[i] = (char) ((n - 8) >> (8 * i));
	for (int i = from; i < to; i++)
	{
		mem_fill(&m->tensors[i], out + n);
		n += mem_bytes(&m->tensors[i]);
	}
	mem_put_bytes(m, file, out, n);
	free(out);
}

void
mem_model_save(MemModel *m)
{
	mem_save(m, "model.safetensors", 0, m->n_tensors);
}

void
mem_put_index(MemModel *m, int split, const char *first, const char *second)
{
	char		index[MEM_TENSORS * 200];
	size_t		n = (size_t) sprintf(index, "{\"metadata\":{\"total_size\":1},\"weight_map\":{");

	for (int i = 0; i < m->n_tensors; i++)
		n += (size_t) sprintf(index + n, "%s\"%s\":\"%s\"", i ? "," : "", m->tensors[i].name,
							  i < split ? first : second);
	sprintf(index + n, "}}");
	mem_put(m, "model.safetensors.index.json", index);
}
