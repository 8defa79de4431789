/*
 * pipecompare.c -- see pipeswitch.h.
 *
 * The catalogs are asked in SQL.  Indexes are the same if their definitions
 * behind the table's name are, after the next column's name took the place of
 * the live one's.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/ownersql.h"
#include "pg/pipe/pipeswitch.h"

static bool
is_table(const DistilPipeline *p)
{
	return OidIsValid(p->generations[0].target);
}

/* The relation that has a generation's indexes and privileges. */
static Oid
relation_of(const DistilPipeline *p, int i)
{
	return is_table(p) ? p->generations[i].target : p->source;
}

static List *
ask_as_owner(const DistilPipeline *p, const char *sql)
{
	DistilOwnerState state = distil_become_owner(p->owner, false);
	List	   *strings = distil_sql_strings(sql);

	distil_resign_owner(state);
	return strings;
}

/* ---- indexes ---- */

/*
 * "WITH live AS (...), next AS (...)": index, is it unique, its definition from
 * USING on; of the live ones, as it would be for the next target.
 */
static void
append_indexes(StringInfo sql, const DistilPipeline *p)
{
	const char *body = "substring(pg_get_indexdef(i.indexrelid) FROM ' USING .*')";
	const char *as_next = body;
	const char *of_column = "";

	if (!is_table(p))
	{
		const char *old = get_attname(p->source, p->generations[0].column, false);
		const char *name = distil_sql_column(p->source, p->generations[0].column);
		const char *next = distil_sql_column(p->source, p->generations[1].column);

		as_next = strcmp(old, name) == 0
			? psprintf("regexp_replace(%s, %s, %s, 'g')", body,
					   quote_literal_cstr(psprintf("\\m%s\\M", name)), quote_literal_cstr(next))
			: psprintf("replace(%s, %s, %s)", body, quote_literal_cstr(name),
					   quote_literal_cstr(next));
		of_column = psprintf(" AND EXISTS (SELECT FROM pg_depend d "
							 "WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid "
							 "AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid "
							 "AND d.refobjsubid = %d)", p->generations[0].column);
	}
	appendStringInfo(sql, "WITH live AS (SELECT i.indexrelid, i.indisunique, %s AS body "
					 "FROM pg_index i WHERE i.indrelid = %u AND i.indislive%s), "
					 "next AS (SELECT i.indexrelid, i.indisunique, %s AS body "
					 "FROM pg_index i WHERE i.indrelid = %u AND i.indisvalid) ",
					 as_next, relation_of(p, 0), of_column, body, relation_of(p, 1));
}

List *
distil_missing_indexes(const DistilPipeline *p)
{
	Oid			table = relation_of(p, 1);
	bool		partitioned = get_rel_relkind(table) == RELKIND_PARTITIONED_TABLE;
	StringInfoData sql;

	initStringInfo(&sql);
	append_indexes(&sql, p);
	appendStringInfo(&sql, "SELECT format('CREATE %%sINDEX %sON %%s%%s', "
					 "CASE WHEN l.indisunique THEN 'UNIQUE ' ELSE '' END, %s, l.body) FROM live l "
					 "WHERE NOT EXISTS (SELECT FROM next n WHERE n.body = l.body "
					 "AND n.indisunique = l.indisunique) ORDER BY l.indexrelid",
					 partitioned ? "" : "CONCURRENTLY ",
					 quote_literal_cstr(distil_sql_table(table)));
	return ask_as_owner(p, sql.data);
}

/* Each of the next ones once, though live ones may be equal. */
List *
distil_index_renames(const DistilPipeline *p)
{
	StringInfoData sql;

	initStringInfo(&sql);
	append_indexes(&sql, p);
	appendStringInfoString(&sql, "SELECT format('ALTER INDEX %s RENAME TO %I', "
						   "n.indexrelid::regclass, c.relname) FROM "
						   "(SELECT *, row_number() OVER (PARTITION BY body, indisunique "
						   "ORDER BY indexrelid) AS k FROM live) l JOIN "
						   "(SELECT *, row_number() OVER (PARTITION BY body, indisunique "
						   "ORDER BY indexrelid) AS k FROM next) n "
						   "USING (body, indisunique, k) "
						   "JOIN pg_class c ON c.oid = l.indexrelid ORDER BY l.indexrelid");
	return ask_as_owner(p, sql.data);
}

/* ---- privileges ---- */

/* What others than the owner have, of a relation's or a column's list. */
#define GRANTS(what, on) \
	"SELECT format('GRANT %%s" what " ON %%s TO %%s%%s', a.privilege_type, " on \
	"CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, " \
	"CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) "

List *
distil_target_grants(const DistilPipeline *p)
{
	Oid			live = relation_of(p, 0);
	const char *next = quote_literal_cstr(distil_sql_table(relation_of(p, 1)));
	char	   *column = psprintf("%d", p->generations[0].column);
	StringInfoData sql;

	initStringInfo(&sql);
	if (is_table(p))
		appendStringInfo(&sql, GRANTS("", "%s, ")
						 "FROM pg_class c, aclexplode(c.relacl) a "
						 "WHERE c.oid = %u AND a.grantee <> c.relowner UNION ALL ", next, live);
	appendStringInfo(&sql, GRANTS(" (%%I)", "%s, %s, ")
					 "FROM pg_attribute t, aclexplode(t.attacl) a "
					 "WHERE t.attrelid = %u AND a.grantee <> %u AND NOT t.attisdropped%s",
					 is_table(p) ? "t.attname"
					 : quote_literal_cstr(get_attname(p->source, p->generations[1].column, false)),
					 next, live, p->owner,
					 is_table(p) ? "" : psprintf(" AND t.attnum = %s", column));
	return ask_as_owner(p, sql.data);
}

/* ---- what stands on a target ---- */

/*
 * Objects that the server would not drop with it, but for our triggers and what
 * belongs to the table itself.
 */
List *
distil_target_dependents(const DistilPipeline *p)
{
	Oid			live = relation_of(p, 0);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0) "
					 "FROM pg_depend d "
					 "LEFT JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass "
					 "AND t.oid = d.objid "
					 "LEFT JOIN pg_policy q ON d.classid = 'pg_policy'::regclass "
					 "AND q.oid = d.objid "
					 "WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = %u "
					 "AND d.deptype = 'n' AND (q.polrelid IS NULL OR q.polrelid <> %u) ",
					 live, live);
	if (!is_table(p))
		appendStringInfo(&sql, "AND d.refobjsubid = %d ", p->generations[0].column);
	appendStringInfo(&sql, "AND NOT coalesce(t.tgnargs = 1 AND t.tgargs = "
					 "convert_to(%s, getdatabaseencoding()) || '\\x00'::bytea "
					 "AND t.tgfoid::regproc::text LIKE 'distilbert.pipeline_%%', false) ORDER BY 1",
					 quote_literal_cstr(p->name));
	return ask_as_owner(p, sql.data);
}

List *
distil_target_lacks(const DistilPipeline *p)
{
	Oid			live = p->generations[0].target;
	Oid			next = p->generations[1].target;

	if (!is_table(p))
		return NIL;
	return ask_as_owner(p, psprintf(
		"SELECT format('trigger %%I', t.tgname) FROM pg_trigger t "
		"WHERE t.tgrelid = %1$u AND NOT t.tgisinternal AND NOT EXISTS (SELECT FROM pg_trigger n "
		"WHERE n.tgrelid = %2$u AND n.tgname = t.tgname) "
		"UNION ALL SELECT format('policy %%I', q.polname) FROM pg_policy q "
		"WHERE q.polrelid = %1$u AND NOT EXISTS (SELECT FROM pg_policy n "
		"WHERE n.polrelid = %2$u AND n.polname = q.polname) "
		"UNION ALL SELECT format('publication %%I', b.pubname) "
		"FROM pg_publication_rel r JOIN pg_publication b ON b.oid = r.prpubid "
		"WHERE r.prrelid = %1$u AND NOT EXISTS (SELECT FROM pg_publication_rel n "
		"WHERE n.prrelid = %2$u AND n.prpubid = r.prpubid)", live, next));
}
