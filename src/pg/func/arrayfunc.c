/*
 * arrayfunc.c -- the same functions on arrays of texts.
 *
 * An array text[] in, an array of answers out: same order, same bounds, NULL
 * for NULL.  Texts go through the model many at a time, and each gets the bits
 * it would have got alone.
 *
 * Embeddings are rows of a two-dimensional real[] [texts, dimensions], for
 * SQL's arrays are rectangular; a NULL text has a row of NULLs.
 *
 * Three steps: open the array; run its texts in batches, handing each answer
 * over as it is there; build the result.  Everything lives in the caller's
 * context, the texts' own copies no longer than their turn.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "pg/bridge/compat.h"
#include "pg/run/modelmemory.h"
#include "pg/run/resultcache.h"
#include "pg/func/textarray.h"
#include "pg/func/task.h"

/* What becomes of the answers; fields are the functions' own. */
typedef struct Sink
{
	const DistilTask *task;
	NullableDatum options[DISTIL_MAX_OPTIONS];
	Datum	   *values;			/* [n], or NULL */
	float4	   *rows;			/* of embeddings, [those that are not NULL], or NULL */
} Sink;

/* A text on its way through the model. */
typedef struct Element
{
	DistilText	text;
	DistilResultKey key;		/* if there is a cache */
	int			number;			/* in the array */
	int			row;			/* among those that are not NULL */
} Element;

typedef struct ArrayRun
{
	DistilRun	run;
	DistilTextArray *array;
	Sink	   *sink;
	bool		cached;			/* results may be in the result cache, or go there */
	Element    *in_batch;		/* [texts of the batch] */
} ArrayRun;

PG_FUNCTION_INFO_V1(distil_sentiment_array);
PG_FUNCTION_INFO_V1(distil_sentiment_label_array);
PG_FUNCTION_INFO_V1(distil_classify_array);
PG_FUNCTION_INFO_V1(distil_classify_above_array);
PG_FUNCTION_INFO_V1(distil_score_array);
PG_FUNCTION_INFO_V1(distil_mask_array);
PG_FUNCTION_INFO_V1(distil_embed_array);
PG_FUNCTION_INFO_V1(distil_embed_query_array);
PG_FUNCTION_INFO_V1(distil_embed_passage_array);
PG_FUNCTION_INFO_V1(distil_token_count_array);

/* ---- batches ---- */

/* The answer to an element, which is text i of the batch. */
static void
take_answer(const ArrayRun *r, DbertBatch *batch, int i, Element *e)
{
	DistilRun	run = r->run;
	Sink	   *sink = r->sink;

	run.batch = batch;
	if (sink->rows != NULL)
	{
		size_t		width = distil_embedding_width(run.model, run.options);

		distil_embedding_put(&run, i, sink->rows + e->row * width);
	}
	else
		r->array->nulls[e->number] =
			!sink->task->answer(&run, i, &e->text, &sink->values[e->number]);
	distil_text_free(&e->text);
}

/* Run the batch and empty it. */
static void
run_batch(const ArrayRun *r)
{
	DbertBatch *batch = r->run.batch;
	int			count = dbert_batch_count(batch);

	distil_batch_run(batch);
	for (int i = 0; i < count; i++)
	{
		if (r->cached)
			distil_cache_keep(r->run.model, r->sink->task->want, &r->in_batch[i].key, batch, i);
		take_answer(r, batch, i, &r->in_batch[i]);
	}
	dbert_batch_reset(batch);
}

/* The answer from the cache; false: it is not there. */
static bool
recall(const ArrayRun *r, Element *e)
{
	DbertBatch *found;

	if (!r->cached)
		return false;
	e->key = distil_cache_key(r->run.model, r->sink->task->want, &e->text, false);
	found = distil_cache_find(r->run.model, r->sink->task->want, &e->key);
	if (found != NULL)
		take_answer(r, found, 0, e);
	return found != NULL;
}

/* All texts that are not NULL, in order. */
static void
run_array(DistilModel *model, DistilTextArray *a, Sink *sink)
{
	ArrayRun	r = {.run = {.model = model,.options = sink->options},.array = a,.sink = sink};
	size_t		batch_tokens;
	int			rows = 0;

	r.run.batch = distil_model_batch(model, sink->task->want);
	batch_tokens = distil_batch_tokens(model, sink->task->want);
	r.cached = distil_cache_holds(model, sink->task->want);
	r.in_batch = palloc_array(Element, Max(a->n, 1));
	for (int n = 0; n < a->n; n++)
	{
		Element    *e = &r.in_batch[dbert_batch_count(r.run.batch)];

		CHECK_FOR_INTERRUPTS();
		if (a->nulls[n])
			continue;
		e->text = distil_text_get(a->texts[n]);
		e->number = n;
		e->row = rows++;
		if (recall(&r, e))
			continue;
		if (!distil_batch_add(r.run.batch, &e->text, false))
		{
			distil_text_free(&e->text);
			a->nulls[n] = true;
			rows--;
		}
		if (dbert_batch_tokens(r.run.batch) >= batch_tokens)
			run_batch(&r);
	}
	if (dbert_batch_count(r.run.batch) > 0)
		run_batch(&r);
	distil_usage_count(model->usage, &(DistilUsage) {.rows = rows});
	pfree(r.in_batch);
}

/* ---- functions whose answers are single values ---- */

static Datum
evaluate_array(FunctionCallInfo fcinfo, const DistilTask *task)
{
	Sink		sink = {.task = task};
	DistilModel *model;
	DistilTextArray a;
	ArrayType  *result;

	if (distil_task_asks_nothing(fcinfo, task))
		PG_RETURN_NULL();
	distil_task_options(fcinfo, task, sink.options);
	model = distil_task_model(fcinfo, task, sink.options);
	a = distil_array_open(PG_GETARG_DATUM(0));
	sink.values = palloc0_array(Datum, Max(a.n, 1));
	run_array(model, &a, &sink);
	result = distil_array_like(&a, sink.values, task->type);
	pfree(sink.values);
	distil_array_close(&a, PG_GETARG_DATUM(0));
	PG_RETURN_ARRAYTYPE_P(result);
}

Datum
distil_sentiment_array(PG_FUNCTION_ARGS)
{
	return evaluate_array(fcinfo, &distil_task_sentiment);
}

Datum
distil_sentiment_label_array(PG_FUNCTION_ARGS)
{
	return evaluate_array(fcinfo, &distil_task_sentiment_label);
}

Datum
distil_classify_array(PG_FUNCTION_ARGS)
{
	return evaluate_array(fcinfo, &distil_task_classify);
}

Datum
distil_classify_above_array(PG_FUNCTION_ARGS)
{
	return evaluate_array(fcinfo, &distil_task_classify_above);
}

Datum
distil_score_array(PG_FUNCTION_ARGS)
{
	return evaluate_array(fcinfo, &distil_task_score);
}

Datum
distil_mask_array(PG_FUNCTION_ARGS)
{
	return evaluate_array(fcinfo, &distil_task_mask);
}

Datum
distil_token_count_array(PG_FUNCTION_ARGS)
{
	DistilModel *model = distil_call_model(fcinfo, 1, NULL);
	DistilTextArray a = distil_array_open(PG_GETARG_DATUM(0));
	Datum	   *values = palloc0_array(Datum, Max(a.n, 1));
	ArrayType  *result;

	for (int e = 0; e < a.n; e++)
	{
		int32		tokens = 0;

		CHECK_FOR_INTERRUPTS();
		if (!a.nulls[e])
			a.nulls[e] = !distil_count_tokens(model, a.texts[e], &tokens);
		values[e] = Int32GetDatum(tokens);
	}
	result = distil_array_like(&a, values, INT4OID);
	pfree(values);
	distil_array_close(&a, PG_GETARG_DATUM(0));
	PG_RETURN_ARRAYTYPE_P(result);
}

/* ---- embeddings ---- */

/* Set the bits of the rows that are there. */
static void
fill_null_bitmap(bits8 *bitmap, const DistilTextArray *a, int width)
{
	for (int e = 0; e < a->n; e++)
		for (int c = 0; c < width && !a->nulls[e]; c++)
		{
			size_t		bit = (size_t) e * width + c;

			bitmap[bit / 8] |= 1 << (bit % 8);
		}
}

/*
 * A real[][] with bounds [lower .. lower + n - 1][1 .. width], its values yet
 * to be filled in: only those of rows that are not NULL are stored.
 */
static ArrayType *
new_matrix(const DistilTextArray *a, int width)
{
	int			dims[2] = {a->n, width};
	int			lower[2] = {a->lower, 1};
	int			items = ArrayGetNItems(2, dims);
	bool		has_nulls = memchr(a->nulls, true, a->n) != NULL;
	Size		header = has_nulls ? ARR_OVERHEAD_WITHNULLS(2, items) : ARR_OVERHEAD_NONULLS(2);
	Size		size = header;
	ArrayType  *matrix;

	ArrayCheckBounds(2, dims, lower);
	for (int e = 0; e < a->n; e++)
		size += a->nulls[e] ? 0 : width * sizeof(float4);
	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("array size exceeds the maximum allowed (%d)", (int) MaxAllocSize)));

	matrix = palloc(size);
	memset(matrix, 0, header);
	SET_VARSIZE(matrix, size);
	matrix->ndim = 2;
	matrix->dataoffset = has_nulls ? header : 0;
	matrix->elemtype = FLOAT4OID;
	memcpy(ARR_DIMS(matrix), dims, sizeof(dims));
	memcpy(ARR_LBOUND(matrix), lower, sizeof(lower));
	if (has_nulls)
		fill_null_bitmap(ARR_NULLBITMAP(matrix), a, width);
	return matrix;
}

static int
count_nulls(const DistilTextArray *a)
{
	int			count = 0;

	for (int e = 0; e < a->n; e++)
		count += a->nulls[e];
	return count;
}

/*
 * The matrix when texts have turned out to have no embeddings: its rows are
 * fewer.
 */
static ArrayType *
shrink_matrix(ArrayType *matrix, const DistilTextArray *a, int width)
{
	ArrayType  *result = new_matrix(a, width);
	Size		rows = a->n - count_nulls(a);

	memcpy(ARR_DATA_PTR(result), ARR_DATA_PTR(matrix), rows * width * sizeof(float4));
	pfree(matrix);
	return result;
}

static Datum
embed_array(FunctionCallInfo fcinfo, const DistilTask *task)
{
	Sink		sink = {.task = task};
	DistilModel *model;
	DistilTextArray a;
	ArrayType  *result;

	if (distil_task_asks_nothing(fcinfo, task))
		PG_RETURN_NULL();
	distil_task_options(fcinfo, task, sink.options);
	model = distil_task_model(fcinfo, task, sink.options);
	a = distil_array_open(PG_GETARG_DATUM(0));
	if (a.n == 0)
		result = construct_empty_array(FLOAT4OID);
	else
	{
		int			width = distil_embedding_width(model, sink.options);
		int			nulls = count_nulls(&a);

		result = new_matrix(&a, width);
		sink.rows = (float4 *) ARR_DATA_PTR(result);
		run_array(model, &a, &sink);
		if (count_nulls(&a) > nulls)
			result = shrink_matrix(result, &a, width);
	}
	distil_array_close(&a, PG_GETARG_DATUM(0));
	PG_RETURN_ARRAYTYPE_P(result);
}

Datum
distil_embed_array(PG_FUNCTION_ARGS)
{
	return embed_array(fcinfo, &distil_task_embed);
}

Datum
distil_embed_query_array(PG_FUNCTION_ARGS)
{
	return embed_array(fcinfo, &distil_task_embed_query);
}

Datum
distil_embed_passage_array(PG_FUNCTION_ARGS)
{
	return embed_array(fcinfo, &distil_task_embed_passage);
}
