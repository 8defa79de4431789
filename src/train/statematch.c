/*
 * statematch.c -- vectors against a teacher's, row by row: by their cosine, by
 * the squares of their differences, or both.
 */
#include "train/statematch.h"

#include <math.h>

/* Rows that take a few milliseconds. */
#define ROWS_WORK (1000 * 1000)

void
dbert_states_configure(DbertTrainer *t)
{
	int			wide = t->options.distill->teacher_hidden;

	if (wide == t->config.hidden)
		return;
	t->config.n_steps = 1;
	t->config.steps[0] = (DbertPooledStep) {.kind = DBERT_POOLED_STEP_DENSE,.width = wide};
	t->config.embedding = wide;
}

void
dbert_states_place(DbertTrainer *t, DbertLayout *l, DbertActs *a)
{
	size_t		n = t->options.max_batch_tokens,
				wide = t->config.embedding;

	a->row_sums = dbert_layout_place(l, n, sizeof(double), 1);
	a->dprojected = dbert_layout_floats(l, n, wide);
	a->projected = t->config.n_steps > 0 ? dbert_layout_floats(l, n, wide) : NULL;
}

typedef struct StateLoop
{
	const float *x;				/* [rows, C'] the student's */
	const float *y;				/* [rows, C'] the teacher's */
	int			c;
	DbertStateShares shares;
	double	   *sums;			/* [rows] */
	float	   *dx;				/* [rows, C'], or NULL: not wanted */
} StateLoop;

/*
 * cosine (1 - x y / |x| |y|), its derivative cosine (x (x y) / |x|^2 - y) / |x|
 * |y|; squares |x - y|^2, its derivative 2 squares (x - y)
 */
static DbertStatus
state_row(void *ctx, int row, int worker)
{
	const StateLoop *s = ctx;
	const float *x = s->x + (size_t) row * s->c,
			   *y = s->y + (size_t) row * s->c;
	double		xy = 0,
				xx = 1e-12,
				yy = 1e-12,
				dd = 0;

	for (int j = 0; j < s->c; j++)
	{
		xy += (double) x[j] * y[j];
		xx += (double) x[j] * x[j];
		yy += (double) y[j] * y[j];
		dd += ((double) x[j] - y[j]) * ((double) x[j] - y[j]);
	}
	s->sums[row] = s->shares.cosine * (1 - xy / sqrt(xx * yy)) + s->shares.squares * dd;
	for (int j = 0; s->dx != NULL && j < s->c; j++)
		s->dx[(size_t) row * s->c + j] =
			(float) (s->shares.cosine * (x[j] * (xy / xx) - y[j]) / sqrt(xx * yy) +
					 s->shares.squares * 2 * ((double) x[j] - y[j]));
	return DBERT_OK;
}

DbertStatus
dbert_states_compare(const DbertPass *pass, const float *x, int rows, const float *y,
					 DbertStateShares shares, float *dy)
{
	const DbertTrainer *t = pass->trainer;
	StateLoop	s = {
		.x = x,.y = y,.c = t->config.embedding,.shares = shares,.sums = t->acts.row_sums,.dx = dy
	};

	if (t->config.n_steps > 0)
	{
		DBERT_TRY(dbert_linear_forward(&pass->run, &t->params.w.steps[0].dense, x, rows,
									   t->acts.projected));
		s.x = t->acts.projected;
	}
	return dbert_train_parallel(&pass->run, rows, ROWS_WORK / s.c + 1, state_row, &s);
}

DbertStatus
dbert_states_project_backward(const DbertPass *pass, const float *x, const float *dy, int rows,
							  bool add, float *dx, float beta)
{
	const DbertTrainer *t = pass->trainer;
	const DbertLinear *w = &t->params.w.steps[0].dense;
	DbertProduct dw = { .ta = true,
						.m = w->n,
						.n = w->k,
						.k = rows,
						.a = dy,
						.lda = w->n,
						.b = x,
						.ldb = w->k,
						.beta = add ? 1 : 0,
						.c = (float *) t->params.g.steps[0].dense.w,
						.ldc = w->k };

	DBERT_TRY(dbert_product(&pass->run, &dw));
	return dbert_linear_backward(&pass->run, w, NULL, x, dy, rows, dx, beta);
}
