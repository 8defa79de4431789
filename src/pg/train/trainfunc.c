/*
 * trainfunc.c -- distil_train, distil_pretrain.
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

#include <math.h>

#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/kernels.h"
#include "pg/store/identity.h"
#include "pg/store/load.h"
#include "pg/store/packfile.h"
#include "pg/bridge/threads.h"
#include "pg/train/traincheckpoint.h"
#include "pg/train/trainjob.h"
#include "pg/train/trainsettings.h"

/* ---- the rows ---- */

static DistilLearn
wants(const DistilTrainJob *job)
{
	return job->teacher != NULL ? distil_teacher_wants(job->teacher)
								: distil_train_wants(&job->args);
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
}

static void
read_rows(DistilTrainJob *job)
{
	const DistilTrainArgs *args = &job->args;
	DistilLearn want = wants(job);

	distil_progress_phase(job->progress, DISTIL_PHASE_READING_ROWS);
	begin_set(job);
	job->set->progress = job->progress;
	distil_trainset_read(job->set, args->query, "query", want);
	job->n_training = job->set->n;
	if (args->validation_query != NULL)
	{
		int			known = job->set->n_names;

		distil_trainset_read(job->set, args->validation_query, "validation_query", want);
		if (job->set->n_names > known && job->teacher == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("argument \"validation_query\" gives the label \"%s\", which no row of "
							"query has",
							pg_any_to_server(
								job->set->names[known], strlen(job->set->names[known]), PG_UTF8))));
	}
	if (job->set->truncated > 0)
		ereport(NOTICE,
				(errmsg("%d of %d texts are cut at %d tokens", job->set->truncated,
						job->set->n * distil_trainset_texts_each(job->set), job->set->max_tokens)));
}

/* Rows of each class among those. */
static int64 *
count_classes(const DistilTrainJob *job, const int32 *texts, int n)
{
	int64	   *counts = palloc0(sizeof(int64) * Max(job->n_labels, 1));

	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		counts[distil_trainset_class(job->set, texts[i])]++;
	}
	return counts;
}

/*
 * How many of n rows are held back: never all of them.  Pairs are judged by
 * others, so of those there are two on both sides.
 */
static int
validation_rows(const DistilTrainJob *job, int n)
{
	int			least = job->set->kind == DISTIL_LABEL_PAIR ? 2 : 1,
				wanted = (int) rint((double) n * job->args.validation);

	if (job->args.validation > 0)
		wanted = Max(wanted, least);
	return Max(Min(wanted, n - least), 0);
}

/*
 * Of texts in pieces: all pieces of a row are held back or none, those of
 * validation_query are.
 */
static void
split_pieces(DistilTrainJob *job)
{
	const DistilTrainText *texts = job->set->texts;
	int			n = job->n_training,
				rows = (int) texts[n - 1].label + 1,
				wanted = validation_rows(job, rows);
	int32	   *order = palloc_extended(sizeof(int32) * rows, MCXT_ALLOC_HUGE);
	bool	   *held = palloc_extended(sizeof(bool) * rows, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	distil_train_permute(order, rows, dbert_random_key(job->args.seed, DBERT_STREAM_SPLIT, 0));
	for (int i = 0; i < wanted; i++)
		held[order[i]] = true;
	job->training = palloc_extended(sizeof(int32) * n, MCXT_ALLOC_HUGE);
	job->validation = palloc_extended(sizeof(int32) * job->set->n, MCXT_ALLOC_HUGE);
	job->n_training = 0;
	for (int i = 0; i < job->set->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i >= n || held[texts[i].label])
			job->validation[job->n_validation++] = i;
		else
			job->training[job->n_training++] = i;
	}
	pfree(order);
	pfree(held);
}

/*
 * The rows of query in random order; the first to go to validation are those
 * whose class has other rows left to learn from.  One row at least is trained
 * on.
 */
static void
split_rows(DistilTrainJob *job)
{
	int			n = job->n_training,
				rest = job->set->n - n,
				wanted = validation_rows(job, n);
	int32	   *order = palloc_extended(sizeof(int32) * n, MCXT_ALLOC_HUGE);
	int64	   *left;

	distil_train_permute(order, n, dbert_random_key(job->args.seed, DBERT_STREAM_SPLIT, 0));
	left = job->set->kind == DISTIL_LABEL_ONE && job->set->n_unlabelled == 0
			   ? count_classes(job, order, n)
			   : NULL;
	job->training = palloc_extended(sizeof(int32) * n, MCXT_ALLOC_HUGE);
	job->validation = palloc_extended(sizeof(int32) * (wanted + rest + 1), MCXT_ALLOC_HUGE);
	job->n_training = 0;
	for (int i = 0; i < n; i++)
	{
		bool		can = left == NULL || left[distil_trainset_class(job->set, order[i])] > 1;

		CHECK_FOR_INTERRUPTS();
		if (job->n_validation < wanted && can)
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
	pfree(order);
}

static void
check_validation(const DistilTrainJob *job)
{
	if (job->n_validation == 0 && job->args.early_stopping > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("early_stopping needs validation, but there is no row to hold back"),
				 errhint("Give more rows, or a validation_query.")));
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

/*
 * The schedule of the learning rate needs to know, and texts' lengths decide
 * how many fit a batch.
 */
static int64
count_steps(const DistilTrainJob *job)
{
	int32	   *order = palloc_extended(sizeof(int32) * job->n_training, MCXT_ALLOC_HUGE);
	int64		steps = 0;

	for (int epoch = 1; epoch <= job->args.epochs; epoch++)
	{
		CHECK_FOR_INTERRUPTS();
		distil_train_shuffle(job->args.seed, epoch, job->training, job->n_training, order);
		steps += distil_trainbatch_count(job->batch, job->set, order, job->n_training);
	}
	pfree(order);
	return steps;
}

static void
plan_options(DistilTrainJob *job)
{
	const DistilTrainArgs *args = &job->args;
	int			longest_text = distil_trainset_longest(job->set);
	int64		longest = (int64) longest_text * distil_trainset_texts_each(job->set);
	int			max_texts = Min(args->batch_size, job->set->n);

	job->options =
		(DbertTrainOptions){ .head = job->head,
							 .problem = job->problem,
							 .embedding_loss = job->embedding_loss,
							 .n_labels = job->n_labels,
							 .labels = job->labels,
							 .class_weights = class_weights(job),
							 .head_only = args->head_only,
							 .freeze_embeddings = args->freeze_embeddings,
							 .dropout = args->dropout,
							 .seed = (uint64) args->seed,
							 .learning_rate = args->learning_rate,
							 .weight_decay = args->weight_decay,
							 .warmup = args->warmup,
							 .max_grad_norm = 1,
							 .max_texts = max_texts * distil_trainset_texts_each(job->set),
							 .max_text_tokens = longest_text,
							 .max_batch_tokens =
								 (int) Max(longest, Min(args->batch_tokens, longest * max_texts)),
							 .keep_best = args->early_stopping > 0,
							 .threads = dbert_threads_count(distil_threads()),
							 .kernels = distil_kernels() };
	job->batch =
		distil_trainbatch_create(job->set, max_texts, job->options.max_batch_tokens, job->n_labels);
	job->batch->tag_labels = job->tag_labels;
	job->options.steps = count_steps(job);
	if (job->teacher != NULL)
		distil_teacher_plan(job);
}

/* Refused before anything is computed, or stated. */
static void
check_memory(DistilTrainJob *job)
{
	DistilTeacherBytes teacher = {0};
	uint64_t	bytes;

	distil_train_must(job, dbert_trainer_bytes(job->base, &job->options, &bytes, &job->err));
	if (job->teacher != NULL)
		teacher = distil_teacher_bytes(job);
	bytes = Max(bytes, teacher.reading) + teacher.kept + distil_trainset_bytes(job->set);
	job->progress->fields.memory = (int64) bytes;
	if (bytes > (uint64_t) distil_train_memory_limit())
		ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("training \"%s\" needs %llu MB of memory",
					job->args.base,
					(unsigned long long) (bytes >> 20)),
			 errdetail("The limit, distilbert.train_memory, is %d MB.", distil_guc_train_memory),
			 job->masker != NULL || job->head == DBERT_HEAD_NONE
				 ? errhint(
					   "Make batch_size, batch_tokens or max_tokens smaller, or raise the limit.")
				 : errhint("Make batch_size, batch_tokens or max_tokens smaller, set "
						   "freeze_embeddings or head_only, or raise the limit.")));
	ereport(NOTICE,
			(errmsg("training on %d %s, validating on %d: %lld steps, %llu MB of memory",
					job->n_training,
					job->masker != NULL                                    ? "pieces of texts"
					: job->head == DBERT_HEAD_NONE && job->teacher == NULL ? "pairs"
																		   : "texts",
					job->n_validation,
					(long long) job->options.steps,
					(unsigned long long) ((bytes >> 20) + 1))));
	if (teacher.disk > 0)
		ereport(NOTICE,
				(errmsg("the teacher's %shidden states take %llu MB of temporary files",
						job->masker != NULL ? "answers and " : "",
						(unsigned long long) ((teacher.disk >> 20) + 1))));
}


/* ---- training ---- */

static int
step(void *ctx, const int32 *order, int first, int end, double *loss)
{
	DistilTrainJob *job = ctx;
	int			n = distil_train_fill(job, job->loop.state.epoch, order, first, end);

	distil_train_must(job, dbert_trainer_step(job->trainer, &job->batch->core, distil_poll(), loss,
											  &job->err));
	return n;
}

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
	job->loop = (DistilTrainLoop){ .subject = job->subject,
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
								   .step = step,
								   .evaluate = job->n_validation > 0 ? evaluate : NULL,
								   .metric = distil_train_metric(job),
								   .teacher = job->teacher != NULL ? &job->teacher->value : NULL,
								   .ctx = job };

	distil_train_epochs(&job->loop);
}

static void
open_base(DistilTrainJob *job, MemoryContext context)
{
	job->source = distil_model_source(job->args.base, context);
	if (dbert_trainbase_open(job->source.source, &job->allocator, distil_poll(), &job->base,
							 &job->err) != DBERT_OK)
		distil_raise(&job->err, psprintf("could not read model \"%s\"", job->args.base));
}

/* What masks tokens, if that is what is learnt from. */
static void
begin_masker(DistilTrainJob *job)
{
	const DbertTokenizer *tokenizer = dbert_trainbase_tokenizer(job->base);
	DistilMasker *masker;

	if (wants(job) != DISTIL_LEARN_TEXTS)
		return;
	if (tokenizer->mask_id < 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot pretrain on the base model \"%s\"", job->args.base),
				 errdetail("Its vocabulary has no [MASK].")));
	masker =
		distil_masker_create(tokenizer, job->args.mask_share, job->args.whole_word, job->args.seed);
	job->masker = masker;
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

static void
choose_labels(DistilTrainJob *job)
{
	if (job->teacher != NULL)
		distil_teacher_choose_labels(job);
	else
		distil_train_choose_labels(job);
}

/* What the core allocates goes with the context. */
static void
train(DistilTrainJob *job, MemoryContext context)
{
	job->allocator = distil_allocator(context);
	job->progress = distil_progress_begin(job->command, job->args.name, context);
	job->subject = psprintf("could not train model \"%s\"", job->args.name);
	if (job->teacher != NULL)
		distil_teacher_open_student(job);
	else
		open_base(job, context);
	begin_masker(job);
	read_rows(job);
	distil_progress_phase(job->progress, DISTIL_PHASE_PREPARING);
	choose_labels(job);
	job->counts = palloc(sizeof(DistilClassCount) * Max(job->n_labels, 1));
	if (job->set->kind == DISTIL_LABEL_NONE)
		split_pieces(job);
	else
		split_rows(job);
	check_validation(job);
	if (job->set->kind == DISTIL_LABEL_PAIR)
		distil_train_begin_pairs(job);
	plan_options(job);
	check_memory(job);
	if (job->teacher != NULL)
		distil_teacher_read(job);
	distil_train_must(job, dbert_trainer_create(job->base, &job->options, &job->allocator,
												distil_poll(), &job->trainer, &job->err));
	check_result(job);
	dbert_trainer_set_pool(job->trainer, distil_threads());
	run_loop(job);
	if (job->teacher != NULL)
	{
		distil_teacher_judge(job);
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

	return run_job(fcinfo, &args, "distill");
}
