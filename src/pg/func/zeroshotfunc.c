/*
 * zeroshotfunc.c -- which of the labels given a text fits, by a model of
 * natural language inference.
 *
 *	   distil_zero_shot(text, labels [, model], multi_label, template)
 *			label, score: the labels given, best first
 *
 * Each label, put into the template, makes a pair with the text, and the pairs
 * go through the model by batches.
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
#include "pg/run/many.h"

/* Where the template has the label. */
#define SLOT "{}"

PG_FUNCTION_INFO_V1(distil_zero_shot);

typedef struct Hypotheses
{
	Datum		premise;
	const Datum *labels;		/* [n] */
	const char *template;
	size_t		columns;
	float	   *logits;			/* [n, columns] */
	bool		failed;			/* a pair could not be evaluated */
} Hypotheses;

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

static Datum
hypothesis(const char *template, Datum label)
{
	char	   *name = TextDatumGetCString(label);
	StringInfoData s;

	initStringInfo(&s);
	distil_append_filled(&s, template, SLOT, name, strlen(name));
	pfree(name);
	return PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
}

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
run_hypotheses(DistilModel *model, Hypotheses *h, int n)
{
	DistilMany	many = {
		.model = model,
		.want = DBERT_WANT_LOGITS,
		.item = DISTIL_ITEM_PAIR,
		.cut_first = true,
		.free_texts = true,
		.take = take_logits,
		.none = give_up,
		.ctx = h
	};

	distil_many_begin(&many);
	for (int e = 0; e < n && !h->failed; e++)
	{
		DistilText	pair[2];

		pair[0] = distil_text_get(h->premise);
		pair[1] = distil_text_get(hypothesis(h->template, h->labels[e]));
		distil_usage_count(model->usage, &(DistilUsage) {.rows = 1});
		distil_many_add(&many, e, pair);
	}
	distil_many_end(&many);
}

/* The labels by their scores; NULL if one has none. */
static DistilRanked *
rank_labels(DistilModel *model, Hypotheses *h, int n, bool multi_label)
{
	float	   *scores = palloc_array(float, Max(n, 1));
	DistilRanked *ranked = NULL;

	h->columns = model->core->config.n_labels;
	h->logits = palloc_extended(Max(n, 1) * h->columns * sizeof(float), MCXT_ALLOC_HUGE);
	run_hypotheses(model, h, n);
	if (!h->failed)
	{
		dbert_zero_shot_scores(model->core, h->logits, n, multi_label, scores);
		ranked = distil_rank(scores, n);
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
	DistilRanked *ranked;
	int			n;

	h.template = text_to_cstring(PG_GETARG_TEXT_PP(option + 1));
	check_template(h.template);
	check_entailment(model);
	h.labels = distil_text_elements(PG_GETARG_DATUM(1), "labels", &n);
	ranked = rank_labels(model, &h, n, PG_GETARG_BOOL(option));

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n && ranked != NULL; i++)
	{
		Datum		values[2] = {h.labels[ranked[i].number], Float4GetDatum(ranked[i].score)};
		bool		nulls[2] = {false};

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
