/*
 * trainsplit.c -- see trainsplit.h.
 *
 * The split follows from the seed and the rows alone, so a training that is
 * resumed has the same.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "pg/train/trainloop.h"
#include "pg/train/trainsplit.h"

/*
 * How many of n rows are held back: never all of them.  A pair is compared with
 * other pairs, so there are at least two on both sides.
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
 * Texts in pieces: all pieces of a row are held back, or none.  Those of
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
 * Goes through the rows of query in random order: they are held back, until
 * there are enough, unless a row is the last of its class to learn from.
 */
static void
split_rows(DistilTrainJob *job)
{
	int			n = job->n_training,
				rest = job->set->n - n,
				wanted = validation_rows(job, n);
	int32	   *order = palloc_extended(sizeof(int32) * n, MCXT_ALLOC_HUGE);
	int64	   *left = NULL;

	distil_train_permute(order, n, dbert_random_key(job->args.seed, DBERT_STREAM_SPLIT, 0));
	if (job->set->kind == DISTIL_LABEL_ONE && job->set->n_unlabelled == 0)
		left = distil_trainset_count_classes(job->set, job->n_labels, order, n);
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
check_split(const DistilTrainJob *job)
{
	if (job->n_validation == 0 && job->args.early_stopping > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("early_stopping needs validation, but there is no row to hold back"),
				 errhint("Give more rows, or a validation_query.")));
}

void
distil_train_split(DistilTrainJob *job)
{
	if (job->set->kind == DISTIL_LABEL_NONE)
		split_pieces(job);
	else
		split_rows(job);
	check_split(job);
}
