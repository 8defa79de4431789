/*
 * trainpairs.c -- see trainpairs.h.
 */
#include "postgres.h"

#include <math.h>

#include "pg/train/trainpairs.h"

static bool
have_numbers(const DistilTrainJob *job)
{
	return distil_trainset_have_numbers(job->set, job->training, job->n_training);
}

/*
 * By default cosent for pairs with numbers.  Pairs without numbers are always
 * learnt by the contrastive loss, which has no name in the core.
 */
static void
choose_loss(DistilTrainJob *job)
{
	const char *loss = job->args.loss;

	if (loss == NULL)
		return;
	if (have_numbers(job) == (strcmp(loss, "contrastive") == 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the loss \"%s\" is for pairs %s numbers", loss,
						have_numbers(job) ? "without" : "with"),
				 have_numbers(job) ?
				 errhint("Leave the last column of the query out, or choose cosent or cosine.") :
				 errhint("Give a third column with numbers, or choose contrastive.")));
	if (strcmp(loss, "cosine") == 0)
		job->embedding_loss = DBERT_LOSS_COSINE;
}

/* The least and the greatest number that are learnt. */
static void
find_range(const DistilTrainJob *job, float *least, float *greatest)
{
	*least = INFINITY;
	*greatest = -INFINITY;
	for (int i = 0; i < job->n_training; i++)
	{
		float		number = job->set->texts[job->training[i]].number;

		*least = Min(*least, number);
		*greatest = Max(*greatest, number);
	}
}

/*
 * least .. greatest become 0 .. 1.  The numbers of validation are scaled alike,
 * and may go beyond.
 */
static void
scale_numbers(DistilTrainJob *job, float least, float greatest)
{
	for (int i = 0; i < job->set->n; i++)
	{
		float	   *number = &job->set->texts[i].number;

		*number = (float) (((double) *number - least) / ((double) greatest - least));
	}
	ereport(NOTICE,
			(errmsg("numbers from %g to %g are learnt as cosines from 0 to 1", least, greatest)));
}

void
distil_train_begin_pairs(DistilTrainJob *job)
{
	float		least,
				greatest;

	if (job->n_training < 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is only one pair of texts to learn from"),
				 errdetail("What a model learns of a pair is how it differs from others."),
				 errhint("Give more rows.")));
	choose_loss(job);
	if (job->args.batch_size < 2 && job->embedding_loss != DBERT_LOSS_COSINE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"batch_size\" must be 2 or more"),
				 errdetail("A pair is compared with the others of its batch.")));
	if (distil_trainset_have_numbers(job->set, job->validation, job->n_validation))
		job->measure = &distil_measure_similarity;
	if (!have_numbers(job))
		return;
	find_range(job, &least, &greatest);
	if (least == greatest)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("all pairs have the number %g", least),
				 errhint("For texts that all belong together leave the numbers out.")));
	if (job->embedding_loss == DBERT_LOSS_COSINE && (least < -1 || greatest > 1))
		scale_numbers(job, least, greatest);
}
