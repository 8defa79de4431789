/*
 * trainstep.c -- see trainstep.h.
 */
#include "postgres.h"

#include "pg/bridge/alloc.h"
#include "pg/train/teacheranswers.h"
#include "pg/train/trainstep.h"

int
distil_train_fill(const DistilTrainJob *job, int epoch, const int32 *order, int first, int end)
{
	int			n = distil_trainbatch_fill(job->batch, job->set, order, first, end);

	if (job->masker != NULL)
		distil_mask_batch(job->masker, job->batch, order + first, job->teacher != NULL ? 0 : epoch);
	if (job->teacher != NULL)
		distil_teacher_fill(job, order + first, n);
	return n;
}

int
distil_train_step(void *ctx, const int32 *order, int first, int end, double *loss)
{
	DistilTrainJob *job = ctx;
	int			n = distil_train_fill(job, job->loop.state.epoch, order, first, end);

	distil_train_must(job, dbert_trainer_step(job->trainer, &job->batch->core, distil_poll(), loss,
											  &job->err));
	return n;
}
