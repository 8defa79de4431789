/*
 * pipesource.c -- see pipesource.h.
 *
 * A source is a table, partitioned or not, with a primary key whose columns
 * have text forms that do not depend on settings: keys are queued as texts.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "catalog/catalog.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "pg/bridge/compat.h"
#include "pg/func/moderation.h"
#include "pg/pipe/pipelock.h"
#include "pg/pipe/pipereplica.h"
#include "pg/pipe/pipesource.h"

/* ---- the table ---- */

static void
raise_kind(Relation rel, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("%s \"%s\" cannot be the source of a pipeline", what,
					RelationGetRelationName(rel)),
			 errhint("%s", hint)));
}

static void
check_kind(Relation rel)
{
	static const char copy[] =
		"Its changes cannot be seen by triggers: copy the texts into a table.";

	switch (rel->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			break;
		case RELKIND_FOREIGN_TABLE:
			raise_kind(rel, "foreign table", copy);
			break;
		case RELKIND_VIEW:
			raise_kind(rel, "view", "Name the table below it.");
			break;
		case RELKIND_MATVIEW:
			raise_kind(rel, "materialized view", copy);
			break;
		default:
			raise_kind(rel, "relation", "A pipeline needs a table with a primary key.");
	}
	if (RelationUsesLocalBuffers(rel))
		raise_kind(rel, "temporary table",
				   "No other session can see it: use a table that stays.");
	if (IsSystemRelation(rel) ||
		RelationGetNamespace(rel) == get_namespace_oid("distilbert", true))
		raise_kind(rel, "table", "It belongs to the server or to the extension.");
	if (rel->rd_rel->relkind == RELKIND_RELATION && has_subclass(RelationGetRelid(rel)) &&
		find_inheritance_children(RelationGetRelid(rel), NoLock) != NIL)
		raise_kind(rel, "table with children by inheritance",
				   "Triggers are not inherited: make it a partitioned table, or make a pipeline "
				   "for each table.");
}

/* A pipeline on what another one writes would have two masters. */
static void
check_no_target(Relation rel)
{
	ListCell   *lc;

	foreach(lc, distil_pipeline_names())
	{
		const DistilPipeline *p = distil_pipeline_read(lfirst(lc));

		for (int i = 0; p != NULL && i < p->n_generations; i++)
		{
			if (p->generations[i].target == RelationGetRelid(rel))
				ereport(ERROR,
						(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						 errmsg("table \"%s\" is the target of pipeline \"%s\"",
								RelationGetRelationName(rel), p->name),
						 errhint("Make the pipeline on that one's source, \"%s\".",
								 get_rel_name(p->source))));
		}
	}
}

Relation
distil_open_source(Oid relation, bool exclusive)
{
	Relation	rel;

	if (get_rel_relkind(relation) == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relation)));
	if (!object_ownercheck(RelationRelationId, relation, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relation)),
					   get_rel_name(relation));
	distil_lock_politely(relation, exclusive ? AccessExclusiveLock : ShareRowExclusiveLock);
	rel = relation_open(relation, NoLock);
	if (!object_ownercheck(RelationRelationId, relation, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(rel->rd_rel->relkind),
					   RelationGetRelationName(rel));
	check_kind(rel);
	check_no_target(rel);
	return rel;
}

/* ---- its columns ---- */

Form_pg_attribute
distil_source_column(Relation source, const char *name)
{
	AttrNumber	column = get_attnum(RelationGetRelid(source), name);

	if (column < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
				 errmsg("system column \"%s\" cannot be in a pipeline", name),
				 errhint("Name a column of the table's own.")));
	if (column == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist", name,
						RelationGetRelationName(source))));
	return TupleDescAttr(RelationGetDescr(source), column - 1);
}

void
distil_check_column_free(Relation source, AttrNumber column, bool read_only)
{
	ListCell   *lc;

	foreach(lc, distil_pipelines_of(RelationGetRelid(source)))
	{
		DistilPipelineColumns c;
		bool		used = false;

		if (!distil_pipeline_columns(source, lfirst(lc), &c))
			continue;
		for (int i = 0; i < c.n_values; i++)
			used |= c.values[i] == column;
		used |= !read_only && c.text == column;
		if (used)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("column \"%s\" of table \"%s\" is used by pipeline \"%s\"",
							get_attname(RelationGetRelid(source), column, false),
							RelationGetRelationName(source), (char *) lfirst(lc)),
					 read_only
					 ? errhint("A pipeline cannot read what another one writes: read its text.")
					 : errhint("Name another column, or drop that pipeline first.")));
	}
}

/*
 * Types whose text form depends on names or settings that may change, or that
 * have parts of any type.
 */
static bool
has_text_form(Oid type)
{
	char		kind;

	type = getBaseType(type);
	kind = get_typtype(type);
	if (OidIsValid(get_element_type(type)) || (kind != TYPTYPE_BASE && kind != TYPTYPE_ENUM))
		return false;
	switch (type)
	{
		case CASHOID:
		case REGCLASSOID:
		case REGCOLLATIONOID:
		case REGCONFIGOID:
		case REGDICTIONARYOID:
		case REGNAMESPACEOID:
		case REGOPEROID:
		case REGOPERATOROID:
		case REGPROCOID:
		case REGPROCEDUREOID:
		case REGROLEOID:
		case REGTYPEOID:
			return false;
	}
	return true;
}

/* The index of the primary key, open; NULL: there is none that always holds. */
static Relation
open_key(Relation source)
{
	Relation	index;

	(void) RelationGetIndexList(source);
	if (!OidIsValid(source->rd_pkindex))
		return NULL;
	index = index_open(source->rd_pkindex, AccessShareLock);
	if (index->rd_index->indimmediate)
		return index;
	index_close(index, NoLock);
	return NULL;
}

static void
find_key(Relation source, DistilPipelineColumns *columns)
{
	Relation	index = open_key(source);

	if (index == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has no primary key", RelationGetRelationName(source)),
				 errdetail("A pipeline finds rows by it. One that is deferrable does not do."),
				 errhint("Add one with ALTER TABLE %s ADD PRIMARY KEY (...).",
						 quote_identifier(RelationGetRelationName(source)))));
	columns->n_keys = index->rd_index->indnkeyatts;
	for (int i = 0; i < columns->n_keys; i++)
		columns->keys[i] = index->rd_index->indkey.values[i];
	index_close(index, NoLock);
	for (int i = 0; i < columns->n_keys; i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(source), columns->keys[i] - 1);

		if (!has_text_form(att->atttypid))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("column \"%s\" of type %s cannot be in the key of a pipeline",
							NameStr(att->attname), format_type_be(att->atttypid)),
					 errdetail("Keys are queued as texts, which this type does not have, or which "
							   "depend on settings."),
					 errhint("Use numbers, texts, uuid, dates or times, enums, or domains over "
							 "these.")));
	}
}

#define VIRTUAL 'v'				/* a generated column that is not stored, since 18 */

void
distil_source_columns(Relation source, const char *text_column, DistilPipelineColumns *columns)
{
	Form_pg_attribute text = distil_source_column(source, text_column);

	find_key(source, columns);
	if (!distil_holds_text(getBaseType(text->atttypid), NULL))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of a pipeline must be of type text, not %s", text_column,
						format_type_be(text->atttypid)),
				 errhint("For text stands any type that is cast to it implicitly, such as varchar, "
						 "citext and name, or a domain over one.")));
	if (text->attgenerated == VIRTUAL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("virtual generated column \"%s\" cannot be the text of a pipeline",
						text_column),
				 errhint("Make it a STORED generated column.")));
	distil_check_column_free(source, text->attnum, true);
	columns->text = text->attnum;
	columns->n_values = 0;
}

void
distil_source_check_generated(Relation source, const DistilPipeline *p)
{
	Form_pg_attribute text = TupleDescAttr(RelationGetDescr(source), p->columns.text - 1);

	if (text->attgenerated == '\0' || (!p->sync && !p->remove_stale))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s cannot be had for generated column \"%s\"",
					p->sync ? "mode => 'sync'" : "stale => 'remove'", NameStr(text->attname)),
			 errdetail("It is computed after the triggers that would set the value."),
			 p->sync ? errhint("Use mode => 'async', or into_table.")
			 : errhint("Use stale => 'keep', or into_table.")));
}

void
distil_source_check_sync(const DistilPipeline *p)
{
	if (p->sync && distil_is_subscribed(p->source))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("mode => 'sync' cannot be had for table \"%s\"", get_rel_name(p->source)),
				 errdetail("A subscription fills it, and would be stopped by a text that fails."),
				 errhint("Use mode => 'async'.")));
}
