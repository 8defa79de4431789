/*
 * nodecheck.c -- distil_check_nodes: what gives other answers on other servers.
 *
 * The same query is run here and there, and the rows are compared: models with
 * their content, the settings that the forms without a model's name read, and
 * how results are rounded.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "pg/node/nodelink.h"

PG_FUNCTION_INFO_V1(distil_check_nodes);

enum
{
	DIFFERENCE_SERVER,
	DIFFERENCE_KIND,
	DIFFERENCE_NAME,
	DIFFERENCE_HERE,
	DIFFERENCE_THERE,
	DIFFERENCE_COLUMNS
};

/* The first part loads the library, whose settings the last one reads. */
static const char *const facts =
	"SELECT 'results'::text AS kind, 'rounding'::text AS name,"
	" %1$s.distil_results_version() AS value"
	" UNION ALL SELECT 'model', m.name COLLATE pg_catalog.\"default\","
	" m.precision || ' ' || m.sha256 FROM %1$s.distil_models m"
	" UNION ALL SELECT 'setting', s.name, s.setting FROM pg_catalog.pg_settings s"
	" WHERE s.name ~ '^distilbert[.][a-z_]+_model$'"
	" OR s.name IN ('distilbert.long_text', 'distilbert.on_error')";

typedef struct Comparison
{
	const char *schema;			/* of the extension here */
	const char *version;
	ReturnSetInfo *rsinfo;
} Comparison;

/* NULL is shown as nothing. */
static void
put_difference(const Comparison *c, const char *const *row)
{
	Datum		values[DIFFERENCE_COLUMNS] = {0};
	bool		nulls[DIFFERENCE_COLUMNS];

	for (int i = 0; i < DIFFERENCE_COLUMNS; i++)
	{
		nulls[i] = row[i] == NULL;
		if (row[i] != NULL)
			values[i] = CStringGetTextDatum(row[i]);
	}
	tuplestore_putvalues(c->rsinfo->setResult, c->rsinfo->setDesc, values, nulls);
}

static void
compare_version(DistilNode *node, void *arg)
{
	const Comparison *c = arg;
	const char *row[DIFFERENCE_COLUMNS] = {node->server, "extension", "distilbert", c->version};

	distil_node_open(node);
	row[DIFFERENCE_THERE] = node->version;
	if (node->version == NULL || strcmp(node->version, c->version) != 0)
		put_difference(c, row);
}

static void
compare_facts(DistilNode *node, void *arg)
{
	const Comparison *c = arg;
	uint64		n;

	if (node->schema == NULL)
		return;
	distil_node_send(node, psprintf(facts, node->schema));
	n = distil_node_join(node,
						 psprintf("SELECT coalesce(h.kind, t.kind), coalesce(h.name, t.name),"
								  " h.value, t.value FROM (%s) AS h FULL JOIN",
								  psprintf(facts, c->schema)),
						 "AS t(kind text, name text, value text)"
						 " ON h.kind = t.kind AND h.name = t.name"
						 " WHERE h.value IS DISTINCT FROM t.value ORDER BY 1, 2");
	for (uint64 i = 0; i < n; i++)
	{
		const char *row[DIFFERENCE_COLUMNS] = {node->server};

		for (int k = DIFFERENCE_KIND; k < DIFFERENCE_COLUMNS; k++)
			row[k] = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, k);
		put_difference(c, row);
	}
}

static void
compare_all(DistilNodes *nodes)
{
	Comparison *c = nodes->arg;

	distil_extension_here(&c->schema, &c->version);
	for (int i = 0; i < nodes->n; i++)
	{
		DistilNode *node = &nodes->nodes[i];
		const char *row[DIFFERENCE_COLUMNS] = {node->server, "error"};

		distil_node_try(node, compare_version, c);
		distil_node_try(node, compare_facts, c);
		row[DIFFERENCE_THERE] = node->error;
		if (node->error != NULL)
			put_difference(c, row);
	}
}

Datum
distil_check_nodes(PG_FUNCTION_ARGS)
{
	Comparison	c = {0};

	InitMaterializedSRF(fcinfo, 0);
	c.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	distil_with_nodes(fcinfo->args[0], compare_all, &c);
	return (Datum) 0;
}
