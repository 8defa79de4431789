/*
 * test_static.c -- static embeddings: against model2vec and
 * sentence-transformers, and what their files may say.
 */
#include "dbert.h"
#include "test/support/dirsource.h"
#include "test/support/goldens.h"
#include "test/support/kerneltables.h"
#include "test/support/counting.h"
#include "test/support/memsource.h"
#include "test/support/packhelp.h"
#include "test/support/shareddata.h"
#include "test/support/testhelp.h"

/* ---- goldens ---- */

/* Rows in 8 bits have the right direction, and about the right length. */
static void
check_direction(const Golden *g, int i, const float *got, const json_t *want)
{
	double		product = 0,
				a = 1e-12,
				b = 1e-12;

	for (size_t j = 0; j < json_array_size(want); j++)
	{
		double		x = json_number_value(json_array_get(want, j));

		product += x * got[j];
		a += x * x;
		b += (double) got[j] * got[j];
	}
	CHECK_MSG(a < 1e-11 || product / sqrt(a * b) > 0.9995, "%s case %d: cosine %.6f", g->dir, i,
			  product / sqrt(a * b));
	CHECK_MSG(a < 1e-11 || fabs(sqrt(a / b) - 1) < 0.02, "%s case %d: length", g->dir, i);
}

/* tolerance 0: of 8 bits */
static void
check_vector(const Golden *g, int i, const float *got, const DbertConfig *config, double tolerance)
{
	json_t	   *want = json_object_get(json_array_get(g->cases, i), "embedding");

	CHECK((int) json_array_size(want) == config->embedding);
	if (tolerance == 0)
	{
		check_direction(g, i, got, want);
		return;
	}
	for (int j = 0; j < config->embedding; j++)
	{
		double		x = json_number_value(json_array_get(want, j));

		if (!(fabs(got[j] - x) <= tolerance * (1 + fabs(x))))
		{
			CHECK_MSG(false, "%s case %d: [%d] is %.7f, want %.7f", g->dir, i, j, got[j], x);
			return;
		}
	}
}

/* All texts together, and each alone: the same bits. */
static void
check_texts(const Golden *g, const DbertModel *model, double tolerance)
{
	DbertBatch *all = golden_add(model, g, DBERT_WANT_EMBEDDING, 0, 1, g->n);
	DbertError	err = {0};

	CHECK_MSG(dbert_batch_run(all, NULL, &err) == DBERT_OK, "%s: %s", g->dir, err.msg);
	for (int i = 0; i < g->n; i++)
	{
		DbertBatch *alone = golden_add(model, g, DBERT_WANT_EMBEDDING, i, 1, 1);

		check_vector(g, i, dbert_batch_embedding(all, i), &model->config, tolerance);
		CHECK(dbert_batch_finite(all, i));
		CHECK(dbert_batch_run(alone, NULL, &err) == DBERT_OK);
		CHECK(same_results(model, all, i, alone, 0));
		dbert_batch_free(alone);
	}
	dbert_batch_free(all);
}

static void
check_folder(const char *dir, double tolerance)
{
	DbertSource source = dir_source(dir);
	Golden		g = {.dir = dir};
	char		path[4096];
	json_error_t why;

	snprintf(path, sizeof(path), "%s/golden.json", dir);
	g.root = json_load_file(path, JSON_ALLOW_NUL, &why);
	CHECK_MSG(g.root != NULL, "%s: %s", path, why.text);
	g.cases = json_object_get(g.root, "cases");
	g.n = (int) json_array_size(g.cases);
	CHECK(g.n > 10);
	for (int int8 = 0; int8 < 2; int8++)
	{
		const DbertKernels *kernels;

		for (int at = 0; (kernels = kernels_next(&at, KERNELS_NAME)) != NULL;)
		{
			Loaded		loaded;

			if (!golden_load(&loaded, &g, &source, int8, kernels))
				continue;
			CHECK(loaded.model->config.layers == 0);
			check_texts(&g, loaded.model, int8 ? 0 : tolerance);
			golden_unload(&loaded);
		}
	}
	json_decref(g.root);
}

static void
test_fixtures(void)
{
	check_folder("test/fixtures/static-model2vec", 2e-7);
	check_folder("test/fixtures/static-int8", 2e-6);
	check_folder("test/fixtures/static-st", 2e-6);
}

static void
test_shared_goldens(void)
{
	static const struct
	{
		const char *name;
		double		tolerance;
	}			folders[] = {
		{"golden/static-model2vec", 2e-4},	/* model2vec computed in F16 */
		{"golden/static-mapped", 1e-6},
		{"golden/static-st", 1e-6}
	};
	char		dir[4096];

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
	{
		if (shared_dir() == NULL)
			SKIP("../shared is absent");
		snprintf(dir, sizeof(dir), "%s/%s", shared_dir(), folders[i].name);
		check_folder(dir, folders[i].tolerance);
	}
}

/* ---- what the files may say ---- */

#define CONFIG "{\"model_type\":\"model2vec\",\"normalize\":false}"
#define D 4

/* Tokens of mem_vocab: [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, hello 5, world 6. */
static void
model2vec(MemModel *m)
{
	memset(m, 0, sizeof(*m));
	mem_put(m, "config.json", CONFIG);
	mem_put(m, "tokenizer.json", mem_tokenizer_json);
	mem_add_tensor(m, MEM_V, D, "embeddings");
	mem_model_save(m);
}

static void
sentence(MemModel *m)
{
	memset(m, 0, sizeof(*m));
	mem_put(m, "modules.json", "[{\"type\":\"x.StaticEmbedding\",\"path\":\"0_Table\"}]");
	mem_put(m, "0_Table/tokenizer.json", mem_tokenizer_json);
	mem_add_tensor(m, MEM_V, D, "embedding.weight");
	mem_save(m, "0_Table/model.safetensors", 0, 1);
}

static float
row(const MemModel *m, int token, int j)
{
	return mem_value(m->tensors[0].name, (size_t) token * D + j);
}

/* The embedding of a text is the mean of these tokens' rows. */
static void
check_mean(MemModel *m, const DbertModel *model, const char *text, int n, const int *tokens)
{
	DbertBatch *batch;
	DbertError	err = {0};

	CHECK(dbert_batch_create(model, DBERT_WANT_EMBEDDING, &dbert_malloc_allocator, &batch,
							 &err) == DBERT_OK);
	CHECK_MSG(dbert_batch_add(batch, text, strlen(text), NULL, 0, DBERT_LONG_WINDOW, NULL, &err) ==
			  DBERT_OK, "%s", err.msg);
	CHECK_MSG(dbert_batch_run(batch, NULL, &err) == DBERT_OK, "%s", err.msg);
	for (int j = 0; j < D; j++)
	{
		double		sum = 0;

		for (int i = 0; i < n; i++)
			sum += row(m, tokens[i], j);
		CHECK_NEAR(dbert_batch_embedding(batch, 0)[j], n > 0 ? sum / n : 0, 1e-7);
	}
	dbert_batch_free(batch);
}

static void
test_tokens(void)
{
	MemModel	m;
	Built		b;

	model2vec(&m);
	if (built(&m, NULL, &b))
	{
		check_mean(&m, b.model, "hello world", 2, (int[]) {5, 6});
		check_mean(&m, b.model, "hello [SEP] quux", 2, (int[]) {5, 3});
		check_mean(&m, b.model, "quux", 0, NULL);
		check_mean(&m, b.model, "", 0, NULL);
		release(&b);
	}
	mem_free(&m);
	sentence(&m);
	if (built(&m, NULL, &b))
	{
		check_mean(&m, b.model, "hello quux", 2, (int[]) {5, 1});
		check_mean(&m, b.model, "", 0, NULL);
		release(&b);
	}
	mem_free(&m);
}

/* A vocabulary may lack what a template is made of. */
static void
test_no_template(void)
{
	MemModel	m;
	Built		b;
	const char *begin = strstr(mem_tokenizer_json, "{\"id\":2,"),
			   *middle = strstr(mem_tokenizer_json, "],\"normalizer\""),
			   *end = strstr(mem_tokenizer_json, "\"post_processor\""),
			   *decoder = strstr(mem_tokenizer_json, "\"decoder\"");
	char		json[4096];

	/* without the added tokens from [CLS] on, and without the template */
	snprintf(json, sizeof(json), "%.*s%.*s%s", (int) (begin - 1 - mem_tokenizer_json),
			 mem_tokenizer_json, (int) (end - middle), middle, decoder);
	model2vec(&m);
	mem_put(&m, "tokenizer.json", json);
	mem_edit(&m, "tokenizer.json", "\"[CLS]\"", "\"cc\"");
	mem_edit(&m, "tokenizer.json", "\"[SEP]\"", "\"dd\"");
	if (built(&m, NULL, &b))
	{
		CHECK(b.model->config.max_tokens == 512);
		check_mean(&m, b.model, "hello world", 2, (int[]) {5, 6});
		check_mean(&m, b.model, "cc quux", 1, (int[]) {2});
		check_mean(&m, b.model, "", 0, NULL);
		release(&b);
	}
	mem_free(&m);
}

/*
 * No text needs an encoder's memory: neither the longest nor this one of n
 * tokens.
 */
static void
check_memory(const DbertModel *model, const char *text, int n)
{
	Counter		counter = {0};
	const DbertAllocator alloc = counting(&counter);
	size_t		longest = model->config.max_tokens,
				reckoned;
	DbertBatch *batch;
	DbertError	err = {0};

	CHECK(dbert_batch_memory(model, DBERT_WANT_EMBEDDING, longest, longest, 1, &reckoned));
	CHECK_MSG(reckoned < 256 * longest, "%zu bytes", reckoned);
	CHECK(dbert_batch_memory(model, DBERT_WANT_EMBEDDING, n, n, 1, &reckoned));
	CHECK(dbert_batch_create(model, DBERT_WANT_EMBEDDING, &alloc, &batch, &err) == DBERT_OK);
	CHECK(dbert_batch_add(batch, text, strlen(text), NULL, 0, DBERT_LONG_ERROR, NULL, &err) ==
		  DBERT_OK);
	CHECK(dbert_batch_run(batch, NULL, &err) == DBERT_OK);
	CHECK_MSG(dbert_batch_tokens(batch) == (size_t) n && counter.peak <= reckoned,
			  "%zu bytes reckoned, %zu taken for %zu tokens", reckoned, counter.peak,
			  dbert_batch_tokens(batch));
	dbert_batch_free(batch);
}

static bool
count_down(void *ctx)
{
	int		   *left = ctx;

	return (*left)-- == 0;
}

/* Texts of n tokens ask the poll every 4096 tokens, whoever has them. */
static void
check_polls(const DbertModel *model, const char *text, int n)
{
	enum {TEXTS = 20};
	int			most = 0;
	DbertBatch *batch;
	DbertError	err = {0};
	DbertStatus status = DBERT_E_CANCELLED;

	CHECK(dbert_batch_create(model, DBERT_WANT_EMBEDDING, &dbert_malloc_allocator, &batch,
							 &err) == DBERT_OK);
	for (int i = 0; i < TEXTS; i++)
		CHECK(dbert_batch_add(batch, text, strlen(text), NULL, 0, DBERT_LONG_ERROR, NULL, &err) ==
			  DBERT_OK);
	for (; status == DBERT_E_CANCELLED; most++)
	{
		int			left = most;

		status = dbert_batch_run(batch, &(DbertPoll) {count_down, &left}, &err);
	}
	CHECK_MSG(status == DBERT_OK && most > TEXTS * n / 4096, "%d polls", most - 1);
	dbert_batch_free(batch);
}

/* A text longer than model2vec reads: cut, refused, or read as a whole. */
static void
test_long_text(void)
{
	enum {N = 1500};
	MemModel	m;
	Built		b;
	char		text[6 * N + 1];
	int			tokens[N];

	for (int i = 0; i < N; i++)
	{
		memcpy(text + 6 * i, i < 512 ? "hello " : "world ", 7);
		tokens[i] = i < 512 ? 5 : 6;
	}
	model2vec(&m);
	if (built(&m, NULL, &b))
	{
		DbertBatch *batch;
		DbertError	err = {0};

		CHECK(b.model->config.max_tokens == 514);
		check_mean(&m, b.model, text, N, tokens);
		CHECK(dbert_batch_create(b.model, DBERT_WANT_EMBEDDING, &dbert_malloc_allocator, &batch,
								 &err) == DBERT_OK);
		CHECK(dbert_batch_add(batch, text, sizeof(text) - 1, NULL, 0, DBERT_LONG_ERROR, NULL,
							  &err) == DBERT_E_TOO_LONG);
		CHECK(dbert_batch_add(batch, text, sizeof(text) - 1, NULL, 0, DBERT_LONG_TRUNCATE, NULL,
							  &err) == DBERT_OK);
		CHECK(dbert_batch_run(batch, NULL, &err) == DBERT_OK && dbert_batch_truncated(batch, 0));
		for (int j = 0; j < D; j++)
			CHECK(dbert_batch_embedding(batch, 0)[j] == row(&m, 5, j));
		dbert_batch_free(batch);
		release(&b);
	}
	mem_edit(&m, "config.json", "false", "false,\"max_length\":null");
	if (built(&m, NULL, &b))
	{
		CHECK(b.model->config.max_tokens == 1 << 20);
		check_memory(b.model, text, N + 2);
		check_polls(b.model, text, N + 2);
		release(&b);
	}
	mem_edit(&m, "config.json", "null", "7");
	if (built(&m, NULL, &b))
	{
		CHECK(b.model->config.max_tokens == 9);
		release(&b);
	}
	mem_free(&m);
}

static void
check_refused(MemModel *m, const char *task, DbertStatus want, const char *words)
{
	DbertSource source = mem_source(m);
	Built		b;
	DbertError	err = {0};
	DbertStatus status = build(&source, task, &dbert_kernels_scalar, &b, &err);

	CHECK_MSG(status == want && strstr(err.msg, words) != NULL,
			  "expected %d \"%s\", got %d \"%s\"", want, words, status, err.msg);
	release(&b);
}

static void
test_settings(void)
{
	MemModel	m;
	Built		b;

	model2vec(&m);
	check_refused(&m, "classify", DBERT_E_UNSUPPORTED, "serve the task \"embed\" only");
	if (built(&m, "embed", &b))
	{
		CHECK(b.model->config.normalize == 0 && b.model->config.skip_unknown == 1);
		CHECK_STR(b.model->config.architecture, "StaticModel");
		release(&b);
	}
	mem_edit(&m, "config.json", "false", "true");
	if (built(&m, NULL, &b))
	{
		CHECK(b.model->config.normalize == 1);
		release(&b);
	}
	mem_edit(&m, "config.json", "true", "1");
	check_refused(&m, NULL, DBERT_E_FORMAT, "config.json: \"normalize\"");
	mem_edit(&m, "config.json", "1", "true,\"max_length\":0");
	check_refused(&m, NULL, DBERT_E_FORMAT, "\"max_length\"");
	mem_free(&m);

	sentence(&m);
	mem_put(&m, "modules.json",
			"[{\"type\":\"StaticEmbedding\",\"path\":\"0_Table\"},{\"type\":\"Pooling\",\"path\":\"1\"}]");
	check_refused(&m, NULL, DBERT_E_UNSUPPORTED, "module 1, \"Pooling\", is not supported");
	mem_put(&m, "modules.json",
			"[{\"type\":\"StaticEmbedding\",\"path\":\"0_Table\"},"
			"{\"type\":\"Normalize\",\"path\":\"1_Normalize\"}]");
	if (built(&m, NULL, &b))
	{
		CHECK(b.model->config.normalize == 1 && b.model->config.skip_unknown == 0);
		release(&b);
	}
	mem_free(&m);
}

static void
test_tensors(void)
{
	MemModel	m;
	MemTensor  *t;

	model2vec(&m);
	strcpy(m.tensors[0].name, "Embeddings");
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_FORMAT, "neither a tensor \"embeddings\" nor");
	strcpy(m.tensors[0].name, "embeddings");
	m.tensors[0].rank = 1;
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_SHAPE, "\"embeddings\": shape [14] is not that of rows");
	m.tensors[0].rank = 2;
	m.tensors[0].shape[0] = 5;
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_SHAPE, "the word embedding has 5 rows");
	m.tensors[0].shape[0] = 0;
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_SHAPE, "shape [0,4]");
	m.tensors[0].shape[0] = MEM_V;
	m.tensors[0].dtype = "I64";
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_UNSUPPORTED, "is of dtype I64");
	m.tensors[0].dtype = "F32";
	m.tensors[0].bad = NAN;
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_FORMAT, "NaN");
	m.tensors[0].bad = 0;

	mem_add_tensor(&m, 0, MEM_V - 1, "weights");
	t = mem_tensor(&m, "weights");
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_SHAPE, "\"weights\": shape [13]");
	t->shape[0] = MEM_V;
	t->bad = INFINITY;
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_FORMAT, "\"weights\" holds NaN or infinity");
	t->bad = 0;
	t->dtype = "I64";
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_UNSUPPORTED, "\"weights\" is of dtype I64");
	mem_drop_tensor(&m, "weights");

	mem_add_tensor(&m, 0, MEM_V, "mapping");
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_UNSUPPORTED, "\"mapping\" is of dtype F32");
	mem_tensor(&m, "mapping")->dtype = "I64";
	m.tensors[0].shape[0] = 1;	/* all are 0, its only row */
	mem_model_save(&m);
	{
		Built		b;

		if (built(&m, NULL, &b))
		{
			check_mean(&m, b.model, "hello world", 1, (int[]) {0});
			release(&b);
		}
	}
	mem_free(&m);
}

/* Elements of a mapping that are no rows. */
static void
test_mapping(void)
{
	static const char header[] =
		"{\"embeddings\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},"
		"\"mapping\":{\"dtype\":\"I32\",\"shape\":[14],\"data_offsets\":[8,64]}}";
	const size_t len = sizeof(header) - 1;
	char		file[8 + sizeof(header) + 64] = {0};
	static const int32_t wrong[] = {2, -1, INT32_MAX, INT32_MIN};

	file[0] = (char) len;
	memcpy(file + 8, header, len);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
	{
		MemModel	m;

		model2vec(&m);
		memcpy(file + 8 + len + 8 + 4 * 9, &wrong[i], 4);
		mem_put_bytes(&m, "model.safetensors", file, 8 + len + 64);
		check_refused(&m, NULL, DBERT_E_FORMAT, "\"mapping\": element 9 is not one of 2 rows");
		mem_free(&m);
	}
}

static void
test_hidden_states(void)
{
	MemModel	m;
	Built		b;
	DbertBatch *batch;
	DbertError	err = {0};

	model2vec(&m);
	if (built(&m, NULL, &b))
	{
		CHECK(dbert_batch_create(b.model, DBERT_WANT_HIDDEN, &dbert_malloc_allocator, &batch,
								 &err) == DBERT_E_UNSUPPORTED);
		CHECK(strstr(err.msg, "static embeddings") != NULL);
		release(&b);
	}
	mem_free(&m);
}

int
main(void)
{
	RUN(test_fixtures);
	RUN(test_shared_goldens);
	RUN(test_tokens);
	RUN(test_no_template);
	RUN(test_long_text);
	RUN(test_settings);
	RUN(test_tensors);
	RUN(test_mapping);
	RUN(test_hidden_states);
	return tests_end();
}
