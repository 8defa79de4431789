/*
 * rerankfunc.c -- how well documents fit a query.
 *
 *	   distil_rerank(query, docs [, model])
 *			real[]: the score of each document
 *	   distil_rerank_distance(query, doc [, model])
 *			real: 1 - that, so that ORDER BY puts the best first
 *
 * By a cross-encoder, which reads both texts together; or by a model of
 * embeddings, whose score is the cosine of the two vectors.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "pg/bridge/compat.h"
#include "pg/func/compare.h"
#include "pg/func/vector.h"
#include "pg/run/many.h"

PG_FUNCTION_INFO_V1(distil_rerank);

static void
check_rerank(const DistilTask *task, const DistilModel *model, const NullableDatum *options)
{
	distil_require_head_or_none(model, DBERT_HEAD_SEQUENCE, task->function);
	if (distil_compares(task, model) || model->core->config.n_labels == 1)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("model \"%s\" cannot be used with %s", model->name, task->function),
			 errdetail("Reranking needs a cross-encoder with one label or a model of embeddings; "
					   "this model has %d labels.",
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

static Datum
compare_distance(const float *query, const float *doc, int width)
{
	return Float4GetDatum(1 - distil_vector_cosine(query, doc, width));
}

const DistilTask distil_task_rerank_distance = {
	.function = "distil_rerank_distance",
	.setting = "rerank",
	.want = DBERT_WANT_LOGITS,
	.type = FLOAT4OID,
	.pair = true,
	.check = check_rerank,
	.answer = answer_distance,
	.compare = compare_distance
};

/* ---- distil_rerank ---- */

typedef struct Documents
{
	DistilModel *model;
	DistilTextRules rules;
	DistilTextArray docs;
	Datum		query;
	const float *vector;		/* the query's, of a model of embeddings; else NULL */
	Datum	   *scores;			/* [docs.n] */
} Documents;

static Datum
compare_score(const float *query, const float *doc, int width)
{
	return Float4GetDatum(distil_vector_cosine(query, doc, width));
}

static void
take_score(void *ctx, int e, DbertBatch *batch, int i, const DistilText *texts)
{
	Documents  *d = ctx;
	const DbertModel *core = d->model->core;
	int			rows;

	if (d->vector != NULL)
		d->scores[e] = compare_score(d->vector, dbert_batch_embedding(batch, i),
									 core->config.dimensions);
	else
		d->scores[e] = Float4GetDatum(
			dbert_rerank_score(core, dbert_batch_logits(batch, i, &rows)));
}

static void
no_score(void *ctx, int e)
{
	((Documents *) ctx)->docs.nulls[e] = true;
}

/* Each with the query or, where that is a vector, by itself. */
static void
run_documents(Documents *d, DistilMany *many)
{
	bool		pair = many->item == DISTIL_ITEM_PAIR;
	int			n;
	int		   *order = distil_equal_together(&d->docs, 1, &n);

	distil_many_begin(many);
	for (int k = 0; k < n; k++)
	{
		DistilText	texts[2];

		if (pair)
			texts[0] = distil_text_get(d->query, d->rules.on_error);
		texts[pair] = distil_text_get(d->docs.texts[order[k]], d->rules.on_error);
		distil_usage_count(d->model->usage, &(DistilUsage) {.rows = 1});
		distil_many_add(many, order[k], texts);
	}
	distil_many_end(many);
	pfree(order);
}

static void
score_pairs(Documents *d)
{
	DistilMany	many = {
		.model = d->model,
		.want = DBERT_WANT_LOGITS,
		.item = DISTIL_ITEM_PAIR,
		.rules = d->rules,
		.free_texts = true,
		.take = take_score,
		.none = no_score,
		.ctx = d
	};

	run_documents(d, &many);
}

/* Without a vector of the query no document has a score. */
static void
score_by_vectors(Documents *d)
{
	DistilMany	many = {
		.model = d->model,
		.want = DBERT_WANT_EMBEDDING | DBERT_WANT_PASSAGE,
		.item = DISTIL_ITEM_TEXT,
		.rules = d->rules,
		.cached = true,
		.free_texts = true,
		.take = take_score,
		.none = no_score,
		.ctx = d
	};
	DistilText	query;

	if (distil_count_nulls(&d->docs) == d->docs.n)
		return;
	query = distil_text_get(d->query, d->rules.on_error);
	d->vector = distil_text_vector(d->model, DBERT_WANT_QUERY, &query, d->rules,
								   CurrentMemoryContext);
	distil_text_free(&query);
	if (d->vector != NULL)
		run_documents(d, &many);
	else
		memset(d->docs.nulls, true, d->docs.n);
}

/* (query, docs [, model [, long_text, on_error]]) */
Datum
distil_rerank(PG_FUNCTION_ARGS)
{
	static const DistilTask task = {
		.function = "distil_rerank",
		.setting = "rerank",
		.pair = true,
		.check = check_rerank,
		.compare = compare_score
	};
	Documents	d = {.model = distil_task_model(fcinfo, &task, NULL),
					 .rules = distil_task_rules(&task, fcinfo->args, PG_NARGS()),
					 .docs = distil_array_open(PG_GETARG_DATUM(1)),
					 .query = PG_GETARG_DATUM(0)};
	ArrayType  *result;

	d.scores = palloc0_array(Datum, Max(d.docs.n, 1));
	if (distil_compares(&task, d.model))
		score_by_vectors(&d);
	else
		score_pairs(&d);
	result = distil_array_like(&d.docs, d.scores, FLOAT4OID);
	pfree(d.scores);
	distil_array_close(&d.docs, PG_GETARG_DATUM(1));
	PG_RETURN_ARRAYTYPE_P(result);
}
