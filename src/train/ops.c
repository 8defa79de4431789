/*
 * ops.c -- products, norms, activations, dropout: forward and backward.
 *
 * See ops.h for the rules.  Sums over rows and columns are kept in double.
 */
#include "train/ops.h"

#include <math.h>
#include <string.h>

/* Multiply-adds of one part of a product: some 10 ms of one core. */
#define PART_WORK ((size_t) 400 * 1000 * 1000)

/* Elements of one part of what works row by row. */
#define PART_ELEMENTS 65536

/* Parts of either kind, and of columns, between two polls. */
#define ROW_PARTS 4

/* Columns that are summed together, and the rows of them that are before they become a double. */
#define PART_COLUMNS 64
#define SUM_ROWS 8

/* ---- loops ---- */

DbertStatus
dbert_train_poll(const DbertTrainRun *run)
{
	if (dbert_stopped(run->poll))
		return dbert_fail(run->err, DBERT_E_CANCELLED, "cancelled");
	return DBERT_OK;
}

static int
min_int(int a, int b)
{
	return a < b ? a : b;
}

/* The poll may end the process, so no worker may run while it is asked. */
DbertStatus
dbert_train_loop(const DbertTrainRun *run, int n, int between, DbertTask task, void *ctx)
{
	int			round = between * dbert_pool_threads(run->pool);

	for (int first = 0; first < n; first += round)
	{
		DBERT_TRY(dbert_train_poll(run));
		DBERT_TRY(dbert_parallel_for(run->pool, first, min_int(first + round, n), task, ctx));
	}
	return DBERT_OK;
}

/* What works row by row: a part is some rows. */
typedef struct Rows
{
	const DbertTrainRun *run;
	int			m,
				n,
				step;			/* rows of a part */
	const float *x,
			   *dy;
	float	   *y;
	/* of some */
	int			act;
	const float *act_y;
	const DbertDropout *dropout;
	const DbertNorm *norm;
	float		eps;
	float	   *xhat,
			   *rstd;
} Rows;

static DbertStatus
loop_rows(Rows *rows, DbertTask task)
{
	rows->step = PART_ELEMENTS / rows->n + 1;
	return dbert_train_loop(rows->run, dbert_train_parts(rows->m, rows->step), ROW_PARTS, task, rows);
}

/* First element and number of elements of a part. */
static size_t
part_first(const Rows *rows, int i)
{
	return (size_t) i * rows->step * rows->n;
}

static size_t
part_count(const Rows *rows, int i)
{
	return (size_t) min_int(rows->step, rows->m - i * rows->step) * rows->n;
}

/* ---- products ---- */

typedef struct ProductLoop
{
	const DbertTrainRun *run;
	const DbertProduct *p;
	int			step;
} ProductLoop;

static DbertStatus
product_part(void *ctx, int part, int worker)
{
	const ProductLoop *loop = ctx;
	const DbertProduct *p = loop->p;
	int			first = part * loop->step,
				m = min_int(loop->step, p->m - first);
	float	   *c = p->c + first * p->ldc;

	for (int i = 0; p->bias != NULL && i < m; i++)
		memcpy(c + i * p->ldc, p->bias, p->n * sizeof(float));
	loop->run->sgemm(p->ta, p->tb, m, p->n, p->k, 1, p->a + (p->ta ? (size_t) first : first * p->lda), p->lda,
					 p->b, p->ldb, p->bias != NULL ? 1 : p->beta, c, p->ldc);
	return DBERT_OK;
}

DbertStatus
dbert_product(const DbertTrainRun *run, const DbertProduct *p)
{
	size_t		rows = PART_WORK / ((size_t) p->n * p->k + 1) + 1;
	ProductLoop loop = {run, p, rows < (size_t) p->m ? (int) rows : p->m};

	return dbert_train_loop(run, dbert_train_parts(p->m, loop.step), 1, product_part, &loop);
}

DbertStatus
dbert_linear_forward(const DbertTrainRun *run, const DbertLinear *w, const float *x, int m, float *y)
{
	DbertProduct p = {
		.tb = true,.m = m,.n = w->n,.k = w->k,.a = x,.lda = w->k,.b = w->w,.ldb = w->k,
		.bias = w->b,.c = y,.ldc = w->n
	};

	return dbert_product(run, &p);
}

/* ---- sums of columns ---- */

/* out[j] = sum of x[i,j], or of x[i,j] y[i,j] */
typedef struct Columns
{
	const float *x,
			   *y;
	int			m,
				n;
	float	   *out;
} Columns;

/* sum[n] += row r, from column first on */
static void
add_columns(const Columns *s, int r, int first, int n, float *sum)
{
	const float *x = s->x + (size_t) r * s->n + first;

	if (s->y == NULL)
		for (int j = 0; j < n; j++)
			sum[j] += x[j];
	else
	{
		const float *y = s->y + (size_t) r * s->n + first;

		for (int j = 0; j < n; j++)
			sum[j] += x[j] * y[j];
	}
}

static DbertStatus
columns_part(void *ctx, int part, int worker)
{
	const Columns *s = ctx;
	int			first = part * PART_COLUMNS,
				n = min_int(PART_COLUMNS, s->n - first);
	double		sum[PART_COLUMNS] = {0};

	for (int i = 0; i < s->m; i += SUM_ROWS)
	{
		float		some[PART_COLUMNS] = {0};

		for (int r = i; r < min_int(i + SUM_ROWS, s->m); r++)
			add_columns(s, r, first, n, some);
		for (int j = 0; j < n; j++)
			sum[j] += some[j];
	}
	for (int j = 0; j < n; j++)
		s->out[first + j] = (float) sum[j];
	return DBERT_OK;
}

static DbertStatus
sum_columns(const DbertTrainRun *run, const float *x, const float *y, int m, int n, const float *out)
{
	Columns		s = {x, y, m, n, (float *) out};

	return dbert_train_loop(run, dbert_train_parts(n, PART_COLUMNS), ROW_PARTS, columns_part, &s);
}

/* of y = x W' + b */
DbertStatus
dbert_linear_backward(const DbertTrainRun *run, const DbertLinear *w, const DbertLinear *g,
					  const float *x, const float *dy, int m, float *dx, float beta)
{
	if (g != NULL)
	{
		DbertProduct p = {
			.ta = true,.m = w->n,.n = w->k,.k = m,.a = dy,.lda = w->n,.b = x,.ldb = w->k,
			.c = (float *) g->w,.ldc = w->k
		};

		DBERT_TRY(dbert_product(run, &p));
		DBERT_TRY(sum_columns(run, dy, NULL, m, w->n, g->b));
	}
	if (dx != NULL)
	{
		DbertProduct p = {
			.m = m,.n = w->k,.k = w->n,.a = dy,.lda = w->n,.b = w->w,.ldb = w->k,
			.beta = beta,.c = dx,.ldc = w->k
		};

		DBERT_TRY(dbert_product(run, &p));
	}
	return DBERT_OK;
}

/* ---- layer norm ---- */

static DbertStatus
norm_forward_part(void *ctx, int part, int worker)
{
	const Rows *r = ctx;
	size_t		first = part_first(r, part),
				end = first + part_count(r, part);

	for (size_t at = first; at < end; at += r->n)
	{
		const float *x = r->x + at;
		float	   *xhat = r->xhat + at;
		double		sum = 0,
					square = 0;
		float		mean,
					rstd;

		for (int j = 0; j < r->n; j++)
			sum += x[j];
		mean = (float) (sum / r->n);
		for (int j = 0; j < r->n; j++)
			square += (double) (x[j] - mean) * (x[j] - mean);
		r->rstd[at / r->n] = rstd = (float) (1 / sqrt(square / r->n + r->eps));
		for (int j = 0; j < r->n; j++)
		{
			xhat[j] = (x[j] - mean) * rstd;
			r->y[at + j] = xhat[j] * r->norm->gamma[j] + r->norm->beta[j];
		}
	}
	return DBERT_OK;
}

DbertStatus
dbert_norm_forward(const DbertTrainRun *run, const DbertNorm *w, const float *x, int m, int c, float eps,
				   float *xhat, float *rstd, float *y)
{
	Rows		rows = {
		.run = run,.m = m,.n = c,.x = x,.y = y,.norm = w,.eps = eps,.xhat = xhat,.rstd = rstd
	};

	return loop_rows(&rows, norm_forward_part);
}

/*
 * of xhat = (x - mean(x)) rstd(x), y = xhat gamma + beta: with h = dy gamma,
 * dx = rstd (h - mean(h) - xhat mean(h xhat))
 */
static DbertStatus
norm_backward_part(void *ctx, int part, int worker)
{
	const Rows *r = ctx;
	const float *gamma = r->norm->gamma;
	size_t		first = part_first(r, part),
				end = first + part_count(r, part);

	for (size_t at = first; at < end; at += r->n)
	{
		const float *dy = r->dy + at,
				   *xhat = r->x + at;
		float		rstd = r->rstd[at / r->n];
		double		sum = 0,
					dot = 0;

		for (int j = 0; j < r->n; j++)
		{
			sum += (double) dy[j] * gamma[j];
			dot += (double) dy[j] * gamma[j] * xhat[j];
		}
		sum /= r->n;
		dot /= r->n;
		for (int j = 0; j < r->n; j++)
			r->y[at + j] = (float) (rstd * ((double) dy[j] * gamma[j] - sum - xhat[j] * dot));
	}
	return DBERT_OK;
}

/* dgamma = sum dy xhat, dbeta = sum dy: before dx, which may lie where dy does */
DbertStatus
dbert_norm_backward(const DbertTrainRun *run, const DbertNorm *w, const DbertNorm *g,
					const float *xhat, const float *rstd, const float *dy, int m, int c, float *dx)
{
	Rows		rows = {
		.run = run,.m = m,.n = c,.x = xhat,.dy = dy,.y = dx,.norm = w,.rstd = (float *) rstd
	};

	if (g != NULL)
	{
		DBERT_TRY(sum_columns(run, dy, xhat, m, c, g->gamma));
		DBERT_TRY(sum_columns(run, dy, NULL, m, c, g->beta));
	}
	return loop_rows(&rows, norm_backward_part);
}

/* ---- activations ---- */

static DbertStatus
act_forward_part(void *ctx, int part, int worker)
{
	const Rows *r = ctx;
	size_t		at = part_first(r, part),
				count = part_count(r, part);

	if (r->y != r->x)
		memcpy(r->y + at, r->x + at, count * sizeof(float));
	r->run->kernels->activate(r->y + at, count, r->act);
	return DBERT_OK;
}

DbertStatus
dbert_act_forward(const DbertTrainRun *run, int act, const float *x, int m, int n, float *y)
{
	Rows		rows = {.run = run,.m = m,.n = n,.x = x,.y = y,.act = act};

	return loop_rows(&rows, act_forward_part);
}

static DbertStatus
act_backward_part(void *ctx, int part, int worker)
{
	const Rows *r = ctx;
	size_t		at = part_first(r, part),
				count = part_count(r, part);

	r->run->kernels->train->activate_backward(r->y + at, r->x + at, r->act_y + at, r->dy + at, count, r->act);
	return DBERT_OK;
}

DbertStatus
dbert_act_backward(const DbertTrainRun *run, int act, const float *x, const float *y, const float *dy,
				   int m, int n, float *dx)
{
	Rows		rows = {.run = run,.m = m,.n = n,.x = x,.act_y = y,.dy = dy,.y = dx,.act = act};

	return loop_rows(&rows, act_backward_part);
}

/* ---- dropout, sums ---- */

static DbertStatus
dropout_part(void *ctx, int part, int worker)
{
	const Rows *r = ctx;
	size_t		first = part_first(r, part),
				count = part_count(r, part);

	dbert_dropout_run(r->dropout, first, r->x + first, count, r->y + first);
	return DBERT_OK;
}

DbertStatus
dbert_dropout_apply(const DbertTrainRun *run, const DbertDropout *d, const float *x, int m, int n,
					float *y)
{
	Rows		rows = {.run = run,.m = m,.n = n,.x = x,.y = y,.dropout = d};

	if (d->threshold == 0)
	{
		if (y != x)
			memcpy(y, x, (size_t) m * n * sizeof(float));
		return DBERT_OK;
	}
	return loop_rows(&rows, dropout_part);
}

static DbertStatus
zero_part(void *ctx, int part, int worker)
{
	const Rows *r = ctx;

	memset(r->y + part_first(r, part), 0, part_count(r, part) * sizeof(float));
	return DBERT_OK;
}

DbertStatus
dbert_zero_rows(const DbertTrainRun *run, float *y, int m, int n)
{
	Rows		rows = {.run = run,.m = m,.n = n,.y = y};

	return loop_rows(&rows, zero_part);
}

static DbertStatus
add_part(void *ctx, int part, int worker)
{
	const Rows *r = ctx;
	size_t		first = part_first(r, part),
				end = first + part_count(r, part);

	for (size_t i = first; i < end; i++)
		r->y[i] += r->x[i];
	return DBERT_OK;
}

DbertStatus
dbert_add_rows(const DbertTrainRun *run, float *y, const float *x, int m, int n)
{
	Rows		rows = {.run = run,.m = m,.n = n,.x = x,.y = y};

	return loop_rows(&rows, add_part);
}
