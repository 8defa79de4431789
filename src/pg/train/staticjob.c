/*
 * staticjob.c -- static embeddings out of an embedding model, a teacher.
 *
 * The teacher embeds each token of its vocabulary; of these vectors the core
 * makes a table (statictrain.h).  The query's texts are read for one thing
 * only: how often each token occurs.  There is nothing to be learnt in steps,
 * so there are no epochs, no validation and no checkpoints.
 *
 * As in a training, all that can be wrong is looked at before the long part,
 * and one memory context holds it all.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/errors.h"
#include "pg/bridge/threads.h"
#include "pg/run/modelcache.h"
#include "pg/store/identity.h"
#include "pg/store/load.h"
#include "pg/store/modelsource.h"
#include "pg/train/staticjob.h"
#include "pg/train/tokencounts.h"
#include "pg/train/trainsettings.h"

/* Unless the call says otherwise, or the teacher's vectors are shorter. */
#define DIMENSIONS 256

/* Tokens between two looks at the progress. */
#define SOME_TOKENS 2048

typedef struct StaticJob
{
	const DistilTrainArgs *args;
	const char *subject;		/* for errors of the core */
	DistilProgress *progress;
	DbertAllocator allocator;
	DbertError	err;
	DistilModel *teacher;
	DistilModelSource source;	/* its files */
	DbertStaticTable *table;
	DbertTrainedFiles *files;
	int64	   *counts;			/* [vocabulary] */
	TimestampTz started;
	double		kept;			/* share of the variance */
} StaticJob;

static void
must(const StaticJob *job, DbertStatus status)
{
	if (status != DBERT_OK)
		distil_raise(&job->err, job->subject);
}

/* ---- before the long part ---- */

static void
check_teacher(const StaticJob *job)
{
	const DbertConfig *config = &job->teacher->core->config;
	const char *why = NULL;

	if (config->head != DBERT_HEAD_NONE)
		why = "It gives no embeddings.";
	else if (config->layers == 0)
		why = "It has static embeddings itself.";
	if (why != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model \"%s\" cannot teach static embeddings", job->args->teacher),
				 errdetail_internal("%s", why),
				 errhint("Load it with task => 'embed', or take another model.")));
}

/* Memory for the vectors of all tokens and what is made of them. */
static void
check_memory(StaticJob *job, int dimensions)
{
	const DbertConfig *config = &job->teacher->core->config;
	size_t		bytes = (size_t) config->vocab * config->dimensions * sizeof(float) +
		dbert_static_bytes(config->vocab, config->dimensions, dimensions);

	job->progress->fields.memory = (int64) bytes;
	if (bytes > (size_t) distil_train_memory_limit())
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("making static embeddings of \"%s\" needs %zu MB of memory",
						job->args->teacher, (bytes >> 20) + 1),
				 errdetail("The limit, distilbert.train_memory, is %d MB.",
						   distil_guc_train_memory)));
}

/* An empty table, and whether its files would make a model. */
static void
begin_table(StaticJob *job)
{
	const DbertConfig *config = &job->teacher->core->config;
	int			most = dbert_static_most(config->dimensions),
				dimensions = job->args->dimensions;

	if (dimensions == 0)
		dimensions = Min(DIMENSIONS, most);
	if (dimensions > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"dimensions\" must be at most %d", most),
				 errdetail("The teacher's vectors have %d.", config->dimensions)));
	check_memory(job, dimensions);
	must(job, dbert_static_create(config->vocab, config->dimensions, dimensions, &job->allocator,
								  &job->table, &job->err));
	must(job, dbert_static_files(job->table, job->source.source, &job->allocator, distil_poll(),
								 &job->files, &job->err));
	distil_check_model(job->args->name, dbert_trained_source(job->files), NULL,
					   DISTIL_DEFAULT_PRECISION, job->subject);
}

/* ---- the user's texts ---- */

/* Without a query nothing is counted. */
static void
count_tokens(StaticJob *job)
{
	const DbertModel *core = job->teacher->core;

	if (job->args->query == NULL)
		job->counts = palloc0(sizeof(int64) * core->config.vocab);
	else
		job->counts = distil_count_tokens(job->args->query, &core->tokenizer, core->config.vocab,
										  job->progress);
}

/* ---- the table ---- */

/* The teacher's vectors of all tokens. */
static float *
ask_teacher(StaticJob *job)
{
	const DbertModel *core = job->teacher->core;
	int32		vocab = core->config.vocab;
	Size		width = core->config.dimensions;
	float	   *vectors =
		MemoryContextAllocHuge(CurrentMemoryContext, vocab * width * sizeof(float));

	job->progress->fields.steps = vocab;
	distil_progress_phase(job->progress, DISTIL_PHASE_TEACHER);
	for (int32 first = 0; first < vocab; first += SOME_TOKENS)
	{
		must(job, dbert_token_vectors(core, first, Min(SOME_TOKENS, vocab - first),
									  distil_threads(), &job->allocator, distil_poll(),
									  vectors + first * width, &job->err));
		job->progress->fields.step = Min(first + SOME_TOKENS, vocab);
		distil_progress_tell(job->progress);
	}
	return vectors;
}

static void
fill_table(StaticJob *job)
{
	float	   *vectors = ask_teacher(job);

	distil_progress_phase(job->progress, DISTIL_PHASE_TRAINING);
	must(job, dbert_static_fill(job->table, vectors, job->counts, distil_poll(), &job->kept,
								&job->err));
	pfree(vectors);
}

/* ---- the result ---- */

static void
put_row(const StaticJob *job, ReturnSetInfo *rsinfo)
{
	Datum		values[8] = {0};
	bool		nulls[8] = {false, false, true, true, false, false, true, false};
	double		seconds = (double) (GetCurrentTimestamp() - job->started) / USECS_PER_SEC;

	values[0] = Int32GetDatum(1);
	values[1] = Int64GetDatum(job->teacher->core->config.vocab);
	values[4] = CStringGetTextDatum("variance");
	values[5] = Float4GetDatum((float4) job->kept);
	values[7] = Float4GetDatum((float4) seconds);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static void
store_table(StaticJob *job)
{
	DistilInfo	info;

	distil_progress_phase(job->progress, DISTIL_PHASE_STORING);
	distil_store_model(job->args->name, dbert_trained_source(job->files), NULL,
					   DISTIL_DEFAULT_PRECISION, job->args->replace, job->subject, &info);
}

static void
distill(StaticJob *job, MemoryContext context)
{
	job->started = GetCurrentTimestamp();
	job->allocator = distil_allocator(context);
	job->progress = distil_progress_begin("distill", job->args->name, context);
	job->subject = psprintf("could not make model \"%s\"", job->args->name);
	job->source = distil_model_source(job->args->teacher, context);
	begin_table(job);
	count_tokens(job);
	fill_table(job);
	store_table(job);
	distil_model_source_end(&job->source);
}

Datum
distil_static_distill(FunctionCallInfo fcinfo, const DistilTrainArgs *args)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context;
	StaticJob	job = {.args = args};

	distil_prevent_read_only("distil_distill()");
	distil_check_new_name(args->name, args->replace);
	job.teacher = distil_model_for_call(fcinfo->flinfo, args->teacher);
	check_teacher(&job);
	InitMaterializedSRF(fcinfo, 0);

	/* deleted on error, too: it is large */
	context = AllocSetContextCreate(caller, "distilbert static embeddings", ALLOCSET_DEFAULT_SIZES);
	PG_TRY();
	{
		MemoryContextSwitchTo(context);
		distill(&job, context);
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
