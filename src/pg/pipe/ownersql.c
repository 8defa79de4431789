/*
 * ownersql.c -- see ownersql.h.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/ownersql.h"

DistilOwnerState
distil_become_owner(Oid owner, bool restricted)
{
	DistilOwnerState state;

	GetUserIdAndSecContext(&state.user, &state.context);
	SetUserIdAndSecContext(owner, state.context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS |
						   (restricted ? SECURITY_RESTRICTED_OPERATION : 0));
	state.nestlevel = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	/* A table without statistics looks large: each row would be compiled. */
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
							 false);
	return state;
}

void
distil_resign_owner(DistilOwnerState state)
{
	AtEOXact_GUC(false, state.nestlevel);
	SetUserIdAndSecContext(state.user, state.context);
}

Oid
distil_relation_owner(Oid relation)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

char *
distil_sql_table(Oid relation)
{
	char	   *name = get_rel_name(relation);

	if (name == NULL)
		elog(ERROR, "cache lookup failed for relation %u", relation);
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), name);
}

const char *
distil_sql_column(Oid relation, AttrNumber column)
{
	return quote_identifier(get_attname(relation, column, false));
}

void
distil_sql_equal(StringInfo sql, const char *a, const char *b, Oid type)
{
	Oid			operator = lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr;
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("type %s has no equality operator", format_type_be(type))));
	form = (Form_pg_operator) GETSTRUCT(tuple);
	appendStringInfo(sql, "%s OPERATOR(%s.%s) %s", a,
					 quote_identifier(get_namespace_name(form->oprnamespace)),
					 NameStr(form->oprname), b);
	ReleaseSysCache(tuple);
}

/* A target table begins with the key columns, in the source's order. */
void
distil_sql_keys_equal(StringInfo sql, const char *a, Oid target, const char *b, Oid source,
					  const DistilPipelineColumns *columns)
{
	for (int i = 0; i < columns->n_keys; i++)
	{
		if (i > 0)
			appendStringInfoString(sql, " AND ");
		distil_sql_equal(sql, psprintf("%s.%s", a, distil_sql_column(target, i + 1)),
						 psprintf("%s.%s", b, distil_sql_column(source, columns->keys[i])),
						 get_atttype(source, columns->keys[i]));
	}
}

static AttrNumber
key_column(const AttrNumber *keys, int i)
{
	return keys != NULL ? keys[i] : i + 1;
}

char *
distil_sql_keys(const char *a, Oid relation, const AttrNumber *keys, int n)
{
	StringInfoData s;

	initStringInfo(&s);
	for (int i = 0; i < n; i++)
		appendStringInfo(&s, "%s%s.%s", i > 0 ? ", " : "", a,
						 distil_sql_column(relation, key_column(keys, i)));
	return s.data;
}

void
distil_sql_keys_given(StringInfo sql, const char *a, Oid relation, const AttrNumber *keys, int n)
{
	for (int i = 0; i < n; i++)
	{
		AttrNumber	column = key_column(keys, i);

		if (i > 0)
			appendStringInfoString(sql, " AND ");
		distil_sql_equal(sql, psprintf("%s.%s", a, distil_sql_column(relation, column)),
						 psprintf("$%d", i + 1), get_atttype(relation, column));
	}
}

void
distil_sql_plan(SPIPlanPtr plan, Datum *values, const char *nulls, bool read_only, int wanted)
{
	MemoryContext old = CurrentMemoryContext;
	int			result = SPI_execute_plan(plan, values, nulls, read_only, 0);

	MemoryContextSwitchTo(old);
	if (result != wanted)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result));
}

ArrayType *
distil_sql_fetched(uint64 row, int n)
{
	Datum		texts[INDEX_MAX_KEYS];

	for (int i = 0; i < n; i++)
		texts[i] = CStringGetTextDatum(
			SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, i + 1));
	return construct_array(texts, n, TEXTOID, -1, false, TYPALIGN_INT);
}

void
distil_sql_run(const char *sql)
{
	int			result;

	SPI_connect();
	result = SPI_execute(sql, false, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(result));
	SPI_finish();
}

List *
distil_sql_strings(const char *sql)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *strings = NIL;

	SPI_connect();
	if (SPI_execute(sql, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(SPI_result));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *value = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		MemoryContext old = MemoryContextSwitchTo(context);

		strings = lappend(strings, pstrdup(value));
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	return strings;
}

void
distil_target_remove_orphans(Oid target, Oid source, const DistilPipelineColumns *columns)
{
	DistilOwnerState state = distil_become_owner(distil_relation_owner(target), false);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "DELETE FROM %s t WHERE NOT EXISTS (SELECT FROM %s s WHERE ",
					 distil_sql_table(target), distil_sql_table(source));
	distil_sql_keys_equal(&sql, "t", target, "s", source, columns);
	appendStringInfoChar(&sql, ')');
	distil_sql_run(sql.data);
	distil_resign_owner(state);
}
