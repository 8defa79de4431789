/*
 * test_batch.c -- the life of a DbertBatch: adding, limits, running, running
 * out of memory.  The model has no layers: embeddings, a norm and a head are
 * enough, and its results can be told by hand.
 */
#include "dbert.h"
#include "test/support/counting.h"
#include "test/support/testhelp.h"

#define HIDDEN 5
#define MAX_TOKENS 12

/* "a" .. "d", and "##b" so that "ab" is two tokens */
static const char *const vocab[] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]",
									 "a",     "b",     "c",     "d",     "##b" };

enum
{
	VOCAB = sizeof(vocab) / sizeof(vocab[0]),
	A = 5
};

/* ---- the model ---- */

typedef struct Tiny
{
	DbertModel	model;
	float		word[VOCAB * HIDDEN];
	float		position[MAX_TOKENS * HIDDEN];
	float		type[2 * HIDDEN];
	float		gamma[HIDDEN];
	float		beta[HIDDEN];
	float		head[VOCAB * HIDDEN];
	void	   *tokenizer;
} Tiny;

static void
tiny_open(Tiny *t, DbertHead head)
{
	size_t		lens[VOCAB],
				size;
	DbertTokenizerSpec spec = {
		.n_tokens = VOCAB,.tokens = vocab,.token_lens = lens,.prefix = "##",.max_word_chars = 100,
		.lowercase = true,.unk_id = 1,.cls_id = 2,.sep_id = 3,.pad_id = 0,.mask_id = 4
	};
	DbertAddedToken mask = {"[MASK]", 6, 4, true, false, false, false, false};

	memset(t, 0, sizeof(*t));
	for (int i = 0; i < VOCAB; i++)
		lens[i] = strlen(vocab[i]);
	spec.n_added = 1;
	spec.added = &mask;
	CHECK(dbert_tokenizer_compile(&spec, &dbert_malloc_allocator, NULL, &t->tokenizer, &size, NULL) ==
		  DBERT_OK);
	CHECK(dbert_tokenizer_open(t->tokenizer, size, &t->model.tokenizer, NULL) == DBERT_OK);
	for (int i = 0; i < VOCAB * HIDDEN; i++)
	{
		t->word[i] = (float) ((i * 7) % 11) - 5;
		t->head[i] = i / HIDDEN == i % HIDDEN;	/* row j picks coordinate j */
	}
	for (int i = 0; i < MAX_TOKENS * HIDDEN; i++)
		t->position[i] = (float) ((i * 5) % 13) - 6;
	for (int i = 0; i < HIDDEN; i++)
		t->gamma[i] = 1;

	t->model.config = (DbertConfig){ .family = DBERT_FAMILY_DISTILBERT,
									 .head = head,
									 .hidden = HIDDEN,
									 .embed_width = HIDDEN,
									 .embedding = HIDDEN,
									 .heads = 1,
									 .ffn = 4,
									 .vocab = VOCAB,
									 .positions = MAX_TOKENS,
									 .max_tokens = MAX_TOKENS,
									 .n_labels = 3,
									 .norm_eps = 1e-12f };
	for (int i = 0; i < DBERT_PROMPTS; i++)
		t->model.prompts[i] = "";
	t->model.kernels = &dbert_kernels_scalar;
	t->model.alloc = &dbert_malloc_allocator;
	t->model.weights = (DbertWeights)
	{
		.word = t->word,.position = t->position,.embed_norm = {t->gamma, t->beta},
		.head_out = {.w = t->head,.n = head == DBERT_HEAD_MASK ? VOCAB : 3,.k = HIDDEN}
	};
}

/*
 * What the model gives for a token at a place, of the text or its pair:
 * hidden[HIDDEN].
 */
static void
expected_hidden(const Tiny *t, int id, int place, int type, double *hidden)
{
	double		mean = 0,
				var = 0;

	for (int j = 0; j < HIDDEN; j++)
	{
		hidden[j] =
			t->word[id * HIDDEN + j] + t->position[place * HIDDEN + j] + t->type[type * HIDDEN + j];
		mean += hidden[j] / HIDDEN;
	}
	for (int j = 0; j < HIDDEN; j++)
		var += (hidden[j] - mean) * (hidden[j] - mean) / HIDDEN;
	for (int j = 0; j < HIDDEN; j++)
		hidden[j] = (hidden[j] - mean) / sqrt(var);
}

static DbertStatus
add(DbertBatch *batch, const char *text, bool truncate, DbertError *err)
{
	return dbert_batch_add(batch, text, strlen(text), NULL, 0, truncate, NULL, err);
}

static DbertBatch *
new_batch(const Tiny *t, int want)
{
	DbertBatch *batch = NULL;

	CHECK(dbert_batch_create(&t->model, want, &dbert_malloc_allocator, &batch, NULL) == DBERT_OK);
	return batch;
}

/* ---- tests ---- */

static void
test_results(void)
{
	Tiny		tiny;
	DbertBatch *batch;
	double		h[HIDDEN],
				mean[HIDDEN] = {0};
	const int	ids[] = {2, 6, 5, 9, 3};	/* [CLS] b a ##b [SEP] */
	int			rows;

	tiny_open(&tiny, DBERT_HEAD_SEQUENCE);
	batch = new_batch(&tiny, DBERT_WANT_LOGITS | DBERT_WANT_EMBEDDING);
	CHECK(dbert_batch_logits(batch, 0, &rows) == NULL && rows == 0);
	CHECK(add(batch, "c", true, NULL) == DBERT_OK);
	CHECK(add(batch, "B ab", true, NULL) == DBERT_OK);
	CHECK(add(batch, "", true, NULL) == DBERT_OK);
	CHECK(dbert_batch_embedding(batch, 0) == NULL);
	CHECK(dbert_batch_run(batch, NULL, NULL) == DBERT_OK);
	CHECK(dbert_batch_count(batch) == 3 && dbert_batch_tokens(batch) == 3 + 5 + 2);

	for (int i = 0; i < 5; i++)
	{
		expected_hidden(&tiny, ids[i], i, 0, h);
		for (int j = 0; j < HIDDEN; j++)
			mean[j] += h[j] / 5;
	}
	for (int j = 0; j < HIDDEN; j++)
		CHECK_NEAR(dbert_batch_embedding(batch, 1)[j], mean[j], 1e-6);
	expected_hidden(&tiny, 2, 0, 0, h);
	for (int i = 0; i < 3; i++)
	{
		const float *logits = dbert_batch_logits(batch, i, &rows);

		CHECK(rows == 1);
		for (int j = 0; j < 3; j++)
			CHECK_NEAR(logits[j], h[j], 1e-6);
	}

	/* adding makes the results void */
	CHECK(add(batch, "d", true, NULL) == DBERT_OK);
	CHECK(dbert_batch_embedding(batch, 0) == NULL && dbert_batch_logits(batch, 0, &rows) == NULL);
	dbert_batch_free(batch);
	dbert_free(&dbert_malloc_allocator, tiny.tokenizer);
}

/* A row for each token, the texts' rows apart. */
static void
test_token_rows(void)
{
	static const int ids[3][4] = {{2, 5, 6, 3}, {2, 3}, {2, 8, 8, 3}};
	static const int lengths[] = {4, 2, 4};
	Tiny		tiny;
	DbertBatch *batch;
	double		h[HIDDEN];

	tiny_open(&tiny, DBERT_HEAD_TOKEN);
	batch = new_batch(&tiny, DBERT_WANT_LOGITS);
	CHECK(add(batch, "a b", true, NULL) == DBERT_OK);
	CHECK(add(batch, "", true, NULL) == DBERT_OK);
	CHECK(add(batch, "d d", true, NULL) == DBERT_OK);
	CHECK(dbert_batch_run(batch, NULL, NULL) == DBERT_OK);
	for (int b = 0; b < 3; b++)
	{
		int			rows;
		const float *logits = dbert_batch_logits(batch, b, &rows);

		CHECK(rows == lengths[b]);
		for (int i = 0; i < lengths[b]; i++)
		{
			expected_hidden(&tiny, ids[b][i], i, 0, h);
			for (int j = 0; j < 3; j++)
				CHECK_NEAR(logits[i * 3 + j], h[j], 1e-6);
		}
	}
	dbert_batch_free(batch);
	dbert_free(&dbert_malloc_allocator, tiny.tokenizer);
}

/* BERT adds what a pair's tokens are told apart by. */
static void
test_pair(void)
{
	static const int ids[] = {2, 5, 3, 6, 3},
				types[] = {0, 0, 0, 1, 1};
	Tiny		tiny;
	DbertBatch *batch;
	double		h[HIDDEN];
	const float *logits;
	int			rows;

	tiny_open(&tiny, DBERT_HEAD_TOKEN);
	tiny.model.config.family = DBERT_FAMILY_BERT;
	tiny.model.config.types = 2;
	tiny.model.config.pair_types = 1;
	tiny.model.weights.type = tiny.type;
	for (int i = 0; i < 2 * HIDDEN; i++)
		tiny.type[i] = (float) (i * i % 7);
	batch = new_batch(&tiny, DBERT_WANT_LOGITS);
	CHECK(dbert_batch_add(batch, "a", 1, "b", 1, true, NULL, NULL) == DBERT_OK);
	CHECK(dbert_batch_run(batch, NULL, NULL) == DBERT_OK);
	logits = dbert_batch_logits(batch, 0, &rows);
	CHECK(rows == 5);
	for (int i = 0; i < 5; i++)
	{
		expected_hidden(&tiny, ids[i], i, types[i], h);
		for (int j = 0; j < 3; j++)
			CHECK_NEAR(logits[i * 3 + j], h[j], 1e-6);
	}
	dbert_batch_free(batch);
	dbert_free(&dbert_malloc_allocator, tiny.tokenizer);
}

static void
test_mask_rows(void)
{
	Tiny		tiny;
	DbertBatch *batch;
	double		h[HIDDEN];
	const float *logits;
	int			rows;

	tiny_open(&tiny, DBERT_HEAD_MASK);
	batch = new_batch(&tiny, DBERT_WANT_LOGITS);
	CHECK(add(batch, "a b", true, NULL) == DBERT_OK);
	CHECK(add(batch, "a [MASK] b [MASK]", true, NULL) == DBERT_OK);
	CHECK(dbert_batch_run(batch, NULL, NULL) == DBERT_OK);
	dbert_batch_logits(batch, 0, &rows);
	CHECK(rows == 0);
	logits = dbert_batch_logits(batch, 1, &rows);
	CHECK(rows == 2);
	for (int r = 0; r < 2 && rows == 2; r++)
	{
		expected_hidden(&tiny, 4, r == 0 ? 2 : 4, 0, h);
		for (int j = 0; j < VOCAB; j++)
			CHECK_NEAR(logits[r * VOCAB + j], j < HIDDEN ? h[j] : 0, 1e-6);
	}
	CHECK(dbert_batch_embedding(batch, 0) == NULL);
	dbert_batch_free(batch);
	dbert_free(&dbert_malloc_allocator, tiny.tokenizer);
}

static void
test_too_long(void)
{
	Tiny		tiny;
	DbertBatch *batch;
	DbertError	err;
	const char *exact = "a b c d a b c d a b";	/* 12 with [CLS] and [SEP] */
	const char *longer = "a b c d a b c d a ab ab";

	tiny_open(&tiny, DBERT_HEAD_TOKEN);
	batch = new_batch(&tiny, DBERT_WANT_EMBEDDING);
	CHECK(add(batch, exact, false, NULL) == DBERT_OK && !dbert_batch_truncated(batch, 0));
	CHECK(add(batch, longer, false, &err) == DBERT_E_TOO_LONG);
	CHECK_STR(err.msg, "text has 15 tokens, the model takes 12");
	CHECK(dbert_batch_add(batch, exact, strlen(exact), "a ab", 4, false, NULL, &err) ==
		  DBERT_E_TOO_LONG);
	CHECK_STR(err.msg, "text has 16 tokens, the model takes 12");
	CHECK(dbert_batch_count(batch) == 1 && dbert_batch_tokens(batch) == MAX_TOKENS);

	CHECK(add(batch, longer, true, NULL) == DBERT_OK && dbert_batch_truncated(batch, 1));
	CHECK(dbert_batch_add(batch, exact, strlen(exact), "a ab", 4, true, NULL, &err) == DBERT_OK);
	CHECK(dbert_batch_truncated(batch, 2) && dbert_batch_tokens(batch) == 3 * MAX_TOKENS);
	CHECK(dbert_batch_run(batch, NULL, &err) == DBERT_OK);
	dbert_batch_free(batch);
	dbert_free(&dbert_malloc_allocator, tiny.tokenizer);
}

static void
test_refusals(void)
{
	Tiny		tiny;
	DbertBatch *batch;
	DbertError	err;

	tiny_open(&tiny, DBERT_HEAD_TOKEN);
	tiny.model.config.vocab = A;
	batch = new_batch(&tiny, DBERT_WANT_EMBEDDING);
	CHECK(add(batch, "a", true, &err) == DBERT_E_INTERNAL);
	CHECK(add(batch, "\xff", true, &err) == DBERT_E_ENCODING);
	tiny.model.config.family = DBERT_FAMILY_BERT;
	tiny.model.config.types = 1;
	tiny.model.config.pair_types = 1;
	CHECK(dbert_batch_add(batch, "", 0, "", 0, true, NULL, &err) == DBERT_E_UNSUPPORTED);
	tiny.model.config.types = 2;
	tiny.model.config.pair_types = 1;
	CHECK(dbert_batch_add(batch, "", 0, "", 0, true, NULL, &err) == DBERT_OK);
	CHECK(dbert_batch_count(batch) == 1 && dbert_batch_tokens(batch) == 3);
	dbert_batch_free(batch);
	dbert_free(&dbert_malloc_allocator, tiny.tokenizer);
}

static void
test_no_texts(void)
{
	Tiny		tiny;
	DbertBatch *batch;

	tiny_open(&tiny, DBERT_HEAD_TOKEN);
	batch = new_batch(&tiny, DBERT_WANT_LOGITS | DBERT_WANT_EMBEDDING);
	CHECK(dbert_batch_run(batch, NULL, NULL) == DBERT_OK && dbert_batch_count(batch) == 0);
	dbert_batch_free(batch);
	dbert_batch_free(NULL);
	dbert_free(&dbert_malloc_allocator, tiny.tokenizer);
}

/* 30 texts added and run. */
static DbertStatus
fill_and_run(DbertBatch *batch)
{
	for (int i = 0; i < 30; i++)
		DBERT_TRY(add(batch, i % 3 ? "a b c ab ab" : "d", true, NULL));
	return dbert_batch_run(batch, NULL, NULL);
}

static void
test_memory_is_kept(void)
{
	Tiny		tiny;
	DbertBatch *batch;
	Counter		counter = {0};
	DbertAllocator alloc = counting(&counter);
	int			live;

	tiny_open(&tiny, DBERT_HEAD_TOKEN);
	CHECK(dbert_batch_create(&tiny.model, DBERT_WANT_LOGITS | DBERT_WANT_EMBEDDING, &alloc, &batch,
							 NULL) == DBERT_OK);
	CHECK(fill_and_run(batch) == DBERT_OK);
	live = counter.live;
	for (int i = 0; i < 3; i++)
	{
		dbert_batch_reset(batch);
		CHECK(dbert_batch_count(batch) == 0 && dbert_batch_tokens(batch) == 0);
		CHECK(fill_and_run(batch) == DBERT_OK);
		CHECK(counter.live == live);
	}
	dbert_batch_free(batch);
	CHECK(counter.live == 0);
	dbert_free(&dbert_malloc_allocator, tiny.tokenizer);
}

/* Every allocation fails once: the status says so, what was there stays, and
 * with memory again the batch goes on. */
static void
test_out_of_memory(void)
{
	Tiny		tiny;
	Counter		counter = {0};
	DbertAllocator alloc = counting(&counter);
	DbertStatus status;
	int			tries = 0;

	tiny_open(&tiny, DBERT_HEAD_TOKEN);
	do
	{
		DbertBatch *batch = NULL;
		int			count;
		size_t		tokens;

		counter = (Counter) {.fail_at = ++tries, .fail_on = true};
		status = dbert_batch_create(&tiny.model, DBERT_WANT_LOGITS | DBERT_WANT_EMBEDDING, &alloc,
									&batch, NULL);
		if (status == DBERT_OK)
			status = fill_and_run(batch);
		CHECK(status == DBERT_OK || status == DBERT_E_NOMEM);
		if (batch != NULL)
		{
			count = dbert_batch_count(batch);
			tokens = dbert_batch_tokens(batch);
			counter.fail_at = 0;
			CHECK(add(batch, "c", true, NULL) == DBERT_OK);
			CHECK(dbert_batch_count(batch) == count + 1 && dbert_batch_tokens(batch) == tokens + 3);
			CHECK(dbert_batch_run(batch, NULL, NULL) == DBERT_OK);
			CHECK(dbert_batch_embedding(batch, count) != NULL);
		}
		dbert_batch_free(batch);
		CHECK(counter.live == 0);
	} while (status != DBERT_OK && tries < 1000);
	CHECK_MSG(tries > 5 && tries < 1000, "%d tries", tries);
	dbert_free(&dbert_malloc_allocator, tiny.tokenizer);
}

static bool
always(void *ctx)
{
	return true;
}

static void
test_cancelled_run(void)
{
	Tiny		tiny;
	DbertBatch *batch;
	DbertPoll	poll = {always, NULL};
	int			rows;

	tiny_open(&tiny, DBERT_HEAD_TOKEN);
	batch = new_batch(&tiny, DBERT_WANT_LOGITS);
	CHECK(add(batch, "a", true, NULL) == DBERT_OK);
	CHECK(dbert_batch_run(batch, &poll, NULL) == DBERT_E_CANCELLED);
	CHECK(dbert_batch_logits(batch, 0, &rows) == NULL && dbert_batch_count(batch) == 1);
	CHECK(dbert_batch_run(batch, NULL, NULL) == DBERT_OK);
	CHECK(dbert_batch_logits(batch, 0, &rows) != NULL && rows == 3);
	dbert_batch_free(batch);
	dbert_free(&dbert_malloc_allocator, tiny.tokenizer);
}

int
main(void)
{
	RUN(test_results);
	RUN(test_token_rows);
	RUN(test_pair);
	RUN(test_mask_rows);
	RUN(test_too_long);
	RUN(test_refusals);
	RUN(test_no_texts);
	RUN(test_memory_is_kept);
	RUN(test_out_of_memory);
	RUN(test_cancelled_run);
	return tests_end();
}
