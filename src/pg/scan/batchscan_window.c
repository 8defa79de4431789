/*
 * batchscan_window.c -- the texts of a window through their models.
 *
 * Calls on the same texts (one, or a pair) and the same model share a pass: one
 * run of the encoder for all of them.  Equal texts are computed once.  They go
 * through the model in batches, or are known to the result cache (run/many.h).
 * Answers are kept until all texts are through; then each row gets its own.
 *
 * Nothing here fails for a row that may not be needed.  The model is opened
 * only if the window's first row has been asked for and has a text, or if it
 * was opened before; else the first row that is computed alone opens it for the
 * rows behind.  A text or a batch that the core refuses leaves its rows
 * for later: the function itself computes them, one by one, and its error is
 * the one that counts.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "pg/bridge/compat.h"
#include "pg/func/compare.h"
#include "pg/run/defaultmodel.h"
#include "pg/run/many.h"
#include "pg/scan/batchscan_window.h"

/* ---- equal texts ---- */

typedef struct TextEntry
{
	const DistilText *texts;	/* key: two, the second empty where there is none */
	uint32		hash;
	char		status;
	int			number;			/* of the distinct text */
} TextEntry;

static inline uint32
hash_texts(const DistilText *t)
{
	return hash_combine(hash_bytes((const unsigned char *) t[0].data, (int) t[0].len),
						hash_bytes((const unsigned char *) t[1].data, (int) t[1].len));
}

static inline bool
same_text(const DistilText *a, const DistilText *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static inline bool
same_texts(const DistilText *a, const DistilText *b)
{
	return same_text(&a[0], &b[0]) && same_text(&a[1], &b[1]);
}

#define SH_PREFIX texts
#define SH_ELEMENT_TYPE TextEntry
#define SH_KEY_TYPE const DistilText *
#define SH_KEY texts
#define SH_HASH_KEY(tb, key) hash_texts(key)
#define SH_EQUAL(tb, a, b) same_texts(a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, entry) (entry)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* ---- a pass ---- */

typedef struct Distinct
{
	const DistilText *texts;
	bool		refused;		/* no answers: the core failed */
} Distinct;

typedef struct Pass
{
	DistilScanState *state;
	DistilModel *model;
	int			n_calls;
	DistilCall **calls;
	int			first;			/* rows from this one on */
	texts_hash *seen;
	int			n_distinct;
	int		   *number;			/* [rows] of its distinct text; -1: none */
	Distinct   *distinct;		/* [n_distinct] */
	NullableDatum *answers;		/* [n_distinct, n_calls] */
} Pass;

/* The answers to the text of this number, which is the batch's text i. */
static void
take_answers(void *ctx, int number, DbertBatch *batch, int i, const DistilText *texts)
{
	Pass	   *p = ctx;
	DistilRun	run = {.model = p->model,.batch = batch};

	CHECK_FOR_INTERRUPTS();
	for (int c = 0; c < p->n_calls; c++)
	{
		DistilCall *call = p->calls[c];
		NullableDatum *answer = &p->answers[number * p->n_calls + c];

		run.options = &call->values[distil_task_first_option(call->task, call->n_args)];
		answer->isnull = !call->task->answer(&run, i, texts, &answer->value);
	}
}

static void
refuse(void *ctx, int number)
{
	((Pass *) ctx)->distinct[number].refused = true;
}

/* All calls of a pass have the same texts. */
static const DistilTask *
task_of(const Pass *p)
{
	return p->calls[0]->task;
}

static DistilText *
get_texts(const Pass *p, const DistilCell *cell)
{
	DistilText *t = palloc_array(DistilText, 2);

	t[0] = distil_text_get(cell->texts[0], DISTIL_ERROR_NULL);
	if (task_of(p)->pair)
		t[1] = distil_text_get(cell->texts[1], DISTIL_ERROR_NULL);
	else
		t[1] = (DistilText) {.data = ""};
	return t;
}

static void
free_texts(const Pass *p, DistilText *t)
{
	for (int i = 0; i < distil_task_texts(task_of(p)); i++)
		distil_text_free(&t[i]);
	pfree(t);
}

/*
 * The number of the row's texts among the distinct ones; -1: it has none, or
 * its answer.
 */
static int
number_of(Pass *p, const DistilCell *cell)
{
	DistilText *t;
	TextEntry  *entry;
	bool		found;
	int			number;

	if (cell->text_is_null || cell->state != DISTIL_CELL_LATER)
		return -1;
	t = get_texts(p, cell);
	entry = texts_insert(p->seen, t, &found);
	if (found)
	{
		free_texts(p, t);
		return entry->number;
	}
	number = p->n_distinct++;
	entry->number = number;
	p->distinct[number] = (Distinct) {.texts = t};
	return number;
}

static void
give_answers(Pass *p, int row)
{
	int			number = p->number[row];

	if (number < 0 || p->distinct[number].refused)
		return;
	for (int c = 0; c < p->n_calls; c++)
	{
		DistilCell *cell = &p->calls[c]->cells[row];
		NullableDatum *answer = &p->answers[number * p->n_calls + c];

		if (cell->state != DISTIL_CELL_LATER)
			continue;
		cell->state = answer->isnull ? DISTIL_CELL_NULL : DISTIL_CELL_READY;
		cell->answer = answer->value;
	}
}

/* Rows that are left for later are counted then. */
static void
count_pass(const Pass *p)
{
	int64		rows = 0;

	for (int row = 0; row < p->state->count; row++)
		rows += p->number[row] >= 0 && !p->distinct[p->number[row]].refused;
	distil_usage_count(p->model->usage, &(DistilUsage) {.rows = rows,.calls = rows * p->n_calls});
}

/* One pass for all that the calls want, which the result cache may have. */
static DistilMany
many_of(Pass *p)
{
	DistilMany	many = {
		.model = p->model,
		.item = task_of(p)->pair ? DISTIL_ITEM_PAIR : DISTIL_ITEM_TEXT,
		.rules = p->calls[0]->rules,
		.cached = true,
		.distinct = true,
		.quiet = true,
		.take = take_answers,
		.none = refuse,
		.ctx = p
	};

	for (int c = 0; c < p->n_calls; c++)
		many.want |= p->calls[c]->task->want;
	return many;
}

/* The texts through the model as the calls' tasks want them. */
static void
run_texts(Pass *p)
{
	DistilMany	many = many_of(p);

	distil_many_begin(&many);
	for (int number = 0; number < p->n_distinct; number++)
		distil_many_add(&many, number, p->distinct[number].texts);
	distil_many_end(&many);
	p->state->window_tokens += many.tokens;
}

/* The same of pairs whose model compares the vectors of both texts. */
static void
compare_pairs(Pass *p)
{
	const DistilText **pairs = palloc_array(const DistilText *, Max(p->n_distinct, 1));
	NullableDatum *answers = palloc_array(NullableDatum, Max(p->n_distinct, 1));

	for (int i = 0; i < p->n_distinct; i++)
		pairs[i] = p->distinct[i].texts;
	for (int c = 0; c < p->n_calls; c++)
	{
		p->state->window_tokens += distil_compare_pairs(p->calls[c]->task, p->model, pairs,
														p->n_distinct, p->calls[0]->rules,
														answers);
		for (int i = 0; i < p->n_distinct; i++)
		{
			p->answers[i * p->n_calls + c] = answers[i];
			p->distinct[i].refused = answers[i].isnull;
		}
	}
}

/* The same of calls whose task answers all texts at once. */
static void
answer_texts(Pass *p)
{
	const DistilText **texts = palloc_array(const DistilText *, Max(p->n_distinct, 1));
	NullableDatum *answers = palloc_array(NullableDatum, Max(p->n_distinct, 1));

	for (int i = 0; i < p->n_distinct; i++)
		texts[i] = p->distinct[i].texts;
	for (int c = 0; c < p->n_calls; c++)
	{
		DistilCall *call = p->calls[c];
		const NullableDatum *options =
			&call->values[distil_task_first_option(call->task, call->n_args)];

		p->state->window_tokens += call->task->answer_all(call->task, p->model, options, texts,
														  p->n_distinct, call->rules, true,
														  answers);
		for (int i = 0; i < p->n_distinct; i++)
		{
			p->answers[i * p->n_calls + c] = answers[i];
			p->distinct[i].refused |= answers[i].isnull;
		}
	}
}

static void
run_pass(Pass *p)
{
	DistilScanState *state = p->state;
	DistilCell *cells = p->calls[0]->cells;

	p->seen = texts_create(state->window, state->count, NULL);
	p->number = palloc_array(int, state->count);
	p->distinct = palloc_array(Distinct, state->count);
	p->answers = palloc_array(NullableDatum, (Size) state->count * p->n_calls);
	for (int row = 0; row < state->count; row++)
	{
		CHECK_FOR_INTERRUPTS();
		p->number[row] = row < p->first ? -1 : number_of(p, &cells[row]);
	}
	if (distil_compares(task_of(p), p->model))
		compare_pairs(p);
	else if (task_of(p)->answer_all != NULL)
		answer_texts(p);
	else
		run_texts(p);
	for (int row = 0; row < state->count; row++)
		give_answers(p, row);
	count_pass(p);
}

/* ---- calls ---- */

static Datum
evaluate(DistilScanState *state, ExprState *expr, bool *isnull)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;

	econtext->ecxt_outertuple = state->row;
	return ExecEvalExpr(expr, econtext, isnull);
}

static void
take_texts(DistilScanState *state, DistilCall *call, DistilCell *cell)
{
	cell->text_is_null = false;
	for (int i = 0; i < distil_task_texts(call->task); i++)
	{
		bool		isnull;

		cell->texts[i] = evaluate(state, call->args[i], &isnull);
		cell->text_is_null |= isnull;
		if (!isnull)
			state->text_bytes += toast_raw_datum_size(cell->texts[i]);
	}
}

void
distil_window_take_texts(DistilScanState *state, int i)
{
	for (int c = 0; c < state->n_calls; c++)
	{
		DistilCall *call = &state->calls[c];

		if (call->same_texts != c)
			call->cells[i] = state->calls[call->same_texts].cells[i];
		else
			take_texts(state, call, &call->cells[i]);
		call->cells[i].state = DISTIL_CELL_LATER;
	}
}

/*
 * The model's name and the options, which are the same for all rows of a
 * window.
 */
static void
evaluate_values(DistilScanState *state, DistilCall *call)
{
	call->is_null = false;
	for (int i = distil_task_texts(call->task); i < call->n_args; i++)
	{
		NullableDatum *v = &call->values[i];

		v->value = evaluate(state, call->args[i], &v->isnull);
		call->is_null |= v->isnull &&
			(call->flinfo.fn_strict || !distil_task_is_option(call->task, call->n_args, i));
	}
}

static const char *
model_name(const DistilCall *call)
{
	if (call->model_arg >= 0)
		return TextDatumGetCString(call->values[call->model_arg].value);
	return distil_default_model(call->task->setting);
}

/* NULL while it may not fail. */
static DistilModel *
open_model(DistilCall *call, bool needed)
{
	DistilModel *model;

	if (call->is_null || !(call->proven || (needed && !call->cells[0].text_is_null)))
		return NULL;
	model = distil_model_for_call(&call->flinfo, model_name(call));
	if (call->task->check != NULL)
		call->task->check(call->task, model,
						  &call->values[distil_task_first_option(call->task, call->n_args)]);
	call->rules = distil_task_rules(call->task, call->values, call->n_args);
	call->proven = true;
	return model;
}

static void
mark_nulls(DistilScanState *state, DistilCall *call)
{
	for (int row = 0; row < state->count; row++)
	{
		DistilCell *cell = &call->cells[row];

		cell->state = call->is_null || cell->text_is_null ?
			DISTIL_CELL_NULL : DISTIL_CELL_LATER;
	}
}

/* Do both calls want the same to be put before their texts? */
static bool
same_prompt(const DistilModel *model, const DistilCall *a, const DistilCall *b)
{
	return strcmp(dbert_prompt(model->core, a->task->want),
				  dbert_prompt(model->core, b->task->want)) == 0;
}

/* The calls that go with call c, and c. */
static Pass
collect_pass(DistilScanState *state, int c)
{
	Pass		p = {.state = state,.model = state->calls[c].model};

	p.calls = palloc_array(DistilCall *, state->n_calls);
	for (int i = c; i < state->n_calls; i++)
	{
		DistilCall *call = &state->calls[i];

		if (call->model != p.model || call->same_texts != state->calls[c].same_texts ||
			call->rules.long_text != state->calls[c].rules.long_text ||
			call->task->answer_all != state->calls[c].task->answer_all ||
			!same_prompt(p.model, call, &state->calls[c]))
			continue;
		call->model = NULL;
		p.calls[p.n_calls++] = call;
	}
	return p;
}

/* What the models did since total was before, for this node. */
static void
count_usage(DistilScanState *state, const DistilUsage *before)
{
	DistilUsage done = distil_usage_since(&distil_usage_total, before);

	distil_usage_add(&state->counts.usage, &done);
}

void
distil_window_compute(DistilScanState *state, bool needed)
{
	MemoryContext old = MemoryContextSwitchTo(state->window);
	DistilUsage before = distil_usage_total;

	state->counts.rows += state->count;
	for (int c = 0; c < state->n_calls; c++)
	{
		DistilCall *call = &state->calls[c];

		evaluate_values(state, call);
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
	count_usage(state, &before);
	MemoryContextSwitchTo(old);
}

void
distil_window_compute_rest(DistilScanState *state, DistilCall *call, int row)
{
	Pass		p = {.state = state,.calls = &call,.n_calls = 1,.first = row};
	DistilUsage before = distil_usage_total;

	if (!state->enabled || row == state->count)
		return;
	p.model = open_model(call, false);
	if (p.model != NULL)
		run_pass(&p);
	count_usage(state, &before);
}

/* ---- one row ---- */

Datum
distil_call_now(DistilScanState *state, DistilCall *call, const DistilCell *cell, bool *isnull)
{
	LOCAL_FCINFO(fcinfo, DISTIL_MAX_ARGS);
	DistilUsage before = distil_usage_total;
	Datum		result;

	InitFunctionCallInfoData(*fcinfo, &call->flinfo, call->n_args, call->collation, NULL, NULL);
	for (int i = 0; i < call->n_args; i++)
	{
		if (i < distil_task_texts(call->task))
			fcinfo->args[i] = (NullableDatum) {.value = cell->texts[i]};
		else
			fcinfo->args[i] = call->values[i];
	}
	result = FunctionCallInvoke(fcinfo);
	*isnull = fcinfo->isnull;
	count_usage(state, &before);
	call->proven = true;
	return result;
}
