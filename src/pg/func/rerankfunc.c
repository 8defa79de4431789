/*
 * rerankfunc.c -- how well documents fit a query.
 *
 *	   distil_rerank(query, docs [, model])
 *			real[]: the score of each document
 *	   distil_rerank_distance(query, doc [, model])
 *			real: 1 - that, so that ORDER BY puts the best first
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "pg/bridge/compat.h"
#include "pg/func/arrayvalue.h"
#include "pg/func/task.h"
#include "pg/run/many.h"

PG_FUNCTION_INFO_V1(distil_rerank);

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

/* ---- distil_rerank ---- */

typedef struct Documents
{
	const DbertModel *core;
	DistilTextRules rules;
	DistilTextArray docs;
	Datum	   *scores;			/* [docs.n] */
} Documents;

static void
take_score(void *ctx, int e, DbertBatch *batch, int i, const DistilText *texts)
{
	Documents  *d = ctx;
	int			rows;

	d->scores[e] = Float4GetDatum(dbert_rerank_score(d->core, dbert_batch_logits(batch, i, &rows)));
}

static void
no_score(void *ctx, int e)
{
	((Documents *) ctx)->docs.nulls[e] = true;
}

static void
score_documents(DistilModel *model, Datum query, Documents *d)
{
	DistilMany	many = {
		.model = model,
		.want = DBERT_WANT_LOGITS,
		.item = DISTIL_ITEM_PAIR,
		.rules = d->rules,
		.free_texts = true,
		.take = take_score,
		.none = no_score,
		.ctx = d
	};

	int			n;
	int		   *order = distil_equal_together(&d->docs, 1, &n);

	distil_many_begin(&many);
	for (int k = 0; k < n; k++)
	{
		DistilText	pair[2];

		pair[0] = distil_text_get(query, d->rules.on_error);
		pair[1] = distil_text_get(d->docs.texts[order[k]], d->rules.on_error);
		distil_usage_count(model->usage, &(DistilUsage) {.rows = 1});
		distil_many_add(&many, order[k], pair);
	}
	distil_many_end(&many);
	pfree(order);
}

/* (query, docs [, model [, long_text, on_error]]) */
Datum
distil_rerank(PG_FUNCTION_ARGS)
{
	static const DistilTask task = {
		.function = "distil_rerank", .setting = "rerank", .pair = true, .check = check_rerank
	};
	DistilModel *model = distil_task_model(fcinfo, &task, NULL);
	Documents	d = {.core = model->core,
					 .rules = distil_task_rules(&task, fcinfo->args, PG_NARGS()),
					 .docs = distil_array_open(PG_GETARG_DATUM(1))};
	ArrayType  *result;

	d.scores = palloc0_array(Datum, Max(d.docs.n, 1));
	score_documents(model, PointerGetDatum(PG_GETARG_TEXT_PP(0)), &d);
	result = distil_array_like(&d.docs, d.scores, FLOAT4OID);
	pfree(d.scores);
	distil_array_close(&d.docs, PG_GETARG_DATUM(1));
	PG_RETURN_ARRAYTYPE_P(result);
}
