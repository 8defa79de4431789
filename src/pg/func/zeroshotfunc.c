/*
 * zeroshotfunc.c -- which of the labels given a text fits.
 *
 *	   distil_zero_shot(text, labels [, model], multi_label, template)
 *			label, score: the labels given, best first
 *
 * By a model of natural language inference each label, put into the template,
 * makes a pair with the text, and the pairs go through the model by batches.
 * By a model of embeddings the vectors of text and labels are compared
 * (zeroshotvectors.c).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "pg/bridge/compat.h"
#include "pg/func/arrayvalue.h"
#include "pg/func/labels.h"
#include "pg/func/ranking.h"
#include "pg/func/template.h"
#include "pg/func/zeroshot.h"
#include "pg/run/many.h"

/* Where the template has the label. */
#define SLOT "{}"

/*
 * What is said of a text where the call does not say it: as transformers'
 * pipeline, and what of ten templates and sets of them served embeddings best
 * on texts of SST-2, CLINC150, Snips, Reuters and Banking77.
 */
static const char *const of_inference[] = {"This example is {}."};
static const char *const of_vectors[] = {"about {}", "Topic: {}"};

PG_FUNCTION_INFO_V1(distil_zero_shot);

/* ---- arguments ---- */

static void
check_entailment(const DistilModel *model)
{
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

static bool
by_vectors(const DistilModel *model)
{
	return model->core->config.head == DBERT_HEAD_NONE;
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

Datum
distil_hypothesis(const DistilQuestion *q, int i, int t)
{
	char	   *name = TextDatumGetCString(q->labels[i]);
	StringInfoData s;

	initStringInfo(&s);
	distil_append_filled(&s, q->templates[t], SLOT, name, strlen(name));
	pfree(name);
	return PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
}

/* ---- by inference ---- */

typedef struct Hypotheses
{
	size_t		columns;
	float	   *logits;			/* [n, columns] */
	bool		failed;			/* a pair could not be evaluated */
} Hypotheses;

static void
take_logits(void *ctx, int e, DbertBatch *batch, int i, const DistilText *texts)
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

/* The logits of all labels, unless one fails. */
static void
run_hypotheses(DistilModel *model, const DistilQuestion *q, Hypotheses *h)
{
	DistilMany	many = {
		.model = model,
		.want = DBERT_WANT_LOGITS,
		.item = DISTIL_ITEM_PAIR,
		.rules = q->rules,
		.cut_first = true,
		.free_texts = true,
		.take = take_logits,
		.none = give_up,
		.ctx = h
	};

	distil_many_begin(&many);
	for (int e = 0; e < q->n && !h->failed; e++)
	{
		DistilText	pair[2];

		pair[0] = distil_text_get(q->text, q->rules.on_error);
		pair[1] = distil_text_get(distil_hypothesis(q, e, 0), q->rules.on_error);
		distil_usage_count(model->usage, &(DistilUsage) {.rows = 1});
		distil_many_add(&many, e, pair);
	}
	distil_many_end(&many);
}

static bool
score_by_inference(DistilModel *model, const DistilQuestion *q, bool multi_label, float *scores)
{
	Hypotheses	h = {.columns = model->core->config.n_labels};

	check_entailment(model);
	h.logits = palloc_extended(Max(q->n, 1) * h.columns * sizeof(float), MCXT_ALLOC_HUGE);
	run_hypotheses(model, q, &h);
	if (!h.failed)
		dbert_zero_shot_scores(model->core, h.logits, q->n, multi_label, scores);
	pfree(h.logits);
	return !h.failed;
}

/* ---- the function ---- */

static void
return_labels(ReturnSetInfo *rsinfo, const DistilQuestion *q, const float *scores)
{
	DistilRanked *ranked = distil_rank(scores, q->n);

	for (int i = 0; i < q->n; i++)
	{
		Datum		values[2] = {q->labels[ranked[i].number], Float4GetDatum(ranked[i].score)};
		bool		nulls[2] = {false};

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	pfree(ranked);
}

/* What the call says of the text, or else the model's kind. */
static void
set_templates(DistilQuestion *q, const DistilModel *model, const char **given)
{
	if (*given != NULL)
	{
		check_template(*given);
		q->templates = given;
		q->n_templates = 1;
	}
	else
	{
		q->templates = by_vectors(model) ? of_vectors : of_inference;
		q->n_templates = by_vectors(model) ? lengthof(of_vectors) : lengthof(of_inference);
	}
}

/* *scored: the labels have scores [n], palloc'd. */
static float *
score_labels(FmgrInfo *flinfo, DistilModel *model, const DistilQuestion *q, bool multi_label,
			 bool *scored)
{
	float	   *scores = palloc_array(float, Max(q->n, 1));

	if (by_vectors(model))
		*scored = distil_score_by_vectors(flinfo, model, q, multi_label, scores);
	else
		*scored = score_by_inference(model, q, multi_label, scores);
	return scores;
}

/*
 * (text, labels [, model], multi_label, template [, long_text, on_error]); not
 * strict, as the template may be NULL
 */
Datum
distil_zero_shot(PG_FUNCTION_ARGS)
{
	DistilCallForm form;
	DistilModel *model;
	DistilQuestion q;
	const char *template = NULL;
	bool		scored;
	float	   *scores;

	InitMaterializedSRF(fcinfo, 0);
	if (distil_asks_nothing(fcinfo, 2, 2))
		return (Datum) 0;
	form = distil_call_form(fcinfo, 2, 2);
	model = distil_call_model(fcinfo, form.model, "zero_shot");
	q = (DistilQuestion) {
		.text = PG_GETARG_DATUM(0),
		.array = PointerGetDatum(PG_GETARG_ARRAYTYPE_P(1)),
		.rules = form.rules
	};
	if (!PG_ARGISNULL(form.option + 1))
		template = text_to_cstring(PG_GETARG_TEXT_PP(form.option + 1));
	set_templates(&q, model, &template);
	distil_require_head_or_none(model, DBERT_HEAD_SEQUENCE, "distil_zero_shot");
	q.labels = distil_text_elements(q.array, "labels", &q.n);
	scores = score_labels(fcinfo->flinfo, model, &q, PG_GETARG_BOOL(form.option), &scored);
	if (scored)
		return_labels((ReturnSetInfo *) fcinfo->resultinfo, &q, scores);
	pfree(scores);
	return (Datum) 0;
}
