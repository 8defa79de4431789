/*
 * maskfunc.c -- distil_mask(text [, model], labels, mask): a text without its
 * entities (redact.h), those of some labels or, if labels is NULL, all.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "pg/bridge/compat.h"
#include "pg/func/arrayvalue.h"
#include "pg/func/labels.h"
#include "pg/func/redact.h"
#include "pg/func/task.h"

/* Options, in their order. */
enum
{
	LABELS,
	MASK,
	N_OPTIONS
};

static void
check_mask(const DistilTask *task, const DistilModel *model, const NullableDatum *options)
{
	int			n = 0;
	Datum	   *labels;

	distil_require_head(model, DBERT_HEAD_TOKEN, task->function);
	if (options[MASK].isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("mask must not be NULL"),
				 errhint("An empty mask removes the entities.")));
	if (options[LABELS].isnull)
		return;
	labels = distil_text_elements(options[LABELS].value, "labels", &n);
	for (int i = 0; i < n; i++)
	{
		text	   *label = DatumGetTextPP(labels[i]);

		if (!distil_has_entity_label(model, VARDATA_ANY(label), VARSIZE_ANY_EXHDR(label)))
			distil_raise_no_label(model, VARDATA_ANY(label), VARSIZE_ANY_EXHDR(label));
	}
}

static bool
answer_mask(const DistilRun *run, int i, const DistilText *texts, Datum *answer)
{
	char	   *mask = text_to_cstring(DatumGetTextPP(run->options[MASK].value));
	DistilRedaction r = {.any = run->options[LABELS].isnull,.mask = mask};
	DistilTextArray labels;
	StringInfoData out;

	if (!r.any)
	{
		labels = distil_array_open(run->options[LABELS].value);
		r.labels = labels.texts;
		r.n_labels = labels.n;
	}
	out = distil_redact(run->batch, i, &texts[0], 0, &r);
	*answer = PointerGetDatum(cstring_to_text_with_len(out.data, out.len));
	if (!r.any)
		distil_array_close(&labels, run->options[LABELS].value);
	pfree(out.data);
	pfree(mask);
	return true;
}

const DistilTask distil_task_mask = {
	.function = "distil_mask",
	.setting = "entities",
	.want = DBERT_WANT_LOGITS,
	.type = TEXTOID,
	.n_options = N_OPTIONS,
	.check = check_mask,
	.answer = answer_mask
};
