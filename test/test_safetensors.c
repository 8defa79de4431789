/*
 * test_safetensors.c -- the format's rules, one lie at a time.
 *
 * Each case is a header and the number of bytes behind it; the reference
 * implementation refuses the same files.
 */
#include "model/safetensors.h"
#include "test/support/memsource.h"
#include "test/support/testhelp.h"

/*
 * Open a file of a header, told to be as long as claimed (-1: as it is), and
 * data bytes.
 */
static DbertStatus
open_header(const char *header, size_t header_len, int64_t claimed, size_t data,
			DbertTensorSet *set, DbertArena *pool, DbertError *err)
{
	static MemModel m;
	DbertSource source = mem_source(&m);
	DbertFileList list = {0};
	char	   *file = calloc(1, 8 + header_len + data);
	uint64_t	length = claimed >= 0 ? (uint64_t) claimed : header_len;
	DbertStatus status;

	for (int i = 0; i < 8; i++)
		file[i] = (char) (length >> (8 * i));
	memcpy(file + 8, header, header_len);
	mem_put_bytes(&m, "model.safetensors", file, 8 + header_len + data);
	free(file);
	pool->alloc = &dbert_malloc_allocator;
	pool->blocks = NULL;
	status = dbert_tensors_open(&source, "", pool, NULL, set, &list, err);
	mem_free(&m);
	return status;
}

static void
check_file(const char *header, int64_t claimed, size_t data, DbertStatus want, const char *words)
{
	DbertTensorSet set;
	DbertArena	pool;
	DbertError	err = {0};
	DbertStatus status = open_header(header, strlen(header), claimed, data, &set, &pool, &err);

	CHECK_MSG(status == want && strstr(err.msg, words) != NULL,
			  "%.80s: expected %d \"%s\", got %d \"%s\"", header, want, words, status, err.msg);
	dbert_arena_end(&pool);
}

#define OK(header, data) check_file(header, -1, data, DBERT_OK, "")
#define BAD(header, data, words) check_file(header, -1, data, DBERT_E_FORMAT, words)

/* one tensor of 2 floats */
#define T "\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]"

static void
test_good(void)
{
	DbertTensorSet set;
	DbertArena	pool;
	DbertError	err = {0};
	const char *header = "{\"__metadata__\":{\"format\":\"pt\"},"
		"\"b\":{\"dtype\":\"BF16\",\"shape\":[3,2],\"data_offsets\":[8,20]},"
		"\"a\":{" T "},\"scalar\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[20,22]},"
		"\"empty\":{\"dtype\":\"I64\",\"shape\":[4,0],\"data_offsets\":[8,8]}}   ";
	const DbertTensor *t;

	CHECK(open_header(header, strlen(header), -1, 22, &set, &pool, &err) == DBERT_OK);
	CHECK_MSG(err.code == DBERT_OK, "%s", err.msg);
	CHECK(set.count == 4);
	t = dbert_tensors_find(&set, "b");
	CHECK(t != NULL && t->rank == 2 && t->shape[0] == 3 && t->shape[1] == 2 && t->count == 6);
	CHECK(t != NULL && t->dtype == DBERT_DTYPE_BF16 && t->bytes == 12);
	CHECK(t != NULL && t->offset == 8 + strlen(header) + 8);
	t = dbert_tensors_find(&set, "scalar");
	CHECK(t != NULL && t->rank == 0 && t->count == 1);
	CHECK(dbert_tensors_find(&set, "__metadata__") == NULL);
	CHECK(dbert_tensors_find(&set, "c") == NULL);
	dbert_arena_end(&pool);
	OK("{}", 0);
	OK("{\"a\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[0,2]}}", 2);
}

static void
test_header_length(void)
{
	check_file("{}", 3, 0, DBERT_E_FORMAT, "header of 3 bytes in a file of 10");
	check_file("{}", 0, 2, DBERT_E_FORMAT, "does not begin");
	check_file("{}", 1, 0, DBERT_E_FORMAT, "model.safetensors: line");
	check_file("{}", INT64_MAX, 0, DBERT_E_FORMAT, "the limit is");
	check_file("{}", (16 << 20) + 1, 0, DBERT_E_FORMAT, "the limit is");
	check_file("{} x", -1, 0, DBERT_E_FORMAT, "line 1");
	check_file("[]", -1, 0, DBERT_E_FORMAT, "does not begin");
	check_file(" {}", -1, 0, DBERT_E_FORMAT, "does not begin");
	check_file("", -1, 0, DBERT_E_FORMAT, "does not begin");
}

static void
test_short_file(void)
{
	for (size_t n = 0; n < 8; n++)
	{
		MemModel	m = {.n_files = 0};
		DbertSource source = mem_source(&m);
		DbertTensorSet set;
		DbertArena	pool = {&dbert_malloc_allocator, NULL};
		DbertFileList list = {0};
		DbertError	err = {0};

		mem_put_bytes(&m, "model.safetensors", "\2\0\0\0\0\0\0\0", n);
		CHECK(dbert_tensors_open(&source, "", &pool, NULL, &set, &list, &err) == DBERT_E_FORMAT);
		CHECK(strstr(err.msg, "too short") != NULL);
		dbert_arena_end(&pool);
		mem_free(&m);
	}
}

static void
test_tiling(void)
{
	BAD("{\"a\":{" T "}}", 7, "its tensors take 8 bytes, the file holds 7");
	BAD("{\"a\":{" T "}}", 9, "its tensors take 8 bytes, the file holds 9");
	BAD("{}", 1, "its tensors take 0 bytes, the file holds 1");
	BAD("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12,
		"tensor \"a\" begins at byte 4, leaving a hole after 0");
	BAD("{\"a\":{" T "},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8,
		"tensor \"b\" begins at byte 4, overlapping its predecessor that ends at 8");
	BAD("{\"a\":{" T "},\"b\":{" T "}}", 8, "overlapping");
	BAD("{\"a\":{" T "},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[12,16]}}", 16,
		"hole");
}

static void
test_entries(void)
{
	BAD("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "rising");
	BAD("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, "rising");
	BAD("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}", 8, "3 elements");
	BAD("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", 8,
		"not a non-negative integer");
	BAD("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8.0]}}", 8,
		"not a non-negative integer");
	BAD("{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8,
		"not a non-negative integer");
	BAD("{\"a\":{\"dtype\":\"F32\",\"shape\":[\"2\"],\"data_offsets\":[0,8]}}", 8,
		"not a non-negative integer");
	BAD("{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", 8,
		"\"shape\" must be an array");
	BAD("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8,
		"shape [3] of F32 takes 12 bytes, its offsets span 8");
	BAD("{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "takes 4 bytes");
	BAD("{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,2]}}", 2, "no number of bytes");
	BAD("{\"a\":{\"dtype\":\"Q8\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
		"unknown dtype \"Q8\"");
	BAD("{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "no \"dtype\"");
	BAD("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, "no \"shape\"");
	BAD("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "no \"data_offsets\"");
	BAD("{\"a\":[]}", 0, "must be an object");
	BAD("{\"a\":null}", 0, "must be an object");
	BAD("{\"a\":{\"dtype\":7,\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
		"\"dtype\" must be a string");
	BAD("{\"__metadata__\":{\"format\":1}}", 0, "not a string");
	BAD("{\"__metadata__\":\"pt\"}", 0, "must be an object");
	BAD("{\"a\":{" T "},\"a\":{" T "}}", 8, "duplicate");
}

static void
test_huge_numbers(void)
{
	BAD("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}", 8,
		"overflows");
	BAD("{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807],\"data_offsets\":[0,8]}}", 8,
		"no number of bytes");
	BAD("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,0],\"data_offsets\":[0,0]}}", 0,
		"overflows");
	BAD("{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775808],\"data_offsets\":[0,8]}}", 8,
		"too big");
	BAD("{\"a\":{\"dtype\":\"U8\",\"shape\":[9223372036854775807],\"data_offsets\":[0,"
		"9223372036854775807]}}",
		8, "no number of bytes");
	BAD("{\"a\":{\"dtype\":\"U8\",\"shape\":[1152921504606846976],\"data_offsets\":[0,"
		"1152921504606846976]}}",
		8, "the file holds 8");
	BAD("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
		"9 elements, at most 8");
}

/* JSON itself: surrogates, zero bytes, UTF-8, depth. */
static void
test_json(void)
{
	static const char zero[] = "{\"a\0b\":{" T "}}";
	DbertTensorSet set;
	DbertArena	pool;
	DbertError	err = {0};
	char		deep[3000],
				name[1000];

	BAD("{\"\\ud800\":{" T "}}", 8, "line 1");
	BAD("{\"\\udc00x\":{" T "}}", 8, "line 1");
	BAD("{\"\\u0000\":{" T "}}", 8, "line 1");
	BAD("{\"\xff\":{" T "}}", 8, "line 1");
	BAD("{\"\xed\xa0\x80\":{" T "}}", 8, "line 1");
	BAD("{\"a\":{" T "},}", 8, "line 1");
	BAD("\xef\xbb\xbf{}", 0, "does not begin");
	CHECK(open_header(zero, sizeof(zero) - 1, -1, 8, &set, &pool, &err) == DBERT_E_FORMAT);
	dbert_arena_end(&pool);

	memset(deep, '[', sizeof(deep) - 1);
	memcpy(deep, "{\"a\":", 5);
	deep[sizeof(deep) - 1] = '\0';
	BAD(deep, 0, "nested deeper than 64");
	/* brackets in strings are no nesting, and a backslash hides a quote */
	OK("{\"__metadata__\":{\"a\":\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
	   "[[[[[[[[[[[\"}}",
	   0);

	snprintf(name, sizeof(name), "{\"%0300d\":{" T "}}", 0);
	BAD(name, 8, "longer than 255 bytes");
}

/*
 * Every single-byte change of a good file is refused or read without a crash.
 */
static void
test_flips(void)
{
	const char *good =
		"{\"a\":{" T "},\"b\":{\"dtype\":\"F16\",\"shape\":[2,1],\"data_offsets\":[8,12]}}";
	size_t		n = strlen(good);
	char	   *header = strdup(good);

	for (size_t i = 0; i < n; i++)
	{
		for (int c = 1; c < 256; c += 3)
		{
			DbertTensorSet set;
			DbertArena	pool;
			DbertError	err = {0};
			DbertStatus status;

			header[i] = (char) c;
			status = open_header(header, n, -1, 12, &set, &pool, &err);
			CHECK(status == DBERT_OK || status == DBERT_E_FORMAT);
			dbert_arena_end(&pool);
		}
		header[i] = good[i];
	}
	free(header);
}

/* Values: all three dtypes, over the end of a block, and what is not finite. */
static void
test_values(void)
{
	static const char *const dtypes[] = {"F32", "F16", "BF16"};
	static const float bad[] = {0, NAN, INFINITY, -INFINITY};
	void	   *block = malloc(DBERT_READ_BLOCK);

	for (int d = 0; d < 3; d++)
	{
		for (int k = 0; k < 4; k++)
		{
			MemModel	m = {.n_files = 0};
			DbertSource source = mem_source(&m);
			DbertTensorSet set;
			DbertArena	pool = {&dbert_malloc_allocator, NULL};
			DbertFileList list = {0};
			DbertError	err = {0};
			size_t		n = DBERT_READ_BLOCK / 2 + 77;
			float	   *out = malloc(n * sizeof(float));
			int			wrong = 0;

			mem_add_tensor(&m, 0, (int) n, "t");
			m.tensors[0].dtype = dtypes[d];
			m.tensors[0].bad = bad[k];
			mem_model_save(&m);
			CHECK(dbert_tensors_open(&source, "", &pool, NULL, &set, &list, &err) == DBERT_OK);
			CHECK(dbert_tensor_read(&source, &set.items[0], out, block, NULL, &err) ==
				  (k == 0 ? DBERT_OK : DBERT_E_FORMAT));
			CHECK((k == 0) == (strstr(err.msg, "tensor \"t\" holds NaN or infinity") == NULL));
			for (size_t i = 0; i < n && k == 0; i++)
				wrong += out[i] != mem_value("t", i);
			CHECK_MSG(wrong == 0, "%s: %d wrong values", dtypes[d], wrong);
			free(out);
			dbert_arena_end(&pool);
			mem_free(&m);
		}
	}
	free(block);
}

int
main(void)
{
	RUN(test_good);
	RUN(test_header_length);
	RUN(test_short_file);
	RUN(test_tiling);
	RUN(test_entries);
	RUN(test_huge_numbers);
	RUN(test_json);
	RUN(test_flips);
	RUN(test_values);
	return tests_end();
}
