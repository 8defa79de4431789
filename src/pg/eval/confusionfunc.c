/*
 * confusionfunc.c -- distil_confusion.
 *
 * A row for each pair of the labels that occur, in the rows or as answers, as
 * in scikit-learn's confusion_matrix, in the model's order.  Pairs that do not
 * occur have count 0, so that the matrix is whole and \crosstabview shows its
 * diagonal as one.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"

#include "pg/bridge/compat.h"
#include "pg/eval/predict.h"

/* Few of the pairs of many labels occur. */
typedef struct Pair
{
	int			label;
	int			predicted;
} Pair;

typedef struct PairCount
{
	Pair		pair;			/* key */
	int64		count;
} PairCount;

typedef struct ConfusionJob
{
	DistilPredictor predictor;
	DistilLabels labels;
	bool	   *occurs;			/* [labels.n] */
	HTAB	   *pairs;
	int64		rows;
	int64		null_answers;
} ConfusionJob;

static void
check_kind(const DistilPredictor *p)
{
	if (p->kind != DISTIL_ANSWER_LABEL)
		ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("model \"%s\" cannot be used with distil_confusion", p->model->name),
			 errdetail("A confusion matrix is of a model that gives each text one of its labels."),
			 errhint("distil_evaluate measures every model.")));
}

static void
visit(void *ctx, DistilLabelKind kind, bool integers, const DistilExample *rows, int n)
{
	ConfusionJob *job = ctx;
	DistilPrediction *said = distil_predict(&job->predictor, kind, rows, n);

	for (int i = 0; i < n; i++)
	{
		Pair		pair;
		PairCount  *count;
		bool		found;

		job->null_answers += !said[i].there;
		if (!said[i].there)
			continue;
		pair = (Pair) {distil_true_label(&job->predictor, rows[i].labels[0]), said[i].labels[0]};
		count = hash_search(job->pairs, &pair, HASH_ENTER, &found);
		count->count = found ? count->count + 1 : 1;
		job->occurs[pair.label] = job->occurs[pair.predicted] = true;
		job->rows++;
	}
}

static void
put_pair(ReturnSetInfo *rsinfo, const ConfusionJob *job, Pair pair)
{
	const PairCount *count = hash_search(job->pairs, &pair, HASH_FIND, NULL);
	const char *label = job->labels.names[pair.label],
			   *predicted = job->labels.names[pair.predicted];
	Datum		values[3];
	bool		nulls[3] = {false};

	values[0] = PointerGetDatum(distil_text_from_utf8(label, strlen(label)));
	values[1] = PointerGetDatum(distil_text_from_utf8(predicted, strlen(predicted)));
	values[2] = Int64GetDatum(count == NULL ? 0 : count->count);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	pfree(DatumGetPointer(values[0]));
	pfree(DatumGetPointer(values[1]));
}

static void
put_matrix(ReturnSetInfo *rsinfo, const ConfusionJob *job)
{
	for (int i = 0; i < job->labels.n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int j = 0; j < job->labels.n && job->occurs[i]; j++)
		{
			if (job->occurs[j])
				put_pair(rsinfo, job, (Pair) {i, j});
		}
	}
}

PG_FUNCTION_INFO_V1(distil_confusion);
Datum
distil_confusion(PG_FUNCTION_ARGS)
{
	HASHCTL		ctl = {.keysize = sizeof(Pair),.entrysize = sizeof(PairCount)};
	ConfusionJob job = {0};
	DistilExampleCounts counts;

	job.predictor = distil_predictor(distil_call_model(fcinfo, 0, NULL), "distil_confusion",
									 &job.labels);
	check_kind(&job.predictor);
	job.occurs = palloc0_array(bool, Max(job.labels.n, 1));
	ctl.hcxt = CurrentMemoryContext;
	job.pairs = hash_create("distilbert confusion", 64, &ctl,
							HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	InitMaterializedSRF(fcinfo, 0);
	counts = distil_examples_visit(text_to_cstring(PG_GETARG_TEXT_PP(1)), "query",
								   DISTIL_LEARN_CLASSES, visit, &job);
	counts.null_answers = job.null_answers;
	distil_examples_end(&counts, job.rows);
	put_matrix((ReturnSetInfo *) fcinfo->resultinfo, &job);
	return (Datum) 0;
}
