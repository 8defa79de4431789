/*
 * trainer.h -- the inside of a DbertTrainer: parameters, activations, the parts
 * of a step.
 *
 * Everything is sized by the options and allocated once.  Letters as in
 * nn/encoder.h; R are the rows that the head takes: B for SEQUENCE, those that
 * are masked for MASK, else N.  The last layer has R rows, too, from its
 * attention's output on.
 */
#ifndef DBERT_TRAIN_TRAINER_H
#define DBERT_TRAIN_TRAINER_H

#include "model/slots.h"
#include "train/ops.h"
#include "train/train.h"

/*
 * The parameters as the slots of the model room plan them, row-major: values,
 * and, for those that learn, gradients and AdamW's two moments, laid out by a
 * plan of their own in which frozen slots have no bytes.
 */
typedef struct DbertParams
{
	DbertSlots	slots;			/* places in values */
	DbertSlots	learning;		/* the same slots: places in gradients and moments */
	float	   *values;
	float	   *gradients;
	float	   *mean;			/* first moment */
	float	   *square;			/* second moment */
	float	   *best;			/* dbert_trainer_keep's, like values; or NULL */
	DbertWeights w;				/* into values */
	DbertWeights g;				/* into gradients; of frozen slots nothing to use */
} DbertParams;

/* What the forward of one layer leaves to its backward. */
typedef struct DbertLayerActs
{
	float	   *x;				/* [N, C] input */
	float	   *qkv;			/* [N, 3C] */
	float	   *context;		/* [N, C] */
	float	   *xhat1;			/* [N, C] of the norm after attention */
	float	   *rstd1;			/* [N] */
	float	   *y1;				/* [N, C] its output */
	float	   *u;				/* [N, F] before the activation */
	float	   *xhat2;			/* [N, C] of the norm after the feed-forward */
	float	   *rstd2;			/* [N] */
} DbertLayerActs;

typedef struct DbertActs
{
	float	   *xhat0;			/* [N, C] of the embeddings' norm */
	float	   *rstd0;			/* [N] */
	DbertLayerActs *layers;		/* [L]; all the same memory if the layers do not learn */
	float	   *hidden;			/* [R, C] output of the last layer, [N, C] memory */

	/* the objective's: those that it places */
	float	   *z;				/* [R, C] the head's dense layer, before the activation */
	float	   *d;				/* [R, C] what the output layer takes */
	float *logits; /* [R, n_labels]; then their derivative; of MASK dbert_trainer_evaluate's [R] */
	float	   *head_xhat;		/* [R, C] of the head's norm */
	float	   *head_rstd;		/* [R] */
	float	   *dd;				/* [R, C] the derivative by d */
	float	   *block;			/* logits of some rows, see maskedlm.c; cosines, see embedding.c */
	double	   *terms;			/* of pairs, see embedding.c */
	float	   *first;			/* [R, C] the first rows of texts, where all rows go on */
	float	   *row;			/* [n_labels]; of SPAN [2, max_text_tokens] */
	float	   *projected;		/* [N, C'] states as wide as the teacher's */
	float	   *dprojected;		/* [N, C'] */
	double	   *row_sums;		/* [N] */
	double	   *head_sums;		/* [B, H] */

	/* scratch */
	float	   *wide;			/* [N, F] */
	float	   *wide2;			/* [N, max(F, 3C)] */
	float	   *t;				/* [N, C] */
	float	   *t2;				/* [N, C] */
	float	   *packed;			/* of products */
	float	   *attention;		/* dbert_self_attention_scratch for each thread */
	double	   *sums;			/* of parts of the gradients */
} DbertActs;

/* Memory being laid out: two walks, the first only adds up. */
typedef struct DbertLayout
{
	char	   *base;			/* NULL: only add up */
	size_t		total;
	bool		overflow;
} DbertLayout;

extern void *dbert_layout_place(DbertLayout *l, size_t rows, size_t columns, size_t size);
extern float *dbert_layout_floats(DbertLayout *l, size_t rows, size_t columns);

typedef struct DbertPass DbertPass;

/*
 * What is made of the last hidden states, and what is wrong with it: one for
 * each kind of head.
 */
typedef struct DbertObjective
{
	/* Arrays in t->acts that it alone has; rows are the R at most. */
	void		(*place) (DbertTrainer *t, DbertLayout *l, DbertActs *a, size_t rows);

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
} DbertObjective;

extern const DbertObjective dbert_classify;		/* SEQUENCE, TOKEN */
extern const DbertObjective dbert_distill;		/* all but pairs, and a teacher */
extern const DbertObjective dbert_masked_lm;	/* MASK */
extern const DbertObjective dbert_embedding;	/* NONE */

struct DbertTrainer
{
	const DbertAllocator *alloc;
	DbertTrainBase *base;
	DbertTrainOptions options;
	const DbertObjective *objective;
	DbertConfig config;			/* the base's with the new head */
	DbertParams params;
	DbertActs	acts;
	void	   *memory;			/* of all arrays */
	DbertThreads  *pool;
	bool		layers_learn;
	bool		embeddings_learn;
	bool		kept_head;
	bool		tied;			/* the decoder of MASK is the word embedding */
	bool		kept;			/* params.best was filled */
	int64_t		step;			/* done so far */
};

/* A pass over a batch. */
struct DbertPass
{
	DbertTrainer *trainer;
	const DbertTrainBatch *batch;
	DbertTrainRun run;
	bool		training;		/* with dropout */
	int			n;				/* N */
	int			rows;			/* R */
	const int32_t *picked;		/* [R] the rows of N that they are, rising; NULL: all */
};

/* ---- trainer.c ---- */

/* Check the batch and fill pass. */
extern DbertStatus dbert_pass_begin(DbertTrainer *t, const DbertTrainBatch *batch, bool training,
									const DbertPoll *poll, DbertError *err, DbertPass *pass);

/* ---- params.c ---- */

/* Plan both layouts; frozen as the options say. */
extern DbertStatus dbert_params_plan(const DbertTrainer *trainer, const DbertAllocator *alloc,
									 DbertParams *params, DbertError *err);

/*
 * Read values from the base, or begin them at random; tells whether the output
 * layer was kept.
 */
extern DbertStatus dbert_params_load(DbertTrainer *trainer, const DbertPoll *poll, DbertError *err);

/* ---- pass.c: the network ---- */

/* hidden states and the objective's outputs */
extern DbertStatus dbert_pass_forward(const DbertPass *pass);

/* A layer's attention, after the forward. */
extern DbertSelfAttention dbert_pass_attention(const DbertPass *pass, int layer);

/* Columns of the widest heads that are looked at. */
extern size_t dbert_attention_columns_most(const DbertTrainer *t);

/* E_INVALID: the loss is not finite */
extern DbertStatus dbert_pass_check_loss(const DbertPass *pass, double loss);

/* gradients, from the derivative by the outputs, where the loss left it */
extern DbertStatus dbert_pass_backward(const DbertPass *pass);

/*
 * The streams of dropout: where masks are made.  Those of layer l are 4 l +
 * DROP_...
 */
typedef enum DbertDropSite
{
	DBERT_DROP_PROBABILITIES,	/* of a layer */
	DBERT_DROP_ATTENTION,		/* of a layer: the attention's output, if the family drops it */
	DBERT_DROP_FFN,				/* of a layer: the feed-forward's output */
	DBERT_DROP_EMBEDDING,
	DBERT_DROP_HEAD
} DbertDropSite;

extern DbertDropout dbert_pass_dropout(const DbertPass *pass, DbertDropSite site, int layer);

/* y[M, C] = x dropped out, in place or not; its own backward. */
extern DbertStatus dbert_pass_drop(const DbertPass *pass, DbertDropSite site, int layer,
								   const float *x, int m, float *y);

/* ---- classify.c, for objectives that go on from it ---- */

extern void dbert_classify_place(DbertTrainer *t, DbertLayout *l, DbertActs *a, size_t rows);

/* acts.logits[rows, n_labels] from hidden[rows, C] */
extern DbertStatus dbert_classify_forward(const DbertPass *pass, const float *hidden, int rows);

/*
 * dx[rows, C] from the derivative in acts.logits; it may lie in hidden's
 * memory, not in acts.t
 */
extern DbertStatus dbert_classify_backward(const DbertPass *pass, const float *hidden, int rows,
										   float *dx);

/* What the mean over so many rows is divided by. */
extern double dbert_classify_weight(const DbertPass *pass, int rows);

/*
 * A row's loss by its label; x[n_labels], its logits, become share times the
 * derivative.
 */
extern double dbert_classify_loss(const DbertPass *pass, int row, float *x, double share,
								  bool differentiate);

/*
 * sum of (x - y)^2 over n; when differentiate is set, x becomes share times the
 * derivative, 2 (x - y)
 */
extern double dbert_squared_error(float *x, const float *y, int n, double share,
								  bool differentiate);

/* ---- maskedlm.c, likewise ---- */

extern void dbert_masked_place(DbertTrainer *t, DbertLayout *l, DbertActs *a, size_t rows);

/* acts.d[n_masked, C] from hidden[n_masked, C] */
extern DbertStatus dbert_masked_forward(const DbertPass *pass, const float *hidden);

/*
 * soft and hard times the sums of the masked tokens' losses are added to *loss;
 * acts.logits as dbert_trainer_evaluate says; acts.dd and the decoder's
 * gradients.
 */
extern DbertStatus dbert_masked_loss(const DbertPass *pass, double soft, double hard,
									 bool differentiate, double *loss);

/* dx[n_masked, C] from acts.dd; it may lie in hidden's memory */
extern DbertStatus dbert_masked_backward(const DbertPass *pass, const float *hidden, float *dx);

/* ---- embedding.c, likewise ---- */

/*
 * acts.d[B, C], the texts' vectors at length 1; acts.head_rstd[B] is for the
 * backward
 */
extern DbertStatus dbert_embedding_forward(const DbertPass *pass);

/* dx in the rows that were pooled, from the derivative by d in acts.dd */
extern DbertStatus dbert_embedding_backward(const DbertPass *pass, float *dx);

/* ---- adamw.c ---- */

/*
 * Clip the gradients, move the parameters; trainer->step is the number of steps
 * before.
 */
extern DbertStatus dbert_adamw_step(const DbertPass *pass);

/* The parts in which gradients are summed, for acts.sums. */
extern size_t dbert_adamw_parts(const DbertParams *params);

#endif
