/*
 * trainargs.c -- see trainargs.h.  The defaults stand in the SQL declaration.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "pg/train/trainargs.h"

/* In the order of the SQL declarations. */
static const char *const train_names[] = {
	"name", "query", "base", "task", "epochs", "learning_rate", "batch_size", "batch_tokens",
	"max_tokens", "weight_decay", "warmup", "dropout", "class_weights", "loss", "head_only",
	"freeze_embeddings", "validation", "validation_query", "early_stopping", "seed", "replace",
	"resume", "force", "calibrate"
};

static const char *const pretrain_names[] = {
	"name", "query", "base", "epochs", "learning_rate", "batch_size", "batch_tokens", "max_tokens",
	"weight_decay", "warmup", "dropout", "mask_share", "whole_word", "validation",
	"validation_query", "early_stopping", "seed", "replace", "resume", "force"
};

static const char *const distill_names[] = {
	"name", "teacher", "query", "layers", "hidden", "base", "temperature", "alpha_soft",
	"alpha_hard", "alpha_cosine", "alpha_hidden", "alpha_attention", "epochs", "learning_rate",
	"batch_size", "batch_tokens", "max_tokens", "weight_decay", "warmup", "dropout", "validation",
	"validation_query", "early_stopping", "min_quality", "seed", "replace", "resume", "force",
	"static", "dimensions"
};

static const char *const trim_names[] = {
	"name", "model", "query", "vocabulary", "replace", "force"
};

/* ---- one argument ---- */

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
						name, min, open ? "less than " : "", max, value)));
	return value;
}

static bool
next_bool(ArgReader *r)
{
	return DatumGetBool(next_datum(r));
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

/* seed to force */
static void
read_result(ArgReader *r, DistilTrainArgs *a)
{
	bool		replace;

	a->seed = DatumGetInt64(next_datum(r));
	replace = next_bool(r);
	a->resume = next_bool(r);
	a->replace = distil_replace(replace, next_bool(r));
}

DistilTrainArgs
distil_train_args(FunctionCallInfo fcinfo)
{
	ArgReader	r = {fcinfo, train_names, lengthof(train_names), 0};
	DistilTrainArgs a = {0};
	const char *task;

	a.name = next_text(&r);
	a.query = next_text(&r);
	a.base = next_text(&r);
	task = next_text(&r);
	read_steps(&r, &a);
	a.class_weights = next_text_or_null(&r);
	a.loss = next_text_or_null(&r);
	a.head_only = next_bool(&r);
	a.freeze_embeddings = next_bool(&r);
	read_validation(&r, &a);
	read_result(&r, &a);
	a.calibrate = DISTIL_CALIBRATE_IF_POSSIBLE;
	if (!next_is_null(&r))
		a.calibrate = next_bool(&r) ? DISTIL_CALIBRATE_ALWAYS : DISTIL_CALIBRATE_NEVER;
	a.task = distil_chosen_task(task);
	if (a.loss != NULL)
		distil_check_loss(a.task, a.loss);
	check_validation(&a);
	return a;
}

DistilTrainArgs
distil_pretrain_args(FunctionCallInfo fcinfo)
{
	ArgReader	r = {fcinfo, pretrain_names, lengthof(pretrain_names), 0};
	DistilTrainArgs a = {.task = distil_train_task("fill_mask")};

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

/* What makes no sense with this kind of student. */
static void
check_static(const DistilTrainArgs *a)
{
	const char *other = a->layers > 0 ? "layers" : a->hidden > 0 ? "hidden" :
		a->base != NULL ? "base" : a->validation_query != NULL ? "validation_query" :
		a->min_quality > 0 ? "min_quality" : a->resume ? "resume" : NULL;

	if (other != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("arguments \"static\" and \"%s\" exclude each other", other)));
}

/* static and dimensions */
static void
read_static(ArgReader *r, DistilTrainArgs *a)
{
	a->is_static = next_bool(r);
	a->dimensions = next_is_null(r) ? 0 : next_int(r, 1, 65536);
	if (a->dimensions > 0 && !a->is_static)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"dimensions\" needs \"static\""),
				 errhint("Other students have their teacher's dimensions.")));
	if (a->query == NULL && !a->is_static)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", "query")));
}

DistilTrainArgs
distil_distill_args(FunctionCallInfo fcinfo)
{
	ArgReader	r = {fcinfo, distill_names, lengthof(distill_names), 0};
	DistilTrainArgs a = {.mask_share = 0.15f};	/* for teachers that fill masks */

	a.name = next_text(&r);
	a.teacher = next_text(&r);
	a.query = next_text_or_null(&r);
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
	read_static(&r, &a);
	check_validation(&a);
	if (a.is_static)
		check_static(&a);
	else
		check_distill(&a);
	return a;
}

DistilTrimArgs
distil_trim_args(FunctionCallInfo fcinfo)
{
	ArgReader	r = {fcinfo, trim_names, lengthof(trim_names), 0};
	DistilTrimArgs a = {0};
	bool		replace;

	a.name = next_text(&r);
	a.model = next_text(&r);
	a.query = next_text(&r);
	a.vocabulary = next_is_null(&r) ? 0 : next_int(&r, 1, PG_INT32_MAX);
	replace = next_bool(&r);
	a.replace = distil_replace(replace, next_bool(&r));
	return a;
}
