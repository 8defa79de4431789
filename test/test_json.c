/*
 * test_json.c -- the memory of JSON: how much is taken beforehand, and what
 * becomes of a reading or writing whose memory ends.
 */
#include "model/json.h"
#include "test/support/counting.h"
#include "test/support/dirsource.h"
#include "test/support/packhelp.h"
#include "test/support/testhelp.h"
#include "test/support/trainfixture.h"

/* ---- what jansson takes from others ---- */

static long foreign;

static void *
foreign_malloc(size_t size)
{
	foreign++;
	return malloc(size);
}

static void
foreign_free(void *ptr)
{
	free(ptr);
}

/* The process's functions for jansson are ours, as those of other users. */
static void
begin_foreign(void)
{
	foreign = 0;
	json_set_alloc_funcs(foreign_malloc, foreign_free);
}

static void
end_foreign(void)
{
	json_malloc_t m;
	json_free_t f;

	json_get_alloc_funcs(&m, &f);
	CHECK(m == foreign_malloc && f == foreign_free);
	CHECK_MSG(foreign == 0, "jansson took memory %ld times elsewhere", foreign);
	json_set_alloc_funcs(malloc, free);
}

/* ---- how much ---- */

/* Whatever becomes of the text, one piece of memory was enough. */
static void
check_bound(const char *what, const char *text, size_t len, DbertStatus want)
{
	for (int flags = 0; flags <= DBERT_JSON_REALS; flags++)
	{
		Counter		c = {0};
		DbertAllocator alloc = counting(&c);
		DbertJsonTree tree;
		DbertError	err = {0};
		DbertStatus status = dbert_json_parse(text, len, "x.json", flags, &alloc, NULL, &tree, &err);

		CHECK_MSG(status == want, "%s: %d \"%s\"", what, status, err.msg);
		CHECK_MSG(c.calls == 1, "%s: memory of %zu bytes was taken %ld times for %zu", what,
				  c.bytes, c.calls, len);
		dbert_json_free(&tree);
		CHECK(c.live == 0);
	}
}

/* A text of n times a part, between two others; in part '#' is a number. */
static char *
repeated(const char *first, const char *part, const char *last, int n)
{
	char	   *text = malloc(strlen(first) + n * (strlen(part) + 12) + strlen(last) + 1);
	char	   *at = stpcpy(text, first);

	for (int i = 0; i < n; i++)
	{
		for (const char *p = part; *p; p++)
		{
			if (*p == '#')
				at += sprintf(at, "%d", i);
			else
				*at++ = *p;
		}
		if (i + 1 < n)
			*at++ = ',';
	}
	strcpy(at, last);
	return text;
}

static void
test_bound(void)
{
	/* what takes most for each byte of text */
	static const char *const parts[][3] = {
		{"[", "{}", "]"},
		{"[", "[]", "]"},
		{"[", "0", "]"},
		{"[", "0.5", "]"},
		{"[", "\"\"", "]"},
		{"[", "[0]", "]"},
		{"[", "[[],[]]", "]"},
		{"[", "{\"\":0}", "]"},
		{"[", "{\"\":{}}", "]"},
		{"[", "{\"\":\"\"}", "]"},
		{"[", "{\"a\":[],\"b\":{}}", "]"},
		{"[", "true", "]"},
		{"{", "\"#\":0", "}"},
		{"{", "\"#\":\"\"", "}"},
		{"{", "\"#\":{}", "}"},
		{"{", "\"#\":[]", "}"},
		{"{", "\"\\u00e9#\":\"\\ud83d\\ude00\"", "}"},
	};

	/* the doubling buffers are fullest just behind a power of two */
	static const int counts[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 127, 128, 129, 257, 4097,
								 16384, 16385};

	for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++)
	{
		for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++)
		{
			char	   *text = repeated(parts[p][0], parts[p][1], parts[p][2], counts[k]);

			check_bound(parts[p][1], text, strlen(text), DBERT_OK);
			/* and its beginning alone */
			if (counts[k] > 0)
				check_bound(parts[p][1], text, strlen(text) - 1, DBERT_E_FORMAT);
			free(text);
		}
	}
}

/* Long tokens of every kind, ended or not. */
static void
test_bound_of_tokens(void)
{
	static const char *const begins[] = {"[\"", "[", "[-", "{\"", "[1.", "[\"\\u00", "["};
	static const char fills[] = {'a', '1', '2', 'k', '5', '0', ' '};

	for (size_t b = 0; b < sizeof(begins) / sizeof(begins[0]); b++)
	{
		for (int n = 1; n < 70000; n = n < 40 ? n + 1 : n * 2 - 1)
		{
			size_t		len = strlen(begins[b]) + n;
			char	   *text = malloc(len + 3);

			strcpy(text, begins[b]);
			memset(text + strlen(begins[b]), fills[b], n);
			check_bound("cut", text, len, DBERT_E_FORMAT);
			if (b == 0)
			{
				memcpy(text + len, "\"]", 2);
				check_bound("string", text, len + 2, DBERT_OK);
			}
			free(text);
		}
	}
}

static unsigned
next_random(unsigned *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

/* Anything made of JSON's characters: whatever it is, there is memory. */
static void
test_bound_of_noise(void)
{
	static const char letters[] = "{}[],:\"\\u0ea1-.e+ \n\ttrufalsn\x80\xc3\xa9";
	unsigned	state = 1;
	char		text[400];

	for (int i = 0; i < 20000; i++)
	{
		Counter		c = {0};
		DbertAllocator alloc = counting(&c);
		DbertJsonTree tree;
		size_t		len = 1 + next_random(&state) % sizeof(text);

		for (size_t j = 0; j < len; j++)
			text[j] = letters[next_random(&state) % (sizeof(letters) - 1)];
		text[0] = next_random(&state) % 2 ? '[' : '{';
		(void) dbert_json_parse(text, len, "x", 0, &alloc, NULL, &tree, NULL);
		CHECK(c.calls <= 1);
		dbert_json_free(&tree);
		CHECK(c.live == 0);
	}
}

/* A tree that would take too much is refused before it is begun. */
static void
test_limit(void)
{
	size_t		len = 16 << 20;
	char	   *text = malloc(len);
	Counter		c = {0};
	DbertAllocator alloc = counting(&c);
	DbertJsonTree tree;
	DbertError	err = {0};

	for (size_t i = 0; i < len; i++)
		text[i] = "{},"[i % 3];
	text[0] = '[';
	CHECK(dbert_json_parse(text, len, "big.json", 0, &alloc, NULL, &tree, &err) == DBERT_E_LIMIT);
	CHECK_MSG(strstr(err.msg, "big.json: reading it may take") != NULL, "%s", err.msg);
	CHECK(c.calls == 0);
	free(text);
}

static bool
stop_at(void *ctx)
{
	return --*(int *) ctx == 0;
}

/* A long text can be stopped, and then is no error of the text's. */
static void
test_stopping(void)
{
	size_t		len = 1 << 20;
	char	   *text = malloc(len);
	Counter		c = {0};
	DbertAllocator alloc = counting(&c);
	DbertJsonTree tree;
	DbertError	err = {0};
	DbertStatus status = DBERT_E_CANCELLED;
	int			n;

	for (size_t i = 0; i < len; i++)
		text[i] = i % 2 ? '1' : ',';
	text[0] = '[';
	text[len - 1] = ']';
	text[len - 2] = '1';
	for (n = 0; status == DBERT_E_CANCELLED && n < 1000; n++)
	{
		int			left = n + 1;
		DbertPoll	poll = {stop_at, &left};

		status = dbert_json_parse(text, len, "long.json", 0, &alloc, &poll, &tree, &err);
		CHECK(status == DBERT_OK ? json_array_size(tree.root) == len / 2 - 1 : tree.root == NULL);
		dbert_json_free(&tree);
		CHECK(c.live == 0);
	}
	CHECK_MSG(status == DBERT_OK && n > 10, "%d polls: %s", n, err.msg);
	free(text);
}

/* ---- memory that ends ---- */

/* Reading a model's files and writing its image. */
static DbertStatus
load(const DbertSource *source, const DbertAllocator *alloc, DbertError *err)
{
	DbertPack  *pack;
	void	   *image;
	DbertStatus status = dbert_pack_begin(source, NULL, DBERT_PRECISION_FP32,
										  &dbert_kernels_scalar, alloc, NULL, &pack, err);

	DBERT_TRY(status);
	if (posix_memalign(&image, 64, dbert_pack_size(pack)) != 0)
		abort();
	status = dbert_pack_write(pack, image, NULL, err);
	free(image);
	dbert_pack_end(pack);
	return status;
}

/* Every n-th allocation that fails is told as such. */
static void
check_load(const char *name, const DbertSource *source, long step)
{
	Counter		c = {0};
	DbertAllocator alloc = counting(&c);
	DbertError	err = {0};
	long		all;

	begin_foreign();
	CHECK_MSG(load(source, &alloc, &err) == DBERT_OK, "%s: %s", name, err.msg);
	all = c.calls;
	for (long n = 1; n <= all; n += step)
	{
		DbertStatus status;

		c = (Counter) {.fail_at = n};
		err = (DbertError) {0};
		status = load(source, &alloc, &err);
		CHECK_MSG(status == DBERT_E_NOMEM && strstr(err.msg, "out of memory") != NULL,
				  "%s: allocation %ld of %ld: %d \"%s\"", name, n, all, status, err.msg);
		CHECK(c.live == 0);
	}
	end_foreign();
}

static void
test_loads(void)
{
	static const char *const names[] = {
		"bert-cls", "bert-sentence", "bert-ner", "distilbert-dense", "distilbert-sharded",
		"distilbert-sentiment"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		char		dir[100];
		DbertSource source;

		snprintf(dir, sizeof(dir), "test/fixtures/%s", names[i]);
		source = dir_source(dir);
		check_load(names[i], &source, 1);
	}
}

/* ---- writing ---- */

typedef DbertStatus (*Writer) (const DbertTrainer *t, const DbertAllocator *alloc, uint64_t *sum,
							   DbertError *err);

/* The bytes of a file, added up. */
static void
add_file(const DbertSource *source, const char *name, uint64_t *sum)
{
	int64_t		size = -1;
	char	   *data;

	CHECK(source->size(source->ctx, name, &size, NULL) == DBERT_OK);
	if (size < 0)
		return;
	data = malloc((size_t) size + 1);
	CHECK(source->read(source->ctx, name, 0, data, (size_t) size, NULL) == DBERT_OK);
	for (int64_t i = 0; i < size; i++)
		*sum = (*sum ^ (unsigned char) data[i]) * UINT64_C(1099511628211);
	free(data);
}

static DbertStatus
write_files(const DbertTrainer *t, const DbertAllocator *alloc, uint64_t *sum, DbertError *err)
{
	static const char *const names[] = {
		"config.json", "modules.json", "1_Pooling/config.json", "sentence_bert_config.json",
		"model.safetensors"
	};
	DbertTrainedFiles *files;

	DBERT_TRY(dbert_trainer_files(t, alloc, NULL, &files, err));
	*sum = 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		add_file(dbert_trained_source(files), names[i], sum);
	dbert_trained_free(files);
	return DBERT_OK;
}

/* What is written is whole or not at all. */
static void
check_writing(const MemModel *model, const DbertTrainOptions *o)
{
	Rig			rig = {.model = *model};
	Counter		c = {0};
	DbertAllocator alloc = counting(&c);
	DbertError	err = {0};
	uint64_t	whole = 0,
				sum = 0;
	long		all;

	if (!begin_rig(&rig, o))
		return;
	begin_foreign();
	CHECK_MSG(write_files(rig.trainer, &alloc, &whole, &err) == DBERT_OK, "%s", err.msg);
	all = c.calls;
	for (long n = 1; n <= all; n++)
	{
		DbertStatus status;

		c = (Counter) {.fail_at = n};
		status = write_files(rig.trainer, &alloc, &sum, &err);
		CHECK_MSG(status == DBERT_E_NOMEM, "allocation %ld of %ld: %d \"%s\"", n, all, status,
				  err.msg);
		CHECK(c.live == 0);
	}
	c = (Counter) {0};
	CHECK(write_files(rig.trainer, &alloc, &sum, &err) == DBERT_OK && sum == whole);
	end_foreign();
	end_rig(&rig);
}

static void
test_writing(void)
{
	static const char *const labels[] = {"yes", "no", "x"};
	DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_MULTI);
	MemModel	m;

	o.labels = labels;
	mem_model_bert(&m, "ForTokenClassification", "bert.", 3);
	check_writing(&m, &o);
	o = tiny_options(DBERT_HEAD_NONE, DBERT_PROBLEM_SINGLE);
	mem_model_distilbert(&m, "Model", 0);
	put_modules(&m, true, true);
	check_writing(&m, &o);
}

int
main(void)
{
	RUN(test_bound);
	RUN(test_bound_of_tokens);
	RUN(test_bound_of_noise);
	RUN(test_limit);
	RUN(test_stopping);
	RUN(test_loads);
	RUN(test_writing);
	return tests_end();
}
