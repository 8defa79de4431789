/*
 * trainfunc.c -- distil_train, distil_pretrain and distil_distill.
 *
 * Everything that can be wrong is looked at before the first step: arguments,
 * the new name, the base, the rows, the labels, the memory.  Then epochs of
 * steps (trainloop.c); after each the rows held back for validation are
 * evaluated, and a row goes to the result.  At the end the trained model is
 * stored as one that was loaded would be, in this transaction: ROLLBACK undoes
 * it.
 *
 * Memory: a context below the caller's holds everything, the core's arrays
 * included, and is deleted on error, too.  The core is asked in steps; below
 * it, the poll serves interrupts every few milliseconds (alloc.c).
 */
#include "postgres.h"

#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/threads.h"
#include "pg/store/dirsource.h"
#include "pg/store/identity.h"
#include "pg/store/load.h"
#include "pg/train/staticjob.h"
#include "pg/train/teacheranswers.h"
#include "pg/train/traincalibrate.h"
#include "pg/train/traincheckpoint.h"
#include "pg/train/traindigest.h"
#include "pg/train/trainevaluate.h"
#include "pg/train/trainlabels.h"
#include "pg/train/trainloop.h"
#include "pg/train/trainpairs.h"
#include "pg/train/trainplan.h"
#include "pg/train/trainsettings.h"
#include "pg/train/trainsplit.h"
#include "pg/train/trainstep.h"

/* ---- the model it begins with ---- */

static void
open_base(DistilTrainJob *job, MemoryContext context)
{
	if (job->teacher != NULL)
	{
		distil_teacher_open_student(job);
		return;
	}
	job->source = distil_model_source(job->args.base, context);
	if (dbert_trainbase_open(job->source.source, job->source.task, &job->allocator,
							 distil_poll(), &job->base, &job->err) != DBERT_OK)
		distil_raise(&job->err, psprintf("could not read model \"%s\"", job->args.base));
}

/* ---- the rows ---- */

static DistilLearn
learn_of(const DistilTrainJob *job)
{
	return job->teacher != NULL ? distil_teacher_learn(job->teacher) : job->args.task->learn;
}

/* What masks tokens, if that is what is learnt from. */
static void
begin_masker(DistilTrainJob *job)
{
	const DbertTokenizer *tokenizer = dbert_trainbase_tokenizer(job->base);

	if (learn_of(job) != DISTIL_LEARN_TEXTS)
		return;
	if (tokenizer->mask_id < 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot pretrain on the base model \"%s\"", job->args.base),
				 errdetail("Its vocabulary has no [MASK].")));
	job->masker = distil_masker_create(tokenizer, job->args.mask_share, job->args.whole_word,
									   job->args.seed);
}

static void
begin_set(DistilTrainJob *job)
{
	if (job->teacher != NULL)
		distil_teacher_begin_set(job);
	else
		job->set = distil_trainset_create(dbert_trainbase_tokenizer(job->base),
										  dbert_trainbase_config(job->base), job->args.max_tokens,
										  distil_train_memory_limit());
	job->set->progress = job->progress;
}

/* Rows held back have no label that could not be learnt. */
static void
read_validation(DistilTrainJob *job)
{
	DistilTrainSet *set = job->set;
	int			known = set->n_names;

	distil_trainset_read(set, job->args.validation_query, "validation_query", learn_of(job));
	if (set->n_names > known && job->teacher == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"validation_query\" gives the label \"%s\", which no row of "
						"query has",
						pg_any_to_server(set->names[known], strlen(set->names[known]), PG_UTF8))));
}

static void
read_rows(DistilTrainJob *job)
{
	distil_progress_phase(job->progress, DISTIL_PHASE_READING_ROWS);
	begin_set(job);
	distil_trainset_read(job->set, job->args.query, "query", learn_of(job));
	job->n_training = job->set->n;
	if (job->args.validation_query != NULL)
		read_validation(job);
	if (job->set->truncated > 0)
		ereport(NOTICE,
				(errmsg("%d of %d texts are cut at %d tokens", job->set->truncated,
						job->set->n * distil_trainset_texts_each(job->set), job->set->max_tokens)));
}

static void
choose_labels(DistilTrainJob *job)
{
	if (job->teacher != NULL)
		distil_teacher_choose_labels(job);
	else
		distil_train_choose_labels(job);
}

/* ---- training ---- */

static DistilEvaluation
evaluate(void *ctx)
{
	return distil_train_evaluate(ctx);
}

/* Where checkpoints are wanted. */
static DistilTrainCheckpoint *
begin_checkpoint(const DistilTrainJob *job)
{
	DistilTrainDigests digests;

	if (distil_guc_checkpoint_interval == 0 && !job->args.resume)
		return NULL;
	distil_train_digests(job, &digests);
	return distil_checkpoint_begin(job->command, job->args.name, &digests, CurrentMemoryContext);
}

static void
run_loop(DistilTrainJob *job)
{
	job->loop = (DistilTrainLoop) {
		.subject = job->subject,
		.trainer = job->trainer,
		.epochs = job->args.epochs,
		.steps = job->options.steps,
		.seed = job->args.seed,
		.examples = job->training,
		.n_examples = job->n_training,
		.early_stopping = job->args.early_stopping,
		.checkpoint = begin_checkpoint(job),
		.resume = job->args.resume,
		.progress = job->progress,
		.rsinfo = job->rsinfo,
		.step = distil_train_step,
		.evaluate = job->n_validation > 0 ? evaluate : NULL,
		.metric = distil_train_metric(job),
		.teacher = job->teacher != NULL ? &job->teacher->value : NULL,
		.ctx = job
	};
	distil_train_epochs(&job->loop);
}

/* ---- a distillation ---- */

/* The teacher's answers, and how good they are. */
static void
ask_teacher(DistilTrainJob *job)
{
	distil_teacher_read(job);
	if (job->n_validation > 0)
		job->teacher->value = distil_train_measure_teacher(job);
}

/*
 * The student's share of the teacher's metric; of errors the inverse.  NaN:
 * there is none.
 */
static double
quality_of(const DistilTrainJob *job, double student)
{
	double		teacher = job->teacher->value;

	return distil_train_metric_is_error(job) ? teacher / student : student / teacher;
}

static void
tell_sizes(const DistilTrainJob *job)
{
	const DbertConfig *student = dbert_trainbase_config(job->base);
	const DbertConfig *teacher = distil_teacher_config(job->teacher);

	ereport(NOTICE,
			(errmsg("the student has %d layers, the teacher %d; its parameters are %.1f %% of the "
					"teacher's",
					student->layers, teacher->layers,
					100 * (double) student->parameters / (double) teacher->parameters)));
}

/* Tells how good the student is; raises if that is less than min_quality. */
static void
judge_student(DistilTrainJob *job)
{
	const char *metric = distil_train_metric(job);
	double		teacher = job->teacher->value,
				value,
				quality;

	tell_sizes(job);
	if (job->n_validation == 0)
		return;
	value = distil_train_evaluate(job).value;
	quality = quality_of(job, value);
	if (job->args.min_quality > 0 && !(quality >= job->args.min_quality))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the student \"%s\" is not good enough: its quality is %.3f, min_quality "
						"%.3f",
						job->args.name, quality, job->args.min_quality),
				 errdetail("On %d rows of validation its %s is %.4f, the teacher's %.4f.",
						   job->n_validation, metric, value, teacher),
				 errhint("Train for more epochs or on more rows, keep more layers, or accept a "
						 "lower min_quality.")));
	ereport(NOTICE,
			(errmsg("quality %.3f: its %s is %.4f, the teacher's %.4f", quality, metric, value,
					teacher)));
}

/* ---- the result ---- */

/* For distil_store_model: NULL is what head and labels say. */
static const char *
stored_task(const DistilTrainJob *job)
{
	return job->args.task != NULL ? job->args.task->stored : NULL;
}

static DbertTrainedFiles *
trained_files(DistilTrainJob *job)
{
	DbertTrainedFiles *files;

	distil_train_must(job, dbert_trainer_files(job->trainer, &job->allocator, distil_poll(), &files,
											   &job->err));
	return files;
}

/*
 * Before the first step: what will be stored makes a model, whatever the
 * weights become.
 */
static void
check_result(DistilTrainJob *job)
{
	DbertTrainedFiles *files = trained_files(job);

	distil_check_model(job->args.name, dbert_trained_source(files), stored_task(job),
					   DISTIL_DEFAULT_PRECISION, job->subject);
	dbert_trained_free(files);
}

static void
store_result(DistilTrainJob *job)
{
	DistilInfo	info;

	distil_store_model(job->args.name, dbert_trained_source(trained_files(job)), stored_task(job),
					   DISTIL_DEFAULT_PRECISION, job->args.replace, job->subject, &info);
}

/* ---- the call ---- */

/* Everything before the first step. */
static void
prepare(DistilTrainJob *job, MemoryContext context)
{
	open_base(job, context);
	begin_masker(job);
	read_rows(job);
	distil_progress_phase(job->progress, DISTIL_PHASE_PREPARING);
	choose_labels(job);
	distil_train_split(job);
	if (job->set->kind == DISTIL_LABEL_PAIR)
		distil_train_begin_pairs(job);
	distil_train_plan(job);
	distil_train_check_memory(job);
	job->calibrates = distil_train_may_calibrate(job);
	if (job->teacher != NULL)
		ask_teacher(job);
	distil_train_must(job, dbert_trainer_create(job->base, &job->options, &job->allocator,
												distil_poll(), &job->trainer, &job->err));
	distil_dirsource_settle(job->source.source);
	check_result(job);
}

/* What the core allocates goes with the context. */
static void
train(DistilTrainJob *job, MemoryContext context)
{
	job->allocator = distil_allocator(context);
	job->progress = distil_progress_begin(job->command, job->args.name, context);
	job->subject = psprintf("could not train model \"%s\"", job->args.name);
	prepare(job, context);
	dbert_trainer_set_pool(job->trainer, distil_threads());
	run_loop(job);
	if (job->calibrates)
		distil_train_calibrate(job);
	if (job->teacher != NULL)
	{
		judge_student(job);
		distil_teacher_end(job->teacher);
	}
	distil_progress_phase(job->progress, DISTIL_PHASE_STORING);
	store_result(job);
	distil_model_source_end(&job->source);
}

static Datum
run_job(FunctionCallInfo fcinfo, const DistilTrainArgs *args, const char *command)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context;
	DistilTrainJob job = {.args = *args,.command = command};

	distil_prevent_read_only(psprintf("distil_%s()", command));
	distil_check_new_name(job.args.name, job.args.replace);
	if (job.args.teacher != NULL)
		job.teacher = distil_teacher_for_call(fcinfo->flinfo, job.args.teacher);
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

PG_FUNCTION_INFO_V1(distil_train);
Datum
distil_train(PG_FUNCTION_ARGS)
{
	DistilTrainArgs args = distil_train_args(fcinfo);

	return run_job(fcinfo, &args, "train");
}

PG_FUNCTION_INFO_V1(distil_pretrain);
Datum
distil_pretrain(PG_FUNCTION_ARGS)
{
	DistilTrainArgs args = distil_pretrain_args(fcinfo);

	return run_job(fcinfo, &args, "pretrain");
}

PG_FUNCTION_INFO_V1(distil_distill);
Datum
distil_distill(PG_FUNCTION_ARGS)
{
	DistilTrainArgs args = distil_distill_args(fcinfo);

	if (args.is_static)
		return distil_static_distill(fcinfo, &args);
	return run_job(fcinfo, &args, "distill");
}
