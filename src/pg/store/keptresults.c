/*
 * keptresults.c -- distil_check_results: are results that are kept still those
 * that this server computes?
 *
 * An index on an expression, a generated column, a constraint, a partition's
 * bounds hold on to what was computed once.  Another C library, kernels of
 * another kind, another version of this extension or a model that was replaced
 * by force may compute otherwise, as another version of a collation sorts
 * otherwise (pg_collation_actual_version).  What the server's part in this is
 * has a name, distil_results_version; whether it matters is found by computing
 * a sample anew.
 *
 * Expressions are run as the table's owner, in a security-restricted operation,
 * as those of an index are by REINDEX and amcheck.
 */
#include "postgres.h"

#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include "access/genam.h"
#include "access/relation.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "pg/bridge/compat.h"
#include "pg/bridge/kernels.h"
#include "pg/store/keptindex.h"

PG_FUNCTION_INFO_V1(distil_results_version);
PG_FUNCTION_INFO_V1(distil_check_results);

/* Of the library whose exponentials make scores of logits; NULL: unknown. */
static const char *
libc_version(void)
{
#ifdef __GLIBC__
	return psprintf("glibc %s", gnu_get_libc_version());
#else
	return NULL;
#endif
}

Datum
distil_results_version(PG_FUNCTION_ARGS)
{
	const char *bits = distil_kernels()->bits;
	const char *libc = libc_version();

	if (*bits == '\0' || libc == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s, %s", bits, libc)));
}

/* ---- what keeps results ---- */

/* $1: the extension; $2: a relation, or 0.  Columns as in Kept. */
#define FIND_KEPT \
	"WITH RECURSIVE f(oid) AS (" \
	"SELECT objid FROM pg_depend WHERE classid = 'pg_proc'::regclass AND deptype = 'e' " \
	"AND refclassid = 'pg_extension'::regclass AND refobjid = $1 UNION " \
	"SELECT d.objid FROM pg_depend d, f WHERE d.classid = 'pg_proc'::regclass " \
	"AND d.deptype IN ('n', 'a') AND d.refclassid = 'pg_proc'::regclass AND d.refobjid = f.oid), " \
	"u AS (SELECT DISTINCT d.classid, d.objid FROM pg_depend d, f " \
	"WHERE d.deptype IN ('n', 'a') AND d.refclassid = 'pg_proc'::regclass " \
	"AND d.refobjid = f.oid), " \
	"k(kind, relid, oid, place, kept, now, remedy) AS (" \
	"SELECT 'i', i.indrelid, i.indexrelid, " \
	"pg_describe_object('pg_class'::regclass, i.indexrelid, 0), NULL, NULL, " \
	"format('REINDEX INDEX %s', i.indexrelid::regclass) " \
	"FROM u JOIN pg_index i ON u.classid = 'pg_class'::regclass AND i.indexrelid = u.objid " \
	"JOIN pg_class x ON x.oid = i.indexrelid AND x.relkind = 'i' " \
	"UNION ALL " \
	"SELECT 'g', a.attrelid, a.attrelid, " \
	"pg_describe_object('pg_class'::regclass, a.attrelid, a.attnum), a.attname, " \
	"pg_get_expr(e.adbin, e.adrelid), (SELECT format('UPDATE %s SET %2$I = %2$I', " \
	"a.attrelid::regclass, s.attname) FROM pg_depend d JOIN pg_attribute s " \
	"ON s.attrelid = d.refobjid AND s.attnum = d.refobjsubid " \
	"WHERE d.classid = 'pg_attrdef'::regclass AND d.objid = e.oid " \
	"AND d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid " \
	"AND d.refobjsubid NOT IN (0, a.attnum) ORDER BY s.attnum LIMIT 1) " \
	"FROM u JOIN pg_attrdef e ON u.classid = 'pg_attrdef'::regclass AND e.oid = u.objid " \
	"JOIN pg_attribute a ON a.attrelid = e.adrelid AND a.attnum = e.adnum " \
	"JOIN pg_class x ON x.oid = a.attrelid AND x.relkind = 'r' " \
	"WHERE a.attgenerated = 's' " \
	"UNION ALL " \
	"SELECT 'c', c.conrelid, c.oid, pg_describe_object('pg_constraint'::regclass, c.oid, 0), " \
	"NULL, pg_get_expr(c.conbin, c.conrelid), NULL " \
	"FROM u JOIN pg_constraint c ON u.classid = 'pg_constraint'::regclass AND c.oid = u.objid " \
	"JOIN pg_class x ON x.oid = c.conrelid AND x.relkind = 'r' " \
	"WHERE c.contype = 'c' " \
	"UNION ALL " \
	"SELECT 'p', t.relid, t.relid, " \
	"'bounds of ' || pg_describe_object('pg_class'::regclass, t.relid, 0), NULL, " \
	"pg_get_partition_constraintdef(t.relid), NULL " \
	"FROM u JOIN pg_partitioned_table p ON u.classid = 'pg_class'::regclass " \
	"AND p.partrelid = u.objid CROSS JOIN pg_partition_tree(p.partrelid) t " \
	"JOIN pg_class x ON x.oid = t.relid AND x.relkind = 'r' " \
	"UNION ALL " \
	"SELECT 'm', x.oid, x.oid, pg_describe_object('pg_class'::regclass, x.oid, 0), NULL, NULL, " \
	"format('REFRESH MATERIALIZED VIEW %s', x.oid::regclass) " \
	"FROM u JOIN pg_rewrite r ON u.classid = 'pg_rewrite'::regclass AND r.oid = u.objid " \
	"JOIN pg_class x ON x.oid = r.ev_class AND x.relkind = 'm') " \
	"SELECT DISTINCT kind, k.relid, k.oid, place, kept, now, remedy FROM k " \
	"JOIN pg_class x ON x.oid = k.relid " \
	"WHERE pg_has_role(x.relowner, 'USAGE') AND NOT pg_is_other_temp_schema(x.relnamespace) " \
	"AND ($2 = 0 OR $2 IN (k.relid, k.oid) " \
	"OR $2 IN (SELECT relid FROM pg_partition_ancestors(k.relid))) ORDER BY k.relid, place"

/* One of them. */
typedef struct Kept
{
	char		kind;			/* index, generated column, constraint, partition, mat. view */
	Oid			table;
	Oid			oid;			/* of the index */
	char	   *place;			/* for people */
	char	   *kept;			/* the column, NULL: a condition is to be true */
	char	   *now;			/* the expression */
	char	   *remedy;			/* a command, or NULL */
} Kept;

static char *
column(HeapTuple tuple, int i)
{
	return SPI_getvalue(tuple, SPI_tuptable->tupdesc, i);
}

static Oid
oid_column(HeapTuple tuple, int i)
{
	bool		isnull;

	return DatumGetObjectId(SPI_getbinval(tuple, SPI_tuptable->tupdesc, i, &isnull));
}

/* *list is of the SPI's memory. */
static int
find_kept(Oid extension, Oid relation, Kept **list)
{
	Oid			types[] = {OIDOID, OIDOID};
	Datum		values[] = {ObjectIdGetDatum(extension), ObjectIdGetDatum(relation)};
	int			n;

	if (SPI_execute_with_args(FIND_KEPT, 2, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look for kept results");
	n = (int) SPI_processed;
	*list = palloc(Max(n, 1) * sizeof(Kept));
	for (int i = 0; i < n; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];

		(*list)[i] = (Kept) {
			.kind = column(tuple, 1)[0],.table = oid_column(tuple, 2),.oid = oid_column(tuple, 3),
			.place = column(tuple, 4),.kept = column(tuple, 5),.now = column(tuple, 6),
			.remedy = column(tuple, 7)
		};
	}
	return n;
}

/* ---- comparing ---- */

/* Of a table with more pages only some are read, but at least: */
#define WHOLE_PAGES 1000
#define LEAST_PAGES 20

/* About so many rows of the table, from all over it. */
static char *
sample_of(Relation table, int64 sample)
{
	double		rows = distil_estimate_rows(table),
				pages = RelationGetNumberOfBlocks(table),
				percent = rows > DISTIL_SAMPLE_MOST * sample ? 100.0 * sample / rows : 100;
	bool		whole = pages <= WHOLE_PAGES;

	if (!whole)
		percent = Max(percent, 100.0 * LEAST_PAGES / pages);
	return psprintf("(SELECT * FROM ONLY %s TABLESAMPLE %s (%g) LIMIT " INT64_FORMAT ") AS s",
					quote_qualified_identifier(get_namespace_name(RelationGetNamespace(table)),
											   RelationGetRelationName(table)),
					whole ? "bernoulli" : "system", percent, DISTIL_SAMPLE_MOST * sample);
}

/* How far "kept" and "now" are apart at most: numbers and arrays of them. */
static const char *
distance_of(Relation table, const char *column)
{
	switch (get_atttype(RelationGetRelid(table), get_attnum(RelationGetRelid(table), column)))
	{
		case FLOAT4OID:
		case FLOAT8OID:
			return "max(abs(kept::float8 - now))";
		case FLOAT4ARRAYOID:
			return "max((SELECT max(abs(a::float8 - b)) FROM unnest(kept, now) AS u (a, b)))";
		default:
			return "NULL::float8";
	}
}

/* The query whose row is: checked, differ, difference. */
static char *
comparison(Relation table, const Kept *k, int64 sample)
{
	char	   *rows = sample_of(table, sample);

	if (k->kept == NULL)
		return psprintf("SELECT count(*), count(*) FILTER (WHERE NOT (%s)), NULL::float8 FROM %s",
						k->now, rows);
	return psprintf("SELECT count(*), "
					"count(*) FILTER (WHERE ROW(kept)::record *<> ROW(now)::record), %s "
					"FROM (SELECT %s AS kept, (%s) AS now FROM %s OFFSET 0) AS pairs",
					distance_of(table, k->kept), quote_identifier(k->kept), k->now, rows);
}

static DistilKept
check_rows(Relation table, const Kept *k, int64 sample)
{
	DistilKept	found = {.compared = true};
	bool		isnull;
	HeapTuple	tuple;

	if (SPI_execute(comparison(table, k, sample), true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not compare results");
	tuple = SPI_tuptable->vals[0];
	found.checked = DatumGetInt64(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &isnull));
	found.differ = DatumGetInt64(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &isnull));
	found.difference = DatumGetFloat8(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 3, &isnull));
	found.measured = !isnull;
	return found;
}

static DistilKept
check_kept(Relation table, const Kept *k, int64 sample)
{
	DistilKept	found = {0};
	Relation	index;

	if (k->kind == 'm')
		return found;			/* nothing less than its query tells */
	if (k->kind != 'i')
		return check_rows(table, k, sample);
	index = index_open(k->oid, AccessShareLock);
	found = distil_check_index(table, index, sample);
	index_close(index, AccessShareLock);
	return found;
}

/* As its owner, with no more rights than his and nothing of the caller's. */
static DistilKept
check_as_owner(Relation table, const Kept *k, int64 sample)
{
	DistilKept	found;
	Oid			user;
	int			context,
				level = NewGUCNestLevel();

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(table->rd_rel->relowner, context | SECURITY_RESTRICTED_OPERATION);
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	found = check_kept(table, k, sample);
	AtEOXact_GUC(false, level);
	SetUserIdAndSecContext(user, context);
	return found;
}

/* ---- the rows ---- */

static Datum
text_or_null(const char *s, bool *isnull)
{
	*isnull = s == NULL;
	return s == NULL ? (Datum) 0 : CStringGetTextDatum(s);
}

static void
put_kept(ReturnSetInfo *rsinfo, const Kept *k, const DistilKept *found)
{
	Datum		values[] = {
		ObjectIdGetDatum(k->table), CStringGetTextDatum(k->place), Int64GetDatum(found->checked),
		Int64GetDatum(found->differ), Float8GetDatum(found->difference), (Datum) 0
	};
	bool		nulls[] = {
		false, false, !found->compared, !found->compared, !found->measured, false
	};

	values[5] = text_or_null(k->remedy, &nulls[5]);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* The names in the list are whole, whatever the caller's path. */
static int
find_by_whole_names(Oid extension, Oid relation, Kept **list)
{
	int			level = NewGUCNestLevel(),
				n;

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	n = find_kept(extension, relation, list);
	AtEOXact_GUC(false, level);
	return n;
}

static void
require_owner(Oid relation)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("there is no relation with OID %u", relation)));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	if (!has_privs_of_role(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of relation \"%s\"", get_rel_name(relation))));
}

Datum
distil_check_results(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			relation = PG_ARGISNULL(0) ? InvalidOid : PG_GETARG_OID(0),
				extension = getExtensionOfObject(ProcedureRelationId, fcinfo->flinfo->fn_oid);
	int64		sample = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	Kept	   *list;
	int			n;

	if (sample < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("sample must be at least 1")));
	if (OidIsValid(relation))
		require_owner(relation);
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	n = find_by_whole_names(extension, relation, &list);
	for (int i = 0; i < n; i++)
	{
		Relation	table = try_relation_open(list[i].table, AccessShareLock);
		DistilKept	found;

		if (table == NULL)
			continue;			/* dropped meanwhile */
		found = check_as_owner(table, &list[i], sample);
		put_kept(rsinfo, &list[i], &found);
		relation_close(table, AccessShareLock);
	}
	SPI_finish();
	return (Datum) 0;
}
