/*
 * trainargs.c -- see trainargs.h.  The defaults stand in the SQL declaration.
 */
#include "postgres.h"

#include <math.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "pg/train/trainargs.h"

/* In the order of the SQL declarations. */
static const char *const train_names[] = {
	"name", "query", "base", "task", "epochs", "learning_rate", "batch_size", "batch_tokens",
	"max_tokens",
	"weight_decay", "warmup", "dropout", "class_weights", "loss", "head_only", "freeze_embeddings",
	"validation",
	"validation_query", "early_stopping", "seed", "replace", "resume"
};

static const char *const pretrain_names[] = {
	"name", "query", "base", "epochs", "learning_rate", "batch_size", "batch_tokens", "max_tokens",
	"weight_decay", "warmup", "dropout", "mask_share", "whole_word", "validation",
	"validation_query",
	"early_stopping", "seed", "replace", "resume"
};

static const char *const distill_names[] = {
	"name", "teacher", "query", "layers", "hidden", "base", "temperature", "alpha_soft",
	"alpha_hard", "alpha_cosine",
	"alpha_hidden", "alpha_attention", "epochs", "learning_rate", "batch_size", "batch_tokens",
	"max_tokens", "weight_decay", "warmup",
	"dropout", "validation", "validation_query", "early_stopping", "min_quality", "seed", "replace",
	"resume"
};

/* The arguments are read one after the other. */
typedef struct ArgReader
{
	FunctionCallInfo fcinfo;
	const char *const *names;
	int			n;
	int			next;
} ArgReader;

static Datum
next_datum(ArgReader *r)
{
	int			i = r->next++;

	if (r->fcinfo->nargs != r->n)
		elog(ERROR, "%d arguments instead of %d", r->fcinfo->nargs, r->n);
	if (r->fcinfo->args[i].isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", r->names[i])));
	return r->fcinfo->args[i].value;
}

/* Whether the next one is NULL, which is then read. */
static bool
next_is_null(ArgReader *r)
{
	if (!r->fcinfo->args[r->next].isnull)
		return false;
	r->next++;
	return true;
}

static const char *
next_text(ArgReader *r)
{
	return TextDatumGetCString(next_datum(r));
}

static const char *
next_text_or_null(ArgReader *r)
{
	return next_is_null(r) ? NULL : next_text(r);
}

static int
next_int(ArgReader *r, int min, int max)
{
	const char *name = r->names[r->next];
	int			value = DatumGetInt32(next_datum(r));

	if (value < min || value > max)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be from %d to %d, not %d", name, min, max, value)));
	return value;
}

/* min <= value <= max, or below max if open is set */
static float
next_real(ArgReader *r, float min, float max, bool open)
{
	const char *name = r->names[r->next];
	float		value = DatumGetFloat4(next_datum(r));

	if (!(value >= min && (open ? value < max : value <= max)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be from %g to %s%g, not %g",
						name,
						min,
						open ? "less than " : "",
						max,
						value)));
	return value;
}

static bool
next_bool(ArgReader *r)
{
	return DatumGetBool(next_datum(r));
}

static void
check_task(const char *task)
{
	if (strcmp(task, "classify") != 0 && strcmp(task, "sentiment") != 0 &&
		strcmp(task, "regression") != 0 && strcmp(task, "entities") != 0 &&
		strcmp(task, "embed") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot train for the task \"%s\"", task),
				 errhint("Tasks are classify, sentiment, regression, entities and embed.")));
}

static void
check_loss(const DistilTrainArgs *a)
{
	if (a->loss == NULL)
		return;
	if (strcmp(a->task, "embed") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the task \"%s\" has no choice of losses", a->task),
				 errhint("Leave argument \"loss\" out; it is for the task embed.")));
	if (strcmp(a->loss, "contrastive") != 0 && strcmp(a->loss, "cosent") != 0 &&
		strcmp(a->loss, "cosine") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no loss \"%s\"", a->loss),
				 errhint("Losses are contrastive for pairs without numbers, cosent and cosine for "
						 "pairs with numbers.")));
}

/* A validation query takes the place of the default share. */
static void
check_validation(DistilTrainArgs *a)
{
	if (a->validation_query != NULL)
		a->validation = 0;
	if (a->early_stopping > 0 && a->validation == 0 && a->validation_query == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("early_stopping needs validation"),
				 errhint("Give validation a share of the rows, or a validation_query.")));
}

/* ---- what all three take, in the same order ---- */

/* epochs to dropout */
static void
read_steps(ArgReader *r, DistilTrainArgs *a)
{
	a->epochs = next_int(r, 1, 10000);
	a->learning_rate = next_real(r, 0, 1, false);
	a->batch_size = next_int(r, 1, 4096);
	a->batch_tokens = next_int(r, 1, 1024 * 1024);
	a->max_tokens = next_int(r, 4, 1024 * 1024);
	a->weight_decay = next_real(r, 0, 1, false);
	a->warmup = next_real(r, 0, 1, true);
	a->dropout = next_real(r, 0, 1, true);
}

/* validation to early_stopping */
static void
read_validation(ArgReader *r, DistilTrainArgs *a)
{
	a->validation = next_real(r, 0, 1, true);
	a->validation_query = next_text_or_null(r);
	a->early_stopping = next_int(r, 0, 10000);
}

/* seed to resume */
static void
read_result(ArgReader *r, DistilTrainArgs *a)
{
	a->seed = DatumGetInt64(next_datum(r));
	a->replace = next_bool(r);
	a->resume = next_bool(r);
}

DistilTrainArgs
distil_train_args(FunctionCallInfo fcinfo)
{
	ArgReader	r = {fcinfo, train_names, lengthof(train_names), 0};
	DistilTrainArgs a = {0};

	a.name = next_text(&r);
	a.query = next_text(&r);
	a.base = next_text(&r);
	a.task = next_text(&r);
	read_steps(&r, &a);
	a.class_weights = next_text_or_null(&r);
	a.loss = next_text_or_null(&r);
	a.head_only = next_bool(&r);
	a.freeze_embeddings = next_bool(&r);
	read_validation(&r, &a);
	read_result(&r, &a);
	check_task(a.task);
	check_loss(&a);
	check_validation(&a);
	return a;
}

DistilTrainArgs
distil_pretrain_args(FunctionCallInfo fcinfo)
{
	ArgReader	r = {fcinfo, pretrain_names, lengthof(pretrain_names), 0};
	DistilTrainArgs a = {.task = "fill_mask"};

	a.name = next_text(&r);
	a.query = next_text(&r);
	a.base = next_text(&r);
	read_steps(&r, &a);
	a.mask_share = next_real(&r, 0, 1, true);
	a.whole_word = next_bool(&r);
	read_validation(&r, &a);
	read_result(&r, &a);
	check_validation(&a);
	return a;
}

static void
check_distill(const DistilTrainArgs *a)
{
	const DbertDistill *d = &a->distill;

	if (d->soft == 0 && d->hard == 0 && d->cosine == 0 && d->hidden == 0 && d->attention == 0)
		ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is nothing to learn: all its weights, alpha_soft and others, are 0")));
	if (a->hidden > 0 && a->base != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("arguments \"hidden\" and \"base\" exclude each other"),
				 errdetail("A student that begins with a model has its width.")));
	if (a->min_quality > 0 && a->validation == 0 && a->validation_query == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("min_quality needs validation"),
				 errhint("Give validation a share of the rows, or a validation_query.")));
}

DistilTrainArgs
distil_distill_args(FunctionCallInfo fcinfo)
{
	ArgReader	r = {fcinfo, distill_names, lengthof(distill_names), 0};
	DistilTrainArgs a = { .task = "classify",
						  .mask_share = 0.15f }; /* for teachers that fill masks */

	a.name = next_text(&r);
	a.teacher = next_text(&r);
	a.query = next_text(&r);
	a.layers = next_is_null(&r) ? 0 : next_int(&r, 1, 1024);
	a.hidden = next_is_null(&r) ? 0 : next_int(&r, 1, 65536);
	a.base = next_text_or_null(&r);
	a.distill.temperature = next_real(&r, 0.01f, 1000, false);
	a.distill.soft = next_real(&r, 0, 1e6, false);
	a.distill.hard = next_real(&r, 0, 1e6, false);
	a.distill.cosine = next_is_null(&r) ? -1 : next_real(&r, 0, 1e6, false);
	a.distill.hidden = next_real(&r, 0, 1e6, false);
	a.distill.attention = next_real(&r, 0, 1e6, false);
	read_steps(&r, &a);
	read_validation(&r, &a);
	a.min_quality = next_is_null(&r) ? 0 : next_real(&r, 0, 1, false);
	read_result(&r, &a);
	check_validation(&a);
	check_distill(&a);
	return a;
}

/* ---- class_weights ---- */

static void
balance(float *weights, int n_labels, const int64 *counts)
{
	int64		rows = 0;
	int			present = 0;

	for (int i = 0; i < n_labels; i++)
	{
		rows += counts[i];
		present += counts[i] > 0;
	}
	for (int i = 0; i < n_labels; i++)
		weights[i] = counts[i] > 0 ? (float) ((double) rows / ((double) present * counts[i])) : 1;
}

static void
raise_weights(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"class_weights\" is wrong"),
			 errdetail_internal("%s", detail),
			 errhint("Give 'balanced', or an object of labels and positive numbers such as "
					 "'{\"spam\": 5}'.")));
}

/* -1: there is no such label */
static int
find_label(const char *key, const char *const *labels, int n_labels)
{
	for (int i = 0; i < n_labels; i++)
	{
		if (strcmp(labels[i], key) == 0)
			return i;
	}
	return -1;
}

static float
weight_of(const char *label, const JsonbValue *value)
{
	float		weight = -1;

	if (value->type == jbvNumeric)
		weight = (float) DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
															NumericGetDatum(value->val.numeric)));
	if (!(weight > 0) || !isfinite(weight))
		raise_weights(psprintf("The weight of \"%s\" is not a positive number.", label));
	return weight;
}

static void
read_object(Jsonb *object, float *weights, const char *const *labels, int n_labels)
{
	JsonbIterator *it = JsonbIteratorInit(&object->root);
	JsonbIteratorToken token;
	JsonbValue	v;
	char	   *label = NULL;
	int			i = -1;

	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token == WJB_KEY)
		{
			label = pnstrdup(v.val.string.val, v.val.string.len);
			i = find_label(pg_server_to_any(label, strlen(label), PG_UTF8), labels, n_labels);
			if (i < 0)
				raise_weights(psprintf("There is no label \"%s\".", label));
		}
		else if (token == WJB_VALUE)
			weights[i] = weight_of(label, &v);
	}
}

const float *
distil_train_class_weights(const char *spec, const char *const *labels, int n_labels,
						   const int64 *counts)
{
	float	   *weights;

	if (spec == NULL)
		return NULL;
	weights = palloc(sizeof(float) * n_labels);
	for (int i = 0; i < n_labels; i++)
		weights[i] = 1;
	if (strcmp(spec, "balanced") == 0)
		balance(weights, n_labels, counts);
	else if (spec[strspn(spec, " \t\n\r")] != '{')
		raise_weights("It is neither 'balanced' nor a JSON object.");
	else
		read_object(DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(spec))), weights,
					labels, n_labels);
	return weights;
}
