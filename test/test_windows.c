/*
 * test_windows.c -- texts longer than their model takes.
 *
 * Where windows begin and end is checked against what window.h promises, for
 * many lengths; what becomes of their results against a model without layers
 * (test_batch.c's idea: a token's hidden state is told by its word and its
 * place in the sequence) and, with layers, against the windows run one by one.
 */
#include "nn/batch_inside.h"
#include "nn/encoder.h"
#include "nn/logits.h"
#include "nn/pool.h"
#include "test/support/packhelp.h"
#include "test/support/testhelp.h"

#include <math.h>

#define MAX_N 3000

/* ---- cutting ---- */

/* Words of one to four tokens. */
static void
make_words(DbertToken *tokens, int32_t n)
{
	for (int32_t i = 0, word = 0, left = 1; i < n; i++)
	{
		tokens[i] = (DbertToken) {.word = word};
		if (--left == 0)
		{
			word++;
			left = 1 + (i * 7 + word) % 4;
		}
	}
}

static void
check_cut(const DbertWindowCut *cut, const DbertToken *tokens, int32_t n)
{
	static DbertBatchWindow w[MAX_N];
	int32_t		count = dbert_windows_count(cut, n),
				end = n - cut->tail,
				most = 0,
				least = INT32_MAX;

	dbert_windows_cut(cut, tokens, n, w);
	CHECK(w[0].from == cut->head && w[count - 1].to == end);
	CHECK(w[0].own_from == 0 && w[count - 1].own_to == n);
	for (int32_t i = 0; i < count; i++)
	{
		int32_t		length = w[i].to - w[i].from;

		CHECK_MSG(length <= cut->capacity && length >= 0, "n %d, window %d: %d of %d", n, i, length,
				  cut->capacity);
		most = length > most ? length : most;
		least = length < least ? length : least;
		if (i == 0)
			continue;
		CHECK(w[i].from > w[i - 1].from && w[i].to > w[i - 1].to);
		CHECK(w[i].own_from == w[i - 1].own_to);
		CHECK_MSG(w[i].from <= w[i].own_from && w[i].own_from <= w[i - 1].to,
				  "n %d, window %d: %d .. %d, %d", n, i, w[i].from, w[i - 1].to, w[i].own_from);
		if (cut->fixed)
			CHECK(w[i - 1].to - w[i].from == cut->overlap);
		else
			CHECK(4 * (w[i - 1].to - w[i].from) >= 3 * cut->overlap);
	}
	CHECK(cut->fixed || count == 1 || least * 2 >= most);
}

static void
test_cut(void)
{
	static DbertToken tokens[MAX_N];
	const int32_t overlaps[] = {0, 1, 2, 7, 8, 16, 20};

	make_words(tokens, MAX_N);
	for (int o = 0; o < 7; o++)
		for (int fixed = 0; fixed < 2; fixed++)
			for (int32_t head = 1; head < 12; head += 5)
			{
				DbertWindowCut cut = {.head = head,.tail = 1 + head / 2,.capacity = 47,
				.overlap = overlaps[o],.fixed = fixed};

				for (int32_t n = cut.head + cut.tail; n < MAX_N; n += n < 400 ? 1 : 97)
					check_cut(&cut, tokens, n);
			}
}

/* Small sizes of all kinds, among them those that a model of four tokens has. */
static void
test_cut_small(void)
{
	static DbertToken tokens[MAX_N];
	uint32_t	seed = 1;

	make_words(tokens, MAX_N);
	for (int round = 0; round < 20000; round++)
	{
		DbertWindowCut cut;

#define DRAW(n) ((int32_t) ((seed = seed * 1664525 + 1013904223) >> 16) % (n))
		cut.head = 1 + DRAW(4);
		cut.tail = 1 + DRAW(4);
		cut.capacity = 1 + DRAW(20);
		cut.fixed = DRAW(2);
		cut.overlap = cut.fixed ? DRAW(cut.capacity) : cut.capacity / 8;
		check_cut(&cut, tokens, cut.head + cut.tail + DRAW(200));
#undef DRAW
	}
}

/* The least number, and no word in two where a border is near. */
static void
test_cut_words(void)
{
	static DbertToken tokens[MAX_N];
	DbertWindowCut cut = {.head = 1,.tail = 1,.capacity = 510,.overlap = 63};
	DbertBatchWindow w[8];

	CHECK(dbert_windows_count(&cut, 512) == 1 && dbert_windows_count(&cut, 513) == 2);
	CHECK(dbert_windows_count(&cut, 512 + 447) == 2 && dbert_windows_count(&cut, 512 + 448) == 3);
	make_words(tokens, MAX_N);
	dbert_windows_cut(&cut, tokens, 1500, w);
	for (int i = 1; i < 4; i++)
	{
		CHECK(tokens[w[i].from].word != tokens[w[i].from - 1].word);
		CHECK(tokens[w[i - 1].to].word != tokens[w[i - 1].to - 1].word);
		CHECK(tokens[w[i].own_from].word != tokens[w[i].own_from - 1].word);
	}
}

/* ---- results ---- */

/* A text of n words, some of them of two pieces. */
static char *
make_text(int n)
{
	static const char *const words[] = {"hello", "world", "finely", "a", "ab", "xqz", "!"};
	char	   *text = malloc((size_t) n * 8 + 1);
	char	   *p = text;

	for (int i = 0; i < n; i++)
		p += sprintf(p, "%s ", words[((unsigned) i * i + i / 7) % 7]);
	*p = '\0';
	return text;
}

static DbertBatch *
run_texts(const DbertModel *model, int want, const char *const *texts, int n, DbertThreads *pool)
{
	DbertBatch *batch;
	DbertError	err = {0};

	CHECK(dbert_batch_create(model, want, &dbert_malloc_allocator, &batch, &err) == DBERT_OK);
	dbert_batch_set_threads(batch, pool);
	for (int i = 0; i < n; i++)
		CHECK_MSG(dbert_batch_add(batch, texts[i], strlen(texts[i]), NULL, 0, DBERT_LONG_WINDOW,
								  NULL, &err) == DBERT_OK,
				  "%s", err.msg);
	CHECK_MSG(dbert_batch_run(batch, NULL, &err) == DBERT_OK, "%s", err.msg);
	return batch;
}

/* Hidden states [length, C] of one window, by the encoder alone. */
static float *
encode_window(const DbertModel *model, const DbertBatch *batch, int text, int number, int32_t **ids)
{
	const DbertBatchText *t = &batch->texts[text];
	int			n;
	const DbertToken *tokens = dbert_batch_text_tokens(batch, text, &n);
	DbertWindow w = dbert_batch_window(batch, text, number);
	int32_t		cu[] = {0, w.length};
	DbertRagged ragged = {.n_texts = 1,.cu = cu};
	size_t		floats;
	float	   *hidden = malloc(sizeof(float) * w.length * model->config.hidden);
	void	   *workspace;
	uint8_t    *types = calloc(w.length, 1);

	*ids = malloc(sizeof(int32_t) * w.length);
	for (int i = 0; i < w.length; i++)
		(*ids)[i] = i < w.first ? tokens[i].id : i < w.first + w.count ? w.tokens[i - w.first].id :
			tokens[n - t->cut.tail + i - w.first - w.count].id;
	ragged.ids = *ids;
	ragged.types = types;
	CHECK(dbert_encoder_workspace(&model->config, w.length, w.length, 1, &floats));
	if (posix_memalign(&workspace, 64, floats * sizeof(float)) != 0)
		abort();
	CHECK(dbert_encode(model, &ragged, hidden, workspace, NULL, NULL, NULL, NULL) == DBERT_OK);
	free(workspace);
	free(types);
	return hidden;
}

/* The head's logits of rows [t] of hidden. */
static float *
head_rows(const DbertModel *model, const int32_t *ids, int t, const float *hidden)
{
	size_t		floats;
	void	   *workspace;
	float	   *logits = malloc(sizeof(float) * t * dbert_head_columns(model));

	CHECK(dbert_encoder_workspace(&model->config, t, t, 1, &floats));
	if (posix_memalign(&workspace, 64, floats * sizeof(float)) != 0)
		abort();
	CHECK(dbert_head_run(model, ids, t, hidden, workspace, logits, NULL, NULL) == DBERT_OK);
	free(workspace);
	return logits;
}

/* Sequence logits and embedding: means by tokens of the windows'. */
static void
check_means(const DbertModel *model, const DbertBatch *batch, int text)
{
	int			c = model->config.hidden,
				labels = model->config.n_labels,
				n,
				rows,
				windows = dbert_batch_windows(batch, text);
	double	   *embedding = calloc(c, sizeof(double)),
			   *logits = calloc(labels, sizeof(double)),
				square = 0;

	(void) dbert_batch_text_tokens(batch, text, &n);
	for (int i = 0; i < windows; i++)
	{
		const DbertBatchWindow *w = &batch->windows[batch->texts[text].first_window + i];
		double		share = (double) (w->own_to - w->own_from) / n;
		int32_t    *ids;
		float	   *hidden = encode_window(model, batch, text, i, &ids),
				   *part = malloc(c * sizeof(float)),
				   *l = head_rows(model, ids, 1, hidden);

		dbert_pool(&model->config, hidden, dbert_batch_window(batch, text, i).length, 0, part);
		for (int j = 0; j < c; j++)
			embedding[j] += share * part[j];
		for (int j = 0; j < labels; j++)
			logits[j] += share * l[j];
		free(ids);
		free(hidden);
		free(part);
		free(l);
	}
	for (int j = 0; j < c; j++)
		square += embedding[j] * embedding[j];
	for (int j = 0; j < c; j++)
		CHECK_NEAR(dbert_batch_embedding(batch, text)[j],
				   model->config.normalize ? embedding[j] / sqrt(square) : embedding[j], 1e-5);
	for (int j = 0; j < labels; j++)
		CHECK_NEAR(dbert_batch_logits(batch, text, &rows)[j], logits[j], 1e-5);
	CHECK(rows == 1);
	free(embedding);
	free(logits);
}

/* Logits of a token: those of the window whose own it is. */
static void
check_tokens(const DbertModel *model, const DbertBatch *batch, int text)
{
	int			rows,
				n,
				columns = dbert_head_columns(model),
				at = 0;
	const float *logits = dbert_batch_logits(batch, text, &rows);

	(void) dbert_batch_text_tokens(batch, text, &n);
	CHECK(rows == n);
	for (int i = 0; i < dbert_batch_windows(batch, text); i++)
	{
		const DbertBatchWindow *w = &batch->windows[batch->texts[text].first_window + i];
		int32_t    *ids;
		float	   *hidden = encode_window(model, batch, text, i, &ids);
		float	   *l = head_rows(model, ids, dbert_batch_window(batch, text, i).length, hidden);

		for (int32_t t = w->own_from; t < w->own_to; t++, at++)
		{
			int			row = t < 1 ? t : 1 + t - w->from;

			CHECK(t == at);
			for (int j = 0; j < columns; j++)
				CHECK_NEAR(logits[(size_t) t * columns + j], l[(size_t) row * columns + j], 1e-5);
		}
		free(ids);
		free(hidden);
		free(l);
	}
	CHECK(at == n);
}

#define TEXTS 5

static void
make_texts(char **texts)
{
	static const int lengths[TEXTS] = {1, 5, 30, 60, 4000};

	for (int i = 0; i < TEXTS; i++)
		texts[i] = make_text(lengths[i]);
}

static void
free_texts(char **texts)
{
	for (int i = 0; i < TEXTS; i++)
		free(texts[i]);
}

static void
check_model(const char *suffix, DbertPooling pooling,
			void (*check) (const DbertModel *, const DbertBatch *, int))
{
	MemModel	m;
	Built		b;
	char	   *texts[TEXTS];
	DbertBatch *batch;

	mem_model_distilbert(&m, suffix, 3);
	make_texts(texts);
	if (built(&m, NULL, &b))
	{
		b.model->config.pooling = pooling;
		b.model->config.normalize = pooling == DBERT_POOL_MEAN;
		batch = run_texts(b.model, DBERT_WANT_LOGITS | DBERT_WANT_EMBEDDING,
						  (const char *const *) texts, TEXTS, NULL);
		CHECK(dbert_batch_windows(batch, 0) == 1 && dbert_batch_windows(batch, 4) > 400);
		for (int i = 0; i < TEXTS; i++)
			check(b.model, batch, i);
		dbert_batch_free(batch);
		release(&b);
	}
	free_texts(texts);
	mem_free(&m);
}

static void
test_means(void)
{
	check_model("ForSequenceClassification", DBERT_POOL_MEAN, check_means);
	check_model("ForSequenceClassification", DBERT_POOL_CLS, check_means);
}

static void
test_tokens(void)
{
	check_model("ForTokenClassification", DBERT_POOL_MEAN, check_tokens);
}

/* The maximum of the windows is that of the text; it is normalised once. */
static void
check_maximum(const DbertModel *model, const DbertBatch *batch, int text)
{
	int			c = model->config.hidden;

	for (int j = 0; j < c; j++)
	{
		float		best = -INFINITY;

		for (int i = 0; i < dbert_batch_windows(batch, text); i++)
		{
			int32_t    *ids;
			float	   *hidden = encode_window(model, batch, text, i, &ids);

			for (int t = 0; t < dbert_batch_window(batch, text, i).length; t++)
				best = fmaxf(best, hidden[(size_t) t * c + j]);
			free(hidden);
			free(ids);
		}
		CHECK_NEAR(dbert_batch_embedding(batch, text)[j], best, 1e-5);
	}
}

static void
test_maximum(void)
{
	check_model("ForSequenceClassification", DBERT_POOL_MAX, check_maximum);
}

/* A head that pools reads what the embedding is, of all windows together. */
static void
check_pooled_head(const DbertModel *model, const DbertBatch *batch, int text)
{
	float		logits[16] __attribute__ ((aligned(64)));
	float		vector[16] __attribute__ ((aligned(64)));
	float		scratch[64] __attribute__ ((aligned(64)));
	int			rows;

	CHECK(dbert_steps_scratch(&model->config) <= 64);

	memcpy(vector, dbert_batch_embedding(batch, text), sizeof(float) * model->config.hidden);
	CHECK(dbert_steps_run(model, vector, scratch, logits, NULL, NULL) == DBERT_OK);
	CHECK(memcmp(dbert_batch_logits(batch, text, &rows), logits, 3 * sizeof(float)) == 0);
	CHECK(rows == 1);
}

static void
test_pooled_head(void)
{
	MemModel	m;
	Built		b;
	char	   *texts[TEXTS];

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	make_texts(texts);
	for (int i = 0; i < 2 && built(&m, NULL, &b); i++)
	{
		DbertConfig *c = &b.model->config;
		DbertBatch *batch,
				   *logits;

		c->pooling = i == 0 ? DBERT_POOL_CLS : DBERT_POOL_MAX;
		c->pooled_head = c->n_steps = 1;
		c->steps[0] = (DbertPooledStep) {.kind = DBERT_POOLED_STEP_DENSE,.width = 3,.bias = 1};
		b.model->weights.steps[0].dense = b.model->weights.head_out;
		b.model->weights.head_out = (DbertLinear) {0};
		batch = run_texts(b.model, DBERT_WANT_LOGITS | DBERT_WANT_EMBEDDING,
						  (const char *const *) texts, TEXTS, NULL);
		logits =
			run_texts(b.model, DBERT_WANT_LOGITS, (const char *const *) texts, TEXTS, NULL);
		CHECK(dbert_batch_windows(batch, 0) == 1 && dbert_batch_windows(batch, 4) > 400);
		for (int t = 0; t < TEXTS; t++)
		{
			check_pooled_head(b.model, batch, t);
			CHECK(memcmp(dbert_batch_logits(batch, t, &(int) {0}),
						 dbert_batch_logits(logits, t, &(int) {0}), 3 * sizeof(float)) == 0);
		}
		dbert_batch_free(batch);
		dbert_batch_free(logits);
		release(&b);
	}
	free_texts(texts);
	mem_free(&m);
}

/* ---- the same bits ---- */

static void
compare(const DbertModel *model, const DbertBatch *a, int i, const DbertBatch *b, int j)
{
	int			rows_a,
				rows_b;
	const float *logits_a = dbert_batch_logits(a, i, &rows_a),
			   *logits_b = dbert_batch_logits(b, j, &rows_b);

	CHECK(rows_a == rows_b);
	CHECK(memcmp(logits_a, logits_b, sizeof(float) * rows_a * dbert_head_columns(model)) == 0);
	CHECK(memcmp(dbert_batch_embedding(a, i), dbert_batch_embedding(b, j),
				 sizeof(float) * model->config.hidden) == 0);
}

static void
test_same_bits(void)
{
	MemModel	m;
	Built		b;
	char	   *texts[TEXTS];
	const int	want = DBERT_WANT_LOGITS | DBERT_WANT_EMBEDDING;
	DbertThreads  *pool;

	mem_model_distilbert(&m, "ForTokenClassification", 3);
	make_texts(texts);
	CHECK(dbert_threads_create(3, &dbert_malloc_allocator, &pool, NULL) == DBERT_OK);
	if (built(&m, NULL, &b))
	{
		DbertBatch *all = run_texts(b.model, want, (const char *const *) texts, TEXTS, NULL);
		DbertBatch *threads = run_texts(b.model, want, (const char *const *) texts, TEXTS, pool);

		for (int i = 0; i < TEXTS; i++)
		{
			DbertBatch *alone = run_texts(b.model, want, (const char *const *) &texts[i], 1, NULL);

			compare(b.model, all, i, alone, 0);
			compare(b.model, all, i, threads, i);
			dbert_batch_free(alone);
		}
		dbert_batch_free(all);
		dbert_batch_free(threads);
		release(&b);
	}
	dbert_threads_free(pool);
	free_texts(texts);
	mem_free(&m);
}

/* ---- pairs ---- */

static DbertStatus
add_pair(DbertBatch *batch, int first, int second, DbertLongText long_text, DbertError *err)
{
	char	   *a = make_text(first),
			   *b = make_text(second);
	DbertStatus status = dbert_batch_add(batch, a, strlen(a), b, strlen(b), long_text, NULL, err);

	free(a);
	free(b);
	return status;
}

/* The sequence of each window has both texts, the shorter one whole. */
static void
check_pair(const DbertBatch *batch, int text, bool first_is_cut)
{
	int			n,
				at = 0;
	const DbertToken *tokens = dbert_batch_text_tokens(batch, text, &n);

	CHECK(dbert_batch_windows(batch, text) > 1);
	for (int i = 0; i < dbert_batch_windows(batch, text); i++)
	{
		DbertWindow w = dbert_batch_window(batch, text, i);

		CHECK(w.length <= 12 && w.tokens - tokens <= (at == 0 ? w.first : at));
		CHECK(w.tokens[0].type == !first_is_cut && w.tokens[w.count - 1].type == !first_is_cut);
		CHECK(first_is_cut == (w.first == 1));
		at = (int) (w.tokens - tokens) + w.count;
	}
	CHECK(first_is_cut ? tokens[at].special && !tokens[at].type : at == n - 1);
}

static void
test_pairs(void)
{
	MemModel	m;
	Built		b;
	DbertBatch *batch;
	DbertError	err = {0};

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	if (!built(&m, NULL, &b))
		return;
	CHECK(dbert_batch_create(b.model, DBERT_WANT_LOGITS, &dbert_malloc_allocator, &batch, &err) ==
		  DBERT_OK);
	CHECK(add_pair(batch, 2, 40, DBERT_LONG_WINDOW, &err) == DBERT_OK);
	CHECK(add_pair(batch, 40, 2, DBERT_LONG_WINDOW, &err) == DBERT_OK);
	CHECK(add_pair(batch, 2, 2, DBERT_LONG_WINDOW, &err) == DBERT_OK &&
		  dbert_batch_windows(batch, 2) == 1);
	check_pair(batch, 0, false);
	check_pair(batch, 1, true);
	CHECK(add_pair(batch, 20, 20, DBERT_LONG_WINDOW, &err) == DBERT_E_LIMIT);
	CHECK(strstr(err.msg, "leaves no room") != NULL);
	CHECK(add_pair(batch, 2, 40, DBERT_LONG_ERROR, &err) == DBERT_E_TOO_LONG);
	CHECK(add_pair(batch, 2, 40, DBERT_LONG_TRUNCATE, &err) == DBERT_OK);
	CHECK(dbert_batch_truncated(batch, 3) && dbert_batch_windows(batch, 3) == 1 &&
		  dbert_batch_count(batch) == 4);
	CHECK(!dbert_batch_truncated(batch, 0));
	CHECK(dbert_batch_run(batch, NULL, &err) == DBERT_OK);
	dbert_batch_free(batch);
	release(&b);
	mem_free(&m);
}

/*
 * A question and its context: full windows at equal distances, logits of each.
 */
static void
test_spans(void)
{
	MemModel	m;
	Built		b;
	DbertBatch *batch;
	DbertError	err = {0};
	int			windows;

	mem_model_distilbert(&m, "ForQuestionAnswering", 0);
	if (!built(&m, NULL, &b))
		return;
	CHECK(dbert_batch_create(b.model, DBERT_WANT_LOGITS, &dbert_malloc_allocator, &batch, &err) ==
		  DBERT_OK);
	CHECK(add_pair(batch, 1, 40, DBERT_LONG_WINDOW, &err) == DBERT_OK);
	CHECK(dbert_batch_run(batch, NULL, &err) == DBERT_OK);
	windows = dbert_batch_windows(batch, 0);
	for (int i = 0; i < windows; i++)
	{
		DbertWindow w = dbert_batch_window(batch, 0, i);
		int32_t    *ids;
		float	   *hidden = encode_window(b.model, batch, 0, i, &ids);
		float	   *logits = head_rows(b.model, ids, w.length, hidden);

		CHECK(w.first == 3 && (i == windows - 1 || w.length == 12));
		for (int j = 0; j < 2 * w.length; j++)
			CHECK_NEAR(w.logits[j], logits[j], 1e-5);
		if (i > 0)
			CHECK(w.tokens - dbert_batch_window(batch, 0, i - 1).tokens == 12 - 4 - 6);
		free(ids);
		free(hidden);
		free(logits);
	}
	CHECK(add_pair(batch, 8, 40, DBERT_LONG_WINDOW, &err) == DBERT_E_LIMIT);
	CHECK(strstr(err.msg, "question has") != NULL);
	dbert_batch_free(batch);
	release(&b);
	mem_free(&m);
}

/* ---- memory ---- */

typedef struct Meter
{
	size_t		largest;
} Meter;

static void *
metered_alloc(void *ctx, size_t size)
{
	Meter	   *meter = ctx;

	meter->largest = size > meter->largest ? size : meter->largest;
	return malloc(size);
}

static void
metered_free(void *ctx, void *p)
{
	free(p);
}

/* The largest piece of memory for a text of so many words. */
static size_t
memory_for(const DbertModel *model, int words)
{
	Meter		meter = {0};
	DbertAllocator alloc = {metered_alloc, metered_free, &meter};
	char	   *text = make_text(words);
	DbertBatch *batch;
	DbertError	err = {0};

	CHECK(dbert_batch_create(model, DBERT_WANT_LOGITS, &alloc, &batch, &err) == DBERT_OK);
	CHECK_MSG(dbert_batch_add(batch, text, strlen(text), NULL, 0, DBERT_LONG_WINDOW, NULL, &err) ==
				  DBERT_OK,
			  "%s", err.msg);
	meter.largest = 0;			/* tokens are the text's affair */
	CHECK(dbert_batch_run(batch, NULL, &err) == DBERT_OK);
	dbert_batch_free(batch);
	free(text);
	return meter.largest;
}

static void
test_memory(void)
{
	MemModel	m;
	Built		b;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	if (!built(&m, NULL, &b))
		return;
	CHECK(memory_for(b.model, 80000) <= memory_for(b.model, 10000));
	release(&b);
	mem_free(&m);
}

static void
test_too_long(void)
{
	MemModel	m;
	Built		b;
	DbertBatch *batch;
	DbertError	err = {0};
	size_t		len = DBERT_MAX_TEXT_TOKENS;
	char	   *text = malloc(len);

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	memset(text, '!', len);
	if (!built(&m, NULL, &b))
		return;
	CHECK(dbert_batch_create(b.model, DBERT_WANT_LOGITS, &dbert_malloc_allocator, &batch, &err) ==
		  DBERT_OK);
	CHECK(dbert_batch_add(batch, text, len, NULL, 0, DBERT_LONG_WINDOW, NULL, &err) ==
		  DBERT_E_TOO_LONG);
	CHECK_STR(err.msg, "text has more than 1048576 tokens");
	CHECK(dbert_batch_count(batch) == 0 && dbert_batch_tokens(batch) == 0);
	CHECK(dbert_batch_add(batch, text, len - 2, NULL, 0, DBERT_LONG_WINDOW, NULL, &err) ==
		  DBERT_OK);
	dbert_batch_free(batch);
	release(&b);
	mem_free(&m);
	free(text);
}

int
main(void)
{
	RUN(test_cut);
	RUN(test_cut_small);
	RUN(test_cut_words);
	RUN(test_means);
	RUN(test_maximum);
	RUN(test_tokens);
	RUN(test_pooled_head);
	RUN(test_same_bits);
	RUN(test_pairs);
	RUN(test_spans);
	RUN(test_memory);
	RUN(test_too_long);
	return tests_end();
}
