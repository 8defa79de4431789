/*
 * predict.c -- see predict.h.
 *
 * The texts of a block of rows go through the model in batches, as those of a
 * query would, with the same answers to the bit.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "pg/bridge/compat.h"
#include "pg/eval/predict.h"
#include "pg/eval/spans.h"
#include "pg/func/entitylist.h"
#include "pg/func/labels.h"
#include "pg/func/vector.h"
#include "pg/run/many.h"

/* ---- models and their labels ---- */

static int
find_label(const DistilLabels *labels, const char *name, size_t len)
{
	for (int i = 0; i < labels->n; i++)
	{
		if (strlen(labels->names[i]) == len && memcmp(labels->names[i], name, len) == 0)
			return i;
	}
	return -1;
}

/* The labels of all predictors, with those of this one behind them. */
static void
join_labels(DistilPredictor *p, DistilLabels *all)
{
	const DbertModel *core = p->model->core;
	int			n = core->config.n_labels;

	p->own.names = palloc_array(const char *, Max(n, 1));
	p->own.n = distil_model_labels(p->model, p->own.names);
	p->numbers = palloc_array(int, Max(n, 1));
	p->of_head = palloc_array(int, Max(n, 1));
	all->names = all->names == NULL ? palloc_array(const char *, Max(n, 1)) :
		repalloc(all->names, sizeof(char *) * (all->n + Max(n, 1)));
	for (int i = 0; i < p->own.n; i++)
	{
		p->numbers[i] = find_label(all, p->own.names[i], strlen(p->own.names[i]));
		if (p->numbers[i] >= 0)
			continue;
		p->numbers[i] = all->n;
		all->names[all->n++] = p->own.names[i];
	}
	for (int i = 0; i < n; i++)
		p->of_head[i] = find_label(all, core->labels[i], strlen(core->labels[i]));
}

static void
require_one_number(const DistilModel *model)
{
	if (model->core->config.n_labels != 1)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model \"%s\" gives %d numbers", model->name, model->core->config.n_labels),
				 errdetail("Only models that give one number can be measured.")));
}

static DistilAnswerKind
answer_kind(const DistilModel *model, const char *function)
{
	const DbertConfig *config = &model->core->config;

	if (config->head == DBERT_HEAD_TOKEN)
		return DISTIL_ANSWER_ENTITIES;
	if (config->head == DBERT_HEAD_TRANSLATE)
		return DISTIL_ANSWER_TRANSLATION;
	if (config->head == DBERT_HEAD_NONE || config->head == DBERT_HEAD_MASK)
		return DISTIL_ANSWER_SIMILARITY;
	distil_require_head(model, DBERT_HEAD_SEQUENCE, function);
	if (config->problem == DBERT_PROBLEM_SINGLE)
		return DISTIL_ANSWER_LABEL;
	if (config->problem == DBERT_PROBLEM_MULTI)
		return DISTIL_ANSWER_LABELS;
	require_one_number(model);
	return DISTIL_ANSWER_NUMBER;
}

DistilPredictor
distil_predictor(DistilModel *model, const char *function, DistilLabels *labels)
{
	DistilPredictor p = {
		.model = model,
		.function = function,
		.kind = answer_kind(model, function),
		.places.context = CurrentMemoryContext
	};

	join_labels(&p, labels);
	return p;
}

const char *
distil_answer_name(const DistilPredictor *p)
{
	static const char *const names[] = {
		[DISTIL_ANSWER_LABEL] = "one label",
		[DISTIL_ANSWER_LABELS] = "several labels",
		[DISTIL_ANSWER_NUMBER] = "a number",
		[DISTIL_ANSWER_SIMILARITY] = "embeddings",
		[DISTIL_ANSWER_ENTITIES] = "entities",
		[DISTIL_ANSWER_TRANSLATION] = "translations"
	};

	return names[p->kind];
}

DistilLearn
distil_predictor_learn(const DistilPredictor *p)
{
	if (p->kind == DISTIL_ANSWER_ENTITIES)
		return DISTIL_LEARN_SPANS;
	if (p->kind == DISTIL_ANSWER_TRANSLATION)
		return DISTIL_LEARN_TRANSLATIONS;
	if (p->kind == DISTIL_ANSWER_NUMBER || p->kind == DISTIL_ANSWER_SIMILARITY)
		return DISTIL_LEARN_NUMBERS;
	/* one label: a tag that texts have or not, or a cross-encoder's score */
	if (p->kind == DISTIL_ANSWER_LABELS && p->model->core->config.n_labels == 1)
		return DISTIL_LEARN_MANY_OR_NUMBERS;
	return DISTIL_LEARN_CLASSES;
}

static void
raise_misfit(const char *message, const char *hint)
{
	ereport(ERROR,
		(errcode(ERRCODE_DATATYPE_MISMATCH), errmsg_internal("%s", message), errhint("%s", hint)));
}

/*
 * Does the query's last column fit?  A model with one label learns here which
 * of the two it is.
 */
static void
fit(DistilPredictor *p, DistilLabelKind kind, bool pair)
{
	const char *name = p->model->name;

	if (kind == DISTIL_LABEL_NUMBER && p->kind == DISTIL_ANSWER_LABELS)
		p->kind = DISTIL_ANSWER_NUMBER;
	if (kind == DISTIL_LABEL_ONE && p->kind == DISTIL_ANSWER_LABELS)
		raise_misfit(psprintf("model \"%s\" gives a text several labels", name),
					 "The last column of the query must be text[].");
	if (kind == DISTIL_LABEL_MANY && p->kind == DISTIL_ANSWER_LABEL)
		raise_misfit(psprintf("model \"%s\" gives a text one label", name),
					 "The last column of the query must not be an array.");
	if (p->kind == DISTIL_ANSWER_SIMILARITY && !pair)
		raise_misfit(psprintf("model \"%s\" gives embeddings, and pairs of them are compared",
							  name),
					 "Write the query as SELECT text, text, number FROM ..., the number telling "
					 "how similar the two texts are.");
}

/* ---- texts through the model ---- */

static float *
scores_of(const DistilPredictor *p, const float *logits)
{
	float	   *scores = palloc_array(float, p->model->core->config.n_labels);

	dbert_classify_scores(p->model->core, logits, scores);
	return scores;
}

static DistilPrediction
one_label(const DistilPredictor *p, const float *logits)
{
	DistilPrediction said = {.there = true,.n_labels = 1,.labels = palloc(sizeof(int))};

	said.scores = scores_of(p, logits);
	said.labels[0] = p->of_head[dbert_classify_best(p->model->core, logits)];
	return said;
}

static int
compare_ints(const void *a, const void *b)
{
	return *(const int *) a - *(const int *) b;
}

static DistilPrediction
many_labels(const DistilPredictor *p, const float *logits)
{
	int			n = p->model->core->config.n_labels;
	DistilPrediction said = {.there = true,.labels = palloc_array(int, n)};

	said.scores = scores_of(p, logits);
	for (int i = 0; i < n; i++)
	{
		if (logits[i] > 0)
			said.labels[said.n_labels++] = p->of_head[i];
	}
	qsort(said.labels, said.n_labels, sizeof(int), compare_ints);
	return said;
}

static double
number_of(const DistilPredictor *p, const float *logits)
{
	if (p->model->core->config.problem == DBERT_PROBLEM_REGRESSION)
		return logits[0];
	return dbert_rerank_score(p->model->core, logits);
}

static DistilPrediction
one_number(double number)
{
	return (DistilPrediction) {.there = true,.number = number};
}

static DistilPrediction
entities_of(const DistilPredictor *p, const DbertBatch *batch, int i)
{
	DistilPrediction said = {.there = true};
	DbertEntity *found = distil_find_entities(batch, i, DBERT_AGGREGATE_FIRST, 0, &said.n_entities);

	said.entities = palloc_array(DistilTyped, Max(said.n_entities, 1));
	for (int e = 0; e < said.n_entities; e++)
		said.entities[e] = (DistilTyped) {found[e].start, found[e].end,
			p->numbers[find_label(&p->own, found[e].label, found[e].label_len)]};
	pfree(found);
	return said;
}

/*
 * The tags of the row's words: each is that of its first token, O if the text
 * was cut before.
 */
static const char **
tags_of_words(const DistilPredictor *p, const DbertBatch *batch, int i, const DistilExample *row)
{
	const DbertModel *core = p->model->core;
	const char **tags = palloc_array(const char *, Max(row->n_words, 1));
	int			n,
				t = 0;
	const float *logits = dbert_batch_logits(batch, i, &n);
	const DbertToken *tokens = dbert_batch_text_tokens(batch, i, &n);

	for (int w = 0; w < row->n_words; w++)
	{
		int			best;

		while (t < n && (tokens[t].special || tokens[t].start < row->words[w].start))
			t++;
		tags[w] = "O";
		if (t == n || tokens[t].start >= row->words[w].end)
			continue;
		best = dbert_classify_best(core, logits + (Size) t * core->config.n_labels);
		tags[w] = core->labels[best];
	}
	return tags;
}

/* The entities in the tags of words. */
static DistilPrediction
entities_in_words(const DistilPredictor *p, const DbertBatch *batch, int i,
				  const DistilExample *row)
{
	DistilPrediction said = {.there = true};
	const char **tags = tags_of_words(p, batch, i, row);
	DistilTagRun *runs = palloc_array(DistilTagRun, Max(row->n_words, 1));

	said.n_entities = distil_find_tag_runs(tags, row->n_words, runs);
	said.entities = palloc_array(DistilTyped, Max(said.n_entities, 1));
	for (int e = 0; e < said.n_entities; e++)
	{
		const char *label = distil_entity_label(tags[runs[e].first]);

		said.entities[e] = (DistilTyped) {
			row->words[runs[e].first].start, row->words[runs[e].last].end,
			p->numbers[find_label(&p->own, label, strlen(label))]
		};
	}
	pfree(runs);
	pfree(tags);
	return said;
}

/* The answer for the row, whose texts begin with text i of the batch. */
static DistilPrediction
answer(const DistilPredictor *p, const DbertBatch *batch, int i, const DistilExample *row)
{
	int			rows;

	switch (p->kind)
	{
		case DISTIL_ANSWER_LABEL:
			return one_label(p, dbert_batch_logits(batch, i, &rows));
		case DISTIL_ANSWER_LABELS:
			return many_labels(p, dbert_batch_logits(batch, i, &rows));
		case DISTIL_ANSWER_NUMBER:
			return one_number(number_of(p, dbert_batch_logits(batch, i, &rows)));
		case DISTIL_ANSWER_SIMILARITY:
			return one_number(distil_vector_cosine(dbert_batch_embedding(batch, i),
												   dbert_batch_embedding(batch, i + 1),
												   p->model->core->config.dimensions));
		case DISTIL_ANSWER_ENTITIES:
		case DISTIL_ANSWER_TRANSLATION:
			break;
	}
	return row->words == NULL ? entities_of(p, batch, i) : entities_in_words(p, batch, i, row);
}

/* The rows that are on their way, and what is said of them. */
typedef struct Answers
{
	DistilPredictor *p;
	const DistilExample *rows;
	DistilPrediction *said;
} Answers;

static void
take_answer(void *ctx, int row, DbertBatch *batch, int i, const DistilText *texts)
{
	Answers    *a = ctx;

	a->said[row] = answer(a->p, batch, i, &a->rows[row]);
	if (a->p->kind == DISTIL_ANSWER_ENTITIES)
	{
		int			n;
		const DbertToken *tokens = dbert_batch_text_tokens(batch, i, &n);

		distil_span_places_look(&a->p->places, tokens, n, n >= a->p->model->core->config.max_tokens,
								&a->rows[row]);
	}
}

/* One of its texts cannot be evaluated. */
static void
no_answer(void *ctx, int row)
{
	((Answers *) ctx)->said[row] = (DistilPrediction) {0};
}

static DistilPrediction *
predict_translations(const DistilPredictor *p, const DistilExample *rows, int n)
{
	DistilPrediction *said = palloc_array(DistilPrediction, n);
	DistilLikeness **likenesses = distil_likenesses(p->model, rows, n);

	for (int i = 0; i < n; i++)
		said[i] = (DistilPrediction) {
			.there = likenesses[i] != NULL, .likeness = likenesses[i]
		};
	pfree(likenesses);
	return said;
}

DistilPrediction *
distil_predict(DistilPredictor *p, DistilLabelKind kind, const DistilExample *rows, int n)
{
	bool		similarity = p->kind == DISTIL_ANSWER_SIMILARITY;
	Answers		a = {.p = p,.rows = rows,.said = palloc_array(DistilPrediction, n)};
	DistilMany	many = {
		.model = p->model,
		.want = similarity ? DBERT_WANT_EMBEDDING : DBERT_WANT_LOGITS,
		.item = similarity ? DISTIL_ITEM_TWO_TEXTS
						   : rows[0].pair ? DISTIL_ITEM_PAIR : DISTIL_ITEM_TEXT,
		.rules = distil_session_rules(),
		.take = take_answer,
		.none = no_answer,
		.ctx = &a
	};

	if (p->kind == DISTIL_ANSWER_TRANSLATION)
		return predict_translations(p, rows, n);
	fit(p, kind, rows[0].pair);
	distil_many_begin(&many);
	for (int i = 0; i < n; i++)
	{
		distil_usage_count(p->model->usage, &(DistilUsage) {.rows = similarity ? 2 : 1});
		distil_many_add(&many, i, rows[i].texts);
	}
	distil_many_end(&many);
	return a.said;
}

/* ---- against what is true ---- */

int
distil_true_label(const DistilPredictor *p, const char *label)
{
	int			number = find_label(&p->own, label, strlen(label));
	char	   *name;

	if (number >= 0)
		return p->numbers[number];
	name = pg_any_to_server(label, strlen(label), PG_UTF8);
	distil_raise_no_label(p->model, name, strlen(name));
}

static bool
holds(const int *labels, int n, int label)
{
	for (int i = 0; i < n; i++)
	{
		if (labels[i] == label)
			return true;
	}
	return false;
}

static bool
among(const DistilTyped *e, const DistilSpan *spans, const int *types, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (spans[i].start == e->start && spans[i].end == e->end && types[i] == e->label)
			return true;
	}
	return false;
}

static void
count_entities(const DistilPredictor *p, const DistilExample *row, const DistilPrediction *said,
			   DistilClassCount *counts)
{
	int		   *types = palloc_array(int, Max(row->n_spans, 1));

	for (int i = 0; i < row->n_spans; i++)
	{
		types[i] = distil_true_label(p, row->spans[i].label);
		counts[types[i]].support++;
	}
	for (int i = 0; i < said->n_entities; i++)
	{
		const DistilTyped *e = &said->entities[i];

		CHECK_FOR_INTERRUPTS();
		counts[e->label].said++;
		counts[e->label].hits += among(e, row->spans, types, row->n_spans);
	}
	pfree(types);
}

void
distil_count_prediction(const DistilPredictor *p, const DistilExample *row,
						const DistilPrediction *said, DistilClassCount *counts)
{
	if (p->kind == DISTIL_ANSWER_ENTITIES)
		count_entities(p, row, said, counts);
	for (int i = 0; i < said->n_labels; i++)
		counts[said->labels[i]].said++;
	for (int i = 0; i < row->n_labels; i++)
	{
		int			label = distil_true_label(p, row->labels[i]);

		counts[label].support++;
		counts[label].hits += holds(said->labels, said->n_labels, label);
	}
}

/* Of several labels: the numbers of those that are true. */
static int *
true_labels(const DistilPredictor *p, const DistilExample *row)
{
	int		   *labels = palloc_array(int, Max(row->n_labels, 1));

	for (int i = 0; i < row->n_labels; i++)
		labels[i] = distil_true_label(p, row->labels[i]);
	return labels;
}

void
distil_count_scores(const DistilPredictor *p, const DistilExample *row,
					const DistilPrediction *said, DistilCalibration *c)
{
	int			n = p->model->core->config.n_labels;
	int		   *labels;

	if (said->scores == NULL)
		return;
	labels = true_labels(p, row);
	for (int i = 0; i < n; i++)
	{
		if (p->kind == DISTIL_ANSWER_LABELS || p->of_head[i] == said->labels[0])
			distil_calibration_add(c, said->scores[i],
								   holds(labels, row->n_labels, p->of_head[i]));
	}
	pfree(labels);
}

bool
distil_same_prediction(const DistilPrediction *a, const DistilPrediction *b)
{
	if (a->n_labels != b->n_labels || a->n_entities != b->n_entities)
		return false;
	return (a->n_labels == 0 || memcmp(a->labels, b->labels, sizeof(int) * a->n_labels) == 0) &&
		   (a->n_entities == 0 ||
			memcmp(a->entities, b->entities, sizeof(DistilTyped) * a->n_entities) == 0);
}

void
distil_examples_end(const DistilPredictor *p, const DistilExampleCounts *counts, int64 used)
{
	distil_examples_report(counts);
	distil_span_places_report(&p->places);
	if (used == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 counts->null_answers > 0
					 ? errmsg("no row of argument \"query\" could be evaluated")
					 : p->kind == DISTIL_ANSWER_TRANSLATION
					 ? errmsg("argument \"query\" gives no row with both a text and a translation")
					 : errmsg("argument \"query\" gives no row with both a text and a label")));
}
