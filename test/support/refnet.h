/*
 * refnet.h -- the definition that training is tested against: the network and
 * its losses in float64.
 *
 * A Ref is a pass of a trainer on a tiny model (test/memsource.h) with a copy
 * of its parameters in double.  A central difference of ref_loss with a step of
 * 1e-5 is off by about 1e-9, so what remains when a gradient is compared with
 * it is the gradient's own rounding.
 */
#ifndef DBERT_TEST_REFNET_H
#define DBERT_TEST_REFNET_H

#include "test/support/memsource.h"
#include "train/pass.h"

/* Tokens of a text, at most. */
#define REF_T 8

typedef struct Ref
{
	DbertPass	pass;
	double	   *v;				/* the parameters, laid out like params.values */
	double *scores; /* grows by the squared differences of a teacher's scores; or NULL */
} Ref;

/* Copies the trainer's parameters as they are now. */
extern void ref_begin(Ref *r, const DbertPass *pass);
extern void ref_end(Ref *r);

/* ---- refnet.c ---- */

extern double ref_act(int act, double x);

/* y[w->n] = w x + b */
extern void ref_linear(const Ref *r, const DbertLinear *w, const double *x, double *y);

/* x[t, C] of the t tokens from first on */
extern void ref_embed(const Ref *r, int first, int t, double x[REF_T][MEM_C]);

/* x[t, C] of a text, in place */
extern void ref_layer(const Ref *r, int layer, int text, int t, double x[REF_T][MEM_C]);

/* The logits of one token's state; row: the head's, for its mask. */
extern void ref_head(const Ref *r, int row, const double *hidden, double *logits);

/* Which of the masked tokens it is, or -1. */
extern int	ref_masked(const DbertTrainBatch *b, int token);

/*
 * Where a token's row stands behind the last layer's attention, which may have
 * some rows alone: dropout counts them so.
 */
extern int	ref_row(const Ref *r, int layer, int text, int i);

/* ---- refloss.c ---- */

/* The loss of the pass. */
extern double ref_loss(const Ref *r);

#endif
