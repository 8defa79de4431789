/*
 * moderation.c -- see moderation.h.
 *
 * Arguments are "name=value":
 *	column		whose text is judged; required
 *	model		classifies, or finds entities; required
 *	label		that is looked for; any if it is left out, which a model whose
 *				labels exclude each other does not allow
 *	threshold	smallest score that counts; 0.5
 *	action		reject: an error (the default)
 *				flag: target becomes true (boolean), the score (real, double
 *				precision) or the label (text), else false, the score or NULL
 *				mask: each entity is replaced by the mask, or the whole text
 *				if the model classifies
 *	target		column that flag writes; where mask puts the text, by default
 *				the column itself
 *	mask		"[{label}]" of entities, "[removed]" of whole texts
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "pg/bridge/compat.h"
#include "pg/func/labels.h"
#include "pg/func/moderatecolumns.h"
#include "pg/func/moderation.h"
#include "pg/func/options.h"

/* ---- names and values ---- */

const char *
distil_moderation_argument(const Trigger *trigger, const char *name)
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
	const char *value = distil_moderation_argument(trigger, name);

	if (value == NULL || *value == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("trigger \"%s\" needs an argument '%s=...'", trigger->tgname, name)));
	return value;
}

AttrNumber
distil_moderated_column(Relation rel, const char *name)
{
	AttrNumber	number = (AttrNumber) SPI_fnumber(RelationGetDescr(rel), name);

	if (number <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist", name,
						RelationGetRelationName(rel))));
	return number;
}

Oid
distil_column_type(const DistilModeration *m, AttrNumber number)
{
	return getBaseType(
		TupleDescAttr(RelationGetDescr(m->trigger->tg_relation), number - 1)->atttypid);
}

bool
distil_holds_text(Oid type, Oid *cast)
{
	Oid			function = InvalidOid;
	bool		text = type == TEXTOID || type == VARCHAROID;

	if (!text)
	{
		CoercionPathType path =
			find_coercion_pathway(TEXTOID, type, COERCION_IMPLICIT, &function);

		text = path == COERCION_PATH_RELABELTYPE || path == COERCION_PATH_FUNC;
	}
	if (cast != NULL)
		*cast = function;
	return text;
}

static void
check_type(const DistilModeration *m, AttrNumber number, bool fits, const char *wanted)
{
	Oid			type = distil_column_type(m, number);

	if (fits)
		return;
	ereport(
		ERROR,
		(errcode(ERRCODE_DATATYPE_MISMATCH),
		 errmsg(
			 "column \"%s\" of trigger \"%s\" must be of type %s, not %s",
			 NameStr(TupleDescAttr(RelationGetDescr(m->trigger->tg_relation), number - 1)->attname),
			 m->trigger->tg_trigger->tgname,
			 wanted,
			 format_type_be(type)),
		 OidIsValid(get_element_type(type))
			 ? errhint("Of a row distil_moderate judges one text, not the elements of an array.")
			 : errhint("For text stands any type that is cast to it implicitly, such as varchar, "
					   "citext and name, or a domain over one.")));
}

/*
 * BEFORE triggers run before generated columns are computed, which would undo
 * what they write.
 */
static void
check_not_generated(const DistilModeration *m, AttrNumber number)
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

static DistilAction
parse_action(const char *name)
{
	if (name == NULL || strcmp(name, "reject") == 0)
		return DISTIL_ACTION_REJECT;
	if (strcmp(name, "flag") == 0)
		return DISTIL_ACTION_FLAG;
	if (strcmp(name, "mask") == 0)
		return DISTIL_ACTION_MASK;
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

	distil_check_score("threshold", threshold);
	return threshold;
}

static void
take_target(DistilModeration *m, const char *name)
{
	Oid			type;

	if (m->action == DISTIL_ACTION_FLAG || name != NULL)
		m->target = distil_moderated_column(
			m->trigger->tg_relation,
			name != NULL ? name : required(m->trigger->tg_trigger, "target"));
	if (name != NULL && m->action == DISTIL_ACTION_REJECT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("action \"reject\" has no target")));
	if (m->action == DISTIL_ACTION_MASK && name == NULL)
		m->target = m->column;
	if (m->target == 0)
		return;
	type = distil_column_type(m, m->target);
	if (m->action == DISTIL_ACTION_MASK)
		check_type(m, m->target, distil_holds_text(type, NULL), "text");
	else
		check_type(m, m->target,
				   distil_holds_text(type, NULL) || type == BOOLOID || type == FLOAT4OID ||
				   type == FLOAT8OID,
				   "boolean, real or text");
}

static void
take_label(DistilModeration *m)
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

static DistilModeration
read_arguments(FunctionCallInfo fcinfo)
{
	DistilModeration m = {.trigger = (TriggerData *) fcinfo->context};
	const Trigger *trigger = m.trigger->tg_trigger;

	check_names(trigger);
	m.column = distil_moderated_column(m.trigger->tg_relation, required(trigger, "column"));
	check_type(&m, m.column, distil_holds_text(distil_column_type(&m, m.column), &m.cast),
			   "text");
	m.action = parse_action(distil_moderation_argument(trigger, "action"));
	m.threshold = parse_threshold(distil_moderation_argument(trigger, "threshold"));
	m.label = distil_moderation_argument(trigger, "label");
	m.mask = distil_moderation_argument(trigger, "mask");
	take_target(&m, distil_moderation_argument(trigger, "target"));
	check_not_generated(&m, m.column);
	if (m.target != 0)
		check_not_generated(&m, m.target);
	m.model = distil_model_for_call(fcinfo->flinfo, required(trigger, "model"));
	take_label(&m);
	return m;
}

static void
check_event(const DistilModeration *m)
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
	if (TRIGGER_FIRED_FOR_ROW(event) && m->action != DISTIL_ACTION_REJECT &&
		!TRIGGER_FIRED_BEFORE(event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("to flag or mask, distil_moderate must be fired BEFORE INSERT or UPDATE "
						"FOR EACH ROW")));
	if (TRIGGER_FIRED_FOR_STATEMENT(event) &&
		(m->action != DISTIL_ACTION_REJECT || m->trigger->tg_newtable == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("for each statement, distil_moderate can only reject, AFTER INSERT or "
						"UPDATE with REFERENCING NEW TABLE")));
}

/* Once for each trigger: what is recorded stays. */
static void
know_columns(const TriggerData *trigger)
{
	static Oid	known = InvalidOid;

	if (trigger->tg_trigger->tgoid == known)
		return;
	distil_depend_on_columns(trigger->tg_trigger, trigger->tg_relation);
	known = trigger->tg_trigger->tgoid;
}

DistilModeration
distil_read_moderation(FunctionCallInfo fcinfo)
{
	DistilModeration m = read_arguments(fcinfo);

	check_event(&m);
	know_columns(m.trigger);
	return m;
}
