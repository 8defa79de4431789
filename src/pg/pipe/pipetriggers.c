/*
 * pipetriggers.c -- see pipetriggers.h.
 *
 *	   distil_<name>_insert		AFTER INSERT
 *	   distil_<name>_update		AFTER UPDATE of the key or the text; its
 *								condition names all columns
 *	   distil_<name>_delete		AFTER DELETE, where the target is a table
 *	   distil_<name>_truncate	AFTER TRUNCATE, where the target is a table
 *	   zz_distil_<name>_stale	BEFORE UPDATE of the text, where the target is a
 *								column that becomes NULL then; the last one, for
 *								others before it may change the text
 *	   zz_distil_<name>_sync	BEFORE INSERT OR UPDATE, in its place where the
 *								pipeline is synchronous
 *	   distil_<name>_sync		AFTER a statement, of a synchronous one whose
 *								target is a table, and the source a plain one
 *
 * They are for each row, so partitions get them, too; but those for TRUNCATE,
 * which cannot be.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/trigger.h"
#include "storage/lockdefs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/ownersql.h"
#include "pg/pipe/pipereplica.h"
#include "pg/pipe/pipetriggers.h"

static bool
has_tables(const DistilPipeline *p)
{
	return p->columns.n_values == 0;
}

/* ", NEW.column", or both rows' */
static void
append_column(StringInfo sql, const DistilPipeline *p, AttrNumber column, bool both)
{
	const char *name = distil_sql_column(p->source, column);

	if (both)
		appendStringInfo(sql, ", OLD.%s", name);
	appendStringInfo(sql, ", NEW.%s", name);
}

/* Make a trigger that fires at an event, for rows or statements. */
static void
make(const DistilPipeline *p, Oid relation, const char *name, const char *event, const char *each,
	 const char *function)
{
	distil_sql_run(psprintf("CREATE OR REPLACE TRIGGER %s %s ON %s FOR EACH %s "
							"EXECUTE FUNCTION distilbert.%s(%s)",
							quote_identifier(name), event, distil_sql_table(relation), each,
							function, quote_literal_cstr(p->name)));
}

static void
make_insert(const DistilPipeline *p)
{
	make(p, p->source, psprintf("distil_%s_insert", p->name), "AFTER INSERT", "ROW",
		 "pipeline_capture");
}

static void
make_update(const DistilPipeline *p)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "ROW WHEN (distilbert.touched(%d", p->columns.n_keys + 1);
	for (int i = 0; i < p->columns.n_keys; i++)
		append_column(&sql, p, p->columns.keys[i], true);
	append_column(&sql, p, p->columns.text, true);
	for (int i = 0; i < p->columns.n_values; i++)
		append_column(&sql, p, p->columns.values[i], false);
	appendStringInfoString(&sql, "))");
	make(p, p->source, psprintf("distil_%s_update", p->name), "AFTER UPDATE", sql.data,
		 "pipeline_capture");
}

static void
make_stale(const DistilPipeline *p)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "ROW WHEN (distilbert.touched(1");
	append_column(&sql, p, p->columns.text, true);
	appendStringInfoString(&sql, "))");
	make(p, p->source, psprintf("zz_distil_%s_stale", p->name), "BEFORE UPDATE", sql.data,
		 "pipeline_stale");
}

static void
make_sync(const DistilPipeline *p)
{
	if (!has_tables(p))
		make(p, p->source, psprintf("zz_distil_%s_sync", p->name), "BEFORE INSERT OR UPDATE", "ROW",
			 "pipeline_sync");
	else if (get_rel_relkind(p->source) != RELKIND_PARTITIONED_TABLE)
		make(p, p->source, psprintf("distil_%s_sync", p->name),
			 "AFTER INSERT OR UPDATE OR DELETE", "STATEMENT", "pipeline_sync");
}

void
distil_triggers_make_truncate(const DistilPipeline *p, Oid relation)
{
	DistilOwnerState state = distil_become_owner(p->owner, false);

	make(p, relation, psprintf("distil_%s_truncate", p->name), "AFTER TRUNCATE",
		 "STATEMENT", "pipeline_capture");
	distil_resign_owner(state);
}

void
distil_triggers_drop_truncate(const DistilPipeline *p, Oid relation)
{
	const char *name = psprintf("distil_%s_truncate", p->name);
	DistilOwnerState state;

	if (get_rel_relkind(relation) == '\0' || distil_relation_owner(relation) != p->owner ||
		!OidIsValid(get_trigger_oid(relation, name, true)))
		return;
	state = distil_become_owner(p->owner, false);
	distil_sql_run(psprintf("DROP TRIGGER %s ON %s", quote_identifier(name),
							distil_sql_table(relation)));
	distil_resign_owner(state);
}

/* The source and its partitions. */
static List *
source_and_parts(const DistilPipeline *p)
{
	if (get_rel_relkind(p->source) == RELKIND_PARTITIONED_TABLE)
		return find_all_inheritors(p->source, ShareRowExclusiveLock, NULL);
	return list_make1_oid(p->source);
}

/* The names of a relation's triggers that call our functions for p. */
static List *
names_on(Oid relation, const DistilPipeline *p)
{
	Relation	rel = table_open(relation, AccessShareLock);
	const TriggerDesc *triggers = CopyTriggerDesc(rel->trigdesc);
	List	   *names = NIL;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *t = &triggers->triggers[i];

		if (t->tgnargs >= 1 && strcmp(t->tgargs[0], p->name) == 0 && !t->tgisclone &&
			get_func_namespace(t->tgfoid) == get_namespace_oid("distilbert", true))
			names = lappend(names, pstrdup(t->tgname));
	}
	table_close(rel, NoLock);
	return names;
}

/* A subscription's changes are seen, too; partitions follow. */
static void
fire_always(const DistilPipeline *p)
{
	ListCell   *name;

	CommandCounterIncrement();
	foreach(name, names_on(p->source, p))
		distil_sql_run(psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s",
								distil_sql_table(p->source), quote_identifier(lfirst(name))));
}

void
distil_triggers_make(const DistilPipeline *p)
{
	DistilOwnerState state = distil_become_owner(p->owner, false);
	ListCell   *lc;

	make_insert(p);
	make_update(p);
	if (p->sync)
		make_sync(p);
	else if (!has_tables(p) && p->remove_stale)
		make_stale(p);
	if (has_tables(p))
	{
		make(p, p->source, psprintf("distil_%s_delete", p->name), "AFTER DELETE", "ROW",
			 "pipeline_capture");
		foreach(lc, source_and_parts(p))
		{
			if (get_rel_relkind(lfirst_oid(lc)) != RELKIND_FOREIGN_TABLE)
				distil_triggers_make_truncate(p, lfirst_oid(lc));
		}
	}
	if (distil_is_subscribed(p->source))
		fire_always(p);
	distil_resign_owner(state);
}

void
distil_triggers_drop(const DistilPipeline *p)
{
	DistilOwnerState state = distil_become_owner(p->owner, false);
	ListCell   *relation;
	ListCell   *name;

	foreach(relation, source_and_parts(p))
	{
		foreach(name, names_on(lfirst_oid(relation), p))
			distil_sql_run(psprintf("DROP TRIGGER %s ON %s", quote_identifier(lfirst(name)),
									distil_sql_table(lfirst_oid(relation))));
	}
	distil_resign_owner(state);
}
