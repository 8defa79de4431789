/*
 * project.h -- the rows that go on from a layer's attention, and the queries,
 * keys and values that it works on.
 *
 * Most heads read only some rows of the last layer: the first of each text, or
 * the masked ones.  There only these R rows ask for attention and go on; they
 * lie one after the other.
 */
#ifndef DBERT_TRAIN_PROJECT_H
#define DBERT_TRAIN_PROJECT_H

#include "train/plan.h"

extern bool dbert_goes_on_alone(const DbertPass *pass, int layer);

/* R or N */
extern int	dbert_rows_behind_attention(const DbertPass *pass, int layer);

/* to[R, C]: the picked rows of from[N, C] */
extern void dbert_pick_rows(const DbertPass *pass, const float *from, float *to);

/* x[R, C] becomes [N, C], 0 in the rows that were not picked */
extern void dbert_spread_rows(const DbertPass *pass, float *x);

/*
 * What the head reads, out[head.count, C], of x[N, C], all of whose rows went
 * on: those that it picks, or means.  Backward adds what dout says to dx.
 */
extern void dbert_head_rows(const DbertPass *pass, const float *x, float *out);
extern void dbert_head_rows_backward(const DbertPass *pass, const float *dout, float *dx);

/*
 * The layer's qkv, as dbert_pass_attention says, from x[N, C]; picked[R, C] are
 * its rows that go on alone.
 */
extern DbertStatus dbert_project_forward(const DbertPass *pass, int layer,
										 const DbertSelfAttention *s, const float *x,
										 const float *picked);

/*
 * dx from dqkv, which is laid out like qkv, plus beta times what is there: [R,
 * C] where rows go on alone, which becomes [N, C].
 */
extern DbertStatus dbert_project_backward(const DbertPass *pass, int layer,
										  const DbertSelfAttention *s, const float *dqkv,
										  const float *x, const float *picked, float *dx,
										  float beta);

#endif
