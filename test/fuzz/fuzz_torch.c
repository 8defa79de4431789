/*
 * fuzz_torch.c -- any bytes as the pickle in a file of torch.save.
 *
 * The archive around it is whole and has the storages of a good model, so that
 * the bytes reach the stack machine and what it builds.  What is accepted must
 * lie within the file.
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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MemModel	m = {.n_files = 0};
	DbertSource source = mem_source(&m);
	DbertArena	arena = {&dbert_malloc_allocator, NULL};
	DbertFileList list = {0};
	DbertTensorSet set;
	DbertError	err;
	TorchZip	z = {0};
	TorchBytes	pickle = {(char *) data, size, size};

	mem_add_tensor(&m, 2, 3, "a.weight");
	mem_add_tensor(&m, 0, 4, "a.bias");
	torch_archive(&z, &m, 0, m.n_tensors, &pickle);
	mem_put_bytes(&m, "pytorch_model.bin", z.file.data, z.file.size);
	if (dbert_tensors_open(&source, "", &arena, NULL, &set, &list, &err) == DBERT_OK)
		check_set(&set, z.file.size);
	dbert_arena_end(&arena);
	torch_zip_free(&z);
	mem_free(&m);
	return 0;
}
