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
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/bridge/compat.h"
#include "pg/bridge/nap.h"
#include "pg/node/nodelink.h"
#include "pg/pipe/pipetry.h"

#define SHORTEST_NAP_MS 1
#define LONGEST_NAP_MS 100

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

/* ---- errors ---- */

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

/* A cancel of the query here; the context of one there names the connection. */
static bool
is_cancel(const ErrorData *error, const DistilNode *node)
{
	return error->sqlerrcode == ERRCODE_QUERY_CANCELED &&
		(error->context == NULL || strstr(error->context, node->link) == NULL);
}

/* ---- a node ---- */

static void
connect_to(void *arg)
{
	DistilNode *node = arg;

	run(psprintf("SELECT %s.dblink_connect($1, $2)", node->dblink), node->link, node->server);
}

/* dblink does not say which server, nor what to do. */
pg_noreturn static void
raise_unconnected(const DistilNode *node, ErrorData *error)
{
	bool		refused = error->sqlerrcode == ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION;

	if (is_cancel(error, node))
		ReThrowError(error);
	ereport(ERROR,
			(errcode(error->sqlerrcode),
			 errmsg("could not connect to server \"%s\"", node->server),
			 errdetail_internal("%s", refused && error->detail != NULL ? error->detail
								: describe(error)),
			 errhint("See that it runs, and compare the options of the foreign server and of "
					 "your user mapping, among them \"user\" and \"password\".")));
}

void
distil_node_open(DistilNode *node)
{
	ErrorData  *error;

	node->open = true;			/* a cancel may come when it is made and not told */
	error = distil_catch(connect_to, node, false);
	if (error != NULL)
		raise_unconnected(node, error);
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
	run(psprintf("SELECT %s.dblink_send_query($1, $2)", node->dblink), node->link, sql);
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

/* What the question takes is freed with the context. */
static bool
is_busy(DistilNode *node, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	bool		busy;

	run(psprintf("SELECT %s.dblink_is_busy($1)", node->dblink), node->link, NULL);
	busy = strcmp(fetched(), "0") != 0;
	SPI_freetuptable(SPI_tuptable);
	MemoryContextSwitchTo(old);
	MemoryContextReset(context);
	return busy;
}

static void
wait_for_answer(DistilNode *node)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "distilbert answer",
												  ALLOCSET_SMALL_SIZES);
	DistilWait	wait = {0};

	while (is_busy(node, context))
		distil_nap(&wait, SHORTEST_NAP_MS, LONGEST_NAP_MS);
	MemoryContextDelete(context);
}

/*
 * A statement's last result is followed by an empty one, which is waited for,
 * too: dblink's own wait serves interrupts in late minor releases only.  The
 * rows of the one before stay.
 */
static void
end_answer(DistilNode *node)
{
	SPITupleTable *rows = SPI_tuptable;
	uint64		n = SPI_processed;

	wait_for_answer(node);
	run(psprintf("SELECT t.x FROM %s.dblink_get_result($1) AS t(x text)", node->dblink),
		node->link, NULL);
	SPI_freetuptable(SPI_tuptable);
	SPI_tuptable = rows;
	SPI_processed = n;
}

uint64
distil_node_join(DistilNode *node, const char *before, const char *behind)
{
	wait_for_answer(node);
	run(psprintf("%s %s.dblink_get_result($1) %s", before, node->dblink, behind), node->link,
		NULL);
	end_answer(node);
	return SPI_processed;
}

uint64
distil_node_rows(DistilNode *node, const char *columns)
{
	return distil_node_join(node, "SELECT * FROM", psprintf("AS t(%s)", columns));
}

/*
 * A connection with results that were not read takes no statement; dblink has a
 * NOTICE about it.
 */
static bool
takes_statement(DistilNode *node)
{
	int			nestlevel = NewGUCNestLevel();
	bool		sent;

	(void) set_config_option("client_min_messages", "warning", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	sent = was_sent(node, "SELECT ''::text");
	AtEOXact_GUC(true, nestlevel);
	return sent;
}

bool
distil_node_idle(DistilNode *node)
{
	SPITupleTable *rows = SPI_tuptable;
	uint64		n = SPI_processed;
	bool		idle = takes_statement(node);

	SPI_freetuptable(SPI_tuptable);
	SPI_tuptable = rows;
	SPI_processed = n;
	if (idle)
	{
		end_answer(node);
		end_answer(node);
	}
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

	run(psprintf("SELECT %s.dblink_disconnect($1)", node->dblink), node->link, NULL);
}

/* What a node still works at would go on there without the connection. */
static void
cancel(void *arg)
{
	DistilNode *node = arg;

	run(psprintf("SELECT %s.dblink_cancel_query($1)", node->dblink), node->link, NULL);
}

/* A cancel that comes meanwhile is returned, and leaves nothing open. */
static ErrorData *
close_node(DistilNode *node)
{
	ErrorData  *error = distil_catch(disconnect, node, false);

	if (error == NULL || !is_cancel(error, node))
		return NULL;
	(void) distil_catch(disconnect, node, false);
	return error;
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
	if (is_cancel(error, node))
		ReThrowError(error);
	node->error = describe(error);
}

/* ---- nodes ---- */

/* Wrappers whose servers have libpq's options. */
static bool
is_wrapper_of_postgres(const ForeignDataWrapper *wrapper)
{
	static const char *const validators[] = {
		"postgres_fdw_validator", "dblink_fdw_validator", "postgresql_fdw_validator"
	};
	const char *validator = get_func_name(wrapper->fdwvalidator);

	for (int i = 0; validator != NULL && i < lengthof(validators); i++)
	{
		if (strcmp(validator, validators[i]) == 0)
			return true;
	}
	return false;
}

static void
check_server(const char *name)
{
	ForeignServer *server = GetForeignServerByName(name, true);
	ForeignDataWrapper *wrapper;

	if (server == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" does not exist", name),
				 errdetail("A node is named by a foreign server."),
				 errhint("Run CREATE SERVER ... FOREIGN DATA WRAPPER postgres_fdw OPTIONS "
						 "(host ..., dbname ...) and CREATE USER MAPPING for it.  "
						 "pg_foreign_server lists the servers that there are.")));
	wrapper = GetForeignDataWrapper(server->fdwid);
	if (!is_wrapper_of_postgres(wrapper))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" is not a PostgreSQL server", name),
				 errdetail("Its foreign data wrapper is \"%s\".", wrapper->fdwname),
				 errhint("Name a server of the foreign data wrapper \"postgres_fdw\".")));
}

/* Different for each call, and no longer than dblink takes names. */
static const char *
link_name(const char *server)
{
	static uint64 number = 0;
	char	   *link = psprintf("distilbert " UINT64_FORMAT ", server %s", ++number, server);

	link[pg_mbcliplen(link, strlen(link), NAMEDATALEN - 1)] = '\0';
	return link;
}

static DistilNodes
named_nodes(NullableDatum servers, void *arg)
{
	DistilNodes nodes = {.arg = arg};
	Datum	   *names;
	bool	   *nulls;

	if (servers.isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("names of the servers must not be null")));
	deconstruct_array(DatumGetArrayTypeP(servers.value), TEXTOID, -1, false, TYPALIGN_INT, &names,
					  &nulls, &nodes.n);
	nodes.nodes = palloc_array(DistilNode, Max(nodes.n, 1));
	for (int i = 0; i < nodes.n; i++)
	{
		char	   *server;

		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("name of the server must not be null")));
		server = TextDatumGetCString(names[i]);
		check_server(server);
		nodes.nodes[i] = (DistilNode) {.server = server,.link = link_name(server)};
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

/* Close all; after an error what they work at is cancelled. */
static ErrorData *
close_nodes(DistilNodes *nodes, ErrorData *error)
{
	for (int i = 0; i < nodes->n; i++)
	{
		ErrorData  *late;

		if (!nodes->nodes[i].open)
			continue;
		if (error != NULL)
			(void) distil_catch(cancel, &nodes->nodes[i], false);
		late = close_node(&nodes->nodes[i]);
		if (error == NULL)
			error = late;
	}
	return error;
}

void
distil_with_nodes(NullableDatum servers, void (*work) (DistilNodes *nodes), void *arg)
{
	DistilNodes nodes = named_nodes(servers, arg);
	Work		w = {work, &nodes};
	const char *schema;
	ErrorData  *error;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	schema = dblink_schema();
	for (int i = 0; i < nodes.n; i++)
		nodes.nodes[i].dblink = schema;
	error = close_nodes(&nodes, distil_catch(call_work, &w, false));
	if (error != NULL)
		ReThrowError(error);
	SPI_finish();
}
