/*
 * trainfunc.c -- distil_train.
 *
 * Everything that can be wrong is looked at before the first step: arguments,
 * the new name, the base, the rows, the labels, the memory.  Then epochs of
 * steps; after each the rows held back for validation are evaluated, and a row
 * goes to the result.  At the end the trained model is stored as one that was
 * loaded would be, in this transaction: ROLLBACK undoes it.
 *
 * Memory: a context below the caller's holds everything, the core's arrays
 * included, and is deleted on error, too.  The core is asked in steps; below
 * it, the poll serves interrupts every few milliseconds (alloc.c).
 */
#include "postgres.h"

#include <math.h>

#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/alloc.h"
#include "pg/guc.h"
#include "pg/identity.h"
#include "pg/load.h"
#include "pg/packfile.h"
#include "pg/threads.h"
#include "pg/trainjob.h"

/* Streams of random numbers; the core's own begin with purposes 1 and 2. */
#define STREAM_SPLIT	UINT64CONST(0x73706c6974)
#define STREAM_ORDER	UINT64CONST(0x6f72646572)

/* Seconds between two progress messages. */
#define PROGRESS_SECONDS 10

static double
seconds_since(const instr_time *start)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, *start);
	return INSTR_TIME_GET_DOUBLE(now);
}

static int64
memory_limit(void)
{
	return (int64) distil_guc_train_memory * 1024 * 1024;
}


/* ---- the rows ---- */

static void
read_rows(DistilTrainJob *job)
{
	const DistilTrainArgs *args = &job->args;
	DistilExampleWant want = distil_train_wants(args);

	job->set = distil_trainset_create(job->base, args->max_tokens, memory_limit());
	distil_trainset_read(job->set, args->query, "query", want);
	job->n_training = job->set->n;
	if (args->validation_query != NULL)
	{
		int			known = job->set->n_names;

		distil_trainset_read(job->set, args->validation_query, "validation_query", want);
		if (job->set->n_names > known)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("argument \"validation_query\" gives the label \"%s\", which no row of query has",
							pg_any_to_server(job->set->names[known], strlen(job->set->names[known]), PG_UTF8))));
	}
	if (job->set->truncated > 0)
		ereport(NOTICE,
				(errmsg("%d of %d texts are cut at %d tokens", job->set->truncated, job->set->n, job->set->max_tokens)));
}

/* Rows of each class among those. */
static int64 *
count_classes(const DistilTrainJob *job, const int32 *texts, int n)
{
	int64	   *counts = palloc0(sizeof(int64) * Max(job->n_labels, 1));

	for (int i = 0; i < n; i++)
		counts[distil_trainset_class(job->set, texts[i])]++;
	return counts;
}

/*
 * The rows of query in random order; the first to go to validation are those
 * whose class has other rows left to learn from.  One row at least is trained on.
 */
static void
split_rows(DistilTrainJob *job)
{
	int			n = job->n_training,
				rest = job->set->n - n,
				wanted = (int) rint((double) n * job->args.validation);
	int32	   *order = palloc_extended(sizeof(int32) * n, MCXT_ALLOC_HUGE);
	int64	   *left;

	if (wanted == 0 && job->args.validation > 0 && n > 1)
		wanted = 1;
	dbert_random_shuffle(order, n, dbert_random_key(job->args.seed, STREAM_SPLIT, 0));
	left = job->set->kind == DISTIL_LABEL_ONE ? count_classes(job, order, n) : NULL;
	job->training = palloc_extended(sizeof(int32) * n, MCXT_ALLOC_HUGE);
	job->validation = palloc_extended(sizeof(int32) * (wanted + rest + 1), MCXT_ALLOC_HUGE);
	job->n_training = 0;
	for (int i = 0; i < n; i++)
	{
		bool		can = left == NULL || left[distil_trainset_class(job->set, order[i])] > 1;

		if (job->n_validation < wanted && can && job->n_validation < n - 1)
		{
			job->validation[job->n_validation++] = order[i];
			if (left != NULL)
				left[distil_trainset_class(job->set, order[i])]--;
		}
		else
			job->training[job->n_training++] = order[i];
	}
	for (int i = 0; i < rest; i++)
		job->validation[job->n_validation++] = n + i;
	if (job->n_validation == 0 && job->args.early_stopping > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("early_stopping needs validation, but there is no row to hold back"),
				 errhint("Give more rows, or a validation_query.")));
	pfree(order);
}


/* ---- the plan ---- */

static const float *
class_weights(const DistilTrainJob *job)
{
	if (job->args.class_weights == NULL)
		return NULL;
	if (job->set->kind != DISTIL_LABEL_ONE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("class_weights are for texts that have one label each")));
	return distil_train_class_weights(job->args.class_weights, job->labels, job->n_labels,
									  count_classes(job, job->training, job->n_training));
}

static int
longest_text(const DistilTrainSet *set)
{
	int			longest = 1;

	for (int i = 0; i < set->n; i++)
		longest = Max(longest, set->texts[i].n_tokens);
	return longest;
}

/* Shuffled for an epoch; the same memory each time. */
static void
shuffle_epoch(const DistilTrainJob *job, int epoch, int32 *order)
{
	dbert_random_shuffle(order, job->n_training, dbert_random_key(job->args.seed, STREAM_ORDER, epoch));
	for (int i = 0; i < job->n_training; i++)
		order[i] = job->training[order[i]];
}

/* The schedule of the learning rate needs to know, and texts' lengths decide how many fit a batch. */
static int64
count_steps(const DistilTrainJob *job)
{
	int32	   *order = palloc_extended(sizeof(int32) * job->n_training, MCXT_ALLOC_HUGE);
	int64		steps = 0;

	for (int epoch = 1; epoch <= job->args.epochs; epoch++)
	{
		CHECK_FOR_INTERRUPTS();
		shuffle_epoch(job, epoch, order);
		steps += distil_trainbatch_count(job->batch, job->set, order, job->n_training);
	}
	pfree(order);
	return steps;
}

static void
plan_options(DistilTrainJob *job)
{
	const DistilTrainArgs *args = &job->args;
	int64		longest = longest_text(job->set);
	int			max_texts = Min(args->batch_size, job->set->n);

	job->options = (DbertTrainOptions)
	{
		.head = job->head,.problem = job->problem,.n_labels = job->n_labels,.labels = job->labels,
			.class_weights = class_weights(job),.head_only = args->head_only,
			.freeze_embeddings = args->freeze_embeddings,.dropout = args->dropout,.seed = (uint64) args->seed,
			.learning_rate = args->learning_rate,.weight_decay = args->weight_decay,.warmup = args->warmup,
			.max_grad_norm = 1,.max_texts = max_texts,.max_text_tokens = (int) longest,
			.max_batch_tokens = (int) Max(longest, Min(args->batch_tokens, longest * max_texts)),
			.keep_best = args->early_stopping > 0,.threads = dbert_pool_threads(distil_pool()),
			.kernels = distil_kernels()
	};
	job->batch = distil_trainbatch_create(job->set, max_texts, job->options.max_batch_tokens, job->n_labels);
	job->batch->tag_labels = job->tag_labels;
	job->options.steps = count_steps(job);
}

/* Refused before anything is computed, or stated. */
static void
check_memory(DistilTrainJob *job)
{
	uint64_t	bytes;

	distil_train_must(job, dbert_trainer_bytes(job->base, &job->options, &bytes, &job->err));
	bytes += distil_trainset_bytes(job->set);
	if (bytes > (uint64_t) memory_limit())
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("training \"%s\" needs %llu MB of memory", job->args.base, (unsigned long long) (bytes >> 20)),
				 errdetail("The limit, distilbert.train_memory, is %d MB.", distil_guc_train_memory),
				 errhint("Make batch_size, batch_tokens or max_tokens smaller, set freeze_embeddings or head_only, or raise the limit.")));
	ereport(NOTICE,
			(errmsg("training on %d texts, validating on %d: %lld steps, %llu MB of memory",
					job->n_training, job->n_validation, (long long) job->options.steps,
					(unsigned long long) ((bytes >> 20) + 1))));
}

static void
put_row(DistilTrainJob *job, int epoch, int64 step, double train_loss, const DistilEvaluation *e)
{
	Datum		values[7];
	bool		nulls[7] = {false};

	values[0] = Int32GetDatum(epoch);
	values[1] = Int64GetDatum(step);
	values[2] = Float4GetDatum((float4) train_loss);
	values[6] = Float4GetDatum((float4) seconds_since(&job->start));
	nulls[3] = nulls[4] = nulls[5] = e == NULL;
	if (e != NULL)
	{
		values[3] = Float4GetDatum((float4) e->loss);
		values[4] = CStringGetTextDatum(distil_train_metric(job));
		values[5] = Float4GetDatum((float4) e->value);
		nulls[5] = isnan(e->value);
	}
	tuplestore_putvalues(job->rsinfo->setResult, job->rsinfo->setDesc, values, nulls);
	if (e == NULL)
		ereport(NOTICE, (errmsg("epoch %d: train_loss %.4f", epoch, train_loss)));
	else
		ereport(NOTICE, (errmsg("epoch %d: train_loss %.4f, eval_loss %.4f, %s %.4f", epoch, train_loss, e->loss,
								distil_train_metric(job), e->value)));
}


/* ---- training ---- */

static void
report_progress(DistilTrainJob *job, int epoch, int64 step, double loss)
{
	double		now = seconds_since(&job->start);

	if (now - job->progress_at < PROGRESS_SECONDS)
		return;
	job->progress_at = now;
	ereport(NOTICE,
			(errmsg("epoch %d of %d, step %lld of %lld: loss %.4f, %.0f s, about %.0f s left",
					epoch, job->args.epochs, (long long) step, (long long) job->options.steps, loss, now,
					now / (double) step * (double) (job->options.steps - step))));
}

/* The mean loss of an epoch's steps. */
static double
train_epoch(DistilTrainJob *job, int epoch, int32 *order, int64 *step)
{
	double		sum = 0;
	int64		before = *step;

	shuffle_epoch(job, epoch, order);
	for (int first = 0; first < job->n_training;)
	{
		double		loss;

		first += distil_trainbatch_fill(job->batch, job->set, order, first, job->n_training);
		distil_train_must(job, dbert_trainer_step(job->trainer, &job->batch->core, distil_poll(), &loss, &job->err));
		sum += loss;
		(*step)++;
		report_progress(job, epoch, *step, loss);
	}
	return sum / (double) (*step - before);
}

/*
 * With early_stopping the weights of the best evaluation are what remains, be
 * it the last or not.
 */
static void
train_epochs(DistilTrainJob *job)
{
	int32	   *order = palloc_extended(sizeof(int32) * job->n_training, MCXT_ALLOC_HUGE);
	double		best = INFINITY;
	int			since_best = 0;
	int64		step = 0;

	for (int epoch = 1; epoch <= job->args.epochs; epoch++)
	{
		double		train_loss = train_epoch(job, epoch, order, &step);
		DistilEvaluation	e;

		if (job->n_validation > 0)
			e = distil_train_evaluate(job);
		put_row(job, epoch, step, train_loss, job->n_validation > 0 ? &e : NULL);
		if (job->args.early_stopping == 0)
			continue;
		since_best = e.loss < best ? 0 : since_best + 1;
		if (since_best == 0)
		{
			best = e.loss;
			distil_train_must(job, dbert_trainer_keep(job->trainer, distil_poll(), &job->err));
		}
		if (since_best >= job->args.early_stopping)
			break;
	}
	if (since_best > 0)
		distil_train_must(job, dbert_trainer_restore(job->trainer, distil_poll(), &job->err));
}

static void
open_base(DistilTrainJob *job, MemoryContext context)
{
	job->source = distil_model_source(job->args.base, context);
	if (dbert_trainbase_open(job->source.source, &job->allocator, distil_poll(), &job->base, &job->err) != DBERT_OK)
		distil_raise(&job->err, psprintf("could not read model \"%s\"", job->args.base));
}

/* For distil_store_model: NULL is what the labels say. */
static const char *
stored_task(const DistilTrainJob *job)
{
	return strcmp(job->args.task, "sentiment") == 0 ? "sentiment" : NULL;
}

static DbertTrainedFiles *
trained_files(DistilTrainJob *job)
{
	DbertTrainedFiles *files;

	distil_train_must(job, dbert_trainer_files(job->trainer, &job->allocator, distil_poll(), &files, &job->err));
	return files;
}

/* Before the first step: what will be stored makes a model, whatever the weights become. */
static void
check_result(DistilTrainJob *job)
{
	DbertTrainedFiles *files = trained_files(job);

	distil_check_model(job->args.name, dbert_trained_source(files), stored_task(job), DISTIL_DEFAULT_PRECISION,
					   job->subject);
	dbert_trained_free(files);
}

static void
store_result(DistilTrainJob *job)
{
	DistilInfo	info;

	distil_store_model(job->args.name, dbert_trained_source(trained_files(job)), stored_task(job),
					   DISTIL_DEFAULT_PRECISION, job->args.replace, job->subject, &info);
}

/* What the core allocates goes with the context. */
static void
train(DistilTrainJob *job, MemoryContext context)
{
	job->allocator = distil_allocator(context);
	job->subject = psprintf("could not train model \"%s\"", job->args.name);
	open_base(job, context);
	read_rows(job);
	distil_train_choose_labels(job);
	split_rows(job);
	plan_options(job);
	check_memory(job);
	distil_train_must(job, dbert_trainer_create(job->base, &job->options, &job->allocator, distil_poll(), &job->trainer, &job->err));
	check_result(job);
	dbert_trainer_set_pool(job->trainer, distil_pool());
	job->counts = palloc(sizeof(DistilClassCount) * job->n_labels);
	INSTR_TIME_SET_CURRENT(job->start);
	train_epochs(job);
	store_result(job);
	distil_model_source_end(&job->source);
}

PG_FUNCTION_INFO_V1(distil_train);
Datum
distil_train(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context;
	DistilTrainJob	job = {.args = distil_train_args(fcinfo)};

	distil_prevent_read_only("distil_train()");
	distil_check_new_name(job.args.name, job.args.replace);
	InitMaterializedSRF(fcinfo, 0);
	job.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	/* deleted on error, too: it is large */
	context = AllocSetContextCreate(caller, "distilbert training", ALLOCSET_DEFAULT_SIZES);
	PG_TRY();
	{
		MemoryContextSwitchTo(context);
		train(&job, context);
	}
	PG_FINALLY();
	{
		MemoryContextSwitchTo(caller);
		MemoryContextDelete(context);
	}
	PG_END_TRY();
	return (Datum) 0;
}
