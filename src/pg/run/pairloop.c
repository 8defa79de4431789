/*
 * pairloop.c -- see pairloop.h.
 *
 * Pairs are collected until distilbert.batch_tokens is reached, run, and
 * handed over one by one, in order; each gets the bits it would have got alone.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "pg/bridge/compat.h"
#include "pg/run/modelmemory.h"
#include "pg/run/pairloop.h"

/* The pairs that are in the batch. */
typedef struct InBatch
{
	DistilText(*texts)[2];
	int		   *numbers;
} InBatch;

static void
run_batch(const DistilPairLoop *loop, DbertBatch *batch, InBatch *in)
{
	int			count = dbert_batch_count(batch);

	if (count == 0)
		return;
	distil_batch_run(batch);
	for (int i = 0; i < count; i++)
	{
		loop->take(loop->ctx, in->numbers[i], batch, i, in->texts[i]);
		distil_text_free(&in->texts[i][0]);
		distil_text_free(&in->texts[i][1]);
	}
	dbert_batch_reset(batch);
}

void
distil_run_pairs(const DistilPairLoop *loop)
{
	DbertBatch *batch = distil_model_batch(loop->model, DBERT_WANT_LOGITS);
	size_t		batch_tokens = distil_batch_tokens(loop->model, DBERT_WANT_LOGITS);
	InBatch		in;

	in.texts = palloc(sizeof(*in.texts) * Max(loop->n, 1));
	in.numbers = palloc_array(int, Max(loop->n, 1));
	for (int e = 0; e < loop->n; e++)
	{
		int			i = dbert_batch_count(batch);

		CHECK_FOR_INTERRUPTS();
		if (!loop->get(loop->ctx, e, in.texts[i]))
			continue;
		in.numbers[i] = e;
		distil_usage_count(loop->model->usage, &(DistilUsage) {.rows = 1});
		if (!(loop->cut_first ? distil_batch_add_first_cut(batch, in.texts[i]) :
			  distil_batch_add(batch, in.texts[i], true)))
		{
			distil_text_free(&in.texts[i][0]);
			distil_text_free(&in.texts[i][1]);
			if (loop->none != NULL)
				loop->none(loop->ctx, e);
			continue;
		}
		if (dbert_batch_tokens(batch) >= batch_tokens)
			run_batch(loop, batch, &in);
	}
	run_batch(loop, batch, &in);
	pfree(in.texts);
	pfree(in.numbers);
}
