/*
 * trimfunc.c -- distil_trim_vocabulary: a model with fewer tokens.
 *
 * The query's texts are read for one thing only, how often each token occurs;
 * which tokens stay is the core's affair (trim.h).  Nothing is learnt.  The new
 * model has the old one's task and precision, which its files need not say.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/errors.h"
#include "pg/store/dirsource.h"
#include "pg/store/load.h"
#include "pg/store/modelsource.h"
#include "pg/train/tokencounts.h"
#include "pg/train/trainargs.h"

typedef struct TrimJob
{
	DistilTrimArgs args;
	const char *subject;		/* for errors of the core */
	DistilProgress *progress;
	DbertAllocator allocator;
	DbertError	err;
	DistilModelSource source;
	DbertTrim  *trim;
	DbertTrimmed trimmed;
	DistilInfo	info;			/* of the new model */
} TrimJob;

/* ---- before the rows are read ---- */

static void
check_vocabulary(const TrimJob *job)
{
	int32		most = dbert_trim_config(job->trim)->vocab;

	if (job->args.vocabulary > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"vocabulary\" must be at most %d, not %d", most,
						job->args.vocabulary),
				 errdetail("Model \"%s\" has %d tokens.", job->args.model, most)));
}

static void
open_model(TrimJob *job, MemoryContext context)
{
	job->source = distil_model_source(job->args.model, context);
	if (dbert_trim_open(job->source.source, job->source.task, &job->allocator, distil_poll(),
						&job->trim, &job->err) != DBERT_OK)
		distil_raise(&job->err, psprintf("cannot trim the vocabulary of model \"%s\"",
										 job->args.model));
	check_vocabulary(job);
}

/* ---- the choice ---- */

static void
choose(TrimJob *job)
{
	int32		vocab = dbert_trim_config(job->trim)->vocab,
				most = job->args.vocabulary > 0 ? job->args.vocabulary : vocab;
	int64	   *counts;
	DbertStatus status;

	counts = distil_count_tokens(job->args.query, dbert_trim_tokenizer(job->trim), vocab,
								 job->progress);
	distil_progress_phase(job->progress, DISTIL_PHASE_PREPARING);
	status = dbert_trim_choose(job->trim, counts, most, distil_poll(), &job->trimmed, &job->err);
	if (status == DBERT_E_INVALID && job->trimmed.least > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"vocabulary\" must be at least %d, not %d", job->trimmed.least,
						most),
				 errdetail("So many tokens stay in any case: special ones, and the characters that "
						   "the words of these texts are made of.")));
	if (status != DBERT_OK)
		distil_raise(&job->err, job->subject);
	if (job->trimmed.seen == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"query\" gives no text with a token to keep")));
}

/* ---- the result ---- */

static void
store(TrimJob *job)
{
	distil_progress_phase(job->progress, DISTIL_PHASE_STORING);
	distil_store_model(job->args.name, dbert_trim_source(job->trim), job->source.loaded_for,
					   job->source.precision, job->args.replace, job->subject, &job->info);
}

static void
trim(TrimJob *job, MemoryContext context)
{
	job->allocator = distil_allocator(context);
	job->progress = distil_progress_begin("trim", job->args.name, context);
	job->subject = psprintf("could not make model \"%s\"", job->args.name);
	open_model(job, context);
	choose(job);
	store(job);
	distil_dirsource_settle(job->source.source);
	distil_model_source_end(&job->source);
}

static void
put_row(const TrimJob *job, ReturnSetInfo *rsinfo)
{
	const DbertConfig *before = dbert_trim_config(job->trim);
	const DbertTrimmed *t = &job->trimmed;
	Datum		values[5];
	bool		nulls[5] = {false};

	values[0] = Int32GetDatum(t->kept);
	values[1] = Int32GetDatum(before->vocab);
	values[2] = Float4GetDatum(t->seen > 0 ? (float4) t->covered / (float4) t->seen : 0);
	nulls[2] = t->seen == 0;
	values[3] = Int64GetDatum(job->info.parameters);
	values[4] = Int64GetDatum((int64) before->parameters);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

PG_FUNCTION_INFO_V1(distil_trim_vocabulary);
Datum
distil_trim_vocabulary(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context;
	TrimJob		job = {.args = distil_trim_args(fcinfo)};

	distil_prevent_read_only("distil_trim_vocabulary()");
	distil_check_new_name(job.args.name, job.args.replace);
	InitMaterializedSRF(fcinfo, 0);

	/* deleted on error, too: vocabularies are large */
	context = AllocSetContextCreate(caller, "distilbert vocabulary", ALLOCSET_DEFAULT_SIZES);
	PG_TRY();
	{
		MemoryContextSwitchTo(context);
		trim(&job, context);
		put_row(&job, (ReturnSetInfo *) fcinfo->resultinfo);
	}
	PG_FINALLY();
	{
		MemoryContextSwitchTo(caller);
		MemoryContextDelete(context);
	}
	PG_END_TRY();
	return (Datum) 0;
}
