/*
 * objective.h -- what a model learns: one DbertObjective for each kind of head.
 *
 * An objective says which options and batches it takes, which rows of the last
 * layer its head reads, and how it learns: from labels, from what a teacher
 * says, or from both.  Trainer, pass and optimizer know no head; they ask the
 * objective.  A new one is a file (learn*.c) and a row of objectives.c.
 *
 * A trainer follows one set of DbertSteps from the last hidden states to the
 * loss and back.  Without a teacher they are the objective's own.  With one
 * they are distill.c's, which compare hidden states and attention with the
 * teacher's and leave the answers to the objective's DbertLesson.
 */
#ifndef DBERT_TRAIN_OBJECTIVE_H
#define DBERT_TRAIN_OBJECTIVE_H

#include "base/layout.h"
#include "train/plan.h"

struct DbertSteps
{
	/* Place the arrays of t->acts that it alone has; rows are the R at most. */
	void		(*place) (DbertTrainer *t, DbertLayout *l, DbertActs *a, size_t rows);

	/*
	 * Whether all rows of the last layer go on, besides those that the head
	 * reads; NULL: never.
	 */
	bool		(*all_rows) (const DbertTrainer *t);

	/* acts.hidden[R, C] to the outputs */
	DbertStatus (*forward) (const DbertPass *pass);

	/*
	 * *loss = the batch's mean, *weight its denominator; when differentiate is
	 * set, what the backward begins with: the outputs become the derivative of
	 * the mean by them, or that by the output layer's input and gradients.
	 */
	DbertStatus (*loss) (const DbertPass *pass, bool differentiate, double *loss, double *weight);

	/*
	 * Gradients of the head, and dx[R, C] by the hidden states, in whose memory
	 * it may lie, unless the layers do not learn.
	 */
	DbertStatus (*backward) (const DbertPass *pass, float *dx);

	/*
	 * What it has to say about the first layers' output, acts.layers[layers].x,
	 * is added to dx[N, C]; NULL: nothing.
	 */
	DbertStatus (*between) (const DbertPass *pass, int layers, float *dx);

	/*
	 * What it has to say about a layer's queries and keys is added to dq and
	 * dkv, laid out as dbert_pass_attention says; NULL: nothing.
	 */
	DbertStatus (*attention) (const DbertPass *pass, int layer, float *dq, float *dkv);
};

/* How a head learns from a teacher's answers, beside or instead of labels. */
typedef struct DbertLesson
{
	/* As in DbertSteps. */
	void		(*place) (DbertTrainer *t, DbertLayout *l, DbertActs *a, size_t rows);

	/* The rows that the head reads, input[pass->head.count, C], to outputs. */
	DbertStatus (*forward) (const DbertPass *pass, const float *input);

	/*
	 * The soft and the hard loss, times their shares in the whole
	 * (dbert_distill_share), are added to *loss; the rest as in DbertSteps.
	 */
	DbertStatus (*loss) (const DbertPass *pass, bool differentiate, double *loss);

	/* What the batch weighs in a mean over several. */
	double		(*weight) (const DbertPass *pass);

	/* Gradients of the head, and dx by the input, in its memory or not. */
	DbertStatus (*backward) (const DbertPass *pass, const float *input, float *dx);

	/*
	 * It makes vectors of texts itself, out of all rows that there are, and
	 * compares them as states are compared (statematch.h): input and dx are
	 * acts.hidden and what corresponds to it.
	 */
	bool		pools;
} DbertLesson;

struct DbertObjective
{
	const char *name;			/* in messages: "heads that find answers" */

	/* Whether it can learn so, on a base of this config; NULL: always. */
	DbertStatus (*check_options) (const DbertConfig *base, const DbertTrainOptions *o,
								  DbertError *err);

	/*
	 * Set what follows for the trained model: t->config, t->tied.  NULL:
	 * nothing.
	 */
	void		(*configure) (DbertTrainer *t);

	/* Whether it can learn from a batch of good sizes; NULL: always. */
	DbertStatus (*check_batch) (const DbertTrainer *t, const DbertTrainBatch *batch,
								DbertError *err);

	/* The rows that the head reads, of a batch and at most. */
	DbertRows (*rows) (const DbertTrainer *t, const DbertTrainBatch *batch);
	size_t		(*rows_most) (const DbertTrainOptions *o);

	const DbertSteps *alone;	/* without a teacher; NULL: it needs one */
	const DbertLesson *taught;	/* with one; NULL: it takes none */
};

/* ---- rows that several heads read ---- */

/* The first of each text. */
static inline DbertRows
dbert_rows_first(const DbertTrainer *t, const DbertTrainBatch *batch)
{
	return (DbertRows) {batch->n_texts, batch->cu};
}

static inline size_t
dbert_rows_first_most(const DbertTrainOptions *o)
{
	return o->max_texts;
}

static inline DbertRows
dbert_rows_all(const DbertTrainer *t, const DbertTrainBatch *batch)
{
	return (DbertRows) {batch->cu[batch->n_texts], NULL};
}

static inline size_t
dbert_rows_all_most(const DbertTrainOptions *o)
{
	return o->max_batch_tokens;
}

/* ---- objectives.c ---- */

/* NULL: there is none for such a head. */
extern const DbertObjective *dbert_objective_of(DbertHead head);

/* ---- their files ---- */

extern const DbertObjective dbert_learn_sequence;	/* learnclasses.c */
extern const DbertObjective dbert_learn_token;
extern const DbertObjective dbert_learn_span;		/* learnspans.c */
extern const DbertObjective dbert_learn_masked;		/* learnmasked.c */
extern const DbertObjective dbert_learn_vectors;	/* learnvectors.c */

#endif
