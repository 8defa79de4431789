/*
 * trainplan.c -- see trainplan.h.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "pg/bridge/kernels.h"
#include "pg/bridge/threads.h"
#include "pg/train/classweights.h"
#include "pg/train/teacheranswers.h"
#include "pg/train/trainloop.h"
#include "pg/train/trainplan.h"
#include "pg/train/trainsettings.h"

/* ---- options ---- */

static const float *
class_weights(const DistilTrainJob *job)
{
	int64	   *counts;

	if (job->args.class_weights == NULL)
		return NULL;
	if (job->set->kind != DISTIL_LABEL_ONE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("class_weights are for texts that have one label each")));
	counts = distil_trainset_count_classes(job->set, job->n_labels, job->training, job->n_training);
	return distil_class_weights(job->args.class_weights, job->labels, job->n_labels, counts);
}

/*
 * Of all epochs, for the schedule of the learning rate.  How many texts fit a
 * batch depends on their lengths, so all epochs are gone through.
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
plan_options(DistilTrainJob *job, int max_texts)
{
	const DistilTrainArgs *args = &job->args;
	int			each = distil_trainset_texts_each(job->set);
	int			longest_text = distil_trainset_longest(job->set);
	int64		longest = (int64) longest_text * each;
	int64		most = Min(args->batch_tokens, longest * max_texts);

	job->options = (DbertTrainOptions) {
		.head = job->head,
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
		.max_texts = max_texts * each,
		.max_text_tokens = longest_text,
		.max_batch_tokens = (int) Max(longest, most),
		.keep_best = args->early_stopping > 0,
		.threads = dbert_threads_count(distil_threads()),
		.kernels = distil_kernels()
	};
}

void
distil_train_plan(DistilTrainJob *job)
{
	int			max_texts = Min(job->args.batch_size, job->set->n);

	plan_options(job, max_texts);
	job->batch = distil_trainbatch_create(job->set, max_texts, job->options.max_batch_tokens,
										  job->n_labels);
	job->batch->tag_labels = job->tag_labels;
	job->options.steps = count_steps(job);
	if (job->teacher != NULL)
		distil_teacher_plan(job);
}

/* ---- memory ---- */

static void
raise_memory(const DistilTrainJob *job, uint64_t bytes)
{
	/* a training of all weights has no part that could be left out */
	bool		all = job->masker != NULL || job->head == DBERT_HEAD_NONE;

	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("training \"%s\" needs %llu MB of memory", job->args.base,
					(unsigned long long) (bytes >> 20)),
			 errdetail("The limit, distilbert.train_memory, is %d MB.", distil_guc_train_memory),
			 all ? errhint("Make batch_size, batch_tokens or max_tokens smaller, or raise the "
						   "limit.")
				 : errhint("Make batch_size, batch_tokens or max_tokens smaller, set "
						   "freeze_embeddings or head_only, or raise the limit.")));
}

static void
tell_plan(const DistilTrainJob *job, uint64_t bytes, const DistilTeacherBytes *teacher)
{
	ereport(NOTICE,
			(errmsg("training on %d %s, validating on %d: %lld steps, %llu MB of memory",
					job->n_training, distil_train_kind(job->set->kind)->examples,
					job->n_validation, (long long) job->options.steps,
					(unsigned long long) ((bytes >> 20) + 1))));
	if (teacher->disk > 0)
		ereport(NOTICE,
				(errmsg("the teacher's %shidden states take %llu MB of temporary files",
						job->masker != NULL ? "answers and " : "",
						(unsigned long long) ((teacher->disk >> 20) + 1))));
}

void
distil_train_check_memory(DistilTrainJob *job)
{
	DistilTeacherBytes teacher = {0};
	uint64_t	bytes;

	distil_train_must(job, dbert_trainer_bytes(job->base, &job->options, &bytes, &job->err));
	if (job->teacher != NULL)
		teacher = distil_teacher_bytes(job);
	bytes = Max(bytes, teacher.reading) + teacher.kept + distil_trainset_bytes(job->set);
	job->progress->fields.memory = (int64) bytes;
	if (bytes > (uint64_t) distil_train_memory_limit())
		raise_memory(job, bytes);
	tell_plan(job, bytes, &teacher);
}
