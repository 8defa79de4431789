/*
 * test_task.c -- classes, sentiment, entities.
 *
 * test/entities.json holds what transformers' pipeline makes of random logits
 * (test/make_entities.py wrote it); schemes that the pipeline does not know
 * are tested by hand.
 */
#include "dbert.h"
#include "nn/batch_inside.h"
#include "test/support/testhelp.h"

#include <jansson.h>

static const DbertAllocator *const heap = &dbert_malloc_allocator;

/* ---- classes ---- */

static void
test_classify(void)
{
	DbertModel	model = {.config = {.head = DBERT_HEAD_SEQUENCE,.n_labels = 3}};
	float		scores[3];

	model.config.problem = DBERT_PROBLEM_SINGLE;
	dbert_classify_scores(&model, (float[]) {1000, 1001, -1000}, scores);
	CHECK_NEAR(scores[0], 1 / (1 + exp(1)), 1e-7);
	CHECK_NEAR(scores[1], exp(1) / (1 + exp(1)), 1e-7);
	CHECK(scores[2] == 0);

	model.config.problem = DBERT_PROBLEM_MULTI;
	dbert_classify_scores(&model, (float[]) {0, 2, -1000}, scores);
	CHECK(scores[0] == 0.5f && scores[2] == 0);
	CHECK_NEAR(scores[1], 1 / (1 + exp(-2)), 1e-7);

	model.config.problem = DBERT_PROBLEM_REGRESSION;
	dbert_classify_scores(&model, (float[]) {-7, 2, 9}, scores);
	CHECK(scores[0] == -7 && scores[1] == 2 && scores[2] == 9);

	CHECK(dbert_classify_best(&model, (float[]) {-7, 2, 9}) == 2);
	CHECK(dbert_classify_best(&model, (float[]) {3, 3, 3}) == 0);
	CHECK(dbert_classify_best(&model, (float[]) {1, 3, 3}) == 1);
}

/* ---- sentiment ---- */

static DbertModel
classifier(const char *const *labels, int n)
{
	return (DbertModel){
		.config = { .head = DBERT_HEAD_SEQUENCE, .problem = DBERT_PROBLEM_SINGLE, .n_labels = n },
		.labels = labels
	};
}

static void
test_sentiment_labels(void)
{
	static const struct
	{
		int			n;
		bool		want;
		const char *labels[8];
	}			cases[] = {
		{5, true, {"Very Negative", "Negative", "Neutral", "Positive", "Very Positive"}},
		{5, true, {"very_positive", "positive", "neutral", "negative", "VERY_NEGATIVE"}},
		{5, true, {"Extremely Negative", "neg", "neu", "pos", "Extremely Positive"}},
		{5, true, {"negative", "somewhat negative", "neutral", "somewhat positive", "positive"}},
		{5, true, {"VeryNegative", "negative", "neutral", "positive", "very-positive"}},
		{7, true, {"very negative", "negative", "slightly negative", "neutral", "slightly positive",
				   "positive", "very positive"}},
		{7, true, {"Highly Negative", "Negative", "Weakly Negative", "Neutral", "Weakly Positive",
				   "Positive", "Highly Positive"}},
		{4, true, {"very negative", "negative", "positive", "very positive"}},
		{5, false, {"very negative", "negative", "neutral", "positive", "slightly positive"}},
		{4, false, {"very negative", "negative", "neutral", "positive"}},
		{6, false, {"very negative", "extremely negative", "negative", "positive",
					"extremely positive", "very positive"}},
		{7, false, {"negative", "positive", "1 star", "2 stars", "3 stars", "4 stars", "5 stars"}},
		{3, false, {"negative", "positive", "3 stars"}},
		{3, false, {"negative", "positive", "very neutral"}},
		{3, false, {"negative", "positive", "very"}},
		{3, false, {"negative", "positive", ""}},
		{2, false, {"very  negative", "very positive"}},
		{2, false, {" negative", " positive"}},
		{1, false, {"neutral"}},
		{5, true, {"1_star", "2_stars", "3-stars", "4STARS", "5 star"}},
		{6, false, {"1 star", "2 stars", "3 stars", "4 stars", "5 stars", "6 stars"}},
		{5, false, {"1", "2", "3", "4", "5"}},
		{2, true, {"NEGATIVE", "POSITIVE"}},
		{2, true, {"pos", "Neg"}},
		{3, true, {"NEU", "negative", "positive"}},
		{5, true, {"1 star", "2 stars", "3 stars", "4 stars", "5 stars"}},
		{5, true, {"5 stars", "4 Stars", "3 stars", "2 stars", "1 star"}},
		{2, false, {"LABEL_0", "LABEL_1"}},
		{1, false, {"positive"}},
		{2, false, {"positive", "neutral"}},
		{2, false, {"positive", "POS"}},
		{3, false, {"positive", "negative", "other"}},
		{4, false, {"1 star", "2 stars", "3 stars", "4 stars"}},
		{6, false, {"1 star", "2 stars", "3 stars", "4 stars", "5 stars", "5 star"}},
		{2, false, {"positive ", "negative"}},
		{0, false, {NULL}},
	};

	for (int i = 0; i < (int) (sizeof(cases) / sizeof(cases[0])); i++)
		CHECK_MSG(dbert_labels_have_sentiment(cases[i].labels, cases[i].n) == cases[i].want,
				  "case %d", i);
}

static void
test_sentiment_values(void)
{
	const char *two[] = {"POSITIVE", "NEGATIVE"};
	const char *three[] = {"neg", "neu", "pos"};
	const char *stars[] = {"1 star", "2 stars", "3 stars", "4 stars", "5 stars"};
	const char *five[] = {"Very Positive", "Neutral", "Negative", "Very Negative", "Positive"};
	const char *seven[] = {"very negative", "negative", "slightly negative", "neutral",
						   "slightly positive", "positive", "very positive"};
	const char *four[] = {"very negative", "negative", "positive", "very positive"};
	DbertModel	m = classifier(two, 2);

	CHECK(dbert_model_has_sentiment(&m));
	CHECK_NEAR(dbert_sentiment(&m, (float[]) {2, 0}), (exp(2) - 1) / (exp(2) + 1), 1e-6);
	CHECK(dbert_sentiment(&m, (float[]) {0, 500}) == -1);
	m = classifier(three, 3);
	CHECK_NEAR(dbert_sentiment(&m, (float[]){ 0, 1, 2 }), (exp(2) - 1) / (1 + exp(1) + exp(2)),
			   1e-6);
	m = classifier(stars, 5);
	CHECK_NEAR(dbert_sentiment(&m, (float[]) {0, 0, 0, 0, 0}), 0, 1e-7);
	CHECK_NEAR(dbert_sentiment(&m, (float[]) {-99, -99, -99, 99, -99}), 0.5, 1e-7);
	CHECK_NEAR(dbert_sentiment(&m, (float[]) {0, -99, -99, 0, -99}), -0.25, 1e-7);
	m = classifier(five, 5);
	CHECK_NEAR(dbert_sentiment(&m, (float[]) {-99, -99, 99, -99, -99}), -0.5, 1e-7);
	CHECK_NEAR(dbert_sentiment(&m, (float[]) {0, -99, -99, -99, 0}), 0.75, 1e-7);
	CHECK_NEAR(dbert_sentiment(&m, (float[]) {-99, -99, -99, 99, -99}), -1, 1e-7);
	m = classifier(seven, 7);
	for (int i = 0; i < 7; i++)
	{
		float		logits[7] = {0};

		logits[i] = 99;
		CHECK_NEAR(dbert_sentiment(&m, logits), (i - 3) / 3.0, 1e-6);
	}
	m = classifier(four, 4);
	CHECK_NEAR(dbert_sentiment(&m, (float[]) {-99, 99, -99, -99}), -1 / 3.0, 1e-6);

	m = classifier(stars, 5);
	m.config.problem = DBERT_PROBLEM_REGRESSION;
	CHECK(!dbert_model_has_sentiment(&m));
	CHECK(dbert_sentiment(&m, (float[]) {1, 2, 3, 4, 5}) == 0);
	m = classifier(two, 2);
	m.config.head = DBERT_HEAD_TOKEN;
	CHECK(!dbert_model_has_sentiment(&m));
}

/* ---- entities ---- */

/* A batch of one text that claims to have run. */
typedef struct Fake
{
	DbertModel	model;
	DbertBatch *batch;
	void	   *tokenizer;
	const char *labels[16];
} Fake;

static void
fake_tokenizer(Fake *f, const char *const *tokens, int n)
{
	size_t		lens[300];
	size_t		size;
	DbertError	err = {0};
	DbertTokenizerSpec spec = {
		.n_tokens = n,.tokens = tokens,.token_lens = lens,.prefix = "##",.max_word_chars = 100,
		.clean_text = true,.split_cjk = true,.lowercase = true,.strip_accents = true,
		.unk_id = 1,.cls_id = 2,.sep_id = 3,.pad_id = 0,.mask_id = 4
	};

	for (int i = 0; i < n; i++)
		lens[i] = strlen(tokens[i]);
	CHECK_MSG(dbert_tokenizer_compile(&spec, heap, NULL, &f->tokenizer, &size, &err) == DBERT_OK,
			  "%s", err.msg);
	CHECK_MSG(dbert_tokenizer_open(f->tokenizer, size, &f->model.tokenizer, &err) == DBERT_OK, "%s",
			  err.msg);
}

static void
fake_batch(Fake *f, const DbertToken *tokens, int n, const float *logits)
{
	DbertBatch *b;

	f->model.config.head = DBERT_HEAD_TOKEN;
	f->model.labels = f->labels;
	CHECK(dbert_batch_create(&f->model, DBERT_WANT_LOGITS, heap, &f->batch, NULL) == DBERT_OK);
	b = f->batch;
	b->texts = dbert_alloc_zero(heap, 1, sizeof(*b->texts));
	b->n_texts = 1;
	b->texts[0].rows = n;
	b->tokens.items = dbert_alloc_array(heap, n, sizeof(*tokens));
	memcpy(b->tokens.items, tokens, n * sizeof(*tokens));
	b->tokens.count = n;
	b->floats = dbert_alloc_array(heap, (size_t) n * f->model.config.n_labels, sizeof(float));
	b->logits = b->floats;
	memcpy(b->logits, logits, sizeof(float) * n * f->model.config.n_labels);
	b->has_run = true;
}

static void
fake_free(Fake *f)
{
	dbert_batch_free(f->batch);
	dbert_free(heap, f->tokenizer);
}

static const char *const strategy_names[] = {"none", "simple", "first", "average", "max"};

static void
check_strategy(Fake *f, json_t *c, int strategy)
{
	json_t	   *want = json_object_get(json_object_get(c, "entities"), strategy_names[strategy]);
	const char *text = json_string_value(json_object_get(c, "text"));
	DbertEntity *entities;
	int			count;
	DbertError	err;

	CHECK(dbert_batch_entities(f->batch, 0, strategy, 0, &entities, &count, &err) == DBERT_OK);
	CHECK_MSG(count == (int) json_array_size(want), "%s: \"%s\": %d entities, want %d",
			  strategy_names[strategy], text, count, (int) json_array_size(want));
	for (int i = 0; i < count && i < (int) json_array_size(want); i++)
	{
		json_t	   *w = json_array_get(want, i);
		const char *label = json_string_value(json_array_get(w, 0));
		const DbertEntity *e = &entities[i];

		CHECK_MSG(strlen(label) == e->label_len && memcmp(label, e->label, e->label_len) == 0 &&
				  fabs(e->score - json_number_value(json_array_get(w, 1))) < 1e-5 &&
				  e->start == json_integer_value(json_array_get(w, 2)) &&
				  e->end == json_integer_value(json_array_get(w, 3)),
				  "%s: \"%s\": entity %d is %.*s %g %d..%d", strategy_names[strategy], text, i,
				  (int) e->label_len, e->label, e->score, e->start, e->end);
	}
	dbert_free(heap, entities);
}

static void
check_entity_case(json_t *c, const char *const *vocab, int n_vocab)
{
	Fake		f = {.batch = NULL};
	json_t	   *ids = json_object_get(c, "ids"),
			   *labels = json_object_get(c, "labels");
	int			n = (int) json_array_size(ids);
	DbertToken *tokens = dbert_alloc_zero(heap, n, sizeof(*tokens));
	float	   *logits;

	f.model.config.n_labels = (int) json_array_size(labels);
	logits = dbert_alloc_array(heap, (size_t) n * f.model.config.n_labels, sizeof(float));
	for (int j = 0; j < f.model.config.n_labels; j++)
		f.labels[j] = json_string_value(json_array_get(labels, j));
	for (int i = 0; i < n; i++)
	{
		json_t	   *offset = json_array_get(json_object_get(c, "offsets"), i);
		json_t	   *row = json_array_get(json_object_get(c, "logits"), i);

		tokens[i].id = (int32_t) json_integer_value(json_array_get(ids, i));
		tokens[i].start = (int32_t) json_integer_value(json_array_get(offset, 0));
		tokens[i].end = (int32_t) json_integer_value(json_array_get(offset, 1));
		tokens[i].special =
			json_integer_value(json_array_get(json_object_get(c, "special"), i)) != 0;
		for (int j = 0; j < f.model.config.n_labels; j++)
			logits[i * f.model.config.n_labels + j] =
				(float) json_number_value(json_array_get(row, j));
	}
	fake_tokenizer(&f, vocab, n_vocab);
	fake_batch(&f, tokens, n, logits);
	for (int s = 0; s <= DBERT_AGGREGATE_MAX; s++)
		check_strategy(&f, c, s);
	fake_free(&f);
	dbert_free(heap, tokens);
	dbert_free(heap, logits);
}

static void
test_entities_as_transformers(void)
{
	json_error_t why;
	json_t	   *root = json_load_file("test/entities.json", 0, &why);
	json_t	   *vocab = json_object_get(root, "vocab"),
			   *cases = json_object_get(root, "cases");
	const char *tokens[300];
	int			n = (int) json_array_size(vocab);

	CHECK_MSG(root != NULL, "test/entities.json: %s", why.text);
	CHECK(n > 50 && n < 300 && json_array_size(cases) > 40);
	for (int i = 0; i < n; i++)
		tokens[i] = json_string_value(json_array_get(vocab, i));
	for (size_t i = 0; i < json_array_size(cases); i++)
		check_entity_case(json_array_get(cases, i), tokens, n);
	json_decref(root);
}

/*
 * Words "a" at characters 0, 2, 4, ... with a sure tag each; the entities as
 * "PER 0..3, LOC 4..5".
 */
static void
check_tags(const char *const *labels, int n_labels, const int *tags, int n, const char *want)
{
	static const char *const vocab[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"};
	Fake		f = {.batch = NULL};
	DbertToken	tokens[16] = {{0}};
	float		logits[16 * 16] = {0};
	DbertEntity *entities;
	int			count;
	char		got[500] = "";

	f.model.config.n_labels = n_labels;
	memcpy(f.labels, labels, n_labels * sizeof(*labels));
	for (int i = 0; i < n; i++)
	{
		tokens[i] = (DbertToken) {.id = 5,.start = 2 * i,.end = 2 * i + 1};
		logits[i * n_labels + tags[i]] = 10;
	}
	fake_tokenizer(&f, vocab, 6);
	fake_batch(&f, tokens, n, logits);
	CHECK(dbert_batch_entities(f.batch, 0, DBERT_AGGREGATE_FIRST, 0, &entities, &count, NULL) ==
		  DBERT_OK);
	for (int i = 0; i < count; i++)
		sprintf(got + strlen(got), "%s%.*s %d..%d", i ? ", " : "", (int) entities[i].label_len,
				entities[i].label, entities[i].start, entities[i].end);
	CHECK_STR(got, want);
	dbert_free(heap, entities);

	/* a softmax over few labels of a logit 10: all sure, none certain */
	CHECK(dbert_batch_entities(f.batch, 0, DBERT_AGGREGATE_FIRST, 1.1f, &entities, &count, NULL) ==
		  DBERT_OK);
	CHECK(count == 0);
	dbert_free(heap, entities);
	fake_free(&f);
}

static void
test_entity_schemes(void)
{
	const char *bioes[] = {"O", "B-PER", "I-PER", "E-PER", "S-PER", "S-LOC"};
	const char *bilou[] = {"B-PER", "I-PER", "L-PER", "U-PER", "O"};
	const char *io[] = {"O", "PER", "LOC"};
	const char *bio[] = {"O", "B-PER", "I-PER", "E-MAIL"};

	check_tags(bioes, 6, (int[]){ 1, 2, 3, 1, 3, 4, 4, 5 }, 8,
			   "PER 0..5, PER 6..9, PER 10..11, PER 12..13, LOC 14..15");
	/* not as the scheme wants it: the end of nothing, an inside after an end */
	check_tags(bioes, 6, (int[]){ 3, 3, 2, 0, 2, 1 }, 6,
			   "PER 0..1, PER 2..3, PER 4..5, PER 8..9, PER 10..11");
	check_tags(bilou, 5, (int[]){ 0, 1, 2, 3, 3, 4, 1, 2 }, 8,
			   "PER 0..5, PER 6..7, PER 8..9, PER 12..15");
	check_tags(io, 3, (int[]) {1, 1, 2, 0, 2, 2}, 6, "PER 0..3, LOC 4..5, LOC 8..11");
	/* one strange label does not make a scheme: as transformers */
	check_tags(bio, 4, (int[]) {1, 2, 1, 2, 0, 3, 3}, 7, "PER 0..3, PER 4..7, MAIL 10..13");
	check_tags(bio, 4, NULL, 0, "");
}

static void
test_aggregation_names(void)
{
	DbertAggregation a;

	for (int i = 0; i <= DBERT_AGGREGATE_MAX; i++)
		CHECK(dbert_aggregation_parse(strategy_names[i], &a) && (int) a == i);
	CHECK(dbert_aggregation_parse("FIRST", &a) && a == DBERT_AGGREGATE_FIRST);
	CHECK(!dbert_aggregation_parse("", &a));
	CHECK(!dbert_aggregation_parse("firs", &a));
	CHECK(!dbert_aggregation_parse("firsts", &a));
}

static void
test_entities_refused(void)
{
	DbertModel	model = {.config = {.head = DBERT_HEAD_TOKEN,.n_labels = 2}};
	DbertBatch *batch;
	DbertEntity *entities;
	DbertError	err;
	int			count;

	CHECK(dbert_batch_create(&model, DBERT_WANT_LOGITS, heap, &batch, &err) == DBERT_OK);
	CHECK(dbert_batch_entities(batch, 0, DBERT_AGGREGATE_NONE, 0, &entities, &count, &err) ==
		  DBERT_E_INVALID);
	model.config.head = DBERT_HEAD_SEQUENCE;
	CHECK(dbert_batch_entities(batch, 0, DBERT_AGGREGATE_NONE, 0, &entities, &count, &err) ==
		  DBERT_E_UNSUPPORTED);
	dbert_batch_free(batch);
	model.config.head = DBERT_HEAD_NONE;
	CHECK(dbert_batch_create(&model, DBERT_WANT_LOGITS, heap, &batch, &err) == DBERT_E_UNSUPPORTED);
}

/* ---- marks ---- */

static void
test_leading_marks(void)
{
	CHECK(dbert_leading_marks("", 0) == 0);
	CHECK(dbert_leading_marks("a\xcc\x81", 3) == 0);
	CHECK(dbert_leading_marks("\xcc\x81 x", 4) == 2);
	CHECK(dbert_leading_marks("\xcc\x81\xcc\xa7z", 5) == 4);
	CHECK(dbert_leading_marks("\xcc\x81\xcc", 3) == 2);
	/* Hebrew's points are marks, its letters are not; neither is a joiner */
	CHECK(dbert_leading_marks("\xd6\xb8\xd7\x9c", 4) == 2);
	CHECK(dbert_leading_marks("\xe2\x80\x8d\xcc\x81", 5) == 0);
}

int
main(void)
{
	RUN(test_classify);
	RUN(test_sentiment_labels);
	RUN(test_sentiment_values);
	RUN(test_entities_as_transformers);
	RUN(test_entity_schemes);
	RUN(test_aggregation_names);
	RUN(test_entities_refused);
	RUN(test_leading_marks);
	return tests_end();
}
