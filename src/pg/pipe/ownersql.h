/*
 * ownersql.h -- SQL that is made here and run as a table's owner.
 */
#ifndef DISTILBERT_PG_OWNERSQL_H
#define DISTILBERT_PG_OWNERSQL_H

#include "executor/spi.h"

#include "pg/pipe/pipeline.h"

typedef struct DistilOwnerState
{
	Oid			user;
	int			context;
	int			nestlevel;
} DistilOwnerState;

/*
 * Become the owner of a table as the checks of foreign keys do: what runs in
 * between has his rights, even on rows that row level security hides from him,
 * and search_path is pg_catalog, pg_temp.  restricted: neither SET ROLE nor
 * anything that outlives it, for a worker that is a superuser.  What raises in
 * between is set back by the end of the (sub)transaction.
 */
extern DistilOwnerState distil_become_owner(Oid owner, bool restricted);
extern void distil_resign_owner(DistilOwnerState state);

/* InvalidOid: there is no such relation. */
extern Oid	distil_relation_owner(Oid relation);

/* "schema"."table" and "column", quoted where it is needed; palloc'd. */
extern char *distil_sql_table(Oid relation);
extern const char *distil_sql_column(Oid relation, AttrNumber column);

/*
 * An expression's comparison for equality, as the type's default operator class
 * does it, with the operator's schema: "a OPERATOR(pg_catalog.=) b"
 */
extern void distil_sql_equal(StringInfo sql, const char *a, const char *b, Oid type);

/* "a.key = b.key AND ...": the keys of target table a, and of source b. */
extern void distil_sql_keys_equal(StringInfo sql, const char *a, Oid target, const char *b,
								  Oid source, const DistilPipelineColumns *columns);

/*
 * "a.key, a.key": the key's columns of a relation, n of them; keys NULL: they
 * are its first columns.
 */
extern char *distil_sql_keys(const char *a, Oid relation, const AttrNumber *keys, int n);

/* "a.key = $1 AND ...": the same columns, and parameters. */
extern void distil_sql_keys_given(StringInfo sql, const char *a, Oid relation,
								  const AttrNumber *keys, int n);

/* Delete from a target table what it has of keys that are gone. */
extern void distil_target_remove_orphans(Oid target, Oid source,
										 const DistilPipelineColumns *columns);

/* Run one statement without a result, through SPI; it is connected here. */
extern void distil_sql_run(const char *sql);

/*
 * Run a plan.  SPI would leave its own memory context behind: the current one
 * stays.
 */
extern void distil_sql_plan(SPIPlanPtr plan, Datum *values, const char *nulls, bool read_only,
							int wanted);

/* The first n columns of a row that SPI has fetched, as text[n]. */
extern ArrayType *distil_sql_fetched(uint64 row, int n);

/* The first column of a query's rows: a List of palloc'd strings. */
extern List *distil_sql_strings(const char *sql);

#endif
