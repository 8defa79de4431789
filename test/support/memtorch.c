/* memtorch.c -- see memtorch.h. */
#include "test/support/memtorch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
torch_append(TorchBytes *b, const void *data, size_t size)
{
	if (b->size + size > b->capacity)
	{
		b->capacity = 2 * (b->size + size);
		b->data = realloc(b->data, b->capacity);
	}
	if (size > 0)
		memcpy(b->data + b->size, data, size);
	b->size += size;
}

void
torch_free(TorchBytes *b)
{
	free(b->data);
	*b = (TorchBytes) {0};
}

/* A little-endian number. */
static void
append_number(TorchBytes *b, uint64_t number, int bytes)
{
	for (int i = 0; i < bytes; i++)
	{
		char		c = i < 8 ? (char) (number >> 8 * i) : 0;

		torch_append(b, &c, 1);
	}
}

static void
append_text(TorchBytes *b, const char *text)
{
	torch_append(b, text, strlen(text));
}

/* ---- archives ---- */

void
torch_entry(TorchZip *z, const char *name, const void *data, size_t size)
{
	TorchBytes *d = &z->directory;
	uint64_t	header = z->file.size;

	append_number(&z->file, 0x04034b50, 4);
	append_number(&z->file, 0, 22); /* sizes are told in the directory alone */
	append_number(&z->file, strlen(name), 2);
	append_number(&z->file, 6, 2);
	append_text(&z->file, name);
	append_text(&z->file, "FB\2");
	append_number(&z->file, 0, 3);	/* a field of torch's own, for alignment */
	torch_append(&z->file, data, size);

	append_number(d, 0x02014b50, 4);
	append_number(d, 0, 4);
	append_number(d, z->flags, 2);
	append_number(d, z->method, 2);
	append_number(d, 0, 8);
	append_number(d, size, 4);
	append_number(d, size, 4);
	append_number(d, strlen(name), 2);
	append_number(d, 0, 12);
	append_number(d, header, 4);
	append_text(d, name);
	z->n_entries++;
}

void
torch_end(TorchZip *z)
{
	uint64_t	directory = z->file.size,
				size = z->directory.size,
				end;

	torch_append(&z->file, z->directory.data, size);
	end = z->file.size;
	if (z->zip64)
	{
		append_number(&z->file, 0x06064b50, 4);
		append_number(&z->file, 44, 8);
		append_number(&z->file, 0, 12);
		append_number(&z->file, z->n_entries, 8);
		append_number(&z->file, z->n_entries, 8);
		append_number(&z->file, size, 8);
		append_number(&z->file, directory, 8);
		append_number(&z->file, 0x07064b50, 4);
		append_number(&z->file, 0, 4);
		append_number(&z->file, end, 8);
		append_number(&z->file, 1, 4);
	}
	append_number(&z->file, 0x06054b50, 4);
	append_number(&z->file, 0, 4);
	append_number(&z->file, z->zip64 ? 0xffff : z->n_entries, 2);
	append_number(&z->file, z->zip64 ? 0xffff : z->n_entries, 2);
	append_number(&z->file, z->zip64 ? 0xffffffff : size, 4);
	append_number(&z->file, z->zip64 ? 0xffffffff : directory, 4);
	append_number(&z->file, 0, 2);
}

void
torch_zip_free(TorchZip *z)
{
	torch_free(&z->file);
	torch_free(&z->directory);
}

/* ---- pickles ---- */

static void
append_string(TorchBytes *b, const char *text)
{
	append_text(b, "X");
	append_number(b, strlen(text), 4);
	append_text(b, text);
}

static void
append_int(TorchBytes *b, int64_t number)
{
	append_text(b, "J");
	append_number(b, (uint64_t) number, 4);
}

static const char *
storage_class(const MemTensor *t)
{
	return strcmp(t->dtype, "F32") == 0 ? "Float" : strcmp(t->dtype, "F16") == 0 ? "Half" :
		strcmp(t->dtype, "BF16") == 0 ? "BFloat16" : strcmp(t->dtype, "F64") == 0 ? "Double" :
		"Long";
}

static int64_t
count_from(const MemTensor *t, int d)
{
	int64_t		n = 1;

	for (; d < t->rank; d++)
		n *= t->shape[d];
	return n;
}

static void
append_tensor(TorchBytes *b, const MemTensor *t, int key)
{
	char		text[64];

	append_text(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
	append_string(b, "storage");
	snprintf(text, sizeof(text), "ctorch\n%sStorage\n", storage_class(t));
	append_text(b, text);
	snprintf(text, sizeof(text), "%d", key);
	append_string(b, text);
	append_string(b, "cpu");
	append_int(b, count_from(t, 0));
	append_text(b, "tQ");
	append_int(b, 0);
	append_text(b, "(");
	for (int d = 0; d < t->rank; d++)
		append_int(b, t->shape[d]);
	append_text(b, "t(");
	for (int d = 0; d < t->rank; d++)
		append_int(b, count_from(t, d + 1));
	append_text(b, "t\x89" "ccollections\nOrderedDict\n)RtR");
}

void
torch_pickle(TorchBytes *b, const MemModel *m, int from, int to)
{
	append_text(b, "\x80\2" "ccollections\nOrderedDict\n)Rq\1(");
	for (int i = from; i < to; i++)
	{
		append_string(b, m->tensors[i].name);
		append_tensor(b, &m->tensors[i], i);
	}
	append_text(b, "u}");		/* and an attribute, as a module's state has it */
	append_string(b, "_metadata");
	append_text(b, "}sb.");
}

/* ---- files ---- */

void
torch_archive(TorchZip *z, const MemModel *m, int from, int to, const TorchBytes *pickle)
{
	TorchBytes	own = {0};

	torch_pickle(&own, m, from, to);
	if (pickle == NULL)
		pickle = &own;
	torch_entry(z, "archive/data.pkl", pickle->data, pickle->size);
	torch_entry(z, "archive/byteorder", "little", 6);
	for (int i = from; i < to; i++)
	{
		size_t		size = mem_bytes(&m->tensors[i]);
		char	   *data = malloc(size + 1),
					name[64];

		mem_fill(&m->tensors[i], data);
		snprintf(name, sizeof(name), "archive/data/%d", i);
		torch_entry(z, name, data, size);
		free(data);
	}
	torch_entry(z, "archive/version", "3\n", 2);
	torch_end(z);
	torch_free(&own);
}

void
torch_save(MemModel *m, const char *file, int from, int to)
{
	TorchZip	z = {.zip64 = true};

	torch_archive(&z, m, from, to, NULL);
	mem_put_bytes(m, file, z.file.data, z.file.size);
	torch_zip_free(&z);
}
