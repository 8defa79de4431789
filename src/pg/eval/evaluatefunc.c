/*
 * evaluatefunc.c -- distil_evaluate.
 *
 * Labels and entities are counted: for each label how often it was said, how
 * often it is true, and how often both.  An entity is right if its type, start
 * and end are.  Numbers and similarities are kept, 16 bytes for each row,
 * because rank correlation needs them all.  Of translations the n-grams are
 * counted that they share with their references.
 */
#include "postgres.h"

#include <math.h>

#include "funcapi.h"
#include "utils/builtins.h"

#include "pg/bridge/compat.h"
#include "pg/eval/correlation.h"
#include "pg/eval/predict.h"

typedef struct EvaluateJob
{
	DistilPredictor predictor;
	DistilLabels labels;
	DistilClassCount *counts;	/* [labels.n] */
	DistilCalibration calibration;
	DistilNumbers truth;
	DistilNumbers said;
	DistilLikeness likeness;	/* of all translations */
	int64		rows;
	int64		null_answers;
} EvaluateJob;

static void
visit(void *ctx, DistilLabelKind kind, bool integers, const DistilExample *rows, int n)
{
	EvaluateJob *job = ctx;
	DistilPrediction *said = distil_predict(&job->predictor, kind, rows, n);

	for (int i = 0; i < n; i++)
	{
		if (!said[i].there)
		{
			job->null_answers++;
			continue;
		}
		job->rows++;
		if (kind == DISTIL_LABEL_REFERENCE)
		{
			distil_likeness_add(&job->likeness, said[i].likeness, 1);
			continue;
		}
		distil_count_prediction(&job->predictor, &rows[i], &said[i], job->counts);
		distil_count_scores(&job->predictor, &rows[i], &said[i], &job->calibration);
		if (kind == DISTIL_LABEL_NUMBER)
		{
			distil_numbers_add(&job->truth, rows[i].number);
			distil_numbers_add(&job->said, said[i].number);
		}
	}
}

/* ---- rows of the result ---- */

/* NaN: NULL */
static void
put_row(ReturnSetInfo *rsinfo, const char *label, DistilMeans m, int64 support, double value)
{
	Datum		values[6];
	bool		nulls[6] = {false};

	values[0] = PointerGetDatum(distil_text_from_utf8(label, strlen(label)));
	values[1] = Float4GetDatum((float4) m.precision);
	values[2] = Float4GetDatum((float4) m.recall);
	values[3] = Float4GetDatum((float4) m.f1);
	values[4] = Int64GetDatum(support);
	values[5] = Float4GetDatum((float4) value);
	nulls[1] = isnan(m.precision);
	nulls[2] = isnan(m.recall);
	nulls[3] = isnan(m.f1);
	nulls[5] = isnan(value);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static void
put_value(ReturnSetInfo *rsinfo, const char *label, double value, int64 support)
{
	put_row(rsinfo, label, (DistilMeans) {NAN, NAN, NAN}, support, value);
}

static void
put_counts(ReturnSetInfo *rsinfo, const char *label, const DistilClassCount *c)
{
	DistilMeans m = {distil_precision_of(c), distil_recall_of(c), distil_f1_of(c)};

	put_row(rsinfo, label, m, c->support, NAN);
}

static void
put_labels(ReturnSetInfo *rsinfo, const EvaluateJob *job)
{
	int			n = job->labels.n;
	DistilClassCount all = distil_sum_counts(job->counts, n);

	for (int i = 0; i < n; i++)
		put_counts(rsinfo, job->labels.names[i], &job->counts[i]);
	if (job->predictor.kind == DISTIL_ANSWER_LABEL)
		put_value(rsinfo, "(accuracy)", distil_recall_of(&all), all.support);
	else
		put_counts(rsinfo, "(micro average)", &all);
	put_row(rsinfo, "(macro average)", distil_means(job->counts, n, false), all.support, NAN);
	put_row(rsinfo, "(weighted average)", distil_means(job->counts, n, true), all.support, NAN);
	if (job->predictor.kind != DISTIL_ANSWER_ENTITIES)
		put_value(rsinfo, "(calibration error)", distil_calibration_error(&job->calibration),
				  job->rows);
}

static void
put_numbers(ReturnSetInfo *rsinfo, const EvaluateJob *job)
{
	const double *x = job->truth.values;
	const double *y = job->said.values;
	int32		n = job->truth.n;
	DistilRanking truth = distil_ranking(&job->truth);
	DistilRanking said = distil_ranking(&job->said);

	put_value(rsinfo, "(pearson)", distil_pearson(x, y, NULL, n), n);
	put_value(rsinfo, "(spearman)", distil_spearman(&truth, &said, NULL), n);
	if (job->predictor.kind == DISTIL_ANSWER_NUMBER)
		put_value(rsinfo, "(rmse)", distil_rmse(x, y, NULL, n), n);
}

static void
put_likeness(ReturnSetInfo *rsinfo, const EvaluateJob *job)
{
	put_value(rsinfo, "(bleu)", dbert_bleu_score(&job->likeness.bleu), job->rows);
	put_value(rsinfo, "(chrf)", dbert_chrf_score(&job->likeness.chrf), job->rows);
}

PG_FUNCTION_INFO_V1(distil_evaluate);
Datum
distil_evaluate(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	EvaluateJob job = {.truth.context = CurrentMemoryContext,.said.context = CurrentMemoryContext};
	DistilExampleCounts counts;

	job.predictor = distil_predictor(distil_call_model(fcinfo, 0, NULL), "distil_evaluate",
									 &job.labels);
	job.counts = palloc0_array(DistilClassCount, Max(job.labels.n, 1));
	InitMaterializedSRF(fcinfo, 0);
	counts = distil_examples_visit(text_to_cstring(PG_GETARG_TEXT_PP(1)), "query",
								   distil_predictor_learn(&job.predictor), visit, &job);
	counts.null_answers = job.null_answers;
	distil_examples_end(&job.predictor, &counts, job.rows);
	if (job.predictor.kind == DISTIL_ANSWER_TRANSLATION)
		put_likeness(rsinfo, &job);
	else if (job.truth.n > 0)
		put_numbers(rsinfo, &job);
	else
		put_labels(rsinfo, &job);
	return (Datum) 0;
}
