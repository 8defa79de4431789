/*
 * taskarray.c -- the functions of tasks on arrays of texts.
 *
 * An array text[] in (of pairs two, whose elements at the same place belong
 * together), an array of answers out: same order, same bounds, NULL for NULL.
 * Texts go through the model many at a time, and each gets the bits it would
 * have got alone.
 *
 * Vectors are rows of a two-dimensional real[] [texts, dimensions], for SQL's
 * arrays are rectangular; a NULL text has a row of NULLs.
 *
 * Everything lives in the caller's context, the texts' own copies no longer
 * than their turn.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "pg/bridge/compat.h"
#include "pg/func/arrayvalue.h"
#include "pg/func/task.h"
#include "pg/func/vector.h"
#include "pg/run/many.h"

/* A call, and what becomes of its answers. */
typedef struct ArrayCall
{
	const DistilTask *task;
	NullableDatum options[DISTIL_MAX_OPTIONS];
	DistilModel *model;
	DistilTextRules rules;
	DistilTextArray arrays[2];	/* one, or a pair's two */
	DistilTextArray *like;		/* the last one: answers are as many, NULL as its nulls say */

	Datum	   *values;			/* [n], where answers are no vectors */
	float4	   *floats;			/* of the matrix, where they are */
	int			width;
	int		   *row;			/* [n] in the matrix, of elements that were not NULL */
} ArrayCall;

/* ---- texts through the model ---- */

static void
take_answer(void *ctx, int e, DbertBatch *batch, int i, const DistilText *texts)
{
	ArrayCall  *call = ctx;
	DistilRun	run = {.model = call->model,.batch = batch,.options = call->options};

	if (call->floats != NULL)
		call->task->put(&run, i, call->floats + (size_t) call->row[e] * call->width);
	else
		call->like->nulls[e] = !call->task->answer(&run, i, texts, &call->values[e]);
}

static void
no_answer(void *ctx, int e)
{
	ArrayCall  *call = ctx;

	call->like->nulls[e] = true;
}

/* All elements that are not NULL; equal ones together, else in order. */
static void
run_elements(ArrayCall *call)
{
	int			n_arrays = distil_task_texts(call->task),
				n;
	DistilMany	many = {
		.model = call->model,
		.want = call->task->want,
		.item = call->task->pair ? DISTIL_ITEM_PAIR : DISTIL_ITEM_TEXT,
		.rules = call->rules,
		.cached = true,
		.free_texts = true,
		.take = take_answer,
		.none = no_answer,
		.ctx = call
	};

	int		   *order = distil_equal_together(call->arrays, n_arrays, &n);

	distil_many_begin(&many);
	for (int k = 0; k < n; k++)
	{
		DistilText	texts[2];

		for (int i = 0; i < n_arrays; i++)
			texts[i] = distil_text_get(call->arrays[i].texts[order[k]], call->rules.on_error);
		distil_usage_count(call->model->usage, &(DistilUsage) {.rows = 1});
		distil_many_add(&many, order[k], texts);
	}
	distil_many_end(&many);
	pfree(order);
}

/* The same where the task answers all texts at once. */
static void
answer_elements(ArrayCall *call)
{
	int			n;
	int		   *order = distil_equal_together(call->arrays, 1, &n);
	DistilText *texts = palloc_array(DistilText, Max(n, 1));
	const DistilText **at = palloc_array(const DistilText *, Max(n, 1));
	NullableDatum *answers = palloc_array(NullableDatum, Max(n, 1));

	for (int k = 0; k < n; k++)
	{
		texts[k] = distil_text_get(call->arrays[0].texts[order[k]], call->rules.on_error);
		at[k] = &texts[k];
		distil_usage_count(call->model->usage, &(DistilUsage) {.rows = 1});
	}
	(void) call->task->answer_all(call->task, call->model, call->options, at, n, call->rules,
								  false, answers);
	for (int k = 0; k < n; k++)
	{
		call->like->nulls[order[k]] = answers[k].isnull;
		call->values[order[k]] = answers[k].value;
		distil_text_free(&texts[k]);
	}
	pfree(answers);
	pfree(at);
	pfree(texts);
	pfree(order);
}

/* ---- arrays ---- */

static void
open_arrays(ArrayCall *call, FunctionCallInfo fcinfo)
{
	int			n_arrays = distil_task_texts(call->task);

	for (int i = 0; i < n_arrays; i++)
		call->arrays[i] = distil_array_open(PG_GETARG_DATUM(i));
	call->like = &call->arrays[n_arrays - 1];
	if (n_arrays == 1)
		return;
	Assert(call->task->uneven != NULL);
	if (call->arrays[0].n != call->arrays[1].n)
		call->task->uneven(call->arrays[0].n, call->arrays[1].n);
	for (int e = 0; e < call->like->n; e++)
		call->like->nulls[e] |= call->arrays[0].nulls[e];
}

static void
close_arrays(ArrayCall *call, FunctionCallInfo fcinfo)
{
	for (int i = 0; i < distil_task_texts(call->task); i++)
		distil_array_close(&call->arrays[i], PG_GETARG_DATUM(i));
}

static ArrayType *
answer_values(ArrayCall *call)
{
	ArrayType  *result;

	call->values = palloc0_array(Datum, call->like->n);
	if (call->task->answer_all != NULL)
		answer_elements(call);
	else
		run_elements(call);
	result = distil_array_like(call->like, call->values, call->task->type);
	pfree(call->values);
	return result;
}

/* The matrix has a row for each element that is not NULL. */
static int *
number_rows(const DistilTextArray *a)
{
	int		   *row = palloc_array(int, a->n);
	int			n = 0;

	for (int e = 0; e < a->n; e++)
		row[e] = a->nulls[e] ? -1 : n++;
	return row;
}

static ArrayType *
answer_vectors(ArrayCall *call)
{
	int			nulls = distil_count_nulls(call->like);
	ArrayType  *matrix;

	call->width = call->task->width(call->model, call->options);
	matrix = distil_matrix_like(call->like, call->width);
	call->floats = distil_array_floats(matrix);
	call->row = number_rows(call->like);
	run_elements(call);
	if (distil_count_nulls(call->like) > nulls)
		matrix = distil_matrix_shrunk(matrix, call->like, call->width, call->row);
	pfree(call->row);
	return matrix;
}

/* NULL among arrays and model makes the answer NULL. */
static Datum
evaluate(FunctionCallInfo fcinfo, const DistilTask *task)
{
	ArrayCall	call = {.task = task};
	ArrayType  *result;

	if (distil_task_asks_nothing(fcinfo, task))
		PG_RETURN_NULL();
	distil_task_options(fcinfo, task, call.options);
	call.model = distil_task_model(fcinfo, task, call.options);
	call.rules = distil_task_rules(task, fcinfo->args, PG_NARGS());
	open_arrays(&call, fcinfo);
	if (call.like->n == 0)
		result = construct_empty_array(task->put != NULL ? FLOAT4OID : task->type);
	else
		result = task->put != NULL ? answer_vectors(&call) : answer_values(&call);
	close_arrays(&call, fcinfo);
	PG_RETURN_ARRAYTYPE_P(result);
}

/* ---- the functions of all tasks that have them ---- */

#define DEFINE_ARRAY(name) \
	PG_FUNCTION_INFO_V1(distil_##name##_array); \
	Datum \
	distil_##name##_array(PG_FUNCTION_ARGS) \
	{ \
		return evaluate(fcinfo, &distil_task_##name); \
	}
#define DEFINE_NO_ARRAY(name)
#define DEFINE_FUNCTION(name, array) DEFINE_##array(name)
DISTIL_TASKS(DEFINE_FUNCTION)
