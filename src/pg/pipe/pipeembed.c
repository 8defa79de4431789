/*
 * pipeembed.c -- the vector of a query, by the model whose vectors are there.
 *
 *	   distil_pipeline_embed(name, text)		real[]
 *
 * Where a search names a model, it is wrong from the moment that the column's
 * vectors are another's.  This names the pipeline: the model is that of its
 * live generation, with the same options, and changes with the data in one
 * transaction.
 *
 * The function is STABLE, and a statement without an index calls it for each
 * row: the call site keeps the last answer.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/generation.h"
#include "pg/pipe/watched.h"

PG_FUNCTION_INFO_V1(distil_pipeline_embed);

/* Kept by the call site, in fn_mcxt. */
typedef struct EmbedCall
{
	FmgrInfo	model;			/* pins it */
	uint64		changes;		/* when it was answered; 0: never */
	text	   *name;
	text	   *query;
	Datum		answer;
} EmbedCall;

static EmbedCall *
call_site(FmgrInfo *flinfo)
{
	if (flinfo->fn_extra == NULL)
	{
		EmbedCall  *call = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(EmbedCall));

		call->model.fn_mcxt = flinfo->fn_mcxt;
		flinfo->fn_extra = call;
	}
	return flinfo->fn_extra;
}

static bool
same_text(const text *a, const text *b)
{
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

static bool
remembers(const EmbedCall *call, const text *name, const text *query)
{
	return call->changes != 0 && same_text(call->name, name) && same_text(call->query, query) &&
		call->changes == distil_watched_changes();
}

/* The old answer goes when all of the new one is there. */
static void
remember(EmbedCall *call, uint64 changes, const text *name, const text *query, Datum answer)
{
	EmbedCall	old = *call;
	MemoryContext context = MemoryContextSwitchTo(call->model.fn_mcxt);
	text	   *kept_name = (text *) PG_DETOAST_DATUM_COPY(PointerGetDatum(name));
	text	   *kept_query = (text *) PG_DETOAST_DATUM_COPY(PointerGetDatum(query));

	call->answer = PointerGetDatum(PG_DETOAST_DATUM_COPY(answer));
	MemoryContextSwitchTo(context);
	call->name = kept_name;
	call->query = kept_query;
	call->changes = changes;
	if (old.changes == 0)
		return;
	pfree(old.name);
	pfree(old.query);
	pfree(DatumGetPointer(old.answer));
}

/* The pipeline, which must have vectors. */
static DistilPipeline *
embedding_pipeline(const char *name)
{
	DistilPipeline *p = distil_pipeline_get(name);

	distil_pipeline_check_whole(p);
	if (p->task->task != &distil_task_embed_passage)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("pipeline \"%s\" makes no embeddings", name),
				 errdetail("Its task is \"%s\".", p->task->name),
				 errhint("Name a pipeline whose task is \"embed\" or \"chunks\".")));
	return p;
}

/* A query is embedded as such, by the live generation's model and options. */
static Datum
embed(EmbedCall *call, const char *name, const text *query)
{
	const DistilTask *task = &distil_task_embed_query;
	DistilPipeline *p = embedding_pipeline(name);
	const DistilGeneration *g = &p->generations[0];
	DistilRun	run = {.options = g->options};
	DistilText	t = distil_text_get(PointerGetDatum(query), DISTIL_ERROR_RAISE);
	Datum		answer;

	run.model = distil_generation_model(&call->model, p, g);
	run.batch = distil_run_text(run.model, task->want, &t, false,
								distil_pipe_rules(p->task, g->options));
	(void) task->answer(&run, 0, &t, &answer);
	distil_text_free(&t);
	return answer;
}

Datum
distil_pipeline_embed(PG_FUNCTION_ARGS)
{
	EmbedCall  *call = call_site(fcinfo->flinfo);
	text	   *name = PG_GETARG_TEXT_PP(0);
	text	   *query = PG_GETARG_TEXT_PP(1);

	if (!remembers(call, name, query))
	{
		uint64		changes = distil_watched_changes();
		Datum		answer = embed(call, text_to_cstring(name), query);

		remember(call, changes, name, query, answer);
		PG_RETURN_DATUM(answer);
	}
	PG_RETURN_DATUM(PointerGetDatum(PG_DETOAST_DATUM_COPY(call->answer)));
}
