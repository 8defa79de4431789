/*
 * pipetask.c -- see pipetask.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/snapmgr.h"

#include "pg/bridge/compat.h"
#include "pg/bridge/quoted.h"
#include "pg/func/entitylist.h"
#include "pg/func/options.h"
#include "pg/func/translatefunc.h"
#include "pg/pipe/pipetask.h"
#include "pg/store/models.h"

#define LONG_TEXT {"long_text", TEXTOID, "window", false}
#define NORMALIZED {"normalized", BOOLOID, NULL, false}
#define DIMENSIONS {"dimensions", INT4OID, NULL, false}

static const DistilPipeTask tasks[] = {
	{
		.name = "embed", .task = &distil_task_embed_passage, .column = "embedding",
		.n_options = 3, .options = {NORMALIZED, DIMENSIONS, LONG_TEXT}
	},
	{
		.name = "sentiment", .task = &distil_task_sentiment, .column = "sentiment",
		.n_options = 1, .options = {LONG_TEXT}
	},
	{
		.name = "classify", .task = &distil_task_classify, .column = "label",
		.n_options = 2, .options = {{"min_score", FLOAT4OID, "0", false}, LONG_TEXT}
	},
	{
		.name = "score", .task = &distil_task_score, .column = "score",
		.n_options = 2, .options = {{"label", TEXTOID, NULL, true}, LONG_TEXT}
	},
	{
		.name = "mask", .task = &distil_task_mask, .column = "masked",
		.n_options = 3,
		.options = {{"labels", TEXTARRAYOID, NULL, false},
					{"mask", TEXTOID, "[{label}]", false}, LONG_TEXT}
	},
	{
		.name = "translate", .task = &distil_task_translate, .column = "translation",
		.any_length = true, .n_options = DISTIL_TRANSLATE_OPTIONS,
		.options = {{"max_tokens", INT4OID, NULL, false}, {"beams", INT4OID, NULL, false},
					{"language", TEXTOID, NULL, false}}
	},
	{
		.name = "chunks", .kind = DISTIL_PIPE_CHUNKS, .task = &distil_task_embed_passage,
		.column = "embedding", .n_options = 5,
		.options = {NORMALIZED, DIMENSIONS, {"max_tokens", INT4OID, "256", false},
					{"overlap", INT4OID, "0", false}, LONG_TEXT}
	},
	{
		.name = "entities", .kind = DISTIL_PIPE_ENTITIES, .column = "entity", .n_options = 3,
		.options = {{"aggregation", TEXTOID, "first", false},
					{"min_score", FLOAT4OID, "0", false}, LONG_TEXT}
	},
};

const DistilPipeTask *
distil_pipe_task(const char *name)
{
	const char *names[lengthof(tasks)];

	for (int i = 0; i < lengthof(tasks); i++)
	{
		if (strcmp(tasks[i].name, name) == 0)
			return &tasks[i];
		names[i] = tasks[i].name;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown task \"%s\" of a pipeline", name),
			 errhint("Tasks of pipelines are %s.", distil_joined_list(names, lengthof(tasks)))));
	return NULL;				/* keep compiler quiet */
}

/* ---- options ---- */

static const DistilPipeOption *
find_option(const DistilPipeTask *task, const char *name, int len)
{
	for (int i = 0; i < task->n_options; i++)
	{
		if (strlen(task->options[i].name) == len &&
			strncmp(task->options[i].name, name, len) == 0)
			return &task->options[i];
	}
	return NULL;
}

static void
check_names(const DistilPipeTask *task, Jsonb *options)
{
	const char *names[DISTIL_MAX_OPTIONS];
	JsonbIterator *it = JsonbIteratorInit(&options->root);
	JsonbIteratorToken token;
	JsonbValue	v;

	if (!JB_ROOT_IS_OBJECT(options))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options of a pipeline must be a JSON object"),
				 errhint("Write them as '{\"option\": value}'.")));
	for (int i = 0; i < task->n_options; i++)
		names[i] = task->options[i].name;
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY && find_option(task, v.val.string.val, v.val.string.len) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("task \"%s\" has no option \"%s\"", task->name,
							pnstrdup(v.val.string.val, v.val.string.len)),
					 errhint("Its options are %s.", distil_joined_list(names, task->n_options))));
	}
}

static void
wrong_type(const DistilPipeOption *option, const char *wanted)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("option \"%s\" of a pipeline must be %s", option->name, wanted)));
}

static Datum
number_option(const DistilPipeOption *option, const JsonbValue *v)
{
	char	   *digits;
	char	   *end;
	double		number;

	if (v->type != jbvNumeric)
		wrong_type(option, "a number");
	digits = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(v->val.numeric)));
	number = strtod(digits, &end);
	if (option->type == FLOAT4OID)
		return Float4GetDatum((float4) number);
	if (number != (int32) Min(Max(number, PG_INT32_MIN), PG_INT32_MAX))
		wrong_type(option, "a whole number");
	return Int32GetDatum((int32) number);
}

static text *
string_of(const DistilPipeOption *option, const JsonbValue *v, const char *wanted)
{
	if (v->type != jbvString)
		wrong_type(option, wanted);
	return cstring_to_text_with_len(v->val.string.val, v->val.string.len);
}

static Datum
strings_of(const DistilPipeOption *option, const JsonbValue *v)
{
	JsonbContainer *array = v->type == jbvBinary ? v->val.binary.data : NULL;
	int			n;
	Datum	   *elements;

	if (array == NULL || !JsonContainerIsArray(array))
		wrong_type(option, "an array of strings");
	n = JsonContainerSize(array);
	elements = palloc(sizeof(Datum) * Max(n, 1));
	for (int i = 0; i < n; i++)
		elements[i] = PointerGetDatum(
			string_of(option, getIthJsonbValueFromContainer(array, i), "an array of strings"));
	return PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static Datum
option_value(const DistilPipeOption *option, const JsonbValue *v)
{
	switch (option->type)
	{
		case BOOLOID:
			if (v->type != jbvBool)
				wrong_type(option, "true or false");
			return BoolGetDatum(v->val.boolean);
		case TEXTOID:
			return PointerGetDatum(string_of(option, v, "a string"));
		case TEXTARRAYOID:
			return strings_of(option, v);
		default:
			return number_option(option, v);
	}
}

static NullableDatum
preset(const DistilPipeTask *task, const DistilPipeOption *option)
{
	NullableDatum value = {.isnull = option->preset == NULL};

	if (option->required)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("task \"%s\" needs the option \"%s\"", task->name, option->name),
				 errhint("Give it in options, as in '{\"%s\": ...}'.", option->name)));
	if (option->preset == NULL)
		return value;
	if (option->type == TEXTOID)
		value.value = CStringGetTextDatum(option->preset);
	else if (option->type == FLOAT4OID)
		value.value = Float4GetDatum((float4) atof(option->preset));
	else
		value.value = Int32GetDatum(atoi(option->preset));
	return value;
}

NullableDatum *
distil_pipe_options(const DistilPipeTask *task, Jsonb *options)
{
	NullableDatum *values = palloc0(sizeof(NullableDatum) * DISTIL_MAX_OPTIONS);

	check_names(task, options);
	for (int i = 0; i < task->n_options; i++)
	{
		const DistilPipeOption *option = &task->options[i];
		JsonbValue	v;

		if (getKeyJsonValueFromContainer(&options->root, option->name, strlen(option->name),
										 &v) == NULL ||
			v.type == jbvNull)
			values[i] = preset(task, option);
		else
			values[i].value = option_value(option, &v);
	}
	(void) distil_pipe_rules(task, values);
	return values;
}

static void
push_string(JsonbParseState **state, JsonbIteratorToken token, const char *s, int len)
{
	JsonbValue	v = {.type = jbvString};

	v.val.string.val = unconstify(char *, s);
	v.val.string.len = len;
	pushJsonbValue(state, token, &v);
}

static void
push_text(JsonbParseState **state, JsonbIteratorToken token, Datum value)
{
	text	   *t = DatumGetTextPP(value);

	push_string(state, token, VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t));
}

static void
push_strings(JsonbParseState **state, Datum array)
{
	Datum	   *elements;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL,
					  &n);
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < n; i++)
		push_text(state, WJB_ELEM, elements[i]);
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
push_value(JsonbParseState **state, const DistilPipeOption *option, Datum value)
{
	JsonbValue	v = {.type = jbvNumeric};

	switch (option->type)
	{
		case TEXTOID:
			push_text(state, WJB_VALUE, value);
			return;
		case TEXTARRAYOID:
			push_strings(state, value);
			return;
		case BOOLOID:
			v.type = jbvBool;
			v.val.boolean = DatumGetBool(value);
			break;
		case INT4OID:
			v.val.numeric = DatumGetNumeric(DirectFunctionCall1(int4_numeric, value));
			break;
		default:
			v.val.numeric = DatumGetNumeric(DirectFunctionCall1(float4_numeric, value));
	}
	pushJsonbValue(state, WJB_VALUE, &v);
}

Jsonb *
distil_pipe_options_jsonb(const DistilPipeTask *task, const NullableDatum *options)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < task->n_options; i++)
	{
		const DistilPipeOption *option = &task->options[i];

		if (options[i].isnull)
			continue;
		push_string(&state, WJB_KEY, option->name, strlen(option->name));
		push_value(&state, option, options[i].value);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

DistilTextRules
distil_pipe_rules(const DistilPipeTask *task, const NullableDatum *options)
{
	DistilTextRules rules = distil_fixed_rules;

	if (!task->any_length)
		rules.long_text = distil_long_text_of(DatumGetTextPP(options[task->n_options - 1].value));
	return rules;
}

/* ---- models ---- */

void
distil_pipe_check_model(const DistilPipeTask *task, const DistilModel *model,
						const NullableDatum *options)
{
	if (task->task != NULL)
		task->task->check(task->task, model, options);
	if (task->kind == DISTIL_PIPE_CHUNKS)
		distil_check_chunks(DatumGetInt32(options[DISTIL_CHUNKS_MAX_TOKENS].value),
							DatumGetInt32(options[DISTIL_CHUNKS_OVERLAP].value));
	if (task->kind == DISTIL_PIPE_ENTITIES)
	{
		distil_require_head(model, DBERT_HEAD_TOKEN, "distil_entities");
		distil_check_score("min_score", DatumGetFloat4(options[DISTIL_ENTITIES_MIN_SCORE].value));
		(void) distil_aggregation_of(DatumGetTextPP(options[DISTIL_ENTITIES_AGGREGATION].value));
	}
}

int
distil_pipe_width(const DistilPipeTask *task, const DistilModel *model,
				  const NullableDatum *options)
{
	if (task->task == NULL || task->task->width == NULL)
		return 0;
	return task->task->width(model, options);
}

DistilModel *
distil_pipe_model(FmgrInfo *flinfo, const char *name, uint8 *sha256)
{
	DistilModel *model = distil_model_for_call(flinfo, name);

	distil_model_content(name, GetActiveSnapshot(), sha256);
	return model;
}
