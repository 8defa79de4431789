/*
 * passbegin.c -- a pass over a batch begins: its sizes are checked against what
 * the options promised, and the rows of the last layer are chosen.
 */
#include "train/passbegin.h"

#include "train/objective.h"

static DbertStatus
check_sizes(const DbertTrainer *t, const DbertTrainBatch *batch, DbertError *err)
{
	const DbertTrainOptions *o = &t->options;

	if (batch->n_texts < 1 || batch->n_texts > o->max_texts)
		return dbert_fail(err, DBERT_E_LIMIT, "a batch of %d texts, but room is for 1 to %d",
						  batch->n_texts, o->max_texts);
	if (batch->cu[batch->n_texts] > o->max_batch_tokens)
		return dbert_fail(err, DBERT_E_LIMIT, "a batch of %d tokens, but room is for %d",
						  (int) batch->cu[batch->n_texts], o->max_batch_tokens);
	for (int b = 0; b < batch->n_texts; b++)
		if (batch->cu[b + 1] - batch->cu[b] < 1 ||
			batch->cu[b + 1] - batch->cu[b] > o->max_text_tokens)
			return dbert_fail(err, DBERT_E_LIMIT, "a text of %d tokens, but room is for 1 to %d",
							  (int) (batch->cu[b + 1] - batch->cu[b]), o->max_text_tokens);
	return DBERT_OK;
}

/* What the head reads, and what goes on. */
static void
choose_rows(const DbertTrainer *t, DbertPass *pass)
{
	bool		all = t->steps->all_rows != NULL && t->steps->all_rows(t);

	pass->head = t->objective->rows(t, pass->batch);
	pass->rows = all ? pass->n : pass->head.count;
	pass->picked = all ? NULL : pass->head.picked;
}

DbertStatus
dbert_pass_begin(DbertTrainer *t, const DbertTrainBatch *batch, bool training,
				 const DbertPoll *poll, DbertError *err, DbertPass *pass)
{
	DBERT_TRY(check_sizes(t, batch, err));
	if (t->objective->check_batch != NULL)
		DBERT_TRY(t->objective->check_batch(t, batch, err));
	if (dbert_threads_count(t->pool) > t->options.threads)
		return dbert_fail(err, DBERT_E_LIMIT, "%d threads, but room is for %d",
						  dbert_threads_count(t->pool), t->options.threads);
	*pass = (DbertPass){ .trainer = t,
						 .batch = batch,
						 .training = training,
						 .n = batch->cu[batch->n_texts],
						 .run = { .kernels = t->options.kernels,
								  .packed = t->acts.packed,
								  .pool = t->pool,
								  .poll = poll,
								  .err = err } };
	choose_rows(t, pass);
	return DBERT_OK;
}
