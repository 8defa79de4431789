/*
 * test_pairs.c -- answers, zero-shot scores, reranking, masks: what the
 * pipelines make of them (test/fixtures/pairs.json, by test/make_pairs.py),
 * with the models of test/fixtures; and what stands below them.
 */
#include "dbert.h"
#include "base/topk.h"
#include "test/support/dirsource.h"
#include "test/support/packhelp.h"
#include "test/support/testhelp.h"

#include <jansson.h>

#define TOLERANCE 1e-5

static const DbertAllocator *const heap = &dbert_malloc_allocator;

/* ---- helpers ---- */

static const char *
string(json_t *c, const char *key)
{
	return json_string_value(json_object_get(c, key));
}

static double
number(json_t *c, const char *key, double missing)
{
	json_t	   *value = json_object_get(c, key);

	return value ? json_number_value(value) : missing;
}

/* The cases of one part of pairs.json; *root is the caller's to release. */
static json_t *
cases_of(const char *part, json_t **root)
{
	json_error_t error;

	*root = json_load_file("test/fixtures/pairs.json", 0, &error);
	CHECK_MSG(*root != NULL, "pairs.json: %s", error.text);
	return json_object_get(json_object_get(*root, part), "cases");
}

static bool
open_fixture(const char *name, Built *b)
{
	char		path[200];
	DbertSource source;
	const DbertKernels *kernels;
	DbertError	err = {0};

	snprintf(path, sizeof(path), "test/fixtures/%s", name);
	source = dir_source(path);
	CHECK(dbert_kernels_choose(NULL, &kernels, &err) == DBERT_OK);
	if (build(&source, NULL, kernels, b, &err) == DBERT_OK)
		return true;
	CHECK_MSG(false, "%s: %s", name, err.msg);
	return false;
}

/* A batch of one text or pair that has run. */
static DbertBatch *
run_one(const DbertModel *model, const char *text, const char *pair, DbertLongText long_text)
{
	DbertBatch *batch;
	DbertError	err = {0};

	CHECK(dbert_batch_create(model, DBERT_WANT_LOGITS, heap, &batch, &err) == DBERT_OK);
	CHECK_MSG(dbert_batch_add(batch, text, strlen(text), pair, pair ? strlen(pair) : 0, long_text,
							  NULL, &err) == DBERT_OK &&
				  dbert_batch_run(batch, NULL, &err) == DBERT_OK,
			  "%s", err.msg);
	return batch;
}

/* ---- the k largest ---- */

static void
check_top_k(const float *scores, int n, int k)
{
	int			top[64],
				count = dbert_top_k(scores, n, k, top);

	CHECK(count == (k < n ? k : n));
	for (int i = 0; i < count; i++)
	{
		int			before = 0;

		for (int j = 0; j < n; j++)
			before += scores[j] > scores[top[i]] || (scores[j] == scores[top[i]] && j < top[i]);
		CHECK_MSG(before == i, "n %d, k %d: place %d has the number of place %d", n, k, i, before);
	}
}

static void
test_top_k(void)
{
	unsigned	seed = 1;

	for (int n = 0; n <= 40; n++)
		for (int k = 0; k <= n + 1; k++)
		{
			float		scores[40];

			for (int i = 0; i < n; i++)
				scores[i] = (float) ((seed = seed * 1103515245 + 12345) >> 16 & 15);
			check_top_k(scores, n, k);
		}
}

/* ---- questions ---- */

static void
check_answer(json_t *want, const DbertAnswer *got, const char *context, int n, int i)
{
	bool		none = json_is_null(json_object_get(want, "answer"));

	CHECK_MSG(fabs(got->score - number(want, "score", 9)) < TOLERANCE,
			  "case %d, answer %d: score %g, want %g", n, i, got->score, number(want, "score", 9));
	CHECK_MSG(none ? got->start == -1
				   : (got->start == number(want, "start", -9) &&
					  got->end == number(want, "end", -9)),
			  "case %d, answer %d: %d..%d, want \"%s\" in \"%.40s\"", n, i, got->start, got->end,
			  string(want, "answer"), context);
}

static void
check_answers(const DbertModel *model, json_t *c, int n)
{
	const char *context = string(c, "context");
	json_t	   *want = json_object_get(c, "answers");
	DbertAnswerOptions options = { (int) number(c, "top_k", 1),
								   json_is_true(json_object_get(c, "no_answer")),
								   (int) number(c, "max_answer_tokens", 15) };
	DbertBatch *batch = run_one(model, string(c, "question"), context, DBERT_LONG_WINDOW);
	DbertAnswer *answers;
	int			count;
	DbertError	err = {0};

	CHECK_MSG(dbert_batch_answers(batch, 0, context, strlen(context), &options, NULL, &answers,
								  &count, &err) == DBERT_OK,
			  "%s", err.msg);
	CHECK_MSG(count == (int) json_array_size(want), "case %d: %d answers, want %d", n, count,
			  (int) json_array_size(want));
	for (int i = 0; i < count && i < (int) json_array_size(want); i++)
		check_answer(json_array_get(want, i), &answers[i], context, n, i);
	dbert_free(heap, answers);
	dbert_batch_free(batch);
}

static void
test_answers(void)
{
	static const char *const models[] = {
		"distilbert-qa", "roberta-qa", "xlm-roberta-qa", "albert-qa"
	};
	json_t	   *root,
			   *cases = cases_of("answers", &root);

	for (int m = 0; m < 4; m++)
	{
		int			n = 0;
		Built		b;

		if (!open_fixture(models[m], &b))
			continue;
		for (size_t i = 0; i < json_array_size(cases); i++)
		{
			json_t	   *c = json_array_get(cases, i);

			if (strcmp(string(c, "model"), models[m]) != 0)
				continue;
			check_answers(b.model, c, (int) i);
			n++;
		}
		CHECK_MSG(n >= 10, "%d cases for %s", n, models[m]);
		release(&b);
	}
	json_decref(root);
}

/*
 * Answers that differ in case alone are one, also where lower case is not
 * ASCII's.
 */
static void
test_answers_merge(void)
{
	static const char *const contexts[] = {"Wien wien WIEN", "Ä ä", "ΟΔΟΣ οδος", "Ж ж"};
	DbertAnswerOptions options = {.top_k = 50,.max_tokens = 1};
	Built		b;

	if (!open_fixture("distilbert-qa", &b))
		return;
	for (int i = 0; i < 4; i++)
	{
		DbertBatch *batch = run_one(b.model, "Who?", contexts[i], DBERT_LONG_WINDOW);
		DbertAnswer *answers;
		int			count;

		CHECK(dbert_batch_answers(batch, 0, contexts[i], strlen(contexts[i]), &options, NULL,
								  &answers, &count, NULL) == DBERT_OK);
		CHECK_MSG(count == 1, "\"%s\": %d answers", contexts[i], count);
		dbert_free(heap, answers);
		dbert_batch_free(batch);
	}
	release(&b);
}

/* ---- masks ---- */

static void
check_fill(const DbertModel *model, const DbertBatch *batch, int mask, const DbertFill *got,
		   json_t *want, int n)
{
	size_t		len;
	const char *token = dbert_token_text(&model->tokenizer, got->id, &len);
	char	   *text;

	CHECK_MSG(strlen(string(want, "token")) == len &&
				  memcmp(token, string(want, "token"), len) == 0 &&
				  fabs(got->score - number(want, "score", 9)) < TOLERANCE,
			  "case %d, mask %d: %.*s %g, want %s %g", n, mask, (int) len, token, got->score,
			  string(want, "token"), number(want, "score", 9));
	CHECK(dbert_decode(&model->tokenizer, &got->id, 1, false, heap, &text, &len, NULL) == DBERT_OK);
	CHECK_MSG(strlen(string(want, "decoded")) == len &&
				  memcmp(text, string(want, "decoded"), len) == 0,
			  "case %d, mask %d: \"%.*s\", want \"%s\"", n, mask, (int) len, text,
			  string(want, "decoded"));
	dbert_free(heap, text);
	CHECK(dbert_batch_filled(batch, 0, mask, got->id, &text, &len, NULL) == DBERT_OK);
	CHECK_MSG(strlen(string(want, "sequence")) == len &&
				  memcmp(text, string(want, "sequence"), len) == 0,
			  "case %d, mask %d: \"%.*s\", want \"%s\"", n, mask, (int) len, text,
			  string(want, "sequence"));
	dbert_free(heap, text);
}

static void
check_masks(const DbertModel *model, json_t *c, int n)
{
	json_t	   *masks = json_object_get(c, "masks");
	DbertBatch *batch = run_one(model, string(c, "text"), NULL, DBERT_LONG_WINDOW);
	int			rows;

	(void) dbert_batch_logits(batch, 0, &rows);
	CHECK_MSG(rows == (int) json_array_size(masks), "case %d: %d masks", n, rows);
	for (int mask = 0; mask < rows && mask < (int) json_array_size(masks); mask++)
	{
		json_t	   *want = json_array_get(masks, mask);
		DbertFill  *fills;
		int			count;

		CHECK(dbert_batch_fills(batch, 0, mask, 4, NULL, 0, &fills, &count, NULL) == DBERT_OK);
		CHECK(count == (int) json_array_size(want));
		for (int i = 0; i < count; i++)
			check_fill(model, batch, mask, &fills[i], json_array_get(want, i), n);
		dbert_free(heap, fills);
	}
	dbert_batch_free(batch);
}

/* Cases with targets are the SQL function's affair. */
static void
test_fills(void)
{
	static const char *const names[] = {
		"distilbert-mlm", "bert-mlm", "bert-mlm-untied", "roberta-mlm", "camembert-mlm", "albert-mlm"
	};
	json_t	   *root,
			   *cases = cases_of("fill_mask", &root);

	for (int m = 0; m < 6; m++)
	{
		Built		b;

		if (!open_fixture(names[m], &b))
			continue;
		for (size_t i = 0; i < json_array_size(cases); i++)
		{
			json_t	   *c = json_array_get(cases, i);

			if (strcmp(string(c, "model"), names[m]) == 0 &&
				json_is_null(json_object_get(c, "targets")))
				check_masks(b.model, c, (int) i);
		}
		release(&b);
	}
	json_decref(root);
}

static void
test_fills_of_targets(void)
{
	Built		b;
	DbertBatch *batch;
	DbertFill  *fills,
			   *all;
	int			count,
				n_all;
	int32_t		targets[] = {100, 7, 200};

	if (!open_fixture("bert-mlm", &b))
		return;
	batch = run_one(b.model, "The [MASK] was warm.", NULL, DBERT_LONG_WINDOW);
	CHECK(dbert_batch_fills(batch, 0, 0, 1000, NULL, 0, &all, &n_all, NULL) == DBERT_OK &&
		  n_all == b.model->config.vocab);
	CHECK(dbert_batch_fills(batch, 0, 0, 5, targets, 3, &fills, &count, NULL) == DBERT_OK &&
		  count == 3);
	for (int i = 0, at = 0; i < count; i++, at++)
	{
		while (all[at].id != fills[i].id)
			at++;
		CHECK(all[at].score == fills[i].score);
	}
	dbert_free(heap, fills);
	dbert_free(heap, all);
	targets[1] = b.model->config.vocab;
	CHECK(dbert_batch_fills(batch, 0, 0, 5, targets, 3, &fills, &count, NULL) == DBERT_E_INVALID);
	CHECK(dbert_batch_fills(batch, 0, 1, 5, NULL, 0, &fills, &count, NULL) == DBERT_E_INVALID);
	dbert_batch_free(batch);
	release(&b);
}

/* ---- pairs ---- */

static DbertModel
classifier(const char *const *labels, int n)
{
	return (DbertModel) {.config = {.head = DBERT_HEAD_SEQUENCE,.n_labels = n},.labels = labels};
}

static void
test_entailment_label(void)
{
	const char *first[] = {"ENTAILMENT", "NEUTRAL", "CONTRADICTION"};
	const char *last[] = {"contradiction", "Entails"};
	const char *none[] = {"entai", "not_entailment", ""};
	DbertModel	m = classifier(first, 3);

	CHECK(dbert_entailment_label(&m) == 0);
	m = classifier(first, 1);
	CHECK(dbert_entailment_label(&m) == -1);
	m = classifier(last, 2);
	CHECK(dbert_entailment_label(&m) == 1);
	m = classifier(none, 3);
	CHECK(dbert_entailment_label(&m) == -1);
	m = classifier(first, 3);
	m.config.head = DBERT_HEAD_TOKEN;
	CHECK(dbert_entailment_label(&m) == -1);
}

static void
test_zero_shot_scores(void)
{
	const char *labels[] = {"entailment", "neutral", "contradiction"};
	DbertModel	m = classifier(labels, 3);
	const float logits[] = {1, 5, 0, 3, -5, 4, 1000, 0, 1000};
	float		scores[3];

	dbert_zero_shot_scores(&m, logits, 2, false, scores);
	CHECK_NEAR(scores[0], exp(1) / (exp(1) + exp(3)), 1e-6);
	CHECK_NEAR(scores[0] + scores[1], 1, 1e-6);
	dbert_zero_shot_scores(&m, logits, 3, true, scores);
	CHECK_NEAR(scores[0], 1 / (1 + exp(-1)), 1e-6);
	CHECK_NEAR(scores[1], 1 / (1 + exp(1)), 1e-6);
	CHECK_NEAR(scores[2], 0.5, 1e-6);
	dbert_zero_shot_scores(&m, logits, 3, false, scores);
	CHECK(scores[2] == 1 && scores[0] == 0);
	dbert_zero_shot_scores(&m, logits, 1, false, scores);
	CHECK_NEAR(scores[0], 1 / (1 + exp(-1)), 1e-6);
}

static void
test_rerank(void)
{
	static const char *const names[] = {
		"distilbert-regression", "bert-rerank", "bert-rerank-modules"
	};
	json_t	   *root,
			   *cases = cases_of("rerank", &root);
	size_t		i,
				d;
	json_t	   *c,
			   *doc;

	for (int m = 0; m < 3; m++)
	{
		Built		b;

		if (!open_fixture(names[m], &b))
			return;
		CHECK(b.model->config.raw_scores == (m == 1) && b.model->config.pooled_head == (m == 2));
		json_array_foreach(cases, i, c)
		{
			if (strcmp(string(c, "model"), names[m]) != 0)
				continue;
			json_array_foreach(json_object_get(c, "docs"), d, doc)
			{
				DbertBatch *batch = run_one(b.model, string(c, "query"), json_string_value(doc),
											DBERT_LONG_TRUNCATE);
				double want = json_number_value(json_array_get(json_object_get(c, "scores"), d));
				int			rows;
				const float *logits = dbert_batch_logits(batch, 0, &rows);

				CHECK_NEAR(dbert_rerank_score(b.model, logits), want, TOLERANCE);
				CHECK_NEAR(dbert_rerank_distance(b.model, logits), 1 - want, TOLERANCE);
				dbert_batch_free(batch);
			}
		}
		release(&b);
	}
	json_decref(root);
}

/* Good documents differ in their distance even where their scores do not. */
static void
test_rerank_distance(void)
{
	DbertModel	m = classifier(NULL, 1);

	CHECK(dbert_rerank_score(&m, (float[]) {20}) == dbert_rerank_score(&m, (float[]) {30}));
	CHECK(dbert_rerank_distance(&m, (float[]) {20}) > dbert_rerank_distance(&m, (float[]) {30}));
	CHECK(dbert_rerank_distance(&m, (float[]){ 1000 }) == 0 &&
		  dbert_rerank_distance(&m, (float[]){ -1000 }) == 1);
}

/* ---- decoding ---- */

static void
check_decoded(const DbertModel *model, const char *tokens, bool skip_special, const char *want)
{
	int32_t		ids[64];
	size_t		n = 0,
				len;
	char		copy[200];
	char	   *text;

	snprintf(copy, sizeof(copy), "%s", tokens);
	for (char *token = strtok(copy, " "); token != NULL; token = strtok(NULL, " "))
	{
		ids[n] = dbert_token_id(&model->tokenizer, token, strlen(token));
		CHECK_MSG(ids[n] >= 0, "no token \"%s\"", token);
		n++;
	}
	CHECK(dbert_decode(&model->tokenizer, ids, n, skip_special, heap, &text, &len, NULL) ==
		  DBERT_OK);
	CHECK_MSG(len == strlen(want) && memcmp(text, want, len) == 0, "\"%s\": \"%.*s\", want \"%s\"",
			  tokens, (int) len, text, want);
	dbert_free(heap, text);
}

static void
test_decode(void)
{
	Built		b;

	if (!open_fixture("bert-mlm", &b))
		return;
	check_decoded(b.model, "[CLS] the film , it ' s . [SEP]", false,
				  "[CLS] the film, it ' s. [SEP]");
	check_decoded(b.model, "[CLS] the film [UNK] ! ? [MASK] [SEP]", true, "the film!?");
	check_decoded(b.model, "##ing ##ing the", false, "##inging the");
	check_decoded(b.model, ". .", false, "..");
	check_decoded(b.model, "[CLS] ##ing", true, "##ing");
	check_decoded(b.model, "", true, "");
	release(&b);
}

int
main(void)
{
	RUN(test_top_k);
	RUN(test_answers);
	RUN(test_answers_merge);
	RUN(test_fills);
	RUN(test_fills_of_targets);
	RUN(test_entailment_label);
	RUN(test_zero_shot_scores);
	RUN(test_rerank);
	RUN(test_rerank_distance);
	RUN(test_decode);
	return tests_end();
}
