/*
 * traincalibrate.c -- see traincalibrate.h.
 *
 * A temperature divides the logits, and so does dividing the weights and the
 * bias of the layer that gives them: the stored model is an ordinary one, and
 * transformers gives the same scores.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "pg/bridge/alloc.h"
#include "pg/train/temperature.h"
#include "pg/train/traincalibrate.h"
#include "pg/train/trainstep.h"

/* Fewer rows say too little; they are not asked unless they are told to. */
#define LEAST_ROWS 50

/* The label that no row held back has, in the server's encoding; or NULL. */
static const char *
label_not_held(const DistilTrainJob *job)
{
	bool	   *held = palloc0(sizeof(bool) * Max(job->n_labels, 1));
	const char *label = NULL;

	for (int i = 0; i < job->n_validation; i++)
	{
		const DistilTrainText *t = &job->set->texts[job->validation[i]];

		for (int j = 0; j < t->n_labels; j++)
			held[job->set->labels[t->label + j]] = true;
	}
	for (int j = job->n_labels - 1; j >= 0; j--)
		if (!held[j])
			label = job->labels[j];
	pfree(held);
	return label == NULL ? NULL : pg_any_to_server(label, strlen(label), PG_UTF8);
}

static void
refuse(const DistilTrainJob *job, const char *why)
{
	const char *hint =
		"Give more rows of that class, a larger validation, or a validation_query with rows of all "
		"classes; calibrate => false leaves the scores as they are.";

	if (job->args.calibrate == DISTIL_CALIBRATE_ALWAYS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the scores cannot be calibrated: %s", why), errhint("%s", hint)));
	ereport(NOTICE, (errmsg("the scores are not calibrated: %s", why), errhint("%s", hint)));
}

static bool
learns_classes(const DistilTrainJob *job)
{
	return job->head == DBERT_HEAD_SEQUENCE && job->problem != DBERT_PROBLEM_REGRESSION;
}

bool
distil_train_may_calibrate(const DistilTrainJob *job)
{
	bool		always = job->args.calibrate == DISTIL_CALIBRATE_ALWAYS;
	const char *label;

	if (job->args.calibrate == DISTIL_CALIBRATE_NEVER || job->teacher != NULL)
		return false;
	if (always && !learns_classes(job))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"calibrate\" is for classes"),
				 errhint("Leave it out for this task.")));
	if (!learns_classes(job) || (!always && job->n_validation < LEAST_ROWS))
		return false;
	if (job->n_validation == 0)
	{
		refuse(job, "no row is held back");
		return false;
	}
	label = label_not_held(job);
	if (label != NULL)
		refuse(job, psprintf("of class \"%s\" no row is held back", label));
	return label == NULL;
}

/* ---- the logits of rows held back ---- */

static DistilHeldLogits
begin_held(const DistilTrainJob *job)
{
	Size		n = job->n_validation,
				all = n * job->n_labels;
	DistilHeldLogits held = {.n_labels = job->n_labels};

	distil_trainset_check_limit(job->set, 2 * all * sizeof(float));
	held.logits = palloc_extended(sizeof(float) * all, MCXT_ALLOC_HUGE);
	if (job->problem == DBERT_PROBLEM_SINGLE)
		held.classes = palloc_extended(sizeof(int32) * n, MCXT_ALLOC_HUGE);
	else
		held.targets = palloc_extended(sizeof(float) * all, MCXT_ALLOC_HUGE);
	return held;
}

/* A batch of them. */
static void
add_batch(const DistilTrainJob *job, DistilHeldLogits *held, const float *logits)
{
	const DbertTrainBatch *batch = &job->batch->core;
	Size		at = (Size) held->n * held->n_labels,
				bytes = sizeof(float) * batch->n_texts * held->n_labels;

	memcpy(held->logits + at, logits, bytes);
	if (held->classes != NULL)
		memcpy(held->classes + held->n, batch->classes, sizeof(int32) * batch->n_texts);
	else
		memcpy(held->targets + at, batch->targets, bytes);
	held->n += batch->n_texts;
}

static DistilHeldLogits
held_logits(DistilTrainJob *job)
{
	DistilHeldLogits held = begin_held(job);

	for (int first = 0, n; first < job->n_validation; first += n)
	{
		const float *logits;
		double		loss,
					weight;

		n = distil_train_fill(job, 0, job->validation, first, job->n_validation);
		distil_train_must(job, dbert_trainer_evaluate(job->trainer, &job->batch->core,
													  distil_poll(), &logits, &loss, &weight,
													  &job->err));
		add_batch(job, &held, logits);
	}
	return held;
}

void
distil_train_calibrate(DistilTrainJob *job)
{
	DistilHeldLogits held = held_logits(job);
	double		temperature = distil_temperature_of(&held);

	dbert_trainer_scale_output(job->trainer, (float) (1 / temperature));
	ereport(NOTICE,
			(errmsg("scores are calibrated on %d rows: temperature %.2f, calibration error %.3f, "
					"before %.3f",
					held.n, temperature, distil_temperature_error(&held, temperature),
					distil_temperature_error(&held, 1))));
}
