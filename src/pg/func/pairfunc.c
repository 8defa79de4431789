/*
 * pairfunc.c -- SQL functions on a text and others about it.
 *
 *	   distil_zero_shot(text, labels [, model], multi_label, template)
 *			label, score: the labels given, best first
 *	   distil_rerank(query, docs [, model])
 *			real[]: how well each document fits the query
 *	   distil_rerank_distance(query, doc [, model])
 *			real: 1 - that, so that ORDER BY puts the best first
 *
 * Each label and each document makes a pair with the text, and the pairs go
 * through the model by batches.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"

#include "pg/bridge/compat.h"
#include "pg/run/pairloop.h"
#include "pg/func/textarray.h"
#include "pg/func/task.h"

/* Where the template has the label. */
#define SLOT "{}"

PG_FUNCTION_INFO_V1(distil_zero_shot);
PG_FUNCTION_INFO_V1(distil_rerank);
PG_FUNCTION_INFO_V1(distil_rerank_distance);

/* ---- zero-shot classification ---- */

typedef struct Hypotheses
{
	Datum		premise;
	const Datum *labels;		/* [n] */
	const char *template;
	size_t		columns;
	float	   *logits;			/* [n, columns] */
	bool		failed;			/* a pair could not be evaluated */
} Hypotheses;

typedef struct Ranked
{
	float		score;
	int			place;			/* among the labels given */
} Ranked;

static void
check_entailment(const DistilModel *model)
{
	distil_require_head(model, DBERT_HEAD_SEQUENCE, "distil_zero_shot");
	if (dbert_entailment_label(model->core) >= 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("model \"%s\" has no label for entailment", model->name),
			 errdetail("Its labels are %s.",
					   distil_label_list(model->core->labels, model->core->config.n_labels)),
			 errhint("Zero-shot classification needs a model of natural language inference, one of "
					 "whose labels begins with \"entail\"; this one can be used with "
					 "distil_classify or distil_scores.")));
}

static void
check_template(const char *template)
{
	if (strstr(template, SLOT) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("template \"%s\" has no place for the label", template),
				 errhint("Write {} where the label is to stand.")));
}

/* The template with the label in all its places. */
static Datum
hypothesis(const char *template, Datum label)
{
	char	   *name = TextDatumGetCString(label);
	StringInfoData s;
	const char *slot;

	initStringInfo(&s);
	for (; (slot = strstr(template, SLOT)) != NULL; template = slot + strlen(SLOT))
	{
		appendBinaryStringInfo(&s, template, slot - template);
		appendStringInfoString(&s, name);
	}
	appendStringInfoString(&s, template);
	pfree(name);
	return PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
}

static bool
get_hypothesis(void *ctx, int e, DistilText *texts)
{
	const Hypotheses *h = ctx;

	if (h->failed)
		return false;
	texts[0] = distil_text_get(h->premise);
	texts[1] = distil_text_get(hypothesis(h->template, h->labels[e]));
	return true;
}

static void
take_logits(void *ctx, int e, const DbertBatch *batch, int i, const DistilText *texts)
{
	Hypotheses *h = ctx;
	int			rows;

	memcpy(h->logits + e * h->columns, dbert_batch_logits(batch, i, &rows),
		   h->columns * sizeof(float));
}

/* One without a result: none of them has a score. */
static void
give_up(void *ctx, int e)
{
	((Hypotheses *) ctx)->failed = true;
}

/* Best first; of equals the one that was given first. */
static int
compare_ranked(const void *a, const void *b)
{
	const Ranked *x = a;
	const Ranked *y = b;
	int			order = float4_cmp_internal(y->score, x->score);

	return order != 0 ? order : x->place - y->place;
}

static Ranked *
rank_labels(DistilModel *model, Hypotheses *h, int n, bool multi_label)
{
	DistilPairLoop loop = { .model = model,
							.n = n,
							.cut_first = true,
							.ctx = h,
							.get = get_hypothesis,
							.take = take_logits,
							.none = give_up };
	float	   *scores = palloc_array(float, Max(n, 1));
	Ranked	   *ranked = palloc_array(Ranked, Max(n, 1));

	h->columns = model->core->config.n_labels;
	h->logits = palloc_extended(Max(n, 1) * h->columns * sizeof(float), MCXT_ALLOC_HUGE);
	distil_run_pairs(&loop);
	if (!h->failed)
	{
		dbert_zero_shot_scores(model->core, h->logits, n, multi_label, scores);
		for (int i = 0; i < n; i++)
			ranked[i] = (Ranked) {scores[i], i};
		qsort(ranked, n, sizeof(Ranked), compare_ranked);
	}
	pfree(h->logits);
	pfree(scores);
	return ranked;
}

/* (text, labels [, model], multi_label, template) */
Datum
distil_zero_shot(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int			option = PG_NARGS() - 2;
	DistilModel *model = distil_call_model(fcinfo, option == 3 ? 2 : -1, "zero_shot");
	Hypotheses	h = {.premise = PointerGetDatum(PG_GETARG_TEXT_PP(0))};
	Ranked	   *ranked;
	int			n;

	h.template = text_to_cstring(PG_GETARG_TEXT_PP(option + 1));
	check_template(h.template);
	check_entailment(model);
	h.labels = distil_text_elements(PG_GETARG_DATUM(1), "labels", &n);
	ranked = rank_labels(model, &h, n, PG_GETARG_BOOL(option));

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n && !h.failed; i++)
	{
		Datum		values[2] = {h.labels[ranked[i].place], Float4GetDatum(ranked[i].score)};
		bool		nulls[2] = {false};

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* ---- reranking ---- */

typedef struct Documents
{
	const DbertModel *core;
	Datum		query;
	Datum	   *docs;			/* [n] */
	bool	   *nulls;
	Datum	   *scores;
} Documents;

static void
check_rerank(const DistilTask *task, const DistilModel *model, const NullableDatum *options)
{
	distil_require_head(model, DBERT_HEAD_SEQUENCE, task->function);
	if (model->core->config.n_labels == 1)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("model \"%s\" cannot be used with %s", model->name, task->function),
			 errdetail("Reranking needs a cross-encoder with one label; this model has %d.",
					   model->core->config.n_labels),
			 errhint("distil_pair_scores gives the scores of all labels for a pair of texts.")));
}

static bool
answer_distance(const DistilRun *run, int i, const DistilText *texts, Datum *answer)
{
	int			rows;

	*answer = Float4GetDatum(
		dbert_rerank_distance(run->model->core, dbert_batch_logits(run->batch, i, &rows)));
	return true;
}

const DistilTask distil_task_rerank_distance = {
	.function = "distil_rerank_distance",
	.setting = "rerank",
	.want = DBERT_WANT_LOGITS,
	.type = FLOAT4OID,
	.pair = true,
	.check = check_rerank,
	.answer = answer_distance
};

static bool
get_document(void *ctx, int e, DistilText *texts)
{
	const Documents *d = ctx;

	if (d->nulls[e])
		return false;
	texts[0] = distil_text_get(d->query);
	texts[1] = distil_text_get(d->docs[e]);
	return true;
}

static void
take_score(void *ctx, int e, const DbertBatch *batch, int i, const DistilText *texts)
{
	Documents  *d = ctx;
	int			rows;

	d->scores[e] = Float4GetDatum(dbert_rerank_score(d->core, dbert_batch_logits(batch, i, &rows)));
}

static void
no_score(void *ctx, int e)
{
	((Documents *) ctx)->nulls[e] = true;
}

/* (query, docs [, model]) */
Datum
distil_rerank(PG_FUNCTION_ARGS)
{
	static const DistilTask task = {
		.function = "distil_rerank", .setting = "rerank", .pair = true, .check = check_rerank
	};
	DistilModel *model = distil_task_model(fcinfo, &task, NULL);
	DistilTextArray docs = distil_array_open(PG_GETARG_DATUM(1));
	Documents d = { .core = model->core,
					.query = PointerGetDatum(PG_GETARG_TEXT_PP(0)),
					.docs = docs.texts,
					.nulls = docs.nulls };
	DistilPairLoop loop = {
		.model = model,.n = docs.n,.ctx = &d,.get = get_document,.take = take_score,.none = no_score
	};
	ArrayType  *result;

	d.scores = palloc0_array(Datum, Max(docs.n, 1));
	distil_run_pairs(&loop);
	result = distil_array_like(&docs, d.scores, FLOAT4OID);
	pfree(d.scores);
	distil_array_close(&docs, PG_GETARG_DATUM(1));
	PG_RETURN_ARRAYTYPE_P(result);
}

Datum
distil_rerank_distance(PG_FUNCTION_ARGS)
{
	return distil_task_evaluate(fcinfo, &distil_task_rerank_distance);
}
