/*
 * modelusers.c -- which objects of the database name a model.
 *
 * Results of a model are kept in generated columns and in indexes, constraints
 * and partitions rely on them, views and triggers compute them.  They name the
 * model by a constant, of which the server knows nothing: without the model
 * they are broken, with another one under its name they are wrong.
 *
 * The server does know which objects depend on the extension's functions
 * (pg_depend).  So only these are looked at: their expressions are read from
 * the catalogs, and the calls in them compared with the name.  What cannot be
 * seen: names that are computed from rows, functions whose bodies are strings
 * (of PL/pgSQL, for example), and calls of the forms without a model.
 *
 * Nothing of a user's is executed in order to find out: an argument is a name
 * if a constant in it is that name, or if built-in functions make it so.  Where
 * these raise, it is none: the call would raise, too.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_index.h"
#include "catalog/pg_partitioned_table.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteSupport.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

#include "pg/bridge/compat.h"
#include "pg/bridge/growing.h"
#include "pg/store/catalog.h"
#include "pg/store/modelusers.h"
#include "pg/store/pinned.h"

/* A message names so many objects; the server's log has them all. */
#define MOST_OBJECTS 100

/* Arguments of a function that are looked at. */
#define MOST_ARGUMENTS 32

/* One of the extension's functions, and which of its arguments are models. */
typedef struct ModelFunction
{
	Oid			oid;
	uint32		models;			/* a bit for each */
	bool		moderates;		/* the trigger function: its model is in the trigger's arguments */
} ModelFunction;

typedef struct Search
{
	const char *model;
	ModelFunction *functions;	/* [n_functions], by rising oid */
	int			n_functions;
	Size		function_capacity;
	ObjectAddress *objects; /* [n_objects] that depend on them, then those that name the model */
	int			n_objects;
	Size		object_capacity;
	List	   *pipelines;		/* descriptions of those that use the model */
} Search;

/* ---- the extension's functions ---- */

static int
compare_functions(const void *a, const void *b)
{
	Oid			x = ((const ModelFunction *) a)->oid;
	Oid			y = ((const ModelFunction *) b)->oid;

	return x < y ? -1 : x > y;
}

static bool
is_model_argument(const char *name)
{
	static const char *const names[] = {"model", "model_a", "model_b", "base", "teacher"};

	for (int i = 0; name != NULL && i < lengthof(names); i++)
	{
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static ModelFunction
look_at_function(Oid oid)
{
	ModelFunction f = {.oid = oid};
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
	Datum		names,
				modes;
	bool		no_names,
				no_modes;
	char	  **arguments = NULL;
	int			n = 0;

	if (!HeapTupleIsValid(tuple))
		return f;
	f.moderates =
		strcmp(NameStr(((Form_pg_proc) GETSTRUCT(tuple))->proname), "distil_moderate") == 0;
	names = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proargnames, &no_names);
	modes = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proargmodes, &no_modes);
	if (!no_names)
		n = get_func_input_arg_names(names, no_modes ? PointerGetDatum(NULL) : modes, &arguments);
	for (int i = 0; i < Min(n, MOST_ARGUMENTS); i++)
		f.models |= is_model_argument(arguments[i]) ? (uint32) 1 << i : 0;
	ReleaseSysCache(tuple);
	return f;
}

/* Call back for each object that depends on another. */
static void
visit_dependents(Oid refclass, Oid refobject, void (*visit) (Search *s, Form_pg_depend dependency),
				 Search *s)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(refclass));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(refobject));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		CHECK_FOR_INTERRUPTS();
		visit(s, (Form_pg_depend) GETSTRUCT(tuple));
	}
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
}

static void
add_function(Search *s, Form_pg_depend member)
{
	ModelFunction f;

	if (member->classid != ProcedureRelationId || member->deptype != DEPENDENCY_EXTENSION)
		return;
	f = look_at_function(member->objid);
	if (f.models == 0 && !f.moderates)
		return;
	s->functions = distil_grown(CurrentMemoryContext, s->functions, s->n_functions,
								&s->function_capacity, sizeof(ModelFunction));
	s->functions[s->n_functions++] = f;
}

static const ModelFunction *
find_function(const Search *s, Oid oid)
{
	ModelFunction key = {.oid = oid};

	return s->n_functions == 0 ? NULL
							   : bsearch(&key, s->functions, s->n_functions, sizeof(ModelFunction),
										 compare_functions);
}

/* ---- calls in expressions ---- */

/* Is it the name?  Anything else than a text is not. */
static bool
is_name(const Const *value, const char *model)
{
	char		category;
	bool		preferred;
	Oid			output;
	bool		varlena;

	if (value->constisnull)
		return false;
	get_type_category_preferred(value->consttype, &category, &preferred);
	if (category != TYPCATEGORY_STRING)
		return false;
	getTypeOutputInfo(value->consttype, &output, &varlena);
	return distil_names_model(OidOutputFunctionCall(output, value->constvalue), model);
}

static bool
has_name(Node *node, void *model)
{
	if (node == NULL)
		return false;
	if (IsA(node, Const))
		return is_name((Const *) node, model);
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, has_name, model, 0);
	return expression_tree_walker(node, has_name, model);
}

static bool
is_users(Oid function, void *context)
{
	return function >= FirstNormalObjectId;
}

/* Might computing the node run what is not built in, or need a row? */
static bool
is_not_plain(Node *node, void *context)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_Const:
		case T_List:
		case T_NamedArgExpr:
		case T_FuncExpr:
		case T_OpExpr:
		case T_RelabelType:
		case T_CollateExpr:
			return check_functions_in_node(node, is_users, NULL) ||
				expression_tree_walker(node, is_not_plain, context);
		default:
			return true;
	}
}

/* An error of computing is dealt with, unless it is the user's wish to stop. */
static void
forget_error(void)
{
	if (geterrcode() == ERRCODE_QUERY_CANCELED)
		PG_RE_THROW();
	FlushErrorState();
	RollbackAndReleaseCurrentSubTransaction();
}

/* What a plain argument comes to, if it is the same always; NULL: it raises. */
static Node *
compute(Node *argument)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	Node	   *volatile value = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		value = eval_const_expressions(NULL, copyObject(argument));
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		forget_error();
		value = NULL;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return value;
}

static bool
names_model(Node *argument, const char *model)
{
	Node	   *value;

	if (has_name(argument, unconstify(char *, model)))
		return true;
	if (IsA(argument, Const) || is_not_plain(argument, NULL))
		return false;
	value = compute(argument);
	return value != NULL && IsA(value, Const) && is_name((Const *) value, model);
}

static bool
call_names_model(const Search *s, const FuncExpr *call)
{
	const ModelFunction *f = find_function(s, call->funcid);
	ListCell   *lc;

	if (f == NULL)
		return false;
	foreach(lc, call->args)
	{
		Node	   *argument = lfirst(lc);
		int			i = foreach_current_index(lc);

		if (IsA(argument, NamedArgExpr))
		{
			i = ((NamedArgExpr *) argument)->argnumber;
			argument = (Node *) ((NamedArgExpr *) argument)->arg;
		}
		if (i < MOST_ARGUMENTS && (f->models & (uint32) 1 << i) && names_model(argument, s->model))
			return true;
	}
	return false;
}

static bool
walk(Node *node, void *context)
{
	Search	   *s = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, walk, context, 0);
	if (IsA(node, FuncExpr) && call_names_model(s, (FuncExpr *) node))
		return true;
	return expression_tree_walker(node, walk, context);
}

/* ---- where objects have their expressions ---- */

/* Of an object of some class: the row of a catalog, found by its OID. */
typedef struct Place
{
	Oid			class;
	Oid			catalog;
	Oid			index;
	AttrNumber	key;
	AttrNumber	expressions[2];	/* columns of type pg_node_tree; 0: none */
} Place;

static const Place places[] = {
	{AttrDefaultRelationId, AttrDefaultRelationId, AttrDefaultOidIndexId, Anum_pg_attrdef_oid,
	{Anum_pg_attrdef_adbin}},
	{RelationRelationId, IndexRelationId, IndexRelidIndexId, Anum_pg_index_indexrelid,
	{Anum_pg_index_indexprs, Anum_pg_index_indpred}},
	{RelationRelationId, PartitionedRelationId, PartitionedRelidIndexId,
		Anum_pg_partitioned_table_partrelid, {Anum_pg_partitioned_table_partexprs}},
	{ConstraintRelationId, ConstraintRelationId, ConstraintOidIndexId, Anum_pg_constraint_oid,
	{Anum_pg_constraint_conbin}},
	{TriggerRelationId, TriggerRelationId, TriggerOidIndexId, Anum_pg_trigger_oid,
	{Anum_pg_trigger_tgqual}},
	{RewriteRelationId, RewriteRelationId, RewriteOidIndexId, Anum_pg_rewrite_oid,
	{Anum_pg_rewrite_ev_qual, Anum_pg_rewrite_ev_action}},
	{PolicyRelationId, PolicyRelationId, PolicyOidIndexId, Anum_pg_policy_oid,
	{Anum_pg_policy_polqual, Anum_pg_policy_polwithcheck}},
	{StatisticExtRelationId, StatisticExtRelationId, StatisticExtOidIndexId,
		Anum_pg_statistic_ext_oid, {Anum_pg_statistic_ext_stxexprs}},
	{ProcedureRelationId, ProcedureRelationId, ProcedureOidIndexId, Anum_pg_proc_oid,
	{Anum_pg_proc_prosqlbody, Anum_pg_proc_proargdefaults}},
	{TypeRelationId, TypeRelationId, TypeOidIndexId, Anum_pg_type_oid,
	{Anum_pg_type_typdefaultbin}}
};

/* Is one of a trigger's arguments "model=" and the name? */
static bool
trigger_names_model(const Search *s, HeapTuple tuple, TupleDesc desc)
{
	Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);
	const ModelFunction *f = find_function(s, trigger->tgfoid);
	bool		isnull;
	Datum		value = heap_getattr(tuple, Anum_pg_trigger_tgargs, desc, &isnull);
	bytea	   *arguments;
	const char *argument;

	if (f == NULL || !f->moderates || isnull)
		return false;
	arguments = DatumGetByteaPP(value);
	argument = VARDATA_ANY(arguments);
	for (int i = 0; i < trigger->tgnargs; i++)
	{
		if (strncmp(argument, "model=", strlen("model=")) == 0 &&
			distil_names_model(argument + strlen("model="), s->model))
			return true;
		argument += strlen(argument) + 1;
	}
	return false;
}

static bool
row_names_model(Search *s, const Place *place, HeapTuple tuple, TupleDesc desc)
{
	for (int i = 0; i < lengthof(place->expressions) && place->expressions[i] != 0; i++)
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, place->expressions[i], desc, &isnull);

		if (!isnull && walk(stringToNode(TextDatumGetCString(value)), s))
			return true;
	}
	return place->class == TriggerRelationId && trigger_names_model(s, tuple, desc);
}

/*
 * As users know them: a rule of a view is the view, the expression of a
 * generated column the column.
 */
static void
show_as_known(ObjectAddress *object, HeapTuple tuple)
{
	if (object->classId == RewriteRelationId)
	{
		Form_pg_rewrite rule = (Form_pg_rewrite) GETSTRUCT(tuple);

		if (strcmp(NameStr(rule->rulename), ViewSelectRuleName) == 0)
			ObjectAddressSet(*object, RelationRelationId, rule->ev_class);
	}
	else if (object->classId == AttrDefaultRelationId)
	{
		Form_pg_attrdef def = (Form_pg_attrdef) GETSTRUCT(tuple);

		if (get_attgenerated(def->adrelid, def->adnum) != '\0')
			ObjectAddressSubSet(*object, RelationRelationId, def->adrelid, def->adnum);
	}
}

/* Does the object's row at this place name the model? */
static bool
look_at_place(Search *s, const Place *place, ObjectAddress *object)
{
	Relation	catalog = table_open(place->catalog, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	ScanKeyInit(&key, place->key, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(object->objectId));
	scan = systable_beginscan(catalog, place->index, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple) &&
		row_names_model(s, place, tuple, RelationGetDescr(catalog));
	if (found)
		show_as_known(object, tuple);
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

static bool
object_names_model(Search *s, ObjectAddress *object)
{
	for (int i = 0; i < lengthof(places); i++)
	{
		if (places[i].class == object->classId && look_at_place(s, &places[i], object))
			return true;
	}
	return false;
}

/* ---- the list ---- */

static void
add_object(Search *s, Form_pg_depend dependency)
{
	s->objects = distil_grown(CurrentMemoryContext, s->objects, s->n_objects,
							  &s->object_capacity, sizeof(ObjectAddress));
	ObjectAddressSet(s->objects[s->n_objects], dependency->classid, dependency->objid);
	s->n_objects++;
}

static int
compare_objects(const void *a, const void *b)
{
	const ObjectAddress *x = a;
	const ObjectAddress *y = b;

	if (x->objectId != y->objectId)
		return x->objectId < y->objectId ? -1 : 1;
	return x->classId < y->classId ? -1 : x->classId > y->classId;
}

/* Leave those objects that name the model, each once, the oldest first. */
static void
keep_users(Search *s)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "distilbert expressions",
												  ALLOCSET_DEFAULT_SIZES);
	ObjectAddress last = {0};
	int			kept = 0;

	qsort(s->objects, s->n_objects, sizeof(ObjectAddress), compare_objects);
	for (int i = 0; i < s->n_objects; i++)
	{
		ObjectAddress object = s->objects[i];
		MemoryContext old;
		bool		names;

		CHECK_FOR_INTERRUPTS();
		if (compare_objects(&last, &object) == 0)
			continue;
		last = object;
		old = MemoryContextSwitchTo(scratch);
		names = object_names_model(s, &object);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
		if (names)
			s->objects[kept++] = object;
	}
	s->n_objects = kept;
	MemoryContextDelete(scratch);
}

/* User i of the model: objects, then pipelines. */
static const char *
describe_user(const Search *s, int i)
{
	const char *object = i < s->n_objects ? getObjectDescription(&s->objects[i], true)
										  : list_nth(s->pipelines, i - s->n_objects);

	return object != NULL ? object : "an object";
}

static void
raise_used(const Search *s, const char *action, const char *hint)
{
	int			n = s->n_objects + list_length(s->pipelines);
	StringInfoData detail,
				log;

	initStringInfo(&detail);
	initStringInfo(&log);
	for (int i = 0; i < n; i++)
	{
		char	   *line = psprintf("%s%s depends on model \"%s\"", i > 0 ? "\n" : "",
									describe_user(s, i), s->model);

		if (i < MOST_OBJECTS)
			appendStringInfoString(&detail, line);
		appendStringInfoString(&log, line);
	}
	if (n > MOST_OBJECTS)
		appendStringInfo(&detail, "\nand %d other objects (see server log for list)",
						 n - MOST_OBJECTS);
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot %s model \"%s\" because other objects depend on it", action, s->model),
			 errdetail_internal("%s", detail.data),
			 errdetail_log("%s", log.data),
			 errhint("%s", hint)));
}

/* Leave the objects that name s->model in s->objects. */
static void
search(Search *s)
{
	Oid			table = distil_model_table();
	Oid			extension =
		OidIsValid(table) ? getExtensionOfObject(RelationRelationId, table) : InvalidOid;

	if (!OidIsValid(extension))
		return;
	visit_dependents(ExtensionRelationId, extension, add_function, s);
	for (int i = 0; i < s->n_functions; i++)
		visit_dependents(ProcedureRelationId, s->functions[i].oid, add_object, s);
	if (s->n_objects == 0)
		return;
	qsort(s->functions, s->n_functions, sizeof(ModelFunction), compare_functions);
	keep_users(s);
}

int
distil_model_users(const char *model, ObjectAddress **objects)
{
	Search		s = {.model = model};

	search(&s);
	*objects = s.objects;
	return s.n_objects;
}

void
distil_prevent_use(const char *model, const char *action, const char *hint)
{
	Search		s = {.model = model};

	search(&s);
	s.pipelines = distil_pipelines_using(model);
	if (s.n_objects > 0 || s.pipelines != NIL)
		raise_used(&s, action, hint);
}
