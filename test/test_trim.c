/*
 * test_trim.c -- models with a smaller vocabulary: those of the fixtures cut to
 * the tokens of their own texts say the same to the bit; cut to the least, they
 * know the same words; what is refused; failing memory.
 */
#include "dbert.h"
#include "test/support/counting.h"
#include "test/support/dirsource.h"
#include "test/support/goldens.h"
#include "test/support/memsource.h"
#include "test/support/packhelp.h"
#include "test/support/testhelp.h"

/* How often a batch has each token, those of the template left out. */
static int64_t *
count_tokens(const DbertModel *model, const Golden *g)
{
	int64_t    *counts = calloc((size_t) model->config.vocab, sizeof(*counts));
	DbertBatch *batch = golden_add(model, g, DBERT_WANT_EMBEDDING, 0, 1, g->n);

	for (int i = 0; i < g->n; i++)
	{
		int			n;
		const DbertToken *tokens = dbert_batch_text_tokens(batch, i, &n);

		for (int j = 0; j < n; j++)
			counts[tokens[j].id] += !tokens[j].special;
	}
	dbert_batch_free(batch);
	return counts;
}

/* The same token by its text, and where it stands. */
static bool
same_token(const DbertModel *a, const DbertToken *x, const DbertModel *b, const DbertToken *y)
{
	size_t		len_x = 0,
				len_y = 0;
	const char *text_x = dbert_token_text(&a->tokenizer, x->id, &len_x),
			   *text_y = dbert_token_text(&b->tokenizer, y->id, &len_y);

	return text_x != NULL && text_y != NULL && len_x == len_y &&
		   memcmp(text_x, text_y, len_x) == 0 && x->start == y->start && x->end == y->end &&
		   x->type == y->type && x->word == y->word;
}

/* The columns of a masked-LM head that b has are a's of the same tokens. */
static bool
same_columns(const DbertModel *a, const float *x, const DbertModel *b, const float *y, int rows)
{
	for (int row = 0; row < rows; row++)
		for (int32_t id = 0; id < b->config.vocab; id++)
		{
			size_t		len = 0;
			const char *text = dbert_token_text(&b->tokenizer, id, &len);
			int32_t		old = text != NULL ? dbert_token_id(&a->tokenizer, text, len) : -1;

			if (old < 0 || x[(size_t) row * a->config.vocab + old] !=
							   y[(size_t) row * b->config.vocab + id])
				return false;
		}
	return true;
}

static bool
same_answer(const DbertModel *a, const DbertBatch *x, const DbertModel *b, const DbertBatch *y,
			int i)
{
	int			rows_x,
				rows_y;
	const float *logits_x = dbert_batch_logits(x, i, &rows_x),
			   *logits_y = dbert_batch_logits(y, i, &rows_y);

	if (a->config.head != DBERT_HEAD_MASK)
		return same_results(a, x, i, y, i);
	return rows_x == rows_y && same_columns(a, logits_x, b, logits_y, rows_x) &&
		   memcmp(dbert_batch_embedding(x, i), dbert_batch_embedding(y, i),
				  sizeof(float) * a->config.embedding) == 0;
}

/* A trim of the golden's model, cut to so many; NULL, and a failed check. */
static DbertTrim *
trimmed(const Golden *g, const DbertSource *source, const int64_t *counts, int32_t most,
		DbertTrimmed *out)
{
	DbertTrim  *trim;
	DbertError	err = {0};
	DbertStatus status =
		dbert_trim_open(source, NULL, &dbert_malloc_allocator, NULL, &trim, &err);

	if (status == DBERT_OK)
		status = dbert_trim_choose(trim, counts, most, NULL, out, &err);
	CHECK_MSG(status == DBERT_OK, "%s: %s", g->dir, err.msg);
	if (status == DBERT_OK)
		return trim;
	dbert_trim_free(trim);
	return NULL;
}

/* ---- cut to what the texts use ---- */

static void
compare_models(const Golden *g, const DbertModel *full, const DbertModel *small)
{
	DbertBatch *a = golden_run(full, g, 0, 1, g->n),
			   *b = golden_run(small, g, 0, 1, g->n);

	CHECK_MSG(small->config.vocab < full->config.vocab, "%s: nothing was cut", g->dir);
	for (int i = 0; i < g->n; i++)
	{
		int			n,
					m;
		const DbertToken *x = dbert_batch_text_tokens(a, i, &n),
				   *y = dbert_batch_text_tokens(b, i, &m);
		bool		same = n == m;

		for (int j = 0; same && j < n; j++)
			same = same_token(full, &x[j], small, &y[j]);
		CHECK_MSG(same, "%s case %d: other tokens", g->dir, i);
		CHECK_MSG(!same || same_answer(full, a, small, b, i), "%s case %d: another answer", g->dir,
				  i);
	}
	dbert_batch_free(a);
	dbert_batch_free(b);
}

/* ---- cut to the least ---- */

static int
count_unknown(const DbertModel *model, const Golden *g)
{
	DbertBatch *batch = golden_add(model, g, DBERT_WANT_EMBEDDING, 0, 1, g->n);
	int			unknown = 0;

	for (int i = 0; i < g->n; i++)
	{
		int			n;
		const DbertToken *tokens = dbert_batch_text_tokens(batch, i, &n);

		for (int j = 0; j < n; j++)
			unknown += tokens[j].id == model->tokenizer.unk_id;
	}
	dbert_batch_free(batch);
	return unknown;
}

/*
 * A longer text has more tokens now and may be cut sooner, so there may be
 * fewer unknown ones, never more.
 */
static void
check_least(const Golden *g, const DbertSource *source, const DbertModel *full,
			const int64_t *counts, int32_t least)
{
	DbertTrimmed t;
	DbertTrim  *trim = trimmed(g, source, counts, least, &t);
	Loaded		loaded;

	if (trim == NULL)
		return;
	CHECK_MSG(t.kept == least && t.covered < t.seen, "%s: %d of %d", g->dir, t.kept, least);
	if (golden_load(&loaded, g, dbert_trim_source(trim), DBERT_PRECISION_FP32,
					&dbert_kernels_scalar))
	{
		CHECK_MSG(count_unknown(loaded.model, g) <= count_unknown(full, g),
				  "%s: words that were known are not", g->dir);
		golden_unload(&loaded);
	}
	dbert_trim_free(trim);
}

static void
check_fixture(const Golden *g)
{
	DbertSource source = dir_source(g->dir);
	Loaded		full,
				small;
	DbertTrimmed t;
	DbertTrim  *trim;
	int64_t    *counts;

	if (!golden_load(&full, g, &source, DBERT_PRECISION_FP32, &dbert_kernels_scalar))
		return;
	counts = count_tokens(full.model, g);
	trim = trimmed(g, &source, counts, full.model->config.vocab, &t);
	if (trim != NULL && golden_load(&small, g, dbert_trim_source(trim), DBERT_PRECISION_FP32,
									&dbert_kernels_scalar))
	{
		CHECK_MSG(t.covered == t.seen && t.kept == small.model->config.vocab, "%s: %d kept",
				  g->dir, t.kept);
		compare_models(g, full.model, small.model);
		check_least(g, &source, full.model, counts, t.least);
		golden_unload(&small);
	}
	dbert_trim_free(trim);
	free(counts);
	golden_unload(&full);
}

static void
test_fixtures(void)
{
	goldens_of_fixtures(check_fixture);
}

/* ---- which tokens ---- */

/* So many are kept, the likelier ones. */
static void
test_counts(void)
{
	Golden		g = {.dir = "test/fixtures/bert-sentence"};
	DbertSource source = dir_source(g.dir);
	int64_t		counts[1024] = {0};
	DbertTrimmed t;
	DbertTrim  *all,
			   *trim;
	const DbertTokenizer *tokens;
	DbertError	err = {0};

	CHECK(dbert_trim_open(&source, NULL, &dbert_malloc_allocator, NULL, &all, &err) == DBERT_OK);
	tokens = dbert_trim_tokenizer(all);
	for (int32_t id = 300; id < 310; id++)
		counts[id] = id;
	CHECK(dbert_trim_choose(all, counts, 1, NULL, &t, &err) == DBERT_E_INVALID && t.least > 50);
	CHECK(strstr(err.msg, "is too small") != NULL);

	trim = trimmed(&g, &source, counts, t.least + 3, &t);
	if (trim != NULL)
	{
		Loaded		small;
		size_t		len;

		CHECK(t.kept == t.least + 3 && t.covered >= 307 + 308 + 309);
		if (golden_load(&small, &g, dbert_trim_source(trim), DBERT_PRECISION_FP32,
						&dbert_kernels_scalar))
		{
			for (int32_t id = 300; id < 310; id++)
			{
				const char *text = dbert_token_text(tokens, id, &len);
				bool		kept = dbert_token_id(&small.model->tokenizer, text, len) >= 0;

				CHECK_MSG(kept == (id >= 307), "token %d is %s", id, kept ? "kept" : "cut");
			}
			golden_unload(&small);
		}
	}
	dbert_trim_free(trim);
	dbert_trim_free(all);
}

/* ---- what is refused ---- */

static void
check_refused(const char *dir, const char *sentence)
{
	DbertSource source = dir_source(dir);
	DbertTrim  *trim;
	DbertError	err = {0};

	CHECK(dbert_trim_open(&source, NULL, &dbert_malloc_allocator, NULL, &trim, &err) ==
			  DBERT_E_UNSUPPORTED &&
		  trim == NULL);
	CHECK_MSG(strstr(err.msg, sentence) != NULL, "%s: %s", dir, err.msg);
}

/* A model with vocab.json and merges.txt. */
static void
test_refused(void)
{
	MemModel	model;
	DbertSource source;
	DbertTrim  *trim;
	DbertError	err = {0};

	check_refused("test/fixtures/static-model2vec", "static embeddings");
	mem_model_roberta(&model, "Model", 0);
	mem_drop(&model, "tokenizer.json");
	mem_put(&model, "vocab.json", "{\"<s>\":0,\"<pad>\":1,\"</s>\":2,\"<unk>\":3,\"a\":4,\"b\":5,"
			"\"ab\":6,\"<mask>\":7}");
	mem_put(&model, "tokenizer_config.json", "{\"tokenizer_class\":\"RobertaTokenizer\"}");
	mem_put(&model, "merges.txt", "#version: 0.2\na b\n");
	source = mem_source(&model);
	CHECK(dbert_trim_open(&source, NULL, &dbert_malloc_allocator, NULL, &trim, &err) ==
		  DBERT_E_UNSUPPORTED);
	CHECK_MSG(strstr(err.msg, "vocab.json: a vocabulary in this file cannot be cut") != NULL, "%s",
			  err.msg);
	mem_free(&model);
}

/* ---- memory ---- */

/* A trim of a model in memory, and its weights read. */
static DbertStatus
trim_all(const DbertSource *source, const DbertAllocator *alloc, const int64_t *counts)
{
	DbertTrim  *trim = NULL;
	DbertTrimmed t;
	DbertError	err = {0};
	DbertStatus status = dbert_trim_open(source, NULL, alloc, NULL, &trim, &err);

	if (status != DBERT_OK && status != DBERT_E_NOMEM)
		printf("  %s\n", err.msg);
	if (status == DBERT_OK)
		status = dbert_trim_choose(trim, counts, MEM_V, NULL, &t, &err);
	if (status == DBERT_OK)
	{
		const DbertSource *files = dbert_trim_source(trim);
		int64_t		size = 0;
		char	   *data;

		CHECK(files->size(files->ctx, "model.safetensors", &size, &err) == DBERT_OK && size > 0);
		data = malloc((size_t) size);
		status = files->read(files->ctx, "model.safetensors", 0, data, (size_t) size, &err);
		free(data);
	}
	dbert_trim_free(trim);
	return status;
}

static void
test_memory(void)
{
	static const int64_t counts[MEM_V] = {[6] = 2, [7] = 1};

	for (int lines = 0; lines < 2; lines++)
	{
		MemModel	model;
		DbertSource source;
		Counter		all = {0};
		DbertAllocator alloc = counting(&all);

		mem_model_bert(&model, "ForMaskedLM", "bert.", 0);
		mem_put(&model, "vocab.txt", mem_vocab);
		if (lines)
			mem_drop(&model, "tokenizer.json");
		source = mem_source(&model);
		CHECK(trim_all(&source, &alloc, counts) == DBERT_OK);
		CHECK(all.live == 0);
		for (long at = 1; at <= all.calls; at++)
		{
			Counter		counter = {.fail_at = at};
			DbertAllocator failing = counting(&counter);

			CHECK_MSG(trim_all(&source, &failing, counts) == DBERT_E_NOMEM, "allocation %ld", at);
			CHECK(counter.live == 0);
		}
		mem_free(&model);
	}
}

int
main(void)
{
	RUN(test_fixtures);
	RUN(test_counts);
	RUN(test_refused);
	RUN(test_memory);
	return tests_end();
}
