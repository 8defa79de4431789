/*
 * redactfunc.c -- distil_mask(text [, model], labels, mask): a text without its
 * entities.
 *
 * Entities are those of distil_entities(text, aggregation => 'first').  Each of
 * the wanted labels (NULL: any) gives way to the mask, in which "{label}"
 * stands for its label; all other characters stay what they are.  Combining
 * marks that follow an entity are part of it: an accent must not stay behind
 * and sit on the mask.  Of a text that was cut (distilbert.long_text =
 * truncate) nothing is shown that the model has not read.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "pg/bridge/compat.h"
#include "pg/func/entitylist.h"
#include "pg/func/redact.h"
#include "pg/func/textarray.h"
#include "pg/func/textcursor.h"
#include "pg/func/task.h"

#define PLACEHOLDER "{label}"

/* Options, in their order. */
enum
{
	LABELS,
	MASK,
	N_OPTIONS
};

/* Which entities, and what for. */
typedef struct Redaction
{
	bool		any;			/* label */
	const Datum *labels;		/* [n_labels] texts, else */
	int			n_labels;
	const char *mask;
} Redaction;

PG_FUNCTION_INFO_V1(distil_mask);

/* ---- the text ---- */

static bool
is_wanted(const Redaction *r, const text *label)
{
	for (int i = 0; i < r->n_labels; i++)
	{
		text	   *wanted = DatumGetTextPP(r->labels[i]);

		if (VARSIZE_ANY_EXHDR(wanted) == VARSIZE_ANY_EXHDR(label) &&
			memcmp(VARDATA_ANY(wanted), VARDATA_ANY(label), VARSIZE_ANY_EXHDR(label)) == 0)
			return true;
	}
	return r->any;
}

static void
append_mask(StringInfo out, const char *mask, const char *label, int len)
{
	const char *place;

	for (; (place = strstr(mask, PLACEHOLDER)) != NULL; mask = place + strlen(PLACEHOLDER))
	{
		appendBinaryStringInfo(out, mask, place - mask);
		appendBinaryStringInfo(out, label, len);
	}
	appendStringInfoString(out, mask);
}

char *
distil_fill_mask_template(const char *mask, const char *label)
{
	StringInfoData out;

	initStringInfo(&out);
	append_mask(&out, mask, label, strlen(label));
	return out.data;
}

/*
 * Where the entity that ends at character end stops, its combining marks
 * included.
 */
static const char *
end_of_entity(DistilCursor *cursor, int32 end)
{
	const char *to = distil_cursor_move(cursor, end);
	int			encoding = GetDatabaseEncoding();

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		to += dbert_leading_marks(to, cursor->end - to);
	return to;
}

/* Where the part of the text stops that the model has read. */
static const char *
end_of_read(const DbertBatch *batch, int i, DistilCursor *cursor)
{
	int			n;
	const DbertToken *tokens = dbert_batch_text_tokens(batch, i, &n);
	int32		end = 0;

	if (!dbert_batch_truncated(batch, i))
		return cursor->end;
	for (int k = 0; k < n; k++)
	{
		if (!tokens[k].special)
			end = Max(end, tokens[k].end);
	}
	return end_of_entity(cursor, end);
}

/* What remains of the text, whose entities come in order. */
static void
append_masked(StringInfo out, const DbertBatch *batch, int number, const DistilText *t,
			  const DbertEntity *entities, int count, const Redaction *r)
{
	DistilCursor cursor;
	const char *done = VARDATA_ANY(t->stored);
	const char *end;

	distil_cursor_open(&cursor, t);
	end = end_of_read(batch, number, &cursor);
	for (int i = 0; i < count; i++)
	{
		text	   *label = distil_text_from_utf8(entities[i].label, entities[i].label_len);

		if (is_wanted(r, label))
		{
			const char *from = distil_cursor_move(&cursor, entities[i].start);

			const char *to = end_of_entity(&cursor, entities[i].end);

			if (from > done)
				appendBinaryStringInfo(out, done, from - done);
			append_mask(out, r->mask, VARDATA_ANY(label), VARSIZE_ANY_EXHDR(label));
			done = Max(done, to);
		}
		pfree(label);
	}
	if (end > done)
		appendBinaryStringInfo(out, done, end - done);
}

static StringInfoData
redact(const DbertBatch *batch, int i, const DistilText *t, float min_score, const Redaction *r)
{
	int			count;
	DbertEntity *entities =
		distil_find_entities(batch, i, DBERT_AGGREGATE_FIRST, min_score, &count);
	StringInfoData out;

	initStringInfo(&out);
	append_masked(&out, batch, i, t, entities, count, r);
	pfree(entities);
	return out;
}

char *
distil_redact(const DbertBatch *batch, int i, const DistilText *t, const char *label,
			  float min_score, const char *mask)
{
	Redaction	r = {.any = label == NULL,.mask = mask};
	Datum		wanted;

	if (label != NULL)
	{
		wanted = CStringGetTextDatum(label);
		r.labels = &wanted;
		r.n_labels = 1;
	}
	return redact(batch, i, t, min_score, &r).data;
}

/* ---- distil_mask ---- */

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
	Redaction	r = {.any = run->options[LABELS].isnull,.mask = mask};
	DistilTextArray labels;
	StringInfoData out;

	if (!r.any)
	{
		labels = distil_array_open(run->options[LABELS].value);
		r.labels = labels.texts;
		r.n_labels = labels.n;
	}
	out = redact(run->batch, i, &texts[0], 0, &r);
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

Datum
distil_mask(PG_FUNCTION_ARGS)
{
	return distil_task_evaluate(fcinfo, &distil_task_mask);
}
