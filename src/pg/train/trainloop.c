/*
 * trainloop.c -- see trainloop.h.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/errors.h"
#include "pg/train/traincheckpoint.h"
#include "pg/train/trainloop.h"
#include "pg/train/trainsettings.h"

/* Exchanges of some milliseconds. */
#define SHUFFLE_PART 65536

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

/* dbert_random_shuffle in parts between which interrupts are served */
void
distil_train_permute(int32 *order, int n, uint64 key)
{
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		order[i] = i;
	}
	for (int first = n - 1; first > 0; first -= SHUFFLE_PART)
	{
		CHECK_FOR_INTERRUPTS();
		dbert_random_exchange(order, first, Max(first - SHUFFLE_PART + 1, 1), key);
	}
}

void
distil_train_shuffle(int64 seed, int epoch, const int32 *examples, int n, int32 *order)
{
	distil_train_permute(order, n, dbert_random_key(seed, DBERT_STREAM_ORDER, epoch));
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		order[i] = examples[order[i]];
	}
}

/* ---- telling ---- */

static void
put_row(const DistilTrainLoop *loop, const DistilTrainRow *row)
{
	Datum		values[8];
	bool		nulls[8] = {false};
	int			n = 6;

	values[0] = Int32GetDatum(row->epoch);
	values[1] = Int64GetDatum(row->step);
	values[2] = Float4GetDatum((float4) row->train_loss);
	nulls[3] = nulls[4] = nulls[5] = loop->evaluate == NULL;
	if (loop->evaluate != NULL)
	{
		values[3] = Float4GetDatum((float4) row->evaluation.loss);
		values[4] = CStringGetTextDatum(loop->metric);
		values[5] = Float4GetDatum((float4) row->evaluation.value);
		nulls[5] = isnan(row->evaluation.value);
	}
	if (loop->teacher != NULL)
	{
		nulls[n] = loop->evaluate == NULL || isnan(*loop->teacher);
		values[n++] = Float4GetDatum((float4) *loop->teacher);
	}
	values[n] = Float4GetDatum((float4) row->seconds);
	tuplestore_putvalues(loop->rsinfo->setResult, loop->rsinfo->setDesc, values, nulls);
}

static void
tell_row(const DistilTrainLoop *loop, const DistilTrainRow *row)
{
	if (loop->evaluate == NULL)
		ereport(NOTICE, (errmsg("epoch %d: train_loss %.4f", row->epoch, row->train_loss)));
	else
		ereport(NOTICE,
				(errmsg("epoch %d: train_loss %.4f, eval_loss %.4f, %s %.4f",
						row->epoch,
						row->train_loss,
						row->evaluation.loss,
						loop->metric,
						row->evaluation.value)));
}

static void
tell_progress(DistilTrainLoop *loop, double loss)
{
	const DistilTrainState *s = &loop->state;
	double		now = seconds_since(&loop->start);
	int64		done = s->step - loop->first_step;

	if (now - loop->told_at < PROGRESS_SECONDS)
		return;
	loop->told_at = now;
	ereport(NOTICE,
			(errmsg("epoch %d of %d, step %lld of %lld: loss %.4f, %.0f s, about %.0f s left",
					s->epoch, loop->epochs, (long long) s->step, (long long) loop->steps, loss, now,
					now / (double) done * (double) (loop->steps - s->step))));
}

/* For the view. */
static void
show_progress(const DistilTrainLoop *loop, DistilTrainPhase phase)
{
	DistilProgressFields *f = &loop->progress->fields;

	f->epoch = Min(loop->state.epoch, loop->epochs);
	f->step = loop->state.step;
	distil_progress_phase(loop->progress, phase);
}

static void
begin_progress(const DistilTrainLoop *loop)
{
	DistilProgressFields *f = &loop->progress->fields;

	f->epochs = loop->epochs;
	f->steps = loop->steps;
	f->first_step = loop->first_step;
	f->stepping_since = GetCurrentTimestamp();
	show_progress(loop, DISTIL_PHASE_TRAINING);
}

/* ---- checkpoints ---- */

/* Between two steps. */
static void
save_checkpoint(DistilTrainLoop *loop)
{
	double		now = seconds_since(&loop->start);

	if (loop->checkpoint == NULL || distil_guc_checkpoint_interval == 0 ||
		(now - loop->saved_at) * 1000 < distil_guc_checkpoint_interval)
		return;
	show_progress(loop, DISTIL_PHASE_CHECKPOINTING);
	loop->state.seconds = loop->seconds_before + now;
	distil_checkpoint_save(loop->checkpoint, loop);
	loop->saved_at = seconds_since(&loop->start);
	show_progress(loop, DISTIL_PHASE_TRAINING);
}

static void
resume(DistilTrainLoop *loop)
{
	const DistilTrainState *s = &loop->state;

	if (!distil_checkpoint_load(loop->checkpoint, loop))
	{
		ereport(NOTICE, (errmsg("there is no checkpoint, training from the beginning")));
		return;
	}
	loop->seconds_before = s->seconds;
	loop->first_step = s->step;
	for (int i = 0; i < s->n_rows; i++)
		put_row(loop, &s->rows[i]);
	ereport(NOTICE,
			(errmsg("resuming after step %lld of %lld, %.0f s",
					(long long) s->step,
					(long long) loop->steps,
					s->seconds)));
}

/* ---- running ---- */

static void
train_epoch(DistilTrainLoop *loop, int32 *order)
{
	DistilTrainState *s = &loop->state;

	distil_train_shuffle(loop->seed, s->epoch, loop->examples, loop->n_examples, order);
	while (s->next < loop->n_examples)
	{
		double		loss;

		s->next += loop->step(loop->ctx, order, s->next, loop->n_examples, &loss);
		s->epoch_loss += loss;
		s->epoch_steps++;
		s->step++;
		loop->progress->fields.loss = loss;
		show_progress(loop, DISTIL_PHASE_TRAINING);
		tell_progress(loop, loss);
		save_checkpoint(loop);
	}
}

static void
must(const DistilTrainLoop *loop, DbertStatus status, const DbertError *err)
{
	if (status != DBERT_OK)
		distil_raise(err, loop->subject);
}

/* With early stopping: remembers the best weights. */
static void
keep_best(DistilTrainLoop *loop, double loss)
{
	DistilTrainState *s = &loop->state;
	DbertError	err = {0};

	s->since_best = loss < s->best ? 0 : s->since_best + 1;
	if (s->since_best > 0)
		return;
	s->best = loss;
	must(loop, dbert_trainer_keep(loop->trainer, distil_poll(), &err), &err);
}

/* The epoch's row, and on to the next. */
static void
end_epoch(DistilTrainLoop *loop)
{
	DistilTrainState *s = &loop->state;
	DistilTrainRow *row = &s->rows[s->n_rows];

	*row = (DistilTrainRow)
	{
		.epoch = s->epoch,.step = s->step,.train_loss = s->epoch_loss / (double) s->epoch_steps
	};
	if (loop->evaluate != NULL)
	{
		show_progress(loop, DISTIL_PHASE_EVALUATING);
		row->evaluation = loop->evaluate(loop->ctx);
	}
	row->seconds = loop->seconds_before + seconds_since(&loop->start);
	put_row(loop, row);
	tell_row(loop, row);
	if (loop->early_stopping > 0)
		keep_best(loop, row->evaluation.loss);
	s->n_rows++;
	s->epoch++;
	s->next = 0;
	s->epoch_steps = 0;
	s->epoch_loss = 0;
}

static bool
goes_on(const DistilTrainLoop *loop)
{
	const DistilTrainState *s = &loop->state;

	return s->epoch <= loop->epochs &&
		   (loop->early_stopping == 0 || s->since_best < loop->early_stopping);
}

void
distil_train_epochs(DistilTrainLoop *loop)
{
	int32	   *order = palloc_extended(sizeof(int32) * loop->n_examples, MCXT_ALLOC_HUGE);
	DbertError	err = {0};

	INSTR_TIME_SET_CURRENT(loop->start);
	loop->state = (DistilTrainState)
	{
		.epoch = 1,.best = INFINITY,.rows = palloc(sizeof(DistilTrainRow) * loop->epochs)
	};
	if (loop->resume)
		resume(loop);
	begin_progress(loop);
	while (goes_on(loop))
	{
		train_epoch(loop, order);
		end_epoch(loop);
	}
	if (loop->checkpoint != NULL)
		distil_checkpoint_remove_at_commit(loop->checkpoint);
	if (loop->state.since_best > 0 && dbert_trainer_kept(loop->trainer))
		must(loop, dbert_trainer_restore(loop->trainer, distil_poll(), &err), &err);
	pfree(order);
}
