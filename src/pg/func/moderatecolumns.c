/*
 * moderatecolumns.c -- triggers of distil_moderate know their columns.
 *
 * Such a trigger names columns in its arguments, of which the server knows
 * nothing.  So an event trigger tells it: after CREATE TRIGGER, that the
 * trigger depends on these columns.  Then they cannot be dropped without it,
 * by whatever command.  This is as if they were named in UPDATE OF, which a
 * trigger for INSERT or with transition tables cannot have; and as there, their
 * type can only be altered while there is no trigger.  After a column was
 * renamed, the event trigger writes the new name into the arguments.
 *
 * pg_dump saves the trigger, not the dependencies: they come again with CREATE
 * TRIGGER.  pg_upgrade makes triggers while there are no event triggers; these
 * dependencies, and those of triggers made inside CREATE SCHEMA, are recorded
 * when the trigger fires (moderation.c).
 *
 * A trigger that a partition has of its partitioned table needs none: the
 * columns of partitions cannot be dropped or renamed alone.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

#include "pg/bridge/compat.h"
#include "pg/func/moderatecolumns.h"
#include "pg/func/moderation.h"

/* Arguments that name a column. */
static const char *const column_arguments[] = {"column", "target"};

/* Is it the extension's trigger function? */
static bool
is_moderation(Oid function)
{
	char	   *name = get_func_name(function);
	Oid			extension = getExtensionOfObject(ProcedureRelationId, function);

	return name != NULL && strcmp(name, "distil_moderate") == 0 && OidIsValid(extension) &&
		extension == get_extension_oid("distilbert", true);
}

/* ---- dependencies ---- */

static bool
depends(const ObjectAddress *trigger, const ObjectAddress *column)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&keys[0], Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(trigger->classId));
	ScanKeyInit(&keys[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(trigger->objectId));
	scan = systable_beginscan(depend, DependDependerIndexId, true, NULL, 2, keys);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend row = (Form_pg_depend) GETSTRUCT(tuple);

		found = row->refclassid == column->classId && row->refobjid == column->objectId &&
			row->refobjsubid == column->objectSubId;
	}
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
	return found;
}

void
distil_depend_on_columns(const Trigger *trigger, Relation rel)
{
	if (trigger->tgisclone)
		return;
	for (int i = 0; i < lengthof(column_arguments); i++)
	{
		const char *name = distil_moderation_argument(trigger, column_arguments[i]);
		ObjectAddress from,
					to;

		if (name == NULL || *name == '\0')
			continue;
		ObjectAddressSet(from, TriggerRelationId, trigger->tgoid);
		ObjectAddressSubSet(to, RelationRelationId, RelationGetRelid(rel),
							distil_moderated_column(rel, name));
		if (!depends(&from, &to))
			recordDependencyOn(&from, &to, DEPENDENCY_NORMAL);
	}
}

/* ---- new names ---- */

/* Does an argument name this column? */
static bool
names_column(const char *argument, const char *column)
{
	for (int i = 0; i < lengthof(column_arguments); i++)
	{
		size_t		len = strlen(column_arguments[i]);

		if (strncmp(argument, column_arguments[i], len) == 0 && argument[len] == '=' &&
			strcmp(argument + len + 1, column) == 0)
			return true;
	}
	return false;
}

/* pg_trigger's form of arguments: each with a zero behind it. */
static Datum
renamed_arguments(const Trigger *trigger, const RenameStmt *rename, bool *changed)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoSpaces(&buf, VARHDRSZ);
	for (int i = 0; i < trigger->tgnargs; i++)
	{
		const char *argument = trigger->tgargs[i];

		if (names_column(argument, rename->subname))
		{
			appendBinaryStringInfo(&buf, argument, strcspn(argument, "=") + 1);
			appendStringInfoString(&buf, rename->newname);
			*changed = true;
		}
		else
			appendStringInfoString(&buf, argument);
		appendStringInfoChar(&buf, '\0');
	}
	SET_VARSIZE(buf.data, buf.len);
	return PointerGetDatum(buf.data);
}

static void
write_arguments(Oid trigger, Datum arguments)
{
	Relation	rel = table_open(TriggerRelationId, RowExclusiveLock);
	int			column = Anum_pg_trigger_tgargs;
	bool		isnull = false;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(trigger));
	scan = systable_beginscan(rel, TriggerOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		CatalogTupleUpdate(rel, &tuple->t_self,
						   heap_modify_tuple_by_cols(tuple, RelationGetDescr(rel), 1, &column,
													 &arguments, &isnull));
	systable_endscan(scan);
	table_close(rel, RowExclusiveLock);
}

/* The command has locked the table. */
static void
rename_in_table(Oid relid, const RenameStmt *rename)
{
	Relation	rel = relation_open(relid, NoLock);
	TriggerDesc *triggers = CopyTriggerDesc(rel->trigdesc);	/* its own may be renewed meanwhile */
	bool		any = false;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];
		bool		changed = false;
		Datum		arguments;

		if (!is_moderation(trigger->tgfoid))
			continue;
		arguments = renamed_arguments(trigger, rename, &changed);
		if (changed)
			write_arguments(trigger->tgoid, arguments);
		any |= changed;
	}
	if (any)
		CacheInvalidateRelcache(rel);
	relation_close(rel, NoLock);
}

/* Tables of a composite type: their columns are its attributes. */
static List *
typed_tables(Oid type)
{
	Relation	rel = table_open(RelationRelationId, AccessShareLock);
	List	   *tables = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_class_reloftype, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(type));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		tables = lappend_oid(tables, ((Form_pg_class) GETSTRUCT(tuple))->oid);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return tables;
}

static void
follow_rename(const RenameStmt *rename)
{
	bool		attribute = rename->renameType == OBJECT_ATTRIBUTE;
	Oid			relid;
	List	   *tables;
	ListCell   *lc;

	if (!attribute && rename->renameType != OBJECT_COLUMN)
		return;
	relid = RangeVarGetRelid(rename->relation, NoLock, true);
	if (!OidIsValid(relid))
		return;
	tables = attribute ? typed_tables(get_rel_type_id(relid))
					   : find_all_inheritors(relid, NoLock, NULL);
	foreach(lc, tables)
		rename_in_table(lfirst_oid(lc), rename);
}

/* ---- the event trigger ---- */

static void
know_new_trigger(const CreateTrigStmt *create)
{
	Oid			relid = RangeVarGetRelid(create->relation, NoLock, true);
	Relation	rel;
	const TriggerDesc *triggers;

	if (!OidIsValid(relid))
		return;
	rel = table_open(relid, NoLock);
	triggers = CopyTriggerDesc(rel->trigdesc);
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (strcmp(trigger->tgname, create->trigname) == 0 && is_moderation(trigger->tgfoid))
			distil_depend_on_columns(trigger, rel);
	}
	table_close(rel, NoLock);
}

PG_FUNCTION_INFO_V1(distil_moderated_columns);
Datum
distil_moderated_columns(PG_FUNCTION_ARGS)
{
	Node	   *command;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("moderated_columns must be called as an event trigger")));
	command = ((EventTriggerData *) fcinfo->context)->parsetree;
	if (IsA(command, CreateTrigStmt))
		know_new_trigger((CreateTrigStmt *) command);
	else if (IsA(command, RenameStmt))
		follow_rename((RenameStmt *) command);
	PG_RETURN_NULL();
}
