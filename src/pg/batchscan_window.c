/*
 * batchscan_window.c -- the texts of a window through their models.
 *
 * Calls on the same text and the same model share one pass of the encoder: a
 * pass.  Its texts go into the model's batch, equal ones once, until it
 * has distilbert.batch_tokens; it runs, and its answers are kept until all
 * texts are through; then each row gets its own.
 *
 * Nothing here fails for a row that may not be needed.  The model is opened
 * only if the window's first row has been asked for and has a text, or if it
 * was opened before; and a text or a batch that the core refuses leaves its
 * rows to be computed later, one by one, by the function itself, whose error
 * is then the one that counts.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "pg/alloc.h"
#include "pg/batchstate.h"
#include "pg/compat.h"
#include "pg/errors.h"
#include "pg/guc.h"

/* ---- equal texts ---- */

typedef struct TextEntry
{
	const DistilText *text;		/* key */
	uint32		hash;
	char		status;
	int			number;			/* of the distinct text */
} TextEntry;

static inline uint32
hash_text(const DistilText *t)
{
	return hash_bytes((const unsigned char *) t->data, (int) t->len);
}

static inline bool
same_text(const DistilText *a, const DistilText *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

#define SH_PREFIX texts
#define SH_ELEMENT_TYPE TextEntry
#define SH_KEY_TYPE const DistilText *
#define SH_KEY text
#define SH_HASH_KEY(tb, key) hash_text(key)
#define SH_EQUAL(tb, a, b) same_text(a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, entry) (entry)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* ---- a pass ---- */

typedef struct Pass
{
	DistilBatchState *state;
	DistilModel *model;
	int			n_calls;
	DistilCall **calls;
	DbertBatch *batch;
	texts_hash *seen;
	int			n_distinct;
	int			first_in_batch; /* number of the batch's text 0 */
	int		   *number;			/* [rows] of its distinct text; -1: none */
	bool	   *refused;		/* [distinct] */
	Datum	   *answers;		/* [distinct, n_calls] */
} Pass;

/* What remains of a failure: nothing but a cancelled query is an error yet. */
static void
put_off(const DbertError *err)
{
	if (err->code == DBERT_E_CANCELLED)
		distil_raise(err, NULL);
}

static void
take_answers(Pass *p)
{
	int			count = dbert_batch_count(p->batch);
	DistilRun	run = {.model = p->model,.batch = p->batch};

	for (int i = 0; i < count; i++)
	{
		Datum	   *answers = &p->answers[(p->first_in_batch + i) * p->n_calls];

		for (int c = 0; c < p->n_calls; c++)
			(void) p->calls[c]->task->answer(&run, i, NULL, &answers[c]);
		p->state->counts.truncated += dbert_batch_truncated(p->batch, i);
	}
}

static void
run_batch(Pass *p)
{
	DistilCounts *counts = &p->state->counts;
	int			count = dbert_batch_count(p->batch);
	DbertError	err;

	if (count == 0)
		return;
	if (dbert_batch_run(p->batch, distil_poll(), &err) == DBERT_OK)
	{
		take_answers(p);
		counts->batches++;
		counts->distinct += count;
		counts->tokens += dbert_batch_tokens(p->batch);
		p->state->window_tokens += dbert_batch_tokens(p->batch);
	}
	else
	{
		put_off(&err);
		for (int i = 0; i < count; i++)
			p->refused[p->first_in_batch + i] = true;
	}
	p->first_in_batch = p->n_distinct;
	dbert_batch_reset(p->batch);
}

/* Into the batch, which runs when it is full; false if it cannot be taken. */
static bool
add_text(Pass *p, const DistilText *t)
{
	DbertError	err;

	if (distil_batch_try_add(p->batch, t, false, &err) == DBERT_OK)
		return true;
	put_off(&err);
	return false;
}

/* The number of the row's text among the distinct ones; -1: it has none. */
static int
number_of(Pass *p, const DistilCell *cell)
{
	DistilText *t;
	TextEntry  *entry;
	bool		found;

	if (cell->text_is_null)
		return -1;
	t = palloc(sizeof(DistilText));
	*t = distil_text_get(cell->text);
	entry = texts_insert(p->seen, t, &found);
	if (found)
	{
		distil_text_free(t);
		pfree(t);
		return entry->number;
	}
	if (!add_text(p, t))
	{
		/* the batch numbers its texts without gaps */
		texts_delete(p->seen, t);
		return -1;
	}
	entry->number = p->n_distinct++;
	return entry->number;
}

static void
give_answers(Pass *p, int row)
{
	int			number = p->number[row];

	for (int c = 0; c < p->n_calls; c++)
	{
		DistilCell *cell = &p->calls[c]->cells[row];

		if (number < 0 || p->refused[number])
			continue;
		cell->state = DISTIL_ANSWER_READY;
		cell->answer = p->answers[number * p->n_calls + c];
	}
}

static void
run_pass(Pass *p)
{
	DistilBatchState *state = p->state;
	DistilCell *cells = p->calls[0]->cells;
	int			want = 0;

	for (int c = 0; c < p->n_calls; c++)
		want |= p->calls[c]->task->want;
	p->batch = distil_model_batch(p->model, want);
	p->seen = texts_create(state->window, state->count, NULL);
	p->number = palloc_array(int, state->count);
	p->refused = palloc0_array(bool, state->count);
	p->answers = palloc_array(Datum, (Size) state->count * p->n_calls);

	for (int row = 0; row < state->count; row++)
	{
		CHECK_FOR_INTERRUPTS();
		p->number[row] = number_of(p, &cells[row]);
		if (dbert_batch_tokens(p->batch) >= (size_t) distil_guc_batch_tokens)
			run_batch(p);
	}
	run_batch(p);
	for (int row = 0; row < state->count; row++)
		give_answers(p, row);
}

/* ---- calls ---- */

static Datum
evaluate(DistilBatchState *state, ExprState *expr, bool *isnull)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;

	econtext->ecxt_outertuple = state->row;
	return ExecEvalExpr(expr, econtext, isnull);
}

void
distil_window_take_texts(DistilBatchState *state, int i)
{
	for (int c = 0; c < state->n_calls; c++)
	{
		DistilCall *call = &state->calls[c];
		DistilCell *cell = &call->cells[i];

		if (call->same_text != c)
		{
			*cell = state->calls[call->same_text].cells[i];
			continue;
		}
		cell->text = evaluate(state, call->text, &cell->text_is_null);
		cell->state = DISTIL_ANSWER_LATER;
		if (!cell->text_is_null)
			state->text_bytes += toast_raw_datum_size(cell->text);
	}
}

/* The model's name, which is the same for all rows of a window. */
static void
evaluate_name(DistilBatchState *state, DistilCall *call)
{
	call->model_is_null = false;
	if (call->name != NULL)
		call->model_name = evaluate(state, call->name, &call->model_is_null);
}

static const char *
model_name(const DistilCall *call)
{
	if (call->name != NULL)
		return TextDatumGetCString(call->model_name);
	return distil_default_model(call->task->setting);
}

/* NULL while it may not fail. */
static DistilModel *
open_model(DistilCall *call, bool needed)
{
	DistilModel *model;

	if (call->model_is_null || !(call->proven || (needed && !call->cells[0].text_is_null)))
		return NULL;
	model = distil_model_for_call(&call->flinfo, model_name(call));
	if (call->task->check != NULL)
		call->task->check(call->task, model, NULL);
	call->proven = true;
	return model;
}

/* Strict functions. */
static void
mark_nulls(DistilBatchState *state, DistilCall *call)
{
	for (int row = 0; row < state->count; row++)
	{
		DistilCell *cell = &call->cells[row];

		cell->state = call->model_is_null || cell->text_is_null ?
			DISTIL_ANSWER_NULL : DISTIL_ANSWER_LATER;
	}
}

/* The calls that go with call c, and c. */
static Pass
collect_pass(DistilBatchState *state, int c)
{
	Pass		p = {.state = state,.model = state->calls[c].model};

	p.calls = palloc_array(DistilCall *, state->n_calls);
	for (int i = c; i < state->n_calls; i++)
	{
		DistilCall *call = &state->calls[i];

		if (call->model != p.model || call->same_text != state->calls[c].same_text)
			continue;
		call->model = NULL;
		p.calls[p.n_calls++] = call;
	}
	return p;
}

void
distil_window_compute(DistilBatchState *state, bool needed)
{
	MemoryContext old = MemoryContextSwitchTo(state->window);

	state->counts.rows += state->count;
	for (int c = 0; c < state->n_calls; c++)
	{
		DistilCall *call = &state->calls[c];

		evaluate_name(state, call);
		mark_nulls(state, call);
		call->model = state->enabled ? open_model(call, needed) : NULL;
	}
	for (int c = 0; c < state->n_calls; c++)
	{
		if (state->calls[c].model != NULL)
		{
			Pass		p = collect_pass(state, c);

			run_pass(&p);
		}
	}
	MemoryContextSwitchTo(old);
}

/* ---- one row ---- */

Datum
distil_call_now(DistilCall *call, const DistilCell *cell, bool *isnull)
{
	LOCAL_FCINFO(fcinfo, 2);
	Datum		result;

	InitFunctionCallInfoData(*fcinfo, &call->flinfo, call->name != NULL ? 2 : 1,
							 call->collation, NULL, NULL);
	fcinfo->args[0].value = cell->text;
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value = call->model_name;
	fcinfo->args[1].isnull = false;
	result = FunctionCallInvoke(fcinfo);
	*isnull = fcinfo->isnull;
	call->proven = true;
	return result;
}
