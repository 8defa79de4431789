/*
 * nodelink.c -- see nodelink.h.
 *
 * dblink's functions are called through SPI, as the current user: whom a server
 * lets in, by which password, is its business.  Statements are sent and then
 * waited for in short naps: several nodes work at a time, and a cancel is
 * served here, where dblink's own wait would not.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/node/nodelink.h"
#include "pg/pipe/pipetry.h"

#define SHORTEST_NAP_MS 1
#define LONGEST_NAP_MS 250

static const char *const extension_query =
	"SELECT pg_catalog.quote_ident(n.nspname), e.extversion::text"
	" FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n"
	" ON n.oid OPERATOR(pg_catalog.=) e.extnamespace"
	" WHERE e.extname OPERATOR(pg_catalog.=) '%s'";

/* ---- dblink ---- */

static void
look_for_extension(const char *name, const char **schema, const char **version)
{
	*schema = *version = NULL;
	if (SPI_execute(psprintf(extension_query, name), false, 1) == SPI_OK_SELECT &&
		SPI_processed > 0)
	{
		*schema = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
		*version = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	}
}

void
distil_extension_here(const char **schema, const char **version)
{
	look_for_extension("distilbert", schema, version);
}

static const char *
dblink_schema(void)
{
	const char *schema;
	const char *version;

	look_for_extension("dblink", &schema, &version);
	if (schema == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension \"dblink\" is not installed in this database"),
				 errdetail("Other servers are asked over its connections."),
				 errhint("Run CREATE EXTENSION dblink.")));
	return schema;
}

/* Run sql, with one or two parameters. */
static uint64
run(const char *sql, const char *a, const char *b)
{
	Oid			types[2] = {TEXTOID, TEXTOID};
	Datum		values[2];
	int			done;

	values[0] = CStringGetTextDatum(a);
	values[1] = b == NULL ? 0 : CStringGetTextDatum(b);
	done = SPI_execute_with_args(sql, b == NULL ? 1 : 2, types, values, NULL, false, 0);
	if (done != SPI_OK_SELECT)
		elog(ERROR, "could not run \"%s\": %s", sql, SPI_result_code_string(done));
	return SPI_processed;
}

/* The first column of the first row that was fetched, or NULL. */
static char *
fetched(void)
{
	return SPI_processed == 0 ? NULL :
		SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

/* ---- a node ---- */

void
distil_node_open(DistilNode *node)
{
	run(psprintf("SELECT %s.dblink_connect($1, $2)", dblink_schema()), node->link, node->server);
	node->open = true;
	distil_node_send(node, psprintf(extension_query, "distilbert"));
	if (distil_node_rows(node, "schema text, version text") > 0)
	{
		node->schema = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
		node->version = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	}
}

void
distil_node_need_extension(const DistilNode *node)
{
	if (node->schema == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("server \"%s\" has no extension \"distilbert\" in its database",
						node->server),
				 errhint("Run CREATE EXTENSION distilbert there.")));
}

static bool
was_sent(DistilNode *node, const char *sql)
{
	run(psprintf("SELECT %s.dblink_send_query($1, $2)", dblink_schema()), node->link, sql);
	return strcmp(fetched(), "1") == 0;
}

void
distil_node_send(DistilNode *node, const char *sql)
{
	if (!was_sent(node, sql))
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not send a statement to server \"%s\"", node->server)));
}

static void
wait_for_answer(DistilNode *node)
{
	char	   *sql = psprintf("SELECT %s.dblink_is_busy($1)", dblink_schema());
	long		nap = SHORTEST_NAP_MS;

	for (;;)
	{
		run(sql, node->link, NULL);
		if (strcmp(fetched(), "0") == 0)
			return;
		SPI_freetuptable(SPI_tuptable);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, nap,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		nap = Min(2 * nap, LONGEST_NAP_MS);
	}
}

/* A statement's last result is followed by an empty one. */
static void
end_answer(DistilNode *node)
{
	SPITupleTable *rows = SPI_tuptable;
	uint64		n = SPI_processed;

	run(psprintf("SELECT t.x FROM %s.dblink_get_result($1) AS t(x text)", dblink_schema()),
		node->link, NULL);
	SPI_freetuptable(SPI_tuptable);
	SPI_tuptable = rows;
	SPI_processed = n;
}

uint64
distil_node_join(DistilNode *node, const char *before, const char *behind)
{
	wait_for_answer(node);
	run(psprintf("%s %s.dblink_get_result($1) %s", before, dblink_schema(), behind), node->link,
		NULL);
	end_answer(node);
	return SPI_processed;
}

uint64
distil_node_rows(DistilNode *node, const char *columns)
{
	return distil_node_join(node, "SELECT * FROM", psprintf("AS t(%s)", columns));
}

/* A connection with results that were not read takes no statement. */
bool
distil_node_idle(DistilNode *node)
{
	SPITupleTable *rows = SPI_tuptable;
	bool		idle = was_sent(node, "SELECT ''::text");

	if (idle)
	{
		wait_for_answer(node);
		end_answer(node);
		end_answer(node);
	}
	SPI_tuptable = rows;
	return idle;
}

char *
distil_node_ask(DistilNode *node, const char *sql)
{
	distil_node_send(node, sql);
	(void) distil_node_rows(node, "value text");
	return fetched();
}

static void
disconnect(void *arg)
{
	DistilNode *node = arg;

	run(psprintf("SELECT %s.dblink_disconnect($1)", dblink_schema()), node->link, NULL);
}

/* What a node still works at would go on there without the connection. */
static void
cancel(void *arg)
{
	DistilNode *node = arg;

	run(psprintf("SELECT %s.dblink_cancel_query($1)", dblink_schema()), node->link, NULL);
}

/* ---- steps that may fail ---- */

typedef struct Step
{
	DistilNode *node;
	DistilNodeStep step;
	void	   *arg;
} Step;

static void
call_step(void *arg)
{
	Step	   *s = arg;

	s->step(s->node, s->arg);
}

/* "message: detail" in one line: libpq has line ends and tabs. */
static char *
describe(const ErrorData *error)
{
	const char *from = error->detail == NULL ? error->message :
		psprintf("%s: %s", error->message, error->detail);
	char	   *text = palloc(strlen(from) + 1);
	char	   *to = text;

	for (; *from != '\0'; from++)
	{
		bool		blank = strchr(" \n\t", *from) != NULL;

		if (!blank || (to > text && to[-1] != ' '))
			*to++ = blank ? ' ' : *from;
	}
	*to = '\0';
	return text;
}

void
distil_node_try(DistilNode *node, DistilNodeStep step, void *arg)
{
	Step		s = {node, step, arg};
	ErrorData  *error;

	if (node->error != NULL)
		return;
	error = distil_catch(call_step, &s, false);
	if (error == NULL)
		return;
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		ReThrowError(error);
	node->error = describe(error);
}

/* ---- nodes ---- */

static DistilNode
named_node(const char *server)
{
	static uint64 number = 0;
	DistilNode	node = {.server = server};

	if (GetForeignServerByName(server, true) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" does not exist", server),
				 errdetail("A node is named by a foreign server."),
				 errhint("Run CREATE SERVER %s FOREIGN DATA WRAPPER postgres_fdw OPTIONS "
						 "(host ..., dbname ...) and CREATE USER MAPPING for it.",
						 quote_identifier(server))));
	node.link = psprintf("distilbert " UINT64_FORMAT ", server %s", ++number, server);
	return node;
}

static DistilNodes
named_nodes(ArrayType *servers, void *arg)
{
	DistilNodes nodes = {.arg = arg};
	Datum	   *names;
	bool	   *nulls;

	deconstruct_array(servers, TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls, &nodes.n);
	nodes.nodes = palloc(sizeof(DistilNode) * Max(nodes.n, 1));
	for (int i = 0; i < nodes.n; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("name of the server must not be null")));
		nodes.nodes[i] = named_node(TextDatumGetCString(names[i]));
	}
	return nodes;
}

typedef struct Work
{
	void		(*work) (DistilNodes *nodes);
	DistilNodes *nodes;
} Work;

static void
call_work(void *arg)
{
	Work	   *w = arg;

	w->work(w->nodes);
}

void
distil_with_nodes(ArrayType *servers, void (*work) (DistilNodes *nodes), void *arg)
{
	DistilNodes nodes = named_nodes(servers, arg);
	Work		w = {work, &nodes};
	ErrorData  *error;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	(void) dblink_schema();
	error = distil_catch(call_work, &w, false);
	for (int i = 0; i < nodes.n; i++)
	{
		if (!nodes.nodes[i].open)
			continue;
		if (error != NULL)
			(void) distil_catch(cancel, &nodes.nodes[i], false);
		(void) distil_catch(disconnect, &nodes.nodes[i], false);
	}
	if (error != NULL)
		ReThrowError(error);
	SPI_finish();
}
