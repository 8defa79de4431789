/*
 * test_torchfile.c -- weights in files of torch.save: the same model as from
 * safetensors, and what is refused, by name.
 */
#include "model/safetensors.h"
#include "test/support/counting.h"
#include "test/support/dirsource.h"
#include "test/support/memtorch.h"
#include "test/support/packhelp.h"
#include "test/support/testhelp.h"

#define FILE_NAME "pytorch_model.bin"

/* ---- the same as safetensors ---- */

static void
check_same_image(const DbertSource *a, const DbertSource *b, const char *task, const char *what)
{
	Built		x = {0},
				y = {0};
	DbertError	err = {0};

	CHECK_MSG(build(a, task, &column_kernels, &x, &err) == DBERT_OK, "%s: %s", what, err.msg);
	CHECK_MSG(build(b, task, &column_kernels, &y, &err) == DBERT_OK, "%s: %s", what, err.msg);
	CHECK_MSG(x.size == y.size && x.size > 0 && memcmp(x.image, y.image, x.size) == 0,
			  "%s: the images differ", what);
	release(&x);
	release(&y);
}

static void
test_fixtures(void)
{
	DbertSource stars = dir_source("test/fixtures/distilbert-stars"),
				stars_torch = dir_source("test/fixtures/distilbert-torch"),
				masked = dir_source("test/fixtures/bert-mlm"),
				masked_torch = dir_source("test/fixtures/bert-torch"),
				many = dir_source("test/fixtures/marian-many"),
				many_torch = dir_source("test/fixtures/marian-torch");

	check_same_image(&stars, &stars_torch, NULL, "three shards");
	/* the head's decoder stands in one of the two files only */
	check_same_image(&masked, &masked_torch, "embed", "one file");
	/* and all that transformers makes of the others */
	check_same_image(&many, &many_torch, NULL, "one file of before 1.6");
}

static void
test_all_kinds(void)
{
	static const char *const dtypes[] = {"F32", "F16", "BF16", "F64"};

	for (unsigned kind = 0; kind < MEM_KINDS; kind++)
	{
		MemModel	a,
					b;
		DbertSource x = mem_source(&a),
					y = mem_source(&b);

		mem_model_kind(&a, kind);
		mem_model_kind(&b, kind);
		for (int i = 0; i < a.n_tensors; i++)
			a.tensors[i].dtype = b.tensors[i].dtype = dtypes[(i + kind) % 4];
		mem_model_save(&a);
		mem_drop(&b, "model.safetensors");
		torch_save(&b, FILE_NAME, 0, b.n_tensors);
		check_same_image(&x, &y, NULL, "a kind of model");
		mem_free(&a);
		mem_free(&b);
	}
}

/* ---- files that are wrong ---- */

/* A model of a few tensors, of which only the file counts. */
static void
small_model(MemModel *m)
{
	memset(m, 0, sizeof(*m));
	mem_add_tensor(m, 2, 3, "a.weight");
	mem_add_tensor(m, 0, 4, "a.bias");
	mem_add_tensor(m, 0, 2, "ids");
	m->tensors[2].dtype = "I64";
}

static DbertStatus
open_bytes(const char *data, size_t size, DbertTensorSet *set, DbertArena *arena, DbertError *err)
{
	MemModel	m = {.n_files = 0};
	DbertSource source = mem_source(&m);
	DbertFileList list = {0};
	DbertStatus status;

	err->msg[0] = '\0';
	mem_put_bytes(&m, FILE_NAME, data, size);
	status = dbert_tensors_open(&source, "", arena, NULL, set, &list, err);
	mem_free(&m);
	return status;
}

static void
check_bytes(const TorchBytes *b, DbertStatus want, const char *words)
{
	DbertArena	arena = {&dbert_malloc_allocator, NULL};
	DbertTensorSet set;
	DbertError	err;
	DbertStatus status = open_bytes(b->data, b->size, &set, &arena, &err);

	CHECK_MSG(status == want && strstr(err.msg, words) != NULL,
			  "expected %d \"%s\", got %d \"%s\"", want, words, status, err.msg);
	if (status != DBERT_OK)
		CHECK_MSG(strstr(err.msg, FILE_NAME) != NULL, "names no file: \"%s\"", err.msg);
	dbert_arena_end(&arena);
}

static void
test_set(void)
{
	MemModel	m;
	TorchZip	z = {.zip64 = true};
	DbertArena	arena = {&dbert_malloc_allocator, NULL};
	DbertTensorSet set;
	DbertError	err;
	const DbertTensor *t;

	small_model(&m);
	torch_archive(&z, &m, 0, m.n_tensors, NULL);
	CHECK_MSG(open_bytes(z.file.data, z.file.size, &set, &arena, &err) == DBERT_OK, "%s", err.msg);
	CHECK(set.count == 3 && strcmp(set.name, FILE_NAME) == 0);
	t = dbert_tensors_find(&set, "a.weight");
	CHECK(t != NULL && t->rank == 2 && t->shape[0] == 2 && t->shape[1] == 3 && t->count == 6);
	CHECK(t != NULL && t->dtype == DBERT_DTYPE_F32 && t->bytes == 24);
	t = dbert_tensors_find(&set, "ids");
	CHECK(t != NULL && t->dtype == DBERT_DTYPE_OTHER && strcmp(t->dtype_name, "I64") == 0);
	dbert_arena_end(&arena);
	torch_zip_free(&z);
}

/* Cut anywhere, or with any byte changed: an error or a set, never a crash. */
static void
test_damage(void)
{
	MemModel	m;
	DbertTensorSet set;
	DbertError	err;
	int			refused = 0;

	small_model(&m);
	for (int zip64 = 0; zip64 < 2; zip64++)
	{
		TorchZip	z = {.zip64 = zip64};

		torch_archive(&z, &m, 0, m.n_tensors, NULL);
		for (size_t n = 0; n < z.file.size; n++)
		{
			DbertArena	arena = {&dbert_malloc_allocator, NULL};

			CHECK_MSG(open_bytes(z.file.data, n, &set, &arena, &err) == DBERT_E_FORMAT,
					  "cut at %zu: %s", n, err.msg);
			dbert_arena_end(&arena);
		}
		for (size_t n = 0; n < z.file.size * 8; n++)
		{
			DbertArena	arena = {&dbert_malloc_allocator, NULL};

			z.file.data[n / 8] ^= (char) (1 << n % 8);
			refused += open_bytes(z.file.data, z.file.size, &set, &arena, &err) != DBERT_OK;
			z.file.data[n / 8] ^= (char) (1 << n % 8);
			dbert_arena_end(&arena);
		}
		torch_zip_free(&z);
	}
	CHECK(refused > 1000);
}

/* ---- files of before torch 1.6 ---- */

/* The fixture's bytes; they are the caller's. */
static TorchBytes
legacy_file(void)
{
	DbertSource source = dir_source("test/fixtures/marian-torch");
	TorchBytes	b = {0};
	DbertError	err;
	int64_t		size = 0;

	CHECK(source.size(source.ctx, FILE_NAME, &size, &err) == DBERT_OK && size > 50000);
	b.data = malloc((size_t) size);
	b.size = (size_t) size;
	CHECK(source.read(source.ctx, FILE_NAME, 0, b.data, b.size, &err) == DBERT_OK);
	return b;
}

/* What is accepted lies within the file. */
static DbertStatus
open_legacy(const TorchBytes *b, size_t size, DbertError *err)
{
	DbertArena	arena = {&dbert_malloc_allocator, NULL};
	DbertTensorSet set = {0};
	DbertStatus status = open_bytes(b->data, size, &set, &arena, err);

	for (size_t i = 0; status == DBERT_OK && i < set.count; i++)
		CHECK(set.items[i].offset <= size && set.items[i].bytes <= size - set.items[i].offset);
	dbert_arena_end(&arena);
	return status;
}

/* Cut off anywhere, it is refused. */
static void
test_legacy_cut(void)
{
	TorchBytes	b = legacy_file();
	DbertError	err;

	CHECK_MSG(open_legacy(&b, b.size, &err) == DBERT_OK, "%s", err.msg);
	for (size_t size = 0; size < b.size; size += size < 12000 ? 7 : 401)
		CHECK_MSG(open_legacy(&b, size, &err) != DBERT_OK && err.msg[0] != '\0', "%zu bytes", size);
	CHECK(open_legacy(&b, b.size - 1, &err) == DBERT_E_FORMAT);
	CHECK(strstr(err.msg, "cut off") != NULL);
	torch_free(&b);
}

/* Any byte of the pickles, and of the numbers of elements, may be wrong. */
static void
test_legacy_damage(void)
{
	TorchBytes	b = legacy_file();
	DbertError	err;
	int			refused = 0;

	for (size_t i = 0; i < 9000; i += 3)
	{
		char		kept = b.data[i];

		b.data[i] ^= (char) (1 << i % 8);
		refused += open_legacy(&b, b.size, &err) != DBERT_OK;
		b.data[i] = kept;
	}
	CHECK_MSG(refused > 1000, "%d were refused", refused);
	torch_free(&b);
}

static void
test_legacy_memory(void)
{
	TorchBytes	b = legacy_file();
	DbertStatus status = DBERT_E_NOMEM;

	for (long fail = 1; status == DBERT_E_NOMEM && fail < 10000; fail++)
	{
		Counter		counter = {.fail_at = fail};
		DbertAllocator alloc = counting(&counter);
		DbertArena	arena = {&alloc, NULL};
		DbertTensorSet set;
		DbertError	err;

		status = open_bytes(b.data, b.size, &set, &arena, &err);
		CHECK_MSG(status == DBERT_OK || status == DBERT_E_NOMEM, "%ld: %s", fail, err.msg);
		dbert_arena_end(&arena);
		CHECK(counter.live == 0);
	}
	CHECK(status == DBERT_OK);
	torch_free(&b);
}

static void
test_old_formats(void)
{
	TorchBytes	b = {0};

	torch_append(&b, "\x80\x02\x8a\nl\xfc\x9c\x46\xf9\x20j\xa8P\x19.", 15);
	check_bytes(&b, DBERT_E_UNSUPPORTED, "only version 1001");
	b.data[4] = 'm';
	check_bytes(&b, DBERT_E_FORMAT, "is no file of torch.save");
	b.size = 3;
	check_bytes(&b, DBERT_E_FORMAT, "3 bytes are too short");
	torch_free(&b);
	torch_append(&b, "model/data.pkl\n", 15);
	check_bytes(&b, DBERT_E_FORMAT, "is no file of torch.save");
	torch_free(&b);
}

/* The small model's archive, its directory edited by the caller. */
static void
check_archive(TorchZip *z, DbertStatus want, const char *words)
{
	torch_end(z);
	check_bytes(&z->file, want, words);
	torch_zip_free(z);
	*z = (TorchZip) {0};
}

static void
test_archives(void)
{
	TorchZip	z = {.method = 8};
	TorchBytes	dict = {"\x80\2}.", 4, 4};

	torch_entry(&z, "x/data.pkl", dict.data, dict.size);
	check_archive(&z, DBERT_E_UNSUPPORTED, "entry \"x/data.pkl\" is compressed");
	z.flags = 1;
	torch_entry(&z, "x/data.pkl", dict.data, dict.size);
	check_archive(&z, DBERT_E_UNSUPPORTED, "entry \"x/data.pkl\" is encrypted");
	torch_entry(&z, "x/data.pkl", dict.data, dict.size);
	torch_entry(&z, "x/data.pkl", dict.data, dict.size);
	check_archive(&z, DBERT_E_FORMAT, "entry \"x/data.pkl\" is there twice");
	torch_entry(&z, "x/version", "3", 1);
	check_archive(&z, DBERT_E_FORMAT, "the archive has no data.pkl");
	torch_entry(&z, "x/data.pkl", dict.data, dict.size);
	torch_entry(&z, "x/byteorder", "bigger", 6);
	check_archive(&z, DBERT_E_UNSUPPORTED, "byte order");
	torch_entry(&z, "x/data.pkl", dict.data, dict.size);
	check_archive(&z, DBERT_OK, "");
	torch_entry(&z, "x/data.pkl", dict.data, dict.size);
	torch_entry(&z, "y/data.pkl", dict.data, dict.size);
	check_archive(&z, DBERT_E_FORMAT, "the archive has two data.pkl");
	torch_entry(&z, "x/\n", "", 0);
	check_archive(&z, DBERT_E_FORMAT, "impossible name");

	/* the second entry's header is said to be the first one's */
	torch_entry(&z, "x/data.pkl", dict.data, dict.size);
	torch_entry(&z, "x/data.pkl", dict.data, dict.size);
	memset(z.directory.data + z.directory.size - 14, 0, 4);
	check_archive(&z, DBERT_E_FORMAT, "entries \"x/data.pkl\" and \"x/data.pkl\" overlap");

	/* and one of four gigabytes in a file of some bytes */
	torch_entry(&z, "x/data.pkl", dict.data, dict.size);
	memset(z.directory.data + 20, 0xfe, 8);
	check_archive(&z, DBERT_E_FORMAT, "an entry lies outside");
}

/* ---- pickles that are wrong ---- */

/* The pickle [len], with its protocol before it, in an archive of the model's data. */
static void
check_pickle_bytes(const char *pickle, size_t len, DbertStatus want, const char *words)
{
	MemModel	m;
	TorchZip	z = {0};
	TorchBytes	b = {0};

	small_model(&m);
	torch_append(&b, "\x80\2", 2);
	torch_append(&b, pickle, len);
	torch_archive(&z, &m, 0, m.n_tensors, &b);
	check_bytes(&z.file, want, words);
	torch_zip_free(&z);
	torch_free(&b);
}

#define BAD(pickle, words) check_pickle_bytes(pickle, sizeof(pickle) - 1, DBERT_E_FORMAT, words)
#define REFUSED(pickle, words) \
	check_pickle_bytes(pickle, sizeof(pickle) - 1, DBERT_E_UNSUPPORTED, words)
#define GOOD(pickle) check_pickle_bytes(pickle, sizeof(pickle) - 1, DBERT_OK, "")

static void
test_names(void)
{
	REFUSED("cos\nsystem\nX\7\0\0\0echo hi\x85R.", "\"os.system\"");
	REFUSED("cposix\nsystem\n)R.", "\"posix.system\"");
	REFUSED("cbuiltins\neval\n)R.", "\"builtins.eval\"");
	REFUSED("c__builtin__\nexec\n)R.", "\"__builtin__.exec\"");
	REFUSED("ctorch\nload\n)R.", "\"torch.load\"");
	REFUSED("ctorch\nComplexFloatStorage\n.", "\"torch.ComplexFloatStorage\"");
	REFUSED("ctorch._utils\n_rebuild_sparse_tensor\n)R.", "_rebuild_sparse_tensor");
	REFUSED("c\n\n)R.", "\".\"");
	REFUSED("c\xff\n\x1b[2J\n)R.", "\"?.?[2J\"");
	REFUSED("ios\nsystem\n(.", "0x69 (INST)");
	REFUSED("(\x93.", "0x93 (STACK_GLOBAL)");
	REFUSED(")\x81.", "0x81 (NEWOBJ)");
	REFUSED("\x82\1.", "0x82 (EXT1)");
	REFUSED("(o.", "0x6f (OBJ)");
	REFUSED("\xff.", "0xff (unknown)");
	check_pickle_bytes("", 0, DBERT_E_FORMAT, "cut off");
}

static void
test_machine(void)
{
	GOOD("}.");
	GOOD("ccollections\nOrderedDict\n)R.");
	GOOD("}q\0}X\1\0\0\0a]K\1asb.");
	GOOD("}q\0}X\1\0\0\0ah\0q\5sb.");
	GOOD("}}X\1\0\0\0a](K\1M\1\0J\1\0\0\0\x8a\1\xff\x88\x89G\0\0\0\0\0\0\0\0U\1aesb.");
	BAD(".", "the stack is empty");
	BAD("((.", "the stack is empty");
	BAD("}}.", "something is left over");
	BAD("}.}", "something is left over");
	BAD("}", "cut off");
	BAD("}X\377\377\377\377a.", "cut off");
	BAD("\x8a\11AAAAAAAAA.", "64 bits");
	BAD("}(K\1u.", "a key has no value");
	BAD("K\1(K\1K\1u.", "there is no dict");
	BAD("(K\1K\1u.", "there is no dict");
	BAD("u.", "there is no mark");
	BAD("t.", "there is no mark");
	BAD("K\1\x86.", "the stack is empty");
	BAD("}K\1s.", "the stack is empty");
	BAD("K\1K\1a.", "there is no list");
	BAD("K\1}b.", "there is no dict");
	BAD("}h\1.", "nothing was put");
	BAD("}r\377\377\377\177.", "out of range");
	BAD("q\1.", "the stack is empty");
	BAD("K\1)R.", "not to be called");
	BAD("ctorch\nFloatStorage\n)R.", "not to be called");
	BAD("ccollections\nOrderedDict\nK\1R.", "not to be called");
	BAD("ccollections\nOrderedDict\nK\1\x85R.", "a dict has arguments");
	BAD("ctorch._utils\n_rebuild_parameter\n)R.", "a parameter has no tensor");
	BAD("ctorch._utils\n_rebuild_tensor_v2\n)R.", "impossible arguments");
	BAD("K\1Q.", "not that of a storage");
	BAD(")Q.", "not that of a storage");
	REFUSED("].", "no dict of tensors");
	REFUSED("}X\1\0\0\0aK\1s.", "\"a\" is not a tensor");
	BAD("}K\1K\1s.", "a key is not a string");
	check_pickle_bytes("", 0, DBERT_E_FORMAT, "cut off");
}

/* A tensor "a" of storage 0, six floats in 24 bytes, with these numbers in it. */
#define STORAGE(class, count) "((U\7storagectorch\n" class "Storage\nU\1" "0U\3cpu" count "tQ"
#define TENSOR(storage, rest) \
	"}U\1actorch._utils\n_rebuild_tensor_v2\n" storage rest "\x89}tRs."
#define FLOATS STORAGE("Float", "K\6")

static void
test_tensors(void)
{
	GOOD(TENSOR(FLOATS, "K\0K\2K\3\x86K\3K\1\x86"));
	GOOD(TENSOR(FLOATS, "K\2K\4\x85K\1\x85"));
	GOOD(TENSOR(FLOATS, "K\0K\1K\6\x86K\7K\1\x86"));	/* one row: its stride tells nothing */
	GOOD(TENSOR(FLOATS, "K\6K\0\x85K\1\x85"));
	GOOD(TENSOR(FLOATS, "K\3))"));
	GOOD(TENSOR(STORAGE("Double", "K\3"), "K\0K\3\x85K\1\x85"));
	REFUSED(TENSOR(FLOATS, "K\0K\3K\2\x86K\1K\3\x86"), "\"a\" is saved as a view");
	REFUSED(TENSOR(FLOATS, "K\0K\3\x85K\2\x85"), "\"a\" is saved as a view");
	REFUSED(TENSOR(FLOATS, "K\0K\3\x85K\0\x85"), "\"a\" is saved as a view");
	BAD(TENSOR(FLOATS, "K\0K\7\x85K\1\x85"), "\"a\" goes beyond its data");
	BAD(TENSOR(FLOATS, "K\3K\4\x85K\1\x85"), "\"a\" goes beyond its data");
	BAD(TENSOR(FLOATS, "K\7K\0\x85K\1\x85"), "\"a\" goes beyond its data");
	BAD(TENSOR(FLOATS, "J\377\377\377\377K\1\x85K\1\x85"), "impossible arguments");
	BAD(TENSOR(FLOATS, "K\0J\377\377\377\377\x85K\1\x85"), "impossible arguments");
	BAD(TENSOR(FLOATS, "K\0K\2\x85K\3K\1\x86"), "impossible arguments");
	BAD(TENSOR(FLOATS, "K\0(K\1K\1K\1K\1K\1K\1K\1K\1K\1t)"), "impossible arguments");
	BAD(TENSOR(FLOATS, "K\0\x8a\10\0\0\0\0\0\0\0\177\x8a\10\0\0\0\0\0\0\0\177\x86K\1K\1\x86"),
		"overflows");
	BAD(TENSOR(STORAGE("Float", "K\5"), "K\0K\3\x85K\1\x85"),
		"\"a\": 5 elements of F32 are announced, the archive holds 24 bytes");
	BAD(TENSOR(STORAGE("Float", "\x8a\10\377\377\377\377\377\377\377\177"), "K\0K\3\x85K\1\x85"),
		"are announced");
	BAD(TENSOR(STORAGE("Half", "K\6"), "K\0K\3\x85K\1\x85"), "6 elements of F16 are announced");
	BAD(TENSOR("((U\7storagectorch\nFloatStorage\nU\1" "9U\3cpuK\6tQ", "K\0K\3\x85K\1\x85"),
		"the archive lacks its data");
	BAD("}(U\1a" "ctorch._utils\n_rebuild_tensor_v2\n" FLOATS "K\0K\3\x85K\1\x85\x89}tRq\1U\1ah\1u.",
		"tensor \"a\" is in two");
	BAD(TENSOR(STORAGE("Float", "J\377\377\377\377"), "K\0K\3\x85K\1\x85"),
		"not that of a storage");
}

/* However an archive's pickle is made, it takes memory by its size. */
static void
test_memory(void)
{
	static const char *const opcodes[] = {"}", "(", "K\1", "}q\1", "}(", "}0"};

	for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++)
	{
		Counter		counter = {0};
		DbertAllocator alloc = counting(&counter);
		DbertArena	arena = {&alloc, NULL};
		TorchZip	z = {0};
		TorchBytes	pickle = {0};
		DbertTensorSet set;
		DbertError	err;

		torch_append(&pickle, "\x80\2", 2);
		while (pickle.size < 10000)
			torch_append(&pickle, opcodes[i], strlen(opcodes[i]));
		torch_entry(&z, "x/data.pkl", pickle.data, pickle.size);
		torch_end(&z);
		CHECK(open_bytes(z.file.data, z.file.size, &set, &arena, &err) != DBERT_OK);
		CHECK_MSG(counter.bytes < 128 * pickle.size, "%s: %zu bytes", opcodes[i], counter.bytes);
		dbert_arena_end(&arena);
		CHECK(counter.live == 0);
		torch_zip_free(&z);
		torch_free(&pickle);
	}
}

/* Every allocation may be the one that fails. */
static void
test_out_of_memory(void)
{
	MemModel	m;
	TorchZip	z = {.zip64 = true};
	DbertStatus status = DBERT_E_NOMEM;

	small_model(&m);
	torch_archive(&z, &m, 0, m.n_tensors, NULL);
	for (long fail = 1; status == DBERT_E_NOMEM && fail < 10000; fail++)
	{
		Counter		counter = {.fail_at = fail};
		DbertAllocator alloc = counting(&counter);
		DbertArena	arena = {&alloc, NULL};
		DbertTensorSet set;
		DbertError	err;

		status = open_bytes(z.file.data, z.file.size, &set, &arena, &err);
		CHECK_MSG(status == DBERT_OK || status == DBERT_E_NOMEM, "%ld: %s", fail, err.msg);
		dbert_arena_end(&arena);
		CHECK(counter.live == 0);
	}
	CHECK(status == DBERT_OK);
	torch_zip_free(&z);
}

int
main(void)
{
	RUN(test_fixtures);
	RUN(test_all_kinds);
	RUN(test_set);
	RUN(test_damage);
	RUN(test_legacy_cut);
	RUN(test_legacy_damage);
	RUN(test_legacy_memory);
	RUN(test_old_formats);
	RUN(test_archives);
	RUN(test_names);
	RUN(test_machine);
	RUN(test_tensors);
	RUN(test_memory);
	RUN(test_out_of_memory);
	return tests_end();
}
