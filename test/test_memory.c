/*
 * test_memory.c -- what a batch takes at its peak is what dbert_batch_memory
 * reckons beforehand: long texts up to 8,192 tokens, and short ones.
 */
#include "dbert.h"
#include "test/support/counting.h"
#include "test/support/memsource.h"
#include "test/support/packhelp.h"
#include "test/support/testhelp.h"

#define WITHIN 0.1				/* of the peak */

/* Sanitizers take minutes of the longest. */
#ifdef __SANITIZE_ADDRESS__
#define LONGEST 2048
#else
#define LONGEST 8192
#endif

/* A text of so many tokens with [CLS] and [SEP]. */
static char *
words(int tokens)
{
	char	   *text = malloc((size_t) tokens * 6 + 1);

	text[0] = '\0';
	for (int i = 0; i < tokens - 2; i++)
		memcpy(text + (size_t) i * 6, "hello ", 7);
	return text;
}

/*
 * Texts of some tokens each: reckoned for what they are, then run.  Of many
 * texts it is not known beforehand how many they are, so that there may be
 * memory to spare, but never too little.
 */
static void
check_peak(const DbertModel *model, int want, int texts, int tokens)
{
	Counter		counter = {0};
	const DbertAllocator alloc = counting(&counter);
	DbertBatch *batch;
	DbertError	err = {0};
	size_t		reckoned;
	char	   *text = words(tokens);

	CHECK(dbert_batch_memory(model, want, (size_t) texts * tokens, tokens, 1, &reckoned));
	CHECK(dbert_batch_create(model, want, &alloc, &batch, &err) == DBERT_OK);
	for (int i = 0; i < texts; i++)
		CHECK(dbert_batch_add(batch, text, strlen(text), NULL, 0, DBERT_LONG_ERROR, NULL, &err) ==
			  DBERT_OK);
	CHECK(dbert_batch_tokens(batch) == (size_t) texts * tokens);
	CHECK_MSG(dbert_batch_run(batch, NULL, &err) == DBERT_OK, "%s", err.msg);
	CHECK_MSG(counter.peak <= reckoned &&
				  (texts > 2 || reckoned <= (1 + WITHIN) * (double) counter.peak),
			  "%s, %d texts of %d tokens, want %d: %zu bytes reckoned, %zu taken",
			  model->config.architecture, texts, tokens, want, reckoned, counter.peak);
	dbert_batch_free(batch);
	free(text);
}

static void
check_model(const char *suffix, int n_labels, DbertPrecision precision)
{
	MemModel	m;
	DbertSource source = mem_source(&m);
	const DbertKernels *kernels;
	DbertError	err = {0};
	Built		b;
	int			want = n_labels > 0 ? DBERT_WANT_LOGITS : DBERT_WANT_EMBEDDING;

	mem_model_modernbert(&m, suffix, 128, 2, 8192, n_labels);
	CHECK(dbert_kernels_choose(NULL, &kernels, &err) == DBERT_OK);
	CHECK_MSG(build_precision(&source, NULL, precision, kernels, &b, &err) == DBERT_OK, "%s",
			  err.msg);
	CHECK(dbert_model_open(b.image, b.size, kernels, &dbert_malloc_allocator, &b.model, &err) ==
		  DBERT_OK);
	check_peak(b.model, want, 1, LONGEST);
	check_peak(b.model, want, 2, LONGEST / 2 - 96);
	check_peak(b.model, want, 1, 512);
	check_peak(b.model, want, 16, 512);
	check_peak(b.model, want, 128, 64);
	release(&b);
	mem_free(&m);
}

static void
test_embeddings(void)
{
	check_model("Model", 0, DBERT_PRECISION_FP32);
	check_model("Model", 0, DBERT_PRECISION_INT8);
}

static void
test_heads(void)
{
	check_model("ForSequenceClassification", 3, DBERT_PRECISION_FP32);
	check_model("ForTokenClassification", 3, DBERT_PRECISION_FP32);
}

int
main(void)
{
	RUN(test_embeddings);
	RUN(test_heads);
	return tests_end();
}
