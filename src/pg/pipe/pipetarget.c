/*
 * pipetarget.c -- see pipetarget.h.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/ownersql.h"
#include "pg/pipe/pipesource.h"
#include "pg/pipe/pipetarget.h"

/* ---- types ---- */

/* pgvector's type, wherever it was installed; InvalidOid: it is not. */
static Oid
vector_type(void)
{
	Oid			extension = get_extension_oid("vector", true);
	Oid			found = InvalidOid;
	CatCList   *types;

	if (!OidIsValid(extension))
		return InvalidOid;
	types = SearchSysCacheList1(TYPENAMENSP, CStringGetDatum("vector"));
	for (int i = 0; i < types->n_members; i++)
	{
		Oid			type = ((Form_pg_type) GETSTRUCT(&types->members[i]->tuple))->oid;

		if (getExtensionOfObject(TypeRelationId, type) == extension)
			found = type;
	}
	ReleaseCatCacheList(types);
	return found;
}

static Oid
value_type(const DistilPipeTask *task)
{
	Oid			type = task->task != NULL ? task->task->type : TEXTOID;

	if (type == FLOAT4ARRAYOID && OidIsValid(vector_type()))
		return vector_type();
	return type;
}

const char *
distil_value_type(const DistilPipeTask *task, int width)
{
	Oid			type = value_type(task);

	if (type == vector_type() && OidIsValid(type))
		return psprintf("%s(%d)", format_type_be_qualified(type), width);
	return format_type_be_qualified(type);
}

/* ---- a column ---- */

AttrNumber
distil_target_add_column(const DistilPipeline *p, const char *column, int width)
{
	DistilOwnerState state = distil_become_owner(p->owner, false);

	distil_sql_run(psprintf("ALTER TABLE %s ADD COLUMN %s %s", distil_sql_table(p->source),
							quote_identifier(column), distil_value_type(p->task, width)));
	distil_resign_owner(state);
	return get_attnum(p->source, column);
}

static void
raise_column(Relation source, Form_pg_attribute att, const char *problem, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
			 errmsg("column \"%s\" of table \"%s\" cannot hold the values of a pipeline",
					NameStr(att->attname), RelationGetRelationName(source)),
			 errdetail("%s", problem), errhint("%s", hint)));
}

/* A vector's length is its type's modifier. */
static bool
type_fits(Form_pg_attribute att, Oid type, int width)
{
	if (att->atttypid == vector_type() && type == FLOAT4ARRAYOID)
		return att->atttypmod < 0 || att->atttypmod == width;
	return can_coerce_type(1, &type, &att->atttypid, COERCION_ASSIGNMENT) &&
		OidIsValid(get_element_type(att->atttypid)) == OidIsValid(get_element_type(type));
}

void
distil_target_check_column(Relation source, const DistilPipeTask *task, int width,
						   AttrNumber column)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(source), column - 1);
	const char *another = "Name another column; one that does not exist is added.";

	if (att->attgenerated != '\0')
		raise_column(source, att, "It is a generated column.", another);
	if (att->attidentity != '\0')
		raise_column(source, att, "It is an identity column.", another);
	if (att->attnotnull)
		raise_column(source, att, "It does not allow NULL, which stands for what is not done yet.",
					 psprintf("ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL.",
							  distil_sql_table(RelationGetRelid(source)),
							  quote_identifier(NameStr(att->attname))));
	if (att->atthasdef)
		raise_column(source, att, "It has a default.",
					 psprintf("ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT.",
							  distil_sql_table(RelationGetRelid(source)),
							  quote_identifier(NameStr(att->attname))));
	if (att->attinhcount > 0)
		raise_column(source, att, "It is inherited.", "Make the pipeline on the parent table.");
	if (!type_fits(att, task->task->type, width))
		raise_column(source, att,
					 psprintf("It is of type %s, the values are of type %s.",
							  format_type_with_typemod(att->atttypid, att->atttypmod),
							  distil_value_type(task, width)),
					 another);
}

/* ---- a table ---- */

static bool
is_ours(const DistilPipeTask *task, const char *name)
{
	static const char *const names[] = {"seq", "start_pos", "end_pos", "chunk", "entity", "label",
										"score", "text_hash"};

	for (int i = 0; i < lengthof(names); i++)
	{
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return strcmp(task->column, name) == 0;
}

/* The key's columns have the source's names, unless an answer's have them. */
static const char *
key_name(const DistilPipeline *p, AttrNumber column)
{
	const char *name = get_attname(p->source, column, false);

	return quote_identifier(is_ours(p->task, name) ? psprintf("source_%s", name) : name);
}

static void
append_key_column(StringInfo sql, const DistilPipeline *p, AttrNumber column)
{
	Oid			type;
	Oid			collation;
	int32		typmod;

	get_atttypetypmodcoll(p->source, column, &type, &typmod, &collation);
	appendStringInfo(sql, "%s %s", key_name(p, column), format_type_with_typemod(type, typmod));
	if (OidIsValid(collation) && collation != get_typcollation(type))
		appendStringInfo(sql, " COLLATE %s", generate_collation_name(collation));
	appendStringInfoString(sql, ", ");
}

static void
append_answer_columns(StringInfo sql, const DistilPipeTask *task, int width)
{
	switch (task->kind)
	{
		case DISTIL_PIPE_VALUE:
			appendStringInfo(sql, "%s %s", task->column, distil_value_type(task, width));
			break;
		case DISTIL_PIPE_CHUNKS:
			appendStringInfo(sql, "seq integer, start_pos integer NOT NULL, "
							 "end_pos integer NOT NULL, chunk text NOT NULL, %s %s",
							 task->column, distil_value_type(task, width));
			break;
		case DISTIL_PIPE_ENTITIES:
			appendStringInfoString(sql, "seq integer, entity text NOT NULL, label text NOT NULL, "
								   "score real NOT NULL, start_pos integer NOT NULL, "
								   "end_pos integer NOT NULL");
			break;
	}
}

static char *
table_sql(const DistilPipeline *p, const char *table, int width)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE %sTABLE %s (",
					 get_rel_persistence(p->source) == RELPERSISTENCE_UNLOGGED ? "UNLOGGED " : "",
					 table);
	for (int i = 0; i < p->columns.n_keys; i++)
		append_key_column(&sql, p, p->columns.keys[i]);
	append_answer_columns(&sql, p->task, width);
	appendStringInfoString(&sql, ", text_hash bytea NOT NULL, PRIMARY KEY (");
	for (int i = 0; i < p->columns.n_keys; i++)
		appendStringInfo(&sql, "%s%s", i > 0 ? ", " : "", key_name(p, p->columns.keys[i]));
	appendStringInfo(&sql, "%s))", p->task->kind == DISTIL_PIPE_VALUE ? "" : ", seq");
	return sql.data;
}

/* Whoever does not own the table sees what the source lets him see. */
static char *
policy_sql(const DistilPipeline *p, Oid target)
{
	const char *table = distil_sql_table(target);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE POLICY distil_source ON %s USING (EXISTS ("
					 "SELECT FROM %s distil_source WHERE ", table, distil_sql_table(p->source));
	distil_sql_keys_equal(&sql, quote_identifier(get_rel_name(target)), target, "distil_source",
						  p->source, &p->columns);
	appendStringInfoString(&sql, "))");
	return sql.data;
}

static void
check_table_name(Oid schema, const char *name)
{
	if (OidIsValid(get_relname_relid(name, schema)))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("relation \"%s\" already exists in schema \"%s\"", name,
						get_namespace_name(schema)),
				 errdetail("A pipeline makes its own table, for what another one left may be of "
						   "another model."),
				 errhint("Name another table, or drop or rename that one.")));
}

Oid
distil_target_make_table(const DistilPipeline *p, Oid schema, const char *name, int width)
{
	const char *table = quote_qualified_identifier(get_namespace_name(schema), name);
	DistilOwnerState state;
	Oid			target;

	check_table_name(schema, name);
	state = distil_become_owner(p->owner, false);
	distil_sql_run(table_sql(p, table, width));
	target = get_relname_relid(name, schema);
	if (value_type(p->task) == FLOAT4ARRAYOID)
		distil_sql_run(psprintf("ALTER TABLE %s ALTER COLUMN %s SET STORAGE EXTERNAL", table,
								p->task->column));
	distil_sql_run(psprintf("ALTER TABLE %s ENABLE ROW LEVEL SECURITY", table));
	distil_sql_run(policy_sql(p, target));
	distil_resign_owner(state);
	distil_target_follow_source(target, p->source);
	return target;
}

void
distil_target_drop(const DistilPipeline *p, const DistilGeneration *g)
{
	DistilOwnerState state = distil_become_owner(p->owner, false);

	if (OidIsValid(g->target))
		distil_sql_run(psprintf("DROP TABLE %s", distil_sql_table(g->target)));
	else
		distil_sql_run(psprintf("ALTER TABLE %s DROP COLUMN %s", distil_sql_table(p->source),
								distil_sql_column(p->source, g->column)));
	distil_resign_owner(state);
}

static bool
follows(Oid target, Oid source)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&keys[0], Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(target));
	scan = systable_beginscan(depend, DependDependerIndexId, true, NULL, 2, keys);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend d = (Form_pg_depend) GETSTRUCT(tuple);

		found = d->refclassid == RelationRelationId && d->refobjid == source &&
			d->deptype == DEPENDENCY_AUTO;
	}
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
	return found;
}

void
distil_target_follow_source(Oid target, Oid source)
{
	ObjectAddress depender = {RelationRelationId, target, 0};
	ObjectAddress referenced = {RelationRelationId, source, 0};

	if (follows(target, source))
		return;
	recordDependencyOn(&depender, &referenced, DEPENDENCY_AUTO);
	CommandCounterIncrement();
}

void
distil_targets_follow_source(const DistilPipeline *p)
{
	for (int i = 0; i < p->n_generations; i++)
	{
		if (OidIsValid(p->generations[i].target))
			distil_target_follow_source(p->generations[i].target, p->source);
	}
}
