/*
 * classweights.c -- see classweights.h.
 */
#include "postgres.h"

#include <math.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "pg/train/classweights.h"

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
distil_class_weights(const char *spec, const char *const *labels, int n_labels,
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
