/*
 * restored.c -- generated columns whose model a dump has behind their table.
 *
 * While a dump is restored, what is computed with a model that is not there yet
 * is NULL (store/restoring.c).  Here is the trigger that the models' rows come
 * with: as soon as a model is complete, the generated columns that name it are
 * computed, in the restoring transaction and as their tables' owners.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "commands/trigger.h"
#include "lib/stringinfo.h"
#include "nodes/bitmapset.h"
#include "optimizer/optimizer.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/pipe/ownersql.h"
#include "pg/store/catalog.h"
#include "pg/store/modelusers.h"
#include "pg/store/restoring.h"

/* A table, and the columns that what is to be computed is computed of. */
typedef struct Early
{
	Oid			table;
	Bitmapset  *columns;		/* as of pull_varattnos */
} Early;

static Early *
early_table(List **tables, Oid table)
{
	Early	   *early;
	ListCell   *lc;

	foreach(lc, *tables)
	{
		if (((Early *) lfirst(lc))->table == table)
			return lfirst(lc);
	}
	early = palloc0(sizeof(Early));
	early->table = table;
	*tables = lappend(*tables, early);
	return early;
}

static void
add_column(Early *early, AttrNumber column)
{
	Relation	rel = table_open(early->table, AccessShareLock);
	TupleConstr *constr = RelationGetDescr(rel)->constr;

	for (int i = 0; i < constr->num_defval; i++)
	{
		if (constr->defval[i].adnum == column)
			pull_varattnos(stringToNode(constr->defval[i].adbin), 1, &early->columns);
	}
	table_close(rel, AccessShareLock);
}

static void
add_users(List **tables, const char *model)
{
	ObjectAddress *users;
	int			n = distil_model_users(model, &users);

	for (int i = 0; i < n; i++)
	{
		Oid			table = users[i].objectId;
		AttrNumber	column = users[i].objectSubId;

		if (users[i].classId == RelationRelationId && column != 0 &&
			get_attgenerated(table, column) == ATTRIBUTE_GENERATED_STORED)
			add_column(early_table(tables, table), column);
	}
}

/* The tables with generated columns of all models, or of complete ones. */
static List *
users_of_models(bool complete)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	List	   *tables = NIL;
	ListCell   *lc;

	foreach(lc, distil_catalog_names(snapshot))
	{
		if (!complete || distil_model_is_complete(lfirst(lc), snapshot))
			add_users(&tables, lfirst(lc));
	}
	UnregisterSnapshot(snapshot);
	return tables;
}

static void
lock_tables(List *tables, List **locked)
{
	ListCell   *lc;

	foreach(lc, tables)
	{
		Oid			table = ((Early *) lfirst(lc))->table;

		if (list_member_oid(*locked, table))
			continue;
		LockRelationOid(table, RowExclusiveLock);
		*locked = lappend_oid(*locked, table);
	}
}

/*
 * The tables to compute, locked before what their writers wait for.  If the
 * rows of more models were committed meanwhile, it begins again.
 */
static List *
lock_users(void)
{
	List	   *locked = NIL;
	List	   *tables;

	lock_tables(users_of_models(false), &locked);
	for (;;)
	{
		bool		more = false;
		ListCell   *lc;

		distil_awaited_lock();
		tables = users_of_models(true);
		foreach(lc, tables)
			more |= !list_member_oid(locked, ((Early *) lfirst(lc))->table);
		if (!more)
			return tables;
		distil_awaited_unlock();
		lock_tables(tables, &locked);
	}
}

/*
 * An UPDATE computes the generated columns of those columns that it sets.  It
 * is of the table's own rows: tables below it have columns of their own.
 */
static void
compute(const Early *early)
{
	DistilOwnerState state = distil_become_owner(distil_relation_owner(early->table), true);
	StringInfoData sql;
	int			n = 0;
	int			i = -1;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE ONLY %s SET ", distil_sql_table(early->table));
	while ((i = bms_next_member(early->columns, i)) >= 0)
	{
		AttrNumber	column = i + FirstLowInvalidHeapAttributeNumber;
		const char *name = column > 0 ? distil_sql_column(early->table, column) : NULL;

		if (name != NULL)
			appendStringInfo(&sql, "%s%s = %s", n++ > 0 ? ", " : "", name, name);
	}
	if (n > 0)
		distil_sql_run(sql.data);
	distil_resign_owner(state);
}

PG_FUNCTION_INFO_V1(distil_models_restored);
Datum
distil_models_restored(PG_FUNCTION_ARGS)
{
	ListCell   *lc;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager", "models_restored")));
	if (distil_restoring())
	{
		CommandCounterIncrement();	/* see the command's own rows */
		foreach(lc, lock_users())
			compute(lfirst(lc));
	}
	PG_RETURN_POINTER(NULL);
}
