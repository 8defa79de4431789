/*
 * pipecolumns.c -- the columns of a pipeline, from the trigger that names them
 * (pipeline.h).
 *
 * Anybody may have a trigger with our functions on a table of his own, so
 * nothing of its condition is taken for granted.
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "nodes/primnodes.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/pipeline.h"

bool
distil_pipe_function(Oid function, const char *name)
{
	Oid			schema = get_func_namespace(function);
	char	   *found = get_func_name(function);

	return found != NULL && strcmp(found, name) == 0 &&
		schema == get_namespace_oid("distilbert", true);
}

/* The column that an argument is, of either row; 0: none that there is. */
static AttrNumber
column_of(const Node *node, TupleDesc desc)
{
	const Var  *var = (const Var *) node;

	if (!IsA(node, Var) || var->varattno <= 0 || var->varattno > desc->natts ||
		TupleDescAttr(desc, var->varattno - 1)->attisdropped)
		return 0;
	return var->varattno;
}

/* The arguments behind the number of pairs: keys and text, in pairs; values. */
static bool
read_columns(List *args, int n_pairs, TupleDesc desc, DistilPipelineColumns *c)
{
	int			n_values = list_length(args) - 1 - 2 * n_pairs;

	if (n_pairs < 2 || n_pairs > INDEX_MAX_KEYS + 1 || n_values < 0 ||
		n_values > DISTIL_MAX_GENERATIONS)
		return false;
	c->n_keys = n_pairs - 1;
	c->n_values = n_values;
	for (int i = 0; i < n_pairs + n_values; i++)
	{
		bool		pair = i < n_pairs;
		int			at = pair ? 2 + 2 * i : 1 + n_pairs + i;
		AttrNumber	column = column_of(list_nth(args, at), desc);

		if (column == 0 || (pair && column_of(list_nth(args, at - 1), desc) != column))
			return false;
		if (i < c->n_keys)
			c->keys[i] = column;
		else if (i == c->n_keys)
			c->text = column;
		else
			c->values[i - n_pairs] = column;
	}
	return true;
}

static bool
read_condition(const char *qual, TupleDesc desc, DistilPipelineColumns *c)
{
	const FuncExpr *call = stringToNode(qual);
	const Const *n_pairs;

	if (!IsA(call, FuncExpr) || !distil_pipe_function(call->funcid, "touched") || call->args == NIL)
		return false;
	n_pairs = linitial(call->args);
	return IsA(n_pairs, Const) && n_pairs->consttype == INT4OID && !n_pairs->constisnull &&
		read_columns(call->args, DatumGetInt32(n_pairs->constvalue), desc, c);
}

bool
distil_pipeline_columns(Relation rel, const char *name, DistilPipelineColumns *columns)
{
	/* the relation's own ones may be renewed while functions are looked up */
	const TriggerDesc *triggers = CopyTriggerDesc(rel->trigdesc);

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *t = &triggers->triggers[i];

		if (t->tgnargs == 1 && strcmp(t->tgargs[0], name) == 0 && t->tgqual != NULL &&
			TRIGGER_FOR_UPDATE(t->tgtype) && distil_pipe_function(t->tgfoid, "pipeline_capture") &&
			read_condition(t->tgqual, RelationGetDescr(rel), columns))
		{
			columns->always = t->tgenabled == TRIGGER_FIRES_ALWAYS;
			return true;
		}
	}
	return false;
}
