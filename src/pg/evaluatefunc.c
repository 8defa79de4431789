/*
 * evaluatefunc.c -- distil_evaluate.
 *
 * The rows come in blocks from a cursor; each block's texts go through the
 * model in batches of distilbert.batch_tokens, as the answers of a query
 * would, and are counted against their labels.  Of entities the classes are
 * their types, and what is counted are those that distil_entities finds: right
 * are type, beginning and end.
 */
#include "postgres.h"

#include <math.h>

#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "pg/errors.h"
#include "pg/examples.h"
#include "pg/modelmemory.h"
#include "pg/spans.h"
#include "pg/trainmetric.h"

typedef struct EvaluateJob
{
	DistilModel *model;
	const char **labels;		/* [n_labels]: the model's, or its types of entities */
	int			n_labels;
	bool		multi;
	bool		entities;
	DistilClassCount *counts;	/* [n_labels] */
	int64		rows;
} EvaluateJob;

/* -1: there is none */
static int
find_label(const EvaluateJob *job, const char *label, size_t len)
{
	for (int i = 0; i < job->n_labels; i++)
	{
		if (strlen(job->labels[i]) == len && memcmp(job->labels[i], label, len) == 0)
			return i;
	}
	return -1;
}

static int
label_number(const EvaluateJob *job, const char *label)
{
	int			number = find_label(job, label, strlen(label));

	if (number >= 0)
		return number;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("model \"%s\" has no label \"%s\"", job->model->name,
					pg_any_to_server(label, strlen(label), PG_UTF8)),
			 errhint("The view distil_models lists the labels of each model.")));
	return -1;					/* keep compiler quiet */
}

static void
count_answer(EvaluateJob *job, const DistilExample *row, const float *logits)
{
	int			best = dbert_classify_best(job->model->core, logits);

	for (int j = 0; j < job->n_labels; j++)
		job->counts[j].said += job->multi ? logits[j] > 0 : j == best;
	for (int i = 0; i < row->n_labels; i++)
	{
		int			j = label_number(job, row->labels[i]);

		job->counts[j].support++;
		job->counts[j].hits += job->multi ? logits[j] > 0 : j == best;
	}
	job->rows++;
}

/* Text i of the batch; what the core allocates is freed before anything can raise. */
static void
count_entities(EvaluateJob *job, const DistilExample *row, DbertBatch *batch, int i)
{
	DbertEntity *found;
	DbertError	err;
	int			n;

	if (dbert_batch_entities(batch, i, DBERT_AGGREGATE_FIRST, 0, &found, &n, &err) != DBERT_OK)
		distil_raise(&err, NULL);
	for (int e = 0; e < n; e++)
	{
		int			type = find_label(job, found[e].label, found[e].label_len);

		if (type < 0)
			continue;
		job->counts[type].said++;
		for (int s = 0; s < row->n_spans; s++)
		{
			if (row->spans[s].start == found[e].start && row->spans[s].end == found[e].end &&
				strcmp(row->spans[s].label, job->labels[type]) == 0)
			{
				job->counts[type].hits++;
				break;
			}
		}
	}
	pfree(found);
	for (int s = 0; s < row->n_spans; s++)
		job->counts[label_number(job, row->spans[s].label)].support++;
	job->rows++;
}

static void
check_kind(const EvaluateJob *job, DistilLabelKind kind)
{
	if (kind != DISTIL_LABEL_SPANS && (kind == DISTIL_LABEL_MANY) != job->multi)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 job->multi ? errmsg("model \"%s\" gives a text several labels", job->model->name) :
				 errmsg("model \"%s\" gives a text one label", job->model->name),
				 job->multi ? errhint("The last column of the query must be text[].") :
				 errhint("The last column of the query must not be an array.")));
}

/* The rows of the batch, which ends before row end. */
static void
run_batch(EvaluateJob *job, DbertBatch *batch, const DistilExample *rows, int end)
{
	int			n = dbert_batch_count(batch);

	distil_batch_run(batch);
	for (int i = 0; i < n; i++)
	{
		int			count;

		if (job->entities)
			count_entities(job, &rows[end - n + i], batch, i);
		else
			count_answer(job, &rows[end - n + i], dbert_batch_logits(batch, i, &count));
	}
	dbert_batch_reset(batch);
}

static void
visit(void *ctx, DistilLabelKind kind, bool integers, const DistilExample *rows, int n)
{
	EvaluateJob *job = ctx;
	DbertBatch *batch = distil_model_batch(job->model, DBERT_WANT_LOGITS);
	size_t		batch_tokens = distil_batch_tokens(job->model, DBERT_WANT_LOGITS);
	DbertError	err;

	check_kind(job, kind);
	for (int i = 0; i < n; i++)
	{
		if (distil_batch_try_add(batch, rows[i].texts, rows[i].pair, &err) != DBERT_OK)
			distil_raise(&err, NULL);
		if (dbert_batch_tokens(batch) >= batch_tokens || i == n - 1)
			run_batch(job, batch, rows, i + 1);
	}
}


/* ---- rows of the result ---- */

static void
put_row(ReturnSetInfo *rsinfo, const char *label, double precision, double recall, double f1, int64 support)
{
	Datum		values[5];
	bool		nulls[5] = {false};

	values[0] = PointerGetDatum(distil_text_from_utf8(label, strlen(label)));
	values[1] = Float4GetDatum((float4) precision);
	values[2] = Float4GetDatum((float4) recall);
	values[3] = Float4GetDatum((float4) f1);
	values[4] = Int64GetDatum(support);
	nulls[1] = isnan(precision);
	nulls[2] = isnan(recall);
	nulls[3] = isnan(f1);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static void
put_counts(ReturnSetInfo *rsinfo, const char *label, const DistilClassCount *c)
{
	put_row(rsinfo, label, distil_precision_of(c), distil_recall_of(c), distil_f1_of(c), c->support);
}

/*
 * Means over the labels that occur, as answers or in the rows; what is
 * undefined for one of them counts as 0, as in scikit-learn's report.
 */
static void
put_means(ReturnSetInfo *rsinfo, const EvaluateJob *job, const char *label, bool weighted)
{
	double		precision = 0,
				recall = 0,
				f1 = 0,
				weights = 0;

	for (int i = 0; i < job->n_labels; i++)
	{
		const DistilClassCount *c = &job->counts[i];
		double		w = weighted ? (double) c->support : c->support + c->said > 0;

		if (w == 0)
			continue;
		precision += c->said > 0 ? w * distil_precision_of(c) : 0;
		recall += c->support > 0 ? w * distil_recall_of(c) : 0;
		f1 += w * distil_f1_of(c);
		weights += w;
	}
	put_row(rsinfo, label, precision / weights, recall / weights, f1 / weights,
			distil_sum_counts(job->counts, job->n_labels).support);
}

static void
put_result(ReturnSetInfo *rsinfo, const EvaluateJob *job)
{
	DistilClassCount all = distil_sum_counts(job->counts, job->n_labels);

	for (int i = 0; i < job->n_labels; i++)
		put_counts(rsinfo, job->labels[i], &job->counts[i]);
	if (job->multi || job->entities)
		put_counts(rsinfo, "(micro average)", &all);
	else
		put_row(rsinfo, "(accuracy)", NAN, NAN, distil_recall_of(&all), all.support);
	put_means(rsinfo, job, "(macro average)", false);
	put_means(rsinfo, job, "(weighted average)", true);
}

/* The model's labels, or the types that they name. */
static void
list_labels(EvaluateJob *job)
{
	const DbertModel *core = job->model->core;

	job->labels = palloc(sizeof(char *) * Max(core->config.n_labels, 1));
	for (int i = 0; i < core->config.n_labels; i++)
	{
		const char *label = job->entities ? distil_tag_type(core->labels[i]) : core->labels[i];

		if (label != NULL && (!job->entities || find_label(job, label, strlen(label)) < 0))
			job->labels[job->n_labels++] = label;
	}
	job->counts = palloc0(sizeof(DistilClassCount) * Max(job->n_labels, 1));
}

static void
check_model(const DistilModel *model)
{
	if (model->core->config.head == DBERT_HEAD_TOKEN)
		return;
	distil_require_head(model, DBERT_HEAD_SEQUENCE, "distil_evaluate");
	if (model->core->config.problem == DBERT_PROBLEM_REGRESSION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("distil_evaluate measures classifiers, but model \"%s\" gives a number", model->name),
				 errhint("Compare its numbers by corr(): SELECT corr(label, s.score) FROM ..., distil_scores(text, model) AS s.")));
}

PG_FUNCTION_INFO_V1(distil_evaluate);
Datum
distil_evaluate(PG_FUNCTION_ARGS)
{
	EvaluateJob job = {.model = distil_model_for_call(fcinfo->flinfo, text_to_cstring(PG_GETARG_TEXT_PP(0)))};
	DistilExampleCounts counts;

	check_model(job.model);
	job.entities = job.model->core->config.head == DBERT_HEAD_TOKEN;
	job.multi = !job.entities && job.model->core->config.problem == DBERT_PROBLEM_MULTI;
	list_labels(&job);
	InitMaterializedSRF(fcinfo, 0);
	counts = distil_examples_visit(text_to_cstring(PG_GETARG_TEXT_PP(1)), "query", job.entities ? DISTIL_WANT_SPANS : DISTIL_WANT_CLASSES, visit, &job);
	if (job.rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"query\" gives no row with both a text and a label")));
	distil_examples_report(&counts);
	put_result((ReturnSetInfo *) fcinfo->resultinfo, &job);
	return (Datum) 0;
}
