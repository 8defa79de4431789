/*
 * batchscan_explain.c -- what EXPLAIN says of a batch node.
 *
 * 		Calls: distil_sentiment(body), distil_embed(body, 'e5'::text)
 * 		Models: sentiment-en-v1, e5
 * 		Batches: 40  Rows: 5000  Distinct Texts: 4980  Tokens: 160000
 * 			Truncated: 3  Cache Hits: 12
 * 		Tokenizer: 12.345 ms  Encoder: 6789.012 ms
 *
 * The counts (one line) and the times come with ANALYZE, of all processes
 * together; the times unless TIMING is off.  Tokens are those of texts that
 * were computed.
 */
#include "postgres.h"

#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif
#include "utils/builtins.h"
#include "utils/ruleutils.h"

#include "pg/bridge/compat.h"
#include "pg/run/defaultmodel.h"
#include "pg/scan/batchscan_explain.h"
#include "pg/scan/batchstate.h"

static void
explain_calls(CustomScan *scan, List *ancestors, ExplainState *es)
{
	List	   *context = set_deparse_context_plan(es->deparse_cxt, &scan->scan.plan, ancestors);
	bool		prefix = list_length(es->rtable) > 1 || es->verbose;
	List	   *calls = NIL;
	ListCell   *lc;

	foreach(lc, distil_scan_calls(scan))
		calls = lappend(calls, deparse_expression(lfirst(lc), context, prefix, false));
	ExplainPropertyList("Calls", calls, es);
}

/* Names that are known before the statement runs; a parameter's is not. */
static const char *
known_model(const FuncExpr *call)
{
	const DistilTask *task = distil_task_of(call->funcid);
	int			model_arg = distil_task_model_arg(task, list_length(call->args));
	Const	   *name;
	const char *setting;

	if (model_arg < 0)
	{
		setting = distil_default_name(task->setting);
		return setting != NULL && setting[0] != '\0' ? setting : NULL;
	}
	name = list_nth(call->args, model_arg);
	return IsA(name, Const) && !name->constisnull ? TextDatumGetCString(name->constvalue) : NULL;
}

static List *
with_name(List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return names;
	}
	return lappend(names, pstrdup(name));
}

static void
explain_models(CustomScan *scan, ExplainState *es)
{
	List	   *models = NIL;
	ListCell   *lc;

	foreach(lc, distil_scan_calls(scan))
	{
		const char *name = known_model(lfirst_node(FuncExpr, lc));

		if (name != NULL)
			models = with_name(models, name);
	}
	if (models != NIL)
		ExplainPropertyList("Models", models, es);
}

static void
explain_counts_as_text(const DistilCounts *counts, ExplainState *es)
{
	const DistilUsage *u = &counts->usage;

	appendStringInfoSpaces(es->str, es->indent * 2);
	appendStringInfo(es->str, "Batches: " INT64_FORMAT "  Rows: " INT64_FORMAT
					 "  Distinct Texts: " INT64_FORMAT "  Tokens: " INT64_FORMAT
					 "  Truncated: " INT64_FORMAT,
					 u->batches, counts->rows, u->texts + u->cache_hits, u->tokens, u->truncated);
	if (u->cache_hits > 0)
		appendStringInfo(es->str, "  Cache Hits: " INT64_FORMAT, u->cache_hits);
	appendStringInfoChar(es->str, '\n');
	if (!es->timing)
		return;
	appendStringInfoSpaces(es->str, es->indent * 2);
	appendStringInfo(es->str, "Tokenizer: %.3f ms  Encoder: %.3f ms\n", u->tokenizer_ms,
					 u->encoder_ms);
}

static void
explain_counts(const DistilCounts *counts, ExplainState *es)
{
	const DistilUsage *u = &counts->usage;

	if (es->format == EXPLAIN_FORMAT_TEXT)
	{
		explain_counts_as_text(counts, es);
		return;
	}
	ExplainPropertyInteger("Batches", NULL, u->batches, es);
	ExplainPropertyInteger("Batched Rows", NULL, counts->rows, es);
	ExplainPropertyInteger("Distinct Texts", NULL, u->texts + u->cache_hits, es);
	ExplainPropertyInteger("Tokens", NULL, u->tokens, es);
	ExplainPropertyInteger("Truncated", NULL, u->truncated, es);
	ExplainPropertyInteger("Cache Hits", NULL, u->cache_hits, es);
	if (!es->timing)
		return;
	ExplainPropertyFloat("Tokenizer Time", "ms", u->tokenizer_ms, 3, es);
	ExplainPropertyFloat("Encoder Time", "ms", u->encoder_ms, 3, es);
}

void
distil_scan_explain(CustomScanState *css, List *ancestors, ExplainState *es)
{
	CustomScan *scan = (CustomScan *) css->ss.ps.plan;

	explain_calls(scan, ancestors, es);
	explain_models(scan, es);
	if (es->analyze)
		explain_counts(&((DistilScanState *) css)->counts, es);
}
