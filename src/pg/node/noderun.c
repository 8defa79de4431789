/*
 * noderun.c -- one statement on several nodes:
 *
 *	   distil_run_on_nodes(command, server, ...)
 *	   distil_node_pipelines(server, ...)
 *
 * All nodes get the statement before the first is waited for.  A node that
 * fails, or is down, has a row with its error; the others have theirs.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "pg/bridge/arguments.h"
#include "pg/node/nodelink.h"

PG_FUNCTION_INFO_V1(distil_run_on_nodes);
PG_FUNCTION_INFO_V1(distil_node_pipelines);

#define MOST_COLUMNS 16

/* What is asked.  Result columns: server, the statement's, error. */
typedef struct Question
{
	const char *sql;			/* the statement */
	const char *pipelines;		/* or one about the extension, with "%s" for its schema */
	const char *columns;		/* of the statement: names and types */
	int			state;			/* the column that says "unreachable", or 0 */
	ReturnSetInfo *rsinfo;
} Question;

static void
ask(DistilNode *node, void *arg)
{
	const Question *q = arg;

	distil_node_open(node);
	if (q->pipelines != NULL)
		distil_node_need_extension(node);
	distil_node_send(node, q->pipelines == NULL ? q->sql : psprintf(q->pipelines, node->schema));
}

static void
collect(DistilNode *node, void *arg)
{
	const Question *q = arg;
	uint64		n = distil_node_rows(node, q->columns);
	TupleDesc	from = SPI_tuptable->tupdesc;
	int			error = q->rsinfo->setDesc->natts - 1;
	Datum		values[MOST_COLUMNS];
	bool		nulls[MOST_COLUMNS];

	Assert(q->rsinfo->setDesc->natts <= MOST_COLUMNS);
	if (!distil_node_idle(node))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("the command has more than one statement; whether the later ones "
						"were done is not known")));
	for (uint64 i = 0; i < n; i++)
	{
		values[0] = CStringGetTextDatum(node->server);
		nulls[0] = false;
		nulls[error] = true;
		for (int c = 0; c < from->natts; c++)
			values[c + 1] = SPI_getbinval(SPI_tuptable->vals[i], from, c + 1, &nulls[c + 1]);
		tuplestore_putvalues(q->rsinfo->setResult, q->rsinfo->setDesc, values, nulls);
	}
}

static bool
begins_with(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* dblink's own messages do not say what to write. */
static const char *
error_of(const DistilNode *node, const Question *q)
{
	if (q->sql != NULL && begins_with(node->error, "remote query result rowtype"))
		return "rows of the statement must have one column; join more of them, as in "
			"SELECT concat_ws(' ', a, b)";
	if (begins_with(node->error, "could not obtain message string"))
		return "the command gave no result that can be read";
	return node->error;
}

static void
put_error(const DistilNode *node, const Question *q)
{
	int			error = q->rsinfo->setDesc->natts - 1;
	Datum		values[MOST_COLUMNS] = {0};
	bool		nulls[MOST_COLUMNS];

	memset(nulls, true, sizeof(nulls));
	values[0] = CStringGetTextDatum(node->server);
	values[error] = CStringGetTextDatum(error_of(node, q));
	nulls[0] = nulls[error] = false;
	if (q->state > 0)
	{
		values[q->state] = CStringGetTextDatum("unreachable");
		nulls[q->state] = false;
	}
	tuplestore_putvalues(q->rsinfo->setResult, q->rsinfo->setDesc, values, nulls);
}

static void
ask_all(DistilNodes *nodes)
{
	for (int i = 0; i < nodes->n; i++)
		distil_node_try(&nodes->nodes[i], ask, nodes->arg);
	for (int i = 0; i < nodes->n; i++)
	{
		distil_node_try(&nodes->nodes[i], collect, nodes->arg);
		if (nodes->nodes[i].error != NULL)
			put_error(&nodes->nodes[i], nodes->arg);
	}
}

Datum
distil_run_on_nodes(PG_FUNCTION_ARGS)
{
	Question	q = {.sql = distil_text_argument(fcinfo, 0, "command"),.columns = "result text"};

	InitMaterializedSRF(fcinfo, 0);
	q.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	distil_with_nodes(fcinfo->args[1], ask_all, &q);
	return (Datum) 0;
}

Datum
distil_node_pipelines(PG_FUNCTION_ARGS)
{
	Question	q = {.state = 2};

	q.pipelines = "SELECT name, state, model, rows_done, rows_total, pending, rows_failed,"
		" rows_per_s FROM %s.distil_pipelines";
	q.columns = "name text, state text, model text, rows_done bigint, rows_total bigint,"
		" pending bigint, rows_failed bigint, rows_per_s real";
	InitMaterializedSRF(fcinfo, 0);
	q.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	distil_with_nodes(fcinfo->args[0], ask_all, &q);
	return (Datum) 0;
}
