/*
 * translatefunc.c -- distil_translate(text, model [, max_tokens] [, beams]
 * [, language] [, on_error]).
 *
 * A text goes sentence by sentence (task/translation.h).  NULL options are as
 * the model's files say; max_tokens are those of a sentence.  Sentences that
 * this limit ended are counted in a warning.
 *
 * No batch of the backend's is used: what the decoder works in ends with the
 * call.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/compat.h"
#include "pg/bridge/errors.h"
#include "pg/bridge/threads.h"
#include "pg/func/task.h"
#include "pg/func/translatefunc.h"
#include "pg/run/modelmemory.h"

/* Texts of so many tokens are translated together, or one. */
#define TOGETHER_TOKENS 8192

/* ---- the options ---- */

/* "deu, fra", as far as a hint goes; "": the model has no languages. */
static char *
list_languages(const DistilModel *model)
{
	StringInfoData list;
	const char *name;
	size_t		len;

	initStringInfo(&list);
	for (int32 id = 0; id < model->core->config.vocab && list.len < 200; id++)
	{
		if (dbert_token_language(model->core, id, &name, &len))
			appendStringInfo(&list, "%s%.*s", list.len > 0 ? ", " : "", (int) len, name);
	}
	return list.data;
}

static int32
language_of(const DistilModel *model, const NullableDatum *option)
{
	text	   *name;
	int32		id;

	if (option->isnull)
		return -1;
	name = DatumGetTextPP(option->value);
	id = dbert_language_token(model->core, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	return id;
}

static void
check_language(const DistilModel *model, const NullableDatum *option)
{
	char	   *known;

	if (!option->isnull && language_of(model, option) >= 0)
		return;
	known = list_languages(model);
	if (known[0] != '\0' && option->isnull)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" translates into several languages", model->name),
				 errhint("Name one of these as language: %s.", known)));
	if (known[0] != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" does not translate into \"%s\"", model->name,
						TextDatumGetCString(option->value)),
				 errhint("Its languages are %s.", known)));
	if (!option->isnull)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" translates into one language", model->name),
				 errhint("Leave language out.")));
	pfree(known);
}

static void
check_translate(const DistilTask *task, const DistilModel *model, const NullableDatum *options)
{
	const NullableDatum *tokens = &options[DISTIL_TRANSLATE_MAX_TOKENS];
	const NullableDatum *beams = &options[DISTIL_TRANSLATE_BEAMS];

	distil_require_head(model, DBERT_HEAD_TRANSLATE, task->function);
	if (!tokens->isnull && (DatumGetInt32(tokens->value) < 1 ||
							DatumGetInt32(tokens->value) >= model->core->config.positions))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_tokens must be between 1 and %d for model \"%s\"",
						model->core->config.positions - 1, model->name)));
	if (!beams->isnull && (DatumGetInt32(beams->value) < 1 ||
						   DatumGetInt32(beams->value) > DBERT_MAX_BEAMS))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("beams must be between 1 and %d", DBERT_MAX_BEAMS)));
	check_language(model, &options[DISTIL_TRANSLATE_LANGUAGE]);
}

static DbertGeneration
generation_of(const DistilModel *model, const NullableDatum *options)
{
	DbertGeneration how = model->core->config.generation;

	if (!options[DISTIL_TRANSLATE_MAX_TOKENS].isnull)
		how.max_length = DatumGetInt32(options[DISTIL_TRANSLATE_MAX_TOKENS].value) + 1;
	if (!options[DISTIL_TRANSLATE_BEAMS].isnull)
		how.beams = DatumGetInt32(options[DISTIL_TRANSLATE_BEAMS].value);
	return how;
}

/* ---- some texts ---- */

/* Texts that are translated together, numbers of the caller's. */
typedef struct Together
{
	DistilModel *model;
	DbertGeneration how;
	DistilTextRules rules;
	bool		quiet;
	MemoryContext context;		/* of the core's memory, for these texts */
	DbertAllocator allocator;
	DbertTranslation *translation;
	int		   *numbers;		/* [n] */
	int			n;
	NullableDatum *answers;
	int64		tokens;
	int			limited;
} Together;

/* The answer is NULL, if that is no error. */
static void
fail(const Together *t, const DbertError *err)
{
	if (err->code == DBERT_E_CANCELLED)
		distil_raise(err, NULL);
	if (t->quiet)
		return;
	distil_usage_count(t->model->usage, &(DistilUsage) {.errors = 1});
	if (!distil_answer_null(err, t->rules))
		distil_raise(err, NULL);
}

static void
begin(Together *t, int32 language)
{
	DbertError	err;

	t->context = AllocSetContextCreate(CurrentMemoryContext, "distilbert translation",
									   ALLOCSET_DEFAULT_SIZES);
	t->allocator = distil_model_allocator(t->context);
	distil_model_memory_count(t->context);
	t->n = 0;
	if (dbert_translation_create(t->model->core, &t->how, language, &t->allocator,
								 &t->translation, &err) != DBERT_OK)
		distil_raise(&err, NULL);
}

static void
take_answer(Together *t, int i)
{
	NullableDatum *answer = &t->answers[t->numbers[i]];
	char	   *s;
	size_t		len;
	text	   *said = NULL;
	DbertError	err;

	if (dbert_translation_text(t->translation, i, &s, &len, &err) == DBERT_OK)
	{
		said = distil_text_spelt(s != NULL ? s : "", len);
		dbert_free(&t->allocator, s);
		if (said == NULL)
			(void) dbert_fail(&err, DBERT_E_ENCODING,
							  "the translation has a character that has no equivalent in "
							  "encoding \"%s\"", GetDatabaseEncodingName());
	}
	if (said == NULL)
		fail(t, &err);
	else
		*answer = (NullableDatum) {.value = PointerGetDatum(said)};
}

/* Run what was added, hand it out, and end. */
static void
finish(Together *t)
{
	DistilUsage done = {
		.batches = 1, .texts = t->n, .tokens = dbert_translation_tokens(t->translation)
	};
	instr_time	start;
	DbertError	err;

	INSTR_TIME_SET_CURRENT(start);
	if (dbert_translation_prepare(t->translation, distil_poll(), &err) != DBERT_OK ||
		dbert_translation_run(t->translation, distil_translate_rows(t->translation, t->how.beams),
							  distil_threads(), distil_poll(), &err) != DBERT_OK)
		fail(t, &err);
	else
	{
		t->limited += dbert_translation_limited(t->translation);
		t->tokens += done.tokens;
		for (int i = 0; i < t->n; i++)
			take_answer(t, i);
	}
	done.encoder_ms = distil_ms_since(start);
	distil_usage_count(t->model->usage, &done);
	MemoryContextDelete(t->context);
}

static void
add(Together *t, int number, const DistilText *text)
{
	DbertError	err;

	if (dbert_translation_add(t->translation, text->data, text->len, distil_poll(), &err) ==
		DBERT_OK)
		t->numbers[t->n++] = number;
	else
		fail(t, &err);
}

static int64
translate_all(const DistilTask *task, DistilModel *model, const NullableDatum *options,
			  const DistilText *const *texts, int n, DistilTextRules rules, bool quiet,
			  NullableDatum *answers)
{
	int32		language = language_of(model, &options[DISTIL_TRANSLATE_LANGUAGE]);
	Together	t = {
		.model = model, .how = generation_of(model, options), .rules = rules, .quiet = quiet,
		.numbers = palloc_array(int, Max(n, 1)), .answers = answers
	};

	for (int i = 0; i < n; i++)
		answers[i] = (NullableDatum) {.isnull = true};
	for (int first = 0, i; first < n; first = i)
	{
		begin(&t, language);
		for (i = first; i < n && (i == first || dbert_translation_tokens(t.translation) <
											TOGETHER_TOKENS); i++)
			add(&t, i, texts[i]);
		finish(&t);
	}
	if (t.limited > 0)
		ereport(WARNING,
				(errmsg_plural("%d sentence was ended after %d tokens",
							   "%d sentences were ended after %d tokens", t.limited, t.limited,
							   t.how.max_length - 1)));
	pfree(t.numbers);
	return t.tokens;
}

const DistilTask distil_task_translate = {
	.function = "distil_translate",
	.type = TEXTOID,
	.n_options = DISTIL_TRANSLATE_OPTIONS,
	.check = check_translate,
	.answer_all = translate_all
};
