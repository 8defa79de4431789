/*
 * answerfunc.c -- the answer to a question, out of a text.
 *
 *	   distil_answer(question, context [, model], top_k, no_answer,
 *					 max_answer_tokens)
 *			answer, score, start_pos, end_pos: the best parts of the context
 *	   distil_answer_text(question, context [, model])
 *			text: the best part, NULL if the context has no words
 *
 * Positions are those of textcursor.h.  "No answer" is a row whose answer and
 * positions are NULL.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/compat.h"
#include "pg/bridge/errors.h"
#include "pg/func/options.h"
#include "pg/func/textcursor.h"
#include "pg/func/task.h"

/* Of an answer, where the call says nothing: transformers' default. */
#define MAX_ANSWER_TOKENS 15

PG_FUNCTION_INFO_V1(distil_answer);

/* ---- finding them ---- */

/* The answers to pair i. */
static DbertAnswer *
find_answers(const DbertBatch *batch, int i, const DistilText *context,
			 const DbertAnswerOptions *options, int *count)
{
	DbertAnswer *found;
	DbertError	err;

	if (dbert_batch_answers(batch, i, context->data, context->len, options, distil_poll(),
							&found, count, &err) != DBERT_OK)
		distil_raise(&err, NULL);
	return distil_move_here(found, *count * sizeof(DbertAnswer));
}

/* The best answer to pair i; false: there is none. */
static bool
best_answer(const DbertBatch *batch, int i, const DistilText *context, Datum *answer)
{
	DbertAnswerOptions options = {.top_k = 1,.max_tokens = MAX_ANSWER_TOKENS};
	int			count;
	DbertAnswer *found = find_answers(batch, i, context, &options, &count);
	DistilCursor cursor;

	if (count > 0)
	{
		distil_cursor_open(&cursor, context);
		*answer = PointerGetDatum(distil_cursor_part(&cursor, found[0].start, found[0].end).value);
	}
	pfree(found);
	return count > 0;
}

/* ---- distil_answer ---- */

static void
put_answer(ReturnSetInfo *rsinfo, DistilCursor *cursor, const DbertAnswer *answer)
{
	bool		none = answer->start < 0;
	DistilPart	part = {0};
	Datum		values[4];
	bool		nulls[4] = {none, false, none, none};

	if (!none)
		part = distil_cursor_part(cursor, answer->start, answer->end);
	values[0] = PointerGetDatum(part.value);
	values[1] = Float4GetDatum(answer->score);
	values[2] = Int32GetDatum(part.start_pos);
	values[3] = Int32GetDatum(part.end_pos);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	if (!none)
		pfree(part.value);
}

/*
 * (question, context [, model], top_k, no_answer, max_answer_tokens [,
 * long_text, on_error])
 */
Datum
distil_answer(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	DistilCallForm form = distil_call_form(fcinfo, 2, 3);
	DistilModel *model = distil_call_model(fcinfo, form.model, "answer");
	DbertAnswerOptions options = { PG_GETARG_INT32(form.option), PG_GETARG_BOOL(form.option + 1),
								   PG_GETARG_INT32(form.option + 2) };
	DistilText	texts[2];
	DbertBatch *batch;
	DbertAnswer *found;
	int			count;
	DistilCursor cursor;

	distil_check_at_least_one("top_k", options.top_k);
	distil_check_at_least_one("max_answer_tokens", options.max_tokens);
	distil_require_head(model, DBERT_HEAD_SPAN, "distil_answer");

	texts[0] = distil_text_get(PG_GETARG_DATUM(0), form.rules.on_error);
	texts[1] = distil_text_get(PG_GETARG_DATUM(1), form.rules.on_error);
	InitMaterializedSRF(fcinfo, 0);
	batch = distil_run_text(model, DBERT_WANT_LOGITS, texts, true, form.rules);
	if (batch == NULL)
		return (Datum) 0;
	found = find_answers(batch, 0, &texts[1], &options, &count);
	distil_cursor_open(&cursor, &texts[1]);
	for (int i = 0; i < count; i++)
		put_answer(rsinfo, &cursor, &found[i]);
	pfree(found);
	distil_text_free(&texts[0]);
	distil_text_free(&texts[1]);
	return (Datum) 0;
}

/* ---- distil_answer_text ---- */

static void
check_answer(const DistilTask *task, const DistilModel *model, const NullableDatum *options)
{
	distil_require_head(model, DBERT_HEAD_SPAN, task->function);
}

static bool
answer_text(const DistilRun *run, int i, const DistilText *texts, Datum *answer)
{
	return best_answer(run->batch, i, &texts[1], answer);
}

static void
raise_uneven(int questions, int contexts)
{
	ereport(ERROR,
			(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
			 errmsg("there are %d questions, but %d contexts", questions, contexts),
			 errhint("Each question is answered from the context at the same place of the "
					 "other array.")));
}

const DistilTask distil_task_answer_text = {
	.function = "distil_answer_text",
	.setting = "answer",
	.want = DBERT_WANT_LOGITS,
	.type = TEXTOID,
	.pair = true,
	.check = check_answer,
	.answer = answer_text,
	.uneven = raise_uneven
};
