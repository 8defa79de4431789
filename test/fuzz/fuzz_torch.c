/*
 * fuzz_torch.c -- any bytes as the pickle in a file of torch.save, and as what
 * stands behind the beginning of one of before torch 1.6.
 *
 * The archive around the pickle is whole and has the storages of a good model,
 * so that the bytes reach the stack machine and what it builds.  What is
 * accepted must lie within the file.
 */
#include "model/safetensors.h"
#include "test/fuzz/fuzzhelp.h"
#include "test/support/memtorch.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_set(const DbertTensorSet *set, size_t file)
{
	for (size_t i = 0; i < set->count; i++)
	{
		REQUIRE(set->items[i].offset <= file);
		REQUIRE(set->items[i].bytes <= file - set->items[i].offset);
	}
}

static void
open_file(MemModel *m, const TorchBytes *file)
{
	DbertSource source = mem_source(m);
	DbertArena	arena = {&dbert_malloc_allocator, NULL};
	DbertFileList list = {0};
	DbertTensorSet set;
	DbertError	err;

	mem_put_bytes(m, "pytorch_model.bin", file->data, file->size);
	if (dbert_tensors_open(&source, "", &arena, NULL, &set, &list, &err) == DBERT_OK)
		check_set(&set, file->size);
	dbert_arena_end(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MemModel	m = {.n_files = 0};
	TorchZip	z = {0};
	TorchBytes	pickle = {(char *) data, size, size},
				legacy = {0};

	mem_add_tensor(&m, 2, 3, "a.weight");
	mem_add_tensor(&m, 0, 4, "a.bias");
	torch_archive(&z, &m, 0, m.n_tensors, &pickle);
	open_file(&m, &z.file);
	torch_append(&legacy, "\x80\2\x8a\nl\xfc\x9c\x46\xf9\x20j\xa8P\x19.\x80\2M\xe9\3.", 21);
	torch_append(&legacy, data, size);
	open_file(&m, &legacy);
	torch_free(&legacy);
	torch_zip_free(&z);
	mem_free(&m);
	return 0;
}
