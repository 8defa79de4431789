/*
 * moderatefunc.c -- the trigger function distil_moderate().
 *
 * 	   CREATE TRIGGER ... EXECUTE FUNCTION distil_moderate(
 * 			'column=body', 'model=toxic', 'label=toxic', 'threshold=0.8', 'action=reject')
 *
 * Arguments are "name=value":
 * 	   column		whose text is judged; required
 * 	   model		classifies, or finds entities; required
 * 	   label		that is looked for; any if it is left out, which a model whose
 * 					labels exclude each other does not allow
 * 	   threshold	smallest score that counts; 0.5
 * 	   action		reject: an error (the default)
 * 					flag: target becomes true (boolean), the score (real, double
 * 					precision) or the label (text), else false, the score or NULL
 * 					mask: the text gives way: entities to the mask, a whole text that
 * 					is classified to it
 * 	   target		column that flag writes; where mask puts the text, by default
 * 					the column itself
 * 	   mask			"[{label}]" of entities, "[removed]" of whole texts
 *
 * For each row, BEFORE INSERT or UPDATE; or, to reject, AFTER INSERT or UPDATE
 * for each statement with REFERENCING NEW TABLE, which judges all rows in
 * batches. NULL passes.
 *
 * What the writing session has set must not let a text slip through: the SQL
 * function has distilbert.long_text = window and distilbert.on_error = error
 * as settings of its own, so that texts are judged as a whole and those that
 * cannot be judged are errors.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "pg/bridge/compat.h"
#include "pg/func/entitylist.h"
#include "pg/run/modelmemory.h"
#include "pg/func/redact.h"

PG_FUNCTION_INFO_V1(distil_moderate);

typedef enum Action
{
	ACTION_REJECT,
	ACTION_FLAG,
	ACTION_MASK
} Action;

typedef struct Moderation
{
	const TriggerData *trigger;
	DistilModel *model;
	AttrNumber	column;
	Action		action;
	AttrNumber	target;			/* 0: none */
	const char *label;			/* NULL: any */
	int			number;			/* of the label, of a model that classifies; -1: any */
	float		threshold;
	const char *mask;			/* NULL: the action's default */
} Moderation;

/* What was found in a text. */
typedef struct Finding
{
	bool		found;			/* at or above the threshold */
	float		score;			/* the highest, below the threshold too; 0 where there is nothing */
	char	   *label;			/* of that score; NULL where there is nothing */
} Finding;

/* ---- arguments ---- */

/* The value of an argument; NULL if it was not given. */
static const char *
argument(const Trigger *trigger, const char *name)
{
	size_t		len = strlen(name);

	for (int i = 0; i < trigger->tgnargs; i++)
	{
		if (strncmp(trigger->tgargs[i], name, len) == 0 && trigger->tgargs[i][len] == '=')
			return trigger->tgargs[i] + len + 1;
	}
	return NULL;
}

/* Is the name of argument i that of an earlier one? */
static bool
argument_given(const Trigger *trigger, int i)
{
	size_t		len = strcspn(trigger->tgargs[i], "=") + 1;

	for (int j = 0; j < i; j++)
	{
		if (strncmp(trigger->tgargs[j], trigger->tgargs[i], len) == 0)
			return true;
	}
	return false;
}

static void
check_names(const Trigger *trigger)
{
	static const char *const names[] = { "column", "model",  "label", "threshold",
										 "action", "target", "mask" };

	for (int i = 0; i < trigger->tgnargs; i++)
	{
		const char *arg = trigger->tgargs[i];
		size_t		len = strcspn(arg, "=");
		bool		known = false;

		if (argument_given(trigger, i))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("argument \"%s\" of trigger \"%s\" is given twice",
							pnstrdup(arg, len),
							trigger->tgname)));
		for (int n = 0; n < lengthof(names) && arg[len] == '='; n++)
			known |= strlen(names[n]) == len && strncmp(arg, names[n], len) == 0;
		if (!known)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("unrecognized argument \"%s\" of trigger \"%s\"", arg, trigger->tgname),
					 errhint("distil_moderate takes 'name=value' for column, model, label, "
							 "threshold, action, target and mask.")));
	}
}

static const char *
required(const Trigger *trigger, const char *name)
{
	const char *value = argument(trigger, name);

	if (value == NULL || *value == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("trigger \"%s\" needs an argument '%s=...'", trigger->tgname, name)));
	return value;
}

static AttrNumber
column_number(const Moderation *m, const char *name)
{
	AttrNumber	number = (AttrNumber) SPI_fnumber(RelationGetDescr(m->trigger->tg_relation), name);

	if (number <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist", name,
						RelationGetRelationName(m->trigger->tg_relation))));
	return number;
}

static Oid
column_type(const Moderation *m, AttrNumber number)
{
	return getBaseType(
		TupleDescAttr(RelationGetDescr(m->trigger->tg_relation), number - 1)->atttypid);
}

static bool
holds_text(Oid type)
{
	return type == TEXTOID || type == VARCHAROID || type == BPCHAROID;
}

static void
check_type(const Moderation *m, AttrNumber number, bool fits, const char *wanted)
{
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of trigger \"%s\" must be of type %s, not %s",
						NameStr(TupleDescAttr(RelationGetDescr(m->trigger->tg_relation), number - 1)
									->attname),
						m->trigger->tg_trigger->tgname,
						wanted,
						format_type_be(column_type(m, number)))));
}

/*
 * BEFORE triggers run before generated columns are computed, which would undo
 * what they write.
 */
static void
check_not_generated(const Moderation *m, AttrNumber number)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(m->trigger->tg_relation), number - 1);

	if (att->attgenerated != '\0' && TRIGGER_FIRED_BEFORE(m->trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("trigger \"%s\" cannot use generated column \"%s\"",
						m->trigger->tg_trigger->tgname, NameStr(att->attname)),
				 errdetail("Generated columns are computed after BEFORE triggers."),
				 errhint("To reject, use a trigger AFTER INSERT OR UPDATE.")));
}

static Action
parse_action(const char *name)
{
	if (name == NULL || strcmp(name, "reject") == 0)
		return ACTION_REJECT;
	if (strcmp(name, "flag") == 0)
		return ACTION_FLAG;
	if (strcmp(name, "mask") == 0)
		return ACTION_MASK;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized action \"%s\"", name),
			 errhint("Available are \"reject\", \"flag\" and \"mask\".")));
}

static float
parse_threshold(const char *value)
{
	float threshold = value != NULL
						  ? DatumGetFloat4(DirectFunctionCall1(float4in, CStringGetDatum(value)))
						  : 0.5f;

	if (!(threshold >= 0 && threshold <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("threshold must be between 0 and 1")));
	return threshold;
}

static void
take_target(Moderation *m, const char *name)
{
	Oid			type;

	if (m->action == ACTION_FLAG || name != NULL)
		m->target =
			column_number(m, name != NULL ? name : required(m->trigger->tg_trigger, "target"));
	if (name != NULL && m->action == ACTION_REJECT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("action \"reject\" has no target")));
	if (m->action == ACTION_MASK && name == NULL)
		m->target = m->column;
	if (m->target == 0)
		return;
	type = column_type(m, m->target);
	if (m->action == ACTION_MASK)
		check_type(m, m->target, holds_text(type), "text");
	else
		check_type(m, m->target,
				   holds_text(type) || type == BOOLOID || type == FLOAT4OID || type == FLOAT8OID,
				   "boolean, real or text");
}

static void
take_label(Moderation *m)
{
	DbertHead	head = m->model->core->config.head;
	size_t		len = m->label != NULL ? strlen(m->label) : 0;

	m->number = -1;
	if (head != DBERT_HEAD_TOKEN)
		distil_require_head(m->model, DBERT_HEAD_SEQUENCE, "distil_moderate");
	if (m->label == NULL && head == DBERT_HEAD_SEQUENCE &&
		m->model->core->config.problem != DBERT_PROBLEM_MULTI)
		ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("trigger \"%s\" needs an argument 'label=...'", m->trigger->tg_trigger->tgname),
			 errdetail(
				 "One of the labels of model \"%s\" is always the likeliest.", m->model->name)));
	if (m->label == NULL)
		return;
	if (head == DBERT_HEAD_SEQUENCE)
		m->number = distil_label_number(m->model, m->label, len);
	else if (!distil_has_entity_label(m->model, m->label, len))
		distil_raise_no_label(m->model, m->label, len);
}

static Moderation
read_arguments(FunctionCallInfo fcinfo)
{
	Moderation	m = {.trigger = (TriggerData *) fcinfo->context};
	const Trigger *trigger = m.trigger->tg_trigger;

	check_names(trigger);
	m.column = column_number(&m, required(trigger, "column"));
	check_type(&m, m.column, holds_text(column_type(&m, m.column)), "text");
	m.action = parse_action(argument(trigger, "action"));
	m.threshold = parse_threshold(argument(trigger, "threshold"));
	m.label = argument(trigger, "label");
	m.mask = argument(trigger, "mask");
	take_target(&m, argument(trigger, "target"));
	check_not_generated(&m, m.column);
	if (m.target != 0)
		check_not_generated(&m, m.target);
	m.model = distil_model_for_call(fcinfo->flinfo, required(trigger, "model"));
	take_label(&m);
	return m;
}

static void
check_event(const Moderation *m)
{
	TriggerEvent event = m->trigger->tg_event;

	if (!TRIGGER_FIRED_BY_INSERT(event) && !TRIGGER_FIRED_BY_UPDATE(event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("distil_moderate must be fired for INSERT or UPDATE")));
	if (TRIGGER_FIRED_INSTEAD(event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("distil_moderate cannot be fired INSTEAD OF"),
				 errhint("Create the trigger on the table below the view.")));
	if (TRIGGER_FIRED_FOR_ROW(event) && m->action != ACTION_REJECT && !TRIGGER_FIRED_BEFORE(event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("to flag or mask, distil_moderate must be fired BEFORE INSERT or UPDATE "
						"FOR EACH ROW")));
	if (TRIGGER_FIRED_FOR_STATEMENT(event) &&
		(m->action != ACTION_REJECT || m->trigger->tg_newtable == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("for each statement, distil_moderate can only reject, AFTER INSERT or "
						"UPDATE with REFERENCING NEW TABLE")));
}

/* ---- judging ---- */

static Finding
judge_classes(const Moderation *m, const DbertBatch *batch, int i)
{
	Finding		f = {0};
	int			best = m->number;

	if (best < 0)
	{
		int			rows;

		best = dbert_classify_best(m->model->core, dbert_batch_logits(batch, i, &rows));
	}
	f.score = distil_label_score(m->model, batch, i, best);
	f.label = text_to_cstring(
		distil_text_from_utf8(m->model->core->labels[best], strlen(m->model->core->labels[best])));
	f.found = f.score >= m->threshold;
	return f;
}

static Finding
judge_entities(const Moderation *m, const DbertBatch *batch, int i)
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
judge(const Moderation *m, const DbertBatch *batch, int i)
{
	return m->model->core->config.head == DBERT_HEAD_TOKEN ? judge_entities(m, batch, i)
														   : judge_classes(m, batch, i);
}

/* ---- actions ---- */

static void
reject(const Moderation *m, const Finding *f)
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
target_value(const Moderation *m, const char *value)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(m->trigger->tg_relation), m->target - 1);
	Oid			input;
	Oid			param;

	getTypeInputInfo(att->atttypid, &input, &param);
	return OidInputFunctionCall(input, unconstify(char *, value), param, att->atttypmod);
}

static HeapTuple
set_target(const Moderation *m, HeapTuple tuple, const char *value)
{
	int			column = m->target;
	Datum		datum = value != NULL ? target_value(m, value) : (Datum) 0;
	bool		isnull = value == NULL;

	return heap_modify_tuple_by_cols(tuple, RelationGetDescr(m->trigger->tg_relation), 1, &column,
									 &datum, &isnull);
}

/* What flag writes: by the target's type. */
static const char *
flag_value(const Moderation *m, const Finding *f)
{
	Oid			type = column_type(m, m->target);

	if (type == BOOLOID)
		return f->found ? "t" : "f";
	if (holds_text(type))
		return f->found ? f->label : NULL;
	return psprintf("%.9g", f->score);
}

static char *
masked_text(const Moderation *m, const DbertBatch *batch, const DistilText *t, const Finding *f)
{
	const char *mask = m->mask;

	if (m->model->core->config.head == DBERT_HEAD_TOKEN)
		return distil_redact(batch, 0, t, m->label, m->threshold,
							 mask != NULL ? mask : DISTIL_DEFAULT_MASK);
	if (!f->found)
		return text_to_cstring(t->stored);
	return distil_fill_mask_template(mask != NULL ? mask : "[removed]", f->label);
}

static HeapTuple
act(const Moderation *m, HeapTuple tuple, const DbertBatch *batch, const DistilText *t)
{
	Finding		f = judge(m, batch, 0);

	switch (m->action)
	{
		case ACTION_REJECT:
			if (f.found)
				reject(m, &f);
			return tuple;
		case ACTION_FLAG:
			return set_target(m, tuple, flag_value(m, &f));
		case ACTION_MASK:
			return set_target(m, tuple, masked_text(m, batch, t, &f));
	}
	return tuple;
}

/* ---- rows and statements ---- */

static HeapTuple
moderate_row(const Moderation *m)
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
		t = distil_text_get(value);
		batch = distil_run_text(m->model, DBERT_WANT_LOGITS, &t, false);
		if (batch != NULL)
			return act(m, tuple, batch, &t);
	}
	return m->target != 0 ? set_target(m, tuple, NULL) : tuple;
}

/* scratch is for what is found in the texts of one batch. */
static void
run_batch(const Moderation *m, DbertBatch *batch, MemoryContext scratch)
{
	int			count = dbert_batch_count(batch);
	MemoryContext old;

	if (count == 0)
		return;
	distil_batch_run(batch);
	old = MemoryContextSwitchTo(scratch);
	for (int i = 0; i < count; i++)
	{
		Finding		f = judge(m, batch, i);

		if (f.found)
			reject(m, &f);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(scratch);
	dbert_batch_reset(batch);
}

static void
moderate_statement(const Moderation *m)
{
	Tuplestorestate *rows = m->trigger->tg_newtable;
	TupleTableSlot *slot =
		MakeSingleTupleTableSlot(RelationGetDescr(m->trigger->tg_relation), &TTSOpsMinimalTuple);
	DbertBatch *batch = distil_model_batch(m->model, DBERT_WANT_LOGITS);
	size_t		batch_tokens = distil_batch_tokens(m->model, DBERT_WANT_LOGITS);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "distilbert moderation",
												  ALLOCSET_DEFAULT_SIZES);

	tuplestore_rescan(rows);
	while (tuplestore_gettupleslot(rows, true, false, slot))
	{
		bool		isnull;
		Datum		value = slot_getattr(slot, m->column, &isnull);

		CHECK_FOR_INTERRUPTS();
		if (!isnull)
		{
			DistilText	t = distil_text_get(value);

			(void) distil_batch_add(batch, &t, false);
			distil_text_free(&t);
		}
		if (dbert_batch_tokens(batch) >= batch_tokens)
			run_batch(m, batch, scratch);
	}
	run_batch(m, batch, scratch);
	MemoryContextDelete(scratch);
	ExecDropSingleTupleTableSlot(slot);
}

Datum
distil_moderate(PG_FUNCTION_ARGS)
{
	Moderation	m;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("distil_moderate must be called as a trigger")));
	m = read_arguments(fcinfo);
	check_event(&m);
	if (TRIGGER_FIRED_FOR_ROW(m.trigger->tg_event))
		return PointerGetDatum(moderate_row(&m));
	moderate_statement(&m);
	return PointerGetDatum(NULL);
}
