/*
 * comparefunc.c -- distil_compare.
 *
 * Both models see each block of rows, so the query runs once, and a row that
 * one of them cannot evaluate is left out for both.
 *
 * The bootstrap draws rows again and again, so what a row adds to the metrics
 * is kept: of labels and entities a RowCount for each label that was said or is
 * true, of numbers the true one and the two that were said, of translations
 * what each adds to BLEU and chrF.
 */
#include "postgres.h"

#include <math.h>

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "pg/bridge/compat.h"
#include "pg/bridge/growing.h"
#include "pg/eval/correlation.h"
#include "pg/eval/predict.h"
#include "pg/eval/significance.h"

#define MAX_METRICS 3

/* What was said of a row, and is true, of one label. */
typedef struct RowCount
{
	int32		label;
	int32		support;
	int32		hits[2];		/* by model */
	int32		said[2];
} RowCount;

typedef struct CompareJob
{
	const struct CompareKind *kind; /* once the rows are seen */
	DistilPredictor predictors[2];
	DistilLabels labels;
	MemoryContext context;
	int32		n;				/* rows */
	int64		null_answers;

	/* of labels and entities */
	RowCount   *counts;			/* [n_counts], row by row */
	Size		n_counts;
	Size		counts_capacity;
	Size	   *ends;			/* [n]: of each row's among them */
	Size		ends_capacity;
	DistilClassCount *sums[2];	/* [labels.n]: work */
	int64		right[2][2];	/* rows by whether model a and b are right */
	int64		same;

	/* of numbers */
	DistilNumbers truth;
	DistilNumbers said[2];
	DistilRanking truth_ranking;
	DistilRanking said_ranking[2];

	/* of translations, [n] */
	DistilLikeness *likenesses[2];
	Size		likenesses_capacity[2];
} CompareJob;

/* ---- rows ---- */

static bool
is_right(const DistilClassCount *counts, int n)
{
	DistilClassCount all = distil_sum_counts(counts, n);

	return all.hits == all.said && all.hits == all.support;
}

/* sums, which are a row's alone, go to its RowCounts and are zeros again. */
static void
keep_sums(CompareJob *job)
{
	for (int label = 0; label < job->labels.n; label++)
	{
		DistilClassCount *a = &job->sums[0][label];
		DistilClassCount *b = &job->sums[1][label];

		if (a->support + a->said + b->said == 0)
			continue;
		job->counts = distil_grown(job->context, job->counts, job->n_counts, &job->counts_capacity,
								   sizeof(RowCount));
		job->counts[job->n_counts++] = (RowCount) {
			.label = label,.support = a->support,.hits = {a->hits, b->hits},
			.said = {a->said, b->said}
		};
		*a = *b = (DistilClassCount) {0};
	}
}

static void
add_labels(CompareJob *job, const DistilExample *row, const DistilPrediction *a,
		   const DistilPrediction *b)
{
	distil_check_rows(job->n);
	distil_count_prediction(&job->predictors[0], row, a, job->sums[0]);
	distil_count_prediction(&job->predictors[1], row, b, job->sums[1]);
	job->right[is_right(job->sums[0], job->labels.n)][is_right(job->sums[1], job->labels.n)]++;
	job->same += distil_same_prediction(a, b);
	keep_sums(job);
	job->ends = distil_grown(job->context, job->ends, job->n, &job->ends_capacity, sizeof(Size));
	job->ends[job->n++] = job->n_counts;
}

static void
add_numbers(CompareJob *job, const DistilExample *row, const DistilPrediction *a,
			const DistilPrediction *b)
{
	distil_numbers_add(&job->truth, row->number);
	distil_numbers_add(&job->said[0], a->number);
	distil_numbers_add(&job->said[1], b->number);
	job->n++;
}

static void
add_translations(CompareJob *job, const DistilPrediction *a, const DistilPrediction *b)
{
	const DistilLikeness *row[2] = {a->likeness, b->likeness};

	distil_check_rows(job->n);
	for (int m = 0; m < 2; m++)
	{
		job->likenesses[m] = distil_grown(job->context, job->likenesses[m], job->n,
										  &job->likenesses_capacity[m], sizeof(DistilLikeness));
		job->likenesses[m][job->n] = *row[m];
	}
	job->n++;
}

static void
visit(void *ctx, DistilLabelKind kind, bool integers, const DistilExample *rows, int n)
{
	CompareJob *job = ctx;
	DistilPrediction *a = distil_predict(&job->predictors[0], kind, rows, n);
	DistilPrediction *b = distil_predict(&job->predictors[1], kind, rows, n);

	for (int i = 0; i < n; i++)
	{
		if (!a[i].there || !b[i].there)
			job->null_answers++;
		else if (kind == DISTIL_LABEL_NUMBER)
			add_numbers(job, &rows[i], &a[i], &b[i]);
		else if (kind == DISTIL_LABEL_REFERENCE)
			add_translations(job, &a[i], &b[i]);
		else
			add_labels(job, &rows[i], &a[i], &b[i]);
	}
}

/* ---- metrics ---- */

static void
sum_rows(CompareJob *job, const int32 *weights)
{
	for (int m = 0; m < 2; m++)
		memset(job->sums[m], 0, sizeof(DistilClassCount) * job->labels.n);
	for (int32 i = 0; i < job->n; i++)
	{
		int32		w = weights == NULL ? 1 : weights[i];

		if ((i & 0xffff) == 0)
			CHECK_FOR_INTERRUPTS();
		for (Size c = i == 0 ? 0 : job->ends[i - 1]; w > 0 && c < job->ends[i]; c++)
		{
			const RowCount *count = &job->counts[c];

			for (int m = 0; m < 2; m++)
			{
				DistilClassCount *sum = &job->sums[m][count->label];

				sum->support += (int64) w * count->support;
				sum->hits += (int64) w * count->hits[m];
				sum->said += (int64) w * count->said[m];
			}
		}
	}
}

static void
f1_of(CompareJob *job, const int32 *weights, double values[2][MAX_METRICS])
{
	sum_rows(job, weights);
	for (int m = 0; m < 2; m++)
	{
		DistilClassCount all = distil_sum_counts(job->sums[m], job->labels.n);

		values[m][0] = distil_f1_of(&all);
		values[m][1] = distil_means(job->sums[m], job->labels.n, false).f1;
	}
}

static void
correlations_of(CompareJob *job, const int32 *weights, double values[2][MAX_METRICS])
{
	const double *truth = job->truth.values;

	for (int m = 0; m < 2; m++)
	{
		const double *said = job->said[m].values;

		values[m][0] = distil_pearson(truth, said, weights, job->n);
		values[m][1] = distil_spearman(&job->truth_ranking, &job->said_ranking[m], weights);
		values[m][2] = distil_rmse(truth, said, weights, job->n);
	}
}

static void
likenesses_of(CompareJob *job, const int32 *weights, double values[2][MAX_METRICS])
{
	DistilLikeness sums[2] = {0};

	for (int32 i = 0; i < job->n; i++)
	{
		if ((i & 0xffff) == 0)
			CHECK_FOR_INTERRUPTS();
		for (int m = 0; m < 2; m++)
			distil_likeness_add(&sums[m], &job->likenesses[m][i], weights == NULL ? 1 : weights[i]);
	}
	for (int m = 0; m < 2; m++)
	{
		values[m][0] = dbert_bleu_score(&sums[m].bleu);
		values[m][1] = dbert_chrf_score(&sums[m].chrf);
	}
}

/* What is told of rows, by what their last column is. */
typedef struct CompareKind
{
	const char *metrics[MAX_METRICS];
	int			n_metrics;
	bool		agrees;			/* a row is right or wrong */
	/* of both models; the rows counted weights[n] times, or NULL: once */
	void		(*measure) (CompareJob *job, const int32 *weights, double values[2][MAX_METRICS]);
} CompareKind;

static const CompareKind of_labels = {{"micro f1", "macro f1"}, 2, true, f1_of};
static const CompareKind of_numbers = {{"pearson", "spearman", "rmse"}, 3, false, correlations_of};
/* a similarity is on no scale but its own */
static const CompareKind of_similarities = {{"pearson", "spearman"}, 2, false, correlations_of};
static const CompareKind of_translations = {{"bleu", "chrf"}, 2, false, likenesses_of};

static const CompareKind *
kind_of(const CompareJob *job)
{
	const DistilPredictor *p = job->predictors;

	if (p[0].kind == DISTIL_ANSWER_TRANSLATION)
		return &of_translations;
	if (job->truth.n == 0)
		return &of_labels;
	return p[0].kind == DISTIL_ANSWER_SIMILARITY || p[1].kind == DISTIL_ANSWER_SIMILARITY
		? &of_similarities : &of_numbers;
}

static void
differences(void *ctx, const int32 *weights, double *d)
{
	CompareJob *job = ctx;
	double		values[2][MAX_METRICS];

	job->kind->measure(job, weights, values);
	for (int k = 0; k < job->kind->n_metrics; k++)
		d[k] = values[1][k] - values[0][k];
}

/* ---- rows of the result ---- */

/* NaN: NULL, as is the p value where there is no difference. */
static void
put_metric(ReturnSetInfo *rsinfo, const char *metric, double a, double b, double p,
		   const char *test, int64 rows)
{
	bool		undefined = isnan(b - a);
	Datum		values[7] = {0};
	bool		nulls[7] = {false, isnan(a), isnan(b), undefined, undefined, undefined, false};

	values[0] = CStringGetTextDatum(metric);
	values[1] = Float4GetDatum((float4) a);
	values[2] = Float4GetDatum((float4) b);
	values[3] = Float4GetDatum((float4) (b - a));
	values[4] = Float4GetDatum((float4) p);
	if (!undefined)
		values[5] = CStringGetTextDatum(test);
	values[6] = Int64GetDatum(rows);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static void
put_rows(ReturnSetInfo *rsinfo, const char *which, int64 rows)
{
	put_metric(rsinfo, which, NAN, NAN, NAN, NULL, rows);
}

static void
put_accuracy(ReturnSetInfo *rsinfo, const CompareJob *job)
{
	int64		both = job->right[1][1],
				only_a = job->right[1][0],
				only_b = job->right[0][1];

	put_metric(rsinfo, "accuracy", (double) (both + only_a) / job->n,
			   (double) (both + only_b) / job->n, distil_mcnemar(only_a, only_b), "exact McNemar",
			   job->n);
}

static void
put_bootstrapped(ReturnSetInfo *rsinfo, CompareJob *job, int64 seed)
{
	const CompareKind *kind = job->kind;
	/* of one label for each text micro F1 is the accuracy */
	const int	first = kind == &of_labels && job->predictors[0].kind == DISTIL_ANSWER_LABEL;
	double		values[2][MAX_METRICS],
				p[MAX_METRICS];

	kind->measure(job, NULL, values);
	distil_bootstrap(job->n, seed, differences, job, kind->n_metrics, p);
	for (int k = first; k < kind->n_metrics; k++)
		put_metric(rsinfo, kind->metrics[k], values[0][k], values[1][k], p[k], "paired bootstrap",
				   job->n);
}

static void
put_agreement(ReturnSetInfo *rsinfo, const CompareJob *job)
{
	put_rows(rsinfo, "both right", job->right[1][1]);
	put_rows(rsinfo, "only a right", job->right[1][0]);
	put_rows(rsinfo, "only b right", job->right[0][1]);
	put_rows(rsinfo, "neither right", job->right[0][0]);
	put_rows(rsinfo, "same answer", job->same);
}

/* ---- the function ---- */

/* Both must read the last column as the same. */
static DistilLearn
common_learn(const DistilPredictor *a, const DistilPredictor *b)
{
	DistilLearn learn_a = distil_predictor_learn(a);
	DistilLearn learn_b = distil_predictor_learn(b);

	if (learn_a == learn_b && (learn_a == DISTIL_LEARN_NUMBERS || a->kind == b->kind))
		return learn_a;
	if (learn_a == DISTIL_LEARN_MANY_OR_NUMBERS &&
		(learn_b == DISTIL_LEARN_NUMBERS || a->kind == b->kind))
		return learn_b;
	if (learn_b == DISTIL_LEARN_MANY_OR_NUMBERS &&
		(learn_a == DISTIL_LEARN_NUMBERS || a->kind == b->kind))
		return learn_a;
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("models \"%s\" and \"%s\" cannot be compared", a->model->name, b->model->name),
			 errdetail("\"%s\" gives %s, \"%s\" %s.", a->model->name, distil_answer_name(a),
					   b->model->name, distil_answer_name(b))));
}

/*
 * A call site has one model; the second one has a site of its own, as long as
 * this call.
 */
static DistilModel *
second_model(const char *name)
{
	FmgrInfo   *site = palloc0(sizeof(FmgrInfo));
	DistilModel *model;

	site->fn_mcxt = CurrentMemoryContext;
	model = distil_model_for_call(site, name);
	distil_usage_count(model->usage, &(DistilUsage) {.calls = 1});
	return model;
}

static void
begin_job(CompareJob *job, FunctionCallInfo fcinfo)
{
	DistilModel *model;

	job->context = job->truth.context = job->said[0].context = job->said[1].context =
		CurrentMemoryContext;
	model = distil_call_model(fcinfo, 0, NULL);
	job->predictors[0] = distil_predictor(model, "distil_compare", &job->labels);
	model = second_model(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	job->predictors[1] = distil_predictor(model, "distil_compare", &job->labels);
	for (int m = 0; m < 2; m++)
		job->sums[m] = palloc0_array(DistilClassCount, Max(job->labels.n, 1));
}

static void
put_result(ReturnSetInfo *rsinfo, CompareJob *job, int64 seed)
{
	bool labels = job->predictors[0].kind == DISTIL_ANSWER_LABEL ||
				  job->predictors[0].kind == DISTIL_ANSWER_LABELS;

	job->kind = kind_of(job);
	if (job->truth.n > 0)
	{
		job->truth_ranking = distil_ranking(&job->truth);
		for (int m = 0; m < 2; m++)
			job->said_ranking[m] = distil_ranking(&job->said[m]);
	}
	if (labels)
		put_accuracy(rsinfo, job);
	put_bootstrapped(rsinfo, job, seed);
	if (job->kind->agrees)
		put_agreement(rsinfo, job);
}

PG_FUNCTION_INFO_V1(distil_compare);
Datum
distil_compare(PG_FUNCTION_ARGS)
{
	CompareJob	job = {0};
	DistilExampleCounts counts;
	DistilLearn learn;

	begin_job(&job, fcinfo);
	InitMaterializedSRF(fcinfo, 0);
	learn = common_learn(&job.predictors[0], &job.predictors[1]);
	counts = distil_examples_visit(text_to_cstring(PG_GETARG_TEXT_PP(2)), "query", learn, visit,
								   &job);
	counts.null_answers = job.null_answers;
	distil_examples_end(&job.predictors[0], &counts, job.n);
	put_result((ReturnSetInfo *) fcinfo->resultinfo, &job, PG_GETARG_INT64(3));
	return (Datum) 0;
}
