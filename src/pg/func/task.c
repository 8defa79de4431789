/*
 * task.c -- a call of a task's SQL function, evaluated for one row.
 *
 * The forms with and without a model share one C function and are told apart by
 * their number of arguments (task.h).  A NULL among texts and model gives
 * NULL; what a NULL option means is the task's affair, where its SQL function
 * is not strict.
 *
 * A call whose text is a constant or a parameter is computed once for a
 * statement: the call site keeps the last answer, and the text it answers.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/primnodes.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "pg/bridge/compat.h"
#include "pg/func/compare.h"
#include "pg/func/task.h"

/* ---- the last answer ---- */

/* Kept by the call site; memory is fn_mcxt's. */
typedef struct Memo
{
	text	   *text;			/* NULL: there is none */
	uint64		model;			/* number of the model that gave it */
	DistilTextRules rules;		/* it was computed under */
	bool		there;			/* false: the answer is NULL */
	Datum		answer;
} Memo;

static bool
by_value(const DistilTask *task)
{
	return task->type == FLOAT4OID;
}

static Datum
copy_answer(const DistilTask *task, Datum answer)
{
	return datumCopy(answer, by_value(task), by_value(task) ? sizeof(float4) : -1);
}

static bool
options_are_constant(FmgrInfo *flinfo, const DistilTask *task, int nargs)
{
	if (task->n_options == 0)
		return true;
	if (flinfo->fn_expr == NULL || !IsA(flinfo->fn_expr, FuncExpr))
		return false;
	for (int i = distil_task_first_option(task, nargs); i < nargs; i++)
	{
		if (!IsA(list_nth(((FuncExpr *) flinfo->fn_expr)->args, i), Const))
			return false;
	}
	return true;
}

/* The call site's memo, if the next row may ask the same. */
static Memo *
memo_of(FunctionCallInfo fcinfo, const DistilTask *task)
{
	if (task->pair || !get_fn_expr_arg_stable(fcinfo->flinfo, 0) ||
		!options_are_constant(fcinfo->flinfo, task, PG_NARGS()))
		return NULL;
	return distil_call_memory(fcinfo->flinfo, sizeof(Memo));
}

static bool
memo_holds(const Memo *memo, const DistilModel *model, DistilTextRules rules, const DistilText *t)
{
	return memo->text != NULL && memo->model == model->number &&
		memo->rules.long_text == rules.long_text && memo->rules.on_error == rules.on_error &&
		VARSIZE_ANY_EXHDR(memo->text) == VARSIZE_ANY_EXHDR(t->stored) &&
		memcmp(VARDATA_ANY(memo->text), VARDATA_ANY(t->stored), VARSIZE_ANY_EXHDR(t->stored)) == 0;
}

/* The old answer goes only when all of the new one is there. */
static void
remember(Memo *memo, MemoryContext context, const DistilTask *task, const DistilModel *model,
		 DistilTextRules rules, const DistilText *t, Datum answer, bool there)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	text *copy = cstring_to_text_with_len(VARDATA_ANY(t->stored), VARSIZE_ANY_EXHDR(t->stored));
	Datum		kept = there ? copy_answer(task, answer) : 0;

	MemoryContextSwitchTo(old);
	if (memo->text != NULL)
		pfree(memo->text);
	if (!by_value(task) && memo->answer != 0)
		pfree(DatumGetPointer(memo->answer));
	memo->text = copy;
	memo->model = model->number;
	memo->rules = rules;
	memo->there = there;
	memo->answer = kept;
}

/* ---- calls ---- */

static bool
run_call(DistilModel *model, const DistilTask *task, const DistilText *texts,
		 DistilTextRules rules, const NullableDatum *options, Datum *answer)
{
	DistilRun	run = {.model = model,.options = options};

	if (distil_compares(task, model))
		return distil_compare_pair(task, model, texts, rules, answer);
	if (task->answer_all != NULL)
	{
		NullableDatum only;

		distil_usage_count(model->usage, &(DistilUsage) {.rows = 1});
		(void) task->answer_all(task, model, options, &texts, 1, rules, false, &only);
		*answer = only.value;
		return !only.isnull;
	}
	run.batch = distil_run_text(model, task->want, texts, task->pair, rules);
	return run.batch != NULL && task->answer(&run, 0, texts, answer);
}

/* NULL among texts and model makes the answer NULL. */
static Datum
evaluate(FunctionCallInfo fcinfo, const DistilTask *task)
{
	NullableDatum options[DISTIL_MAX_OPTIONS];
	DistilModel *model;
	DistilTextRules rules;
	DistilText	texts[2];
	Memo	   *memo;
	Datum		answer = 0;
	bool		there;

	if (distil_task_asks_nothing(fcinfo, task) || distil_task_is_early(fcinfo, task))
		PG_RETURN_NULL();
	distil_task_options(fcinfo, task, options);
	model = distil_task_model(fcinfo, task, options);
	rules = distil_task_rules(task, fcinfo->args, PG_NARGS());
	for (int i = 0; i < distil_task_texts(task); i++)
		texts[i] = distil_text_get(PG_GETARG_DATUM(i), rules.on_error);

	memo = memo_of(fcinfo, task);
	if (memo != NULL && memo_holds(memo, model, rules, &texts[0]))
	{
		there = memo->there;
		answer = there ? copy_answer(task, memo->answer) : 0;
	}
	else
	{
		there = run_call(model, task, texts, rules, options, &answer);
		if (memo != NULL)
			remember(memo, fcinfo->flinfo->fn_mcxt, task, model, rules, &texts[0], answer, there);
	}
	for (int i = 0; i < distil_task_texts(task); i++)
		distil_text_free(&texts[i]);
	if (!there)
		PG_RETURN_NULL();
	return answer;
}

/* ---- the functions of all tasks ---- */

#define DEFINE_FUNCTION(name, array) \
	PG_FUNCTION_INFO_V1(distil_##name); \
	Datum \
	distil_##name(PG_FUNCTION_ARGS) \
	{ \
		return evaluate(fcinfo, &distil_task_##name); \
	}
DISTIL_TASKS(DEFINE_FUNCTION)

const DistilTask *
distil_task_of_symbol(const char *symbol)
{
	static const struct
	{
		const char *symbol;
		const DistilTask *task;
	}			functions[] = {
#define FUNCTION_OF(name, array) {"distil_" #name, &distil_task_##name},
		DISTIL_TASKS(FUNCTION_OF)
	};

	for (int i = 0; i < lengthof(functions); i++)
	{
		if (strcmp(functions[i].symbol, symbol) == 0)
			return functions[i].task;
	}
	return NULL;
}
