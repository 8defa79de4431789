/*
 * moderatefunc.c -- the trigger function distil_moderate().
 *
 *	CREATE TRIGGER ... EXECUTE FUNCTION distil_moderate('column=body',
 *		'model=toxic', 'label=toxic', 'threshold=0.8', 'action=reject')
 *
 * The arguments are read in moderation.c.  The trigger fires for each row,
 * BEFORE INSERT or UPDATE; or, to reject, AFTER INSERT or UPDATE for each
 * statement with REFERENCING NEW TABLE, and judges all its rows in batches.
 * NULL passes.
 *
 * What the writing session has set must not let a text slip through: texts are
 * judged as a whole, and those that cannot be judged are errors, whatever the
 * settings are.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "pg/bridge/compat.h"
#include "pg/func/entitylist.h"
#include "pg/func/labels.h"
#include "pg/func/moderation.h"
#include "pg/func/redact.h"
#include "pg/run/many.h"

PG_FUNCTION_INFO_V1(distil_moderate);

/* What was found in a text. */
typedef struct Finding
{
	bool		found;			/* at or above the threshold */
	float		score;			/* the highest, below the threshold too; 0 where there is nothing */
	char	   *label;			/* of that score; NULL where there is nothing */
} Finding;

/* ---- judging ---- */

static Finding
judge_classes(const DistilModeration *m, const DbertBatch *batch, int i)
{
	Finding		f = {0};
	int			best = m->number;

	if (best < 0)
		best = distil_top_label(m->model, batch, i);
	f.score = distil_label_score(m->model, batch, i, best);
	f.label = text_to_cstring(distil_label_text(m->model->core->labels[best]));
	f.found = f.score >= m->threshold;
	return f;
}

static Finding
judge_entities(const DistilModeration *m, const DbertBatch *batch, int i)
{
	Finding		f = {0};
	int			count;
	DbertEntity *entities = distil_find_entities(batch, i, DBERT_AGGREGATE_FIRST, 0, &count);

	for (int e = 0; e < count; e++)
	{
		char *label =
			text_to_cstring(distil_text_from_utf8(entities[e].label, entities[e].label_len));

		if (entities[e].score > f.score && (m->label == NULL || strcmp(label, m->label) == 0))
		{
			f.score = entities[e].score;
			f.label = label;
		}
	}
	pfree(entities);
	f.found = f.label != NULL && f.score >= m->threshold;
	return f;
}

static Finding
judge(const DistilModeration *m, const DbertBatch *batch, int i)
{
	return m->model->core->config.head == DBERT_HEAD_TOKEN ? judge_entities(m, batch, i)
														   : judge_classes(m, batch, i);
}

/* ---- actions ---- */

static void
reject(const DistilModeration *m, const Finding *f)
{
	Relation	rel = m->trigger->tg_relation;
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), m->column - 1);

	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("text of column \"%s\" of relation \"%s\" is rejected",
					NameStr(att->attname),
					RelationGetRelationName(rel)),
			 errdetail("Label \"%s\" of model \"%s\" has a score of %.3g; the threshold is %.3g.",
					   f->label,
					   m->model->name,
					   f->score,
					   m->threshold),
			 errtablecol(rel, m->column)));
}

/*
 * A value of the target's type from its text; lengths and domains are checked.
 */
static Datum
target_value(const DistilModeration *m, const char *value)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(m->trigger->tg_relation), m->target - 1);
	Oid			input;
	Oid			param;

	getTypeInputInfo(att->atttypid, &input, &param);
	return OidInputFunctionCall(input, unconstify(char *, value), param, att->atttypmod);
}

static HeapTuple
set_target(const DistilModeration *m, HeapTuple tuple, const char *value)
{
	int			column = m->target;
	Datum		datum = value != NULL ? target_value(m, value) : (Datum) 0;
	bool		isnull = value == NULL;

	return heap_modify_tuple_by_cols(tuple, RelationGetDescr(m->trigger->tg_relation), 1, &column,
									 &datum, &isnull);
}

/* What flag writes: by the target's type. */
static const char *
flag_value(const DistilModeration *m, const Finding *f)
{
	Oid			type = distil_column_type(m, m->target);

	if (type == BOOLOID)
		return f->found ? "t" : "f";
	if (distil_holds_text(type, NULL))
		return f->found ? f->label : NULL;
	return psprintf("%.9g", f->score);
}

static char *
masked_text(const DistilModeration *m, const DbertBatch *batch, const DistilText *t,
			const Finding *f)
{
	const char *mask = m->mask;

	if (m->model->core->config.head == DBERT_HEAD_TOKEN)
		return distil_redact_label(batch, 0, t, m->label, m->threshold,
								   mask != NULL ? mask : DISTIL_DEFAULT_MASK);
	if (!f->found)
		return text_to_cstring(t->stored);
	return distil_fill_mask_template(mask != NULL ? mask : "[removed]", f->label);
}

static HeapTuple
act(const DistilModeration *m, HeapTuple tuple, const DbertBatch *batch, const DistilText *t)
{
	Finding		f = judge(m, batch, 0);

	switch (m->action)
	{
		case DISTIL_ACTION_REJECT:
			if (f.found)
				reject(m, &f);
			return tuple;
		case DISTIL_ACTION_FLAG:
			return set_target(m, tuple, flag_value(m, &f));
		case DISTIL_ACTION_MASK:
			return set_target(m, tuple, masked_text(m, batch, t, &f));
	}
	return tuple;
}

/* ---- rows and statements ---- */

static DistilText
column_text(const DistilModeration *m, Datum value)
{
	return distil_text_get(OidIsValid(m->cast) ? OidFunctionCall1(m->cast, value) : value,
						   DISTIL_ERROR_RAISE);
}

static HeapTuple
moderate_row(const DistilModeration *m)
{
	bool		update = TRIGGER_FIRED_BY_UPDATE(m->trigger->tg_event);
	HeapTuple	tuple = update ? m->trigger->tg_newtuple : m->trigger->tg_trigtuple;
	bool		isnull;
	Datum value =
		heap_getattr(tuple, m->column, RelationGetDescr(m->trigger->tg_relation), &isnull);
	DistilText	t;
	DbertBatch *batch;

	if (!isnull)
	{
		t = column_text(m, value);
		batch = distil_run_text(m->model, DBERT_WANT_LOGITS, &t, false, distil_fixed_rules);
		if (batch != NULL)
			return act(m, tuple, batch, &t);
	}
	return m->target != 0 ? set_target(m, tuple, NULL) : tuple;
}

static void
reject_if_found(const DistilModeration *m, const DbertBatch *batch, int i)
{
	Finding		f = judge(m, batch, i);

	if (f.found)
		reject(m, &f);
}

/* The rows of a statement; what a row takes up goes with it. */
typedef struct Statement
{
	const DistilModeration *m;
	TupleTableSlot *slot;
	MemoryContext text;			/* of the row that is read */
	MemoryContext finding;		/* in the text that is judged */
} Statement;

/* The text of the next row that has one; false: there is no such row. */
static bool
next_text(const Statement *s, DistilText *t)
{
	Tuplestorestate *rows = s->m->trigger->tg_newtable;
	bool		isnull = true;
	Datum		value = 0;
	MemoryContext old;

	while (isnull && tuplestore_gettupleslot(rows, true, false, s->slot))
	{
		CHECK_FOR_INTERRUPTS();
		value = slot_getattr(s->slot, s->m->column, &isnull);
	}
	if (isnull)
		return false;
	MemoryContextReset(s->text);
	old = MemoryContextSwitchTo(s->text);
	*t = column_text(s->m, value);
	MemoryContextSwitchTo(old);
	return true;
}

static void
judge_or_reject(void *ctx, int row, DbertBatch *batch, int i, const DistilText *texts)
{
	const Statement *s = ctx;
	MemoryContext old = MemoryContextSwitchTo(s->finding);

	reject_if_found(s->m, batch, i);
	MemoryContextSwitchTo(old);
	MemoryContextReset(s->finding);
}

/* A text is done with when it is in the batch: judging looks at no text. */
static void
moderate_in_batches(Statement *s)
{
	DistilMany	many = {
		.model = s->m->model,
		.want = DBERT_WANT_LOGITS,
		.rules = distil_fixed_rules,
		.take = judge_or_reject,
		.ctx = s
	};
	DistilText	t;

	distil_many_begin(&many);
	while (next_text(s, &t))
		distil_many_add(&many, 0, &t);
	distil_many_end(&many);
}

/* A cast that users made may use models, so no batch can wait for its texts. */
static void
moderate_one_by_one(const Statement *s)
{
	DistilModel *model = s->m->model;
	DistilText	t;

	while (next_text(s, &t))
	{
		MemoryContext old = MemoryContextSwitchTo(s->text);

		reject_if_found(s->m,
						distil_run_text(model, DBERT_WANT_LOGITS, &t, false, distil_fixed_rules),
						0);
		MemoryContextSwitchTo(old);
	}
}

static void
moderate_statement(const DistilModeration *m)
{
	TupleDesc	desc = RelationGetDescr(m->trigger->tg_relation);
	Statement	s = {.m = m,.slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple)};

	s.text = AllocSetContextCreate(CurrentMemoryContext, "distilbert moderated text",
								   ALLOCSET_DEFAULT_SIZES);
	s.finding = AllocSetContextCreate(CurrentMemoryContext, "distilbert moderation",
									  ALLOCSET_DEFAULT_SIZES);
	tuplestore_rescan(m->trigger->tg_newtable);
	if (m->cast >= FirstNormalObjectId)
		moderate_one_by_one(&s);
	else
		moderate_in_batches(&s);
	MemoryContextDelete(s.finding);
	MemoryContextDelete(s.text);
	ExecDropSingleTupleTableSlot(s.slot);
}

Datum
distil_moderate(PG_FUNCTION_ARGS)
{
	DistilModeration m;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("distil_moderate must be called as a trigger")));
	m = distil_read_moderation(fcinfo);
	if (TRIGGER_FIRED_FOR_ROW(m.trigger->tg_event))
		return PointerGetDatum(moderate_row(&m));
	moderate_statement(&m);
	return PointerGetDatum(NULL);
}
