/*
 * runtext.c -- see runtext.h.
 *
 * The core's frames are never jumped over: errors are raised here, after it has
 * returned.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/compat.h"
#include "pg/bridge/errors.h"
#include "pg/run/defaultmodel.h"
#include "pg/run/resultcache.h"
#include "pg/run/runtext.h"
#include "pg/store/modeltask.h"
#include "pg/store/restoring.h"

DistilModel *
distil_call_model(FunctionCallInfo fcinfo, int argno, const char *task)
{
	DistilModel *model;
	char	   *name;

	if (argno < 0)
		model = distil_model_for_call(fcinfo->flinfo, distil_default_model(task));
	else
	{
		name = text_to_cstring(PG_GETARG_TEXT_PP(argno));
		model = distil_model_for_call(fcinfo->flinfo, name);
		pfree(name);
	}
	distil_usage_count(model->usage, &(DistilUsage) {.calls = 1});
	return model;
}

bool
distil_call_is_early(FunctionCallInfo fcinfo, int argno)
{
	return distil_restoring() &&
		distil_model_is_awaited(text_to_cstring(PG_GETARG_TEXT_PP(argno)));
}

static bool
names_model(int n_args, int n_texts, int n_options)
{
	return n_args > n_texts + n_options;
}

DistilCallForm
distil_form_of(const NullableDatum *args, int n_args, int n_texts, int n_options)
{
	bool		named = names_model(n_args, n_texts, n_options);
	int			at = n_texts + named + n_options;
	DistilCallForm form = {.model = named ? n_texts : -1,.option = n_texts + named};

	form.rules = named ? distil_fixed_rules : distil_session_rules();
	if (n_args == at + 2)
		form.rules.long_text = distil_long_text_of(DatumGetTextPP(args[at++].value));
	if (n_args == at + 1)
		form.rules.on_error = distil_on_error_of(DatumGetTextPP(args[at].value));
	return form;
}

DistilCallForm
distil_call_form(FunctionCallInfo fcinfo, int n_texts, int n_options)
{
	return distil_form_of(fcinfo->args, PG_NARGS(), n_texts, n_options);
}

bool
distil_asks_nothing(FunctionCallInfo fcinfo, int n_texts, int n_options)
{
	int			may_be = n_texts + names_model(PG_NARGS(), n_texts, n_options) + n_options - 1;

	for (int i = 0; i < PG_NARGS(); i++)
	{
		if (PG_ARGISNULL(i) && i != may_be)
			return true;
	}
	return false;
}

/* Raise: the function needs a model of another task. */
pg_noreturn static void
refuse_head(const DistilModel *model, const char *wanted, const char *function)
{
	const DistilModelTask *has = distil_task_of_head(model->core->config.head);

	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("model \"%s\" cannot be used with %s", model->name, function),
			 errdetail("The model's task is \"%s\"; %s needs one whose task is %s.",
					   has->name, function, wanted),
			 errhint("This model can be used with %s.", has->functions)));
}

void
distil_require_head(const DistilModel *model, DbertHead head, const char *function)
{
	if (model->core->config.head != head)
		refuse_head(model, psprintf("\"%s\"", distil_task_of_head(head)->name), function);
}

void
distil_require_head_or_none(const DistilModel *model, DbertHead head, const char *function)
{
	if (model->core->config.head != head && model->core->config.head != DBERT_HEAD_NONE)
		refuse_head(model, psprintf("\"%s\" or \"%s\"", distil_task_of_head(head)->name,
									distil_task_of_head(DBERT_HEAD_NONE)->name), function);
}

static DbertStatus
try_add(DbertBatch *batch, const DistilText *texts, bool pair, DbertLongText long_text,
		DbertError *err)
{
	DbertStatus status;
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	status = dbert_batch_add(batch, texts[0].data, texts[0].len,
							 pair ? texts[1].data : NULL, pair ? texts[1].len : 0,
							 long_text, distil_poll(), err);
	distil_usage_count(distil_batch_model(batch)->usage,
					   &(DistilUsage) {.tokenizer_ms = distil_ms_since(start)});
	return status;
}

DbertStatus
distil_batch_try_add(DbertBatch *batch, const DistilText *texts, bool pair, DistilTextRules rules,
					 DbertError *err)
{
	return try_add(batch, texts, pair, rules.long_text, err);
}

/* Not if it is the user's wish to stop. */
static void
count_error(const DbertBatch *batch, const DbertError *err)
{
	if (err->code != DBERT_E_CANCELLED)
		distil_usage_count(distil_batch_model(batch)->usage, &(DistilUsage) {.errors = 1});
}

static bool
add(DbertBatch *batch, const DistilText *texts, bool pair, DbertLongText long_text,
	DistilTextRules rules)
{
	DbertError	err;

	if (try_add(batch, texts, pair, long_text, &err) == DBERT_OK)
		return true;
	count_error(batch, &err);
	return !distil_answer_null(&err, rules);
}

bool
distil_batch_add(DbertBatch *batch, const DistilText *texts, bool pair, DistilTextRules rules)
{
	return add(batch, texts, pair, rules.long_text, rules);
}

bool
distil_batch_add_first_cut(DbertBatch *batch, const DistilText *texts, DistilTextRules rules)
{
	bool		truncate = rules.long_text == DBERT_LONG_TRUNCATE;

	return add(batch, texts, true, truncate ? DBERT_LONG_TRUNCATE_FIRST : rules.long_text, rules);
}

DbertStatus
distil_batch_try_run(DbertBatch *batch, DbertError *err)
{
	DistilUsage done = { .batches = 1,
						 .texts = dbert_batch_count(batch),
						 .tokens = dbert_batch_tokens(batch) };
	DbertStatus status;
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	status = dbert_batch_run(batch, distil_poll(), err);
	if (status != DBERT_OK)
		done = (DistilUsage) {0};
	for (int i = 0; i < done.texts; i++)
		done.truncated += dbert_batch_truncated(batch, i);
	done.encoder_ms = distil_ms_since(start);
	distil_usage_count(distil_batch_model(batch)->usage, &done);
	return status;
}

void
distil_batch_run(DbertBatch *batch)
{
	DbertError	err;

	if (distil_batch_try_run(batch, &err) == DBERT_OK)
		return;
	count_error(batch, &err);
	distil_raise(&err, NULL);
}

bool
distil_batch_has_answer(const DbertBatch *batch, int i, DistilTextRules rules)
{
	DbertError	err;

	if (dbert_batch_finite(batch, i))
		return true;
	(void) dbert_fail(&err, DBERT_E_NOT_FINITE, "model \"%s\" has no finite answer for a text",
					  distil_batch_model(batch)->name);
	count_error(batch, &err);
	return !distil_answer_null(&err, rules);
}

DbertBatch *
distil_run_text(DistilModel *model, int want, const DistilText *texts, bool pair,
				DistilTextRules rules)
{
	bool		cached = distil_cache_holds(model, want);
	DistilResultKey key;
	DbertBatch *batch;

	distil_usage_count(model->usage, &(DistilUsage) {.rows = 1});
	if (cached)
	{
		key = distil_cache_key(model, want, texts, pair, rules.long_text);
		batch = distil_cache_find(model, want, &key);
		if (batch != NULL)
			return batch;
	}
	batch = distil_model_batch(model, want);
	if (!distil_batch_add(batch, texts, pair, rules))
		return NULL;
	distil_batch_run(batch);
	if (!distil_batch_has_answer(batch, 0, rules))
		return NULL;
	if (cached)
		distil_cache_keep(model, want, &key, batch, 0);
	return batch;
}
