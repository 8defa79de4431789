/*
 * ops.c -- products, norms, activations, dropout: forward and backward.
 *
 * See ops.h for the rules.  What is done with a row is the kernels' business.
 */
#include "train/ops.h"

#include <string.h>

/* Elements of one part of what works row by row. */
#define PART_ELEMENTS 65536

/* Parts of either kind, and of columns, between two polls. */
#define ROW_PARTS 4

/*
 * Lanes that are packed, rows and columns that are multiplied as one part:
 * multiples of every table's panels.
 */
#define PART_LANES 96
#define PART_COLUMNS 384

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
dbert_train_parallel(const DbertTrainRun *run, int n, int between, DbertWork work, void *ctx)
{
	int			round = between * dbert_threads_count(run->pool);

	for (int first = 0; first < n; first += round)
	{
		DBERT_TRY(dbert_train_poll(run));
		DBERT_TRY(dbert_parallel_for(run->pool, first, min_int(first + round, n), work, ctx));
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
	const float *residual;
	float	   *xhat,
			   *rstd,
			   *dropped;
} Rows;

static DbertStatus
loop_rows(Rows *rows, DbertWork work)
{
	rows->step = PART_ELEMENTS / rows->n + 1;
	return dbert_train_parallel(rows->run, dbert_train_parts(rows->m, rows->step), ROW_PARTS, work,
								rows);
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

/* The row at element i, if anything of it is dropped. */
static const DbertDropRow *
drop_of_row(const Rows *rows, size_t i, DbertDropRow *row)
{
	if (rows->dropout == NULL || rows->dropout->threshold == 0)
		return NULL;
	*row = dbert_dropout_row(rows->dropout, i);
	return row;
}

/* ---- products ---- */

/* A block of a product: operands at their first element, packed operands. */
typedef struct Block
{
	const DbertTrainKernels *kernels;
	const DbertProduct *p;
	const float *a,
			   *b;
	const float *bias;
	bool		add;
	float	   *c;
	int			m,
				n,
				k;
	float	   *left,
			   *right;
	float	   *sums;			/* of the left rows, if they are due */
	bool		add_sums;
} Block;

static int
part_lanes(int lanes, int part, int size)
{
	return min_int(size, lanes - part * size);
}

/* Some rows of a, or, after these, some columns of b. */
static DbertStatus
pack_part(void *ctx, int part, int worker)
{
	const Block *b = ctx;
	int			left_parts = dbert_train_parts(b->m, PART_LANES);
	bool		left = part < left_parts,
				across = left ? b->p->ta : !b->p->tb;
	int			number = left ? part : part - left_parts;
	size_t		first = (size_t) number * PART_LANES,
				ld = left ? b->p->lda : b->p->ldb;
	const float *src = (left ? b->a : b->b) + (across ? first : first * ld);
	int			lanes = part_lanes(left ? b->m : b->n, number, PART_LANES);

	if (left)
		b->kernels->pack_left(b->left + first * b->k, src, ld, across, lanes, b->k);
	else
		b->kernels->pack_right(b->right + first * b->k, src, ld, across, lanes, b->k);
	if (left && b->sums != NULL)
		b->kernels->sum_left(b->sums + first, b->left + first * b->k, lanes, b->k, b->add_sums);
	return DBERT_OK;
}

static DbertStatus
multiply_part(void *ctx, int part, int worker)
{
	const Block *b = ctx;
	int			row_parts = dbert_train_parts(b->m, PART_LANES),
				row = part % row_parts,
				column = part / row_parts;
	size_t		i = (size_t) row * PART_LANES,
				j = (size_t) column * PART_COLUMNS;

	b->kernels->multiply(b->c + i * b->p->ldc + j, b->p->ldc, b->left + i * b->k,
						 b->right + j * b->k, b->bias != NULL ? b->bias + j : NULL, b->add,
						 part_lanes(b->m, row, PART_LANES), part_lanes(b->n, column, PART_COLUMNS),
						 b->k);
	return DBERT_OK;
}

static DbertStatus
run_block(const DbertTrainRun *run, Block *b)
{
	int			packs = dbert_train_parts(b->m, PART_LANES) +
						dbert_train_parts(b->n, PART_LANES),
				parts = dbert_train_parts(b->m, PART_LANES) * dbert_train_parts(b->n, PART_COLUMNS);
	size_t		work = (size_t) min_int(b->m, PART_LANES) * min_int(b->n, PART_COLUMNS) * b->k,
				between = run->kernels->block_work / work + 1;

	DBERT_TRY(dbert_train_parallel(run, packs, packs, pack_part, b));
	return dbert_train_parallel(run, parts, min_int(parts, (int) between), multiply_part, b);
}

/* The block at row i, column j and line l. */
static Block
block_at(const DbertTrainRun *run, const DbertProduct *p, size_t i, size_t j, size_t l)
{
	Block b = { .kernels = run->kernels->train,
				.p = p,
				.m = min_int(DBERT_PRODUCT_LANES, p->m - (int) i),
				.n = min_int(DBERT_PRODUCT_LANES, p->n - (int) j),
				.k = min_int(DBERT_PRODUCT_DEPTH, p->k - (int) l),
				.a = p->a + (p->ta ? l * p->lda + i : i * p->lda + l),
				.b = p->b + (p->tb ? j * p->ldb + l : l * p->ldb + j),
				.bias = p->bias != NULL && l == 0 ? p->bias + j : NULL,
				.add = l > 0 || p->beta != 0,
				.c = p->c + i * p->ldc + j,
				.left = run->packed,
				.right = run->packed + DBERT_PRODUCT_SCRATCH / 2,
				.sums = p->sums != NULL && j == 0 ? p->sums + i : NULL,
				.add_sums = l > 0 };

	return b;
}

DbertStatus
dbert_product(const DbertTrainRun *run, const DbertProduct *p)
{
	for (int i = 0; i < p->m; i += DBERT_PRODUCT_LANES)
		for (int j = 0; j < p->n; j += DBERT_PRODUCT_LANES)
			for (int l = 0; l < p->k; l += DBERT_PRODUCT_DEPTH)
			{
				Block		b = block_at(run, p, i, j, l);

				DBERT_TRY(run_block(run, &b));
			}
	return DBERT_OK;
}

DbertStatus
dbert_linear_forward(const DbertTrainRun *run, const DbertLinear *w, const float *x, int m,
					 float *y)
{
	DbertProduct p = {
		.tb = true,.m = m,.n = w->n,.k = w->k,.a = x,.lda = w->k,.b = w->w,.ldb = w->k,
		.bias = w->b,.c = y,.ldc = w->n
	};

	return dbert_product(run, &p);
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
			.c = (float *) g->w,.ldc = w->k,.sums = (float *) g->b
		};

		DBERT_TRY(dbert_product(run, &p));
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

/* ---- sums of columns ---- */

typedef struct Columns
{
	const DbertTrainKernels *kernels;
	const float *x,
			   *y;
	int			m,
				n;
	float	   *sum,
			   *dot;
} Columns;

static DbertStatus
columns_part(void *ctx, int part, int worker)
{
	const Columns *s = ctx;
	int			first = part * DBERT_SUM_COLUMNS;

	s->kernels->sum_columns(s->sum ? s->sum + first : NULL, s->dot ? s->dot + first : NULL,
							s->x + first, s->y ? s->y + first : NULL, s->n, s->m,
							min_int(DBERT_SUM_COLUMNS, s->n - first));
	return DBERT_OK;
}

/* sum[j] of x[i,j] and, with y, dot[j] of x[i,j] y[i,j] */
static DbertStatus
sum_columns(const DbertTrainRun *run, const float *x, const float *y, int m, int n,
			const float *sum, const float *dot)
{
	Columns		s = {run->kernels->train, x, y, m, n, (float *) sum, (float *) dot};

	return dbert_train_parallel(run, dbert_train_parts(n, DBERT_SUM_COLUMNS), ROW_PARTS,
								columns_part, &s);
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
		DbertDropRow drop;

		r->rstd[at / r->n] = r->run->kernels->train->norm(r->xhat + at, r->y + at, r->x + at,
														  r->residual ? r->residual + at : NULL,
														  drop_of_row(r, at, &drop), r->norm->gamma,
														  r->norm->beta, r->n, r->eps);
	}
	return DBERT_OK;
}

DbertStatus
dbert_residual_norm_forward(const DbertTrainRun *run, const DbertNorm *w, const DbertDropout *d,
							const float *x, const float *r, int m, int c, float eps, float *xhat,
							float *rstd, float *y)
{
	Rows		rows = {
		.run = run,.m = m,.n = c,.x = x,.y = y,.norm = w,.eps = eps,.xhat = xhat,.rstd = rstd,
		.dropout = d,.residual = r
	};

	return loop_rows(&rows, norm_forward_part);
}

DbertStatus
dbert_norm_forward(const DbertTrainRun *run, const DbertNorm *w, const float *x, int m, int c,
				   float eps, float *xhat, float *rstd, float *y)
{
	return dbert_residual_norm_forward(run, w, NULL, x, NULL, m, c, eps, xhat, rstd, y);
}

static DbertStatus
norm_output_part(void *ctx, int part, int worker)
{
	const Rows *r = ctx;
	const float *beta = r->norm->beta;
	size_t		first = part_first(r, part),
				end = first + part_count(r, part);

	for (size_t at = first; at < end; at += r->n)
		for (int j = 0; j < r->n; j++)
			r->y[at + j] = r->x[at + j] * r->norm->gamma[j] + (beta != NULL ? beta[j] : 0);
	return DBERT_OK;
}

DbertStatus
dbert_norm_output(const DbertTrainRun *run, const DbertNorm *w, const float *xhat, int m, int c,
				  float *y)
{
	Rows		rows = {.run = run,.m = m,.n = c,.x = xhat,.y = y,.norm = w};

	return loop_rows(&rows, norm_output_part);
}

static DbertStatus
norm_backward_part(void *ctx, int part, int worker)
{
	const Rows *r = ctx;
	size_t		first = part_first(r, part),
				end = first + part_count(r, part);

	for (size_t at = first; at < end; at += r->n)
	{
		DbertDropRow drop;

		r->run->kernels->train->norm_backward(r->y + at, r->dropped ? r->dropped + at : NULL,
											  r->x + at, r->rstd[at / r->n], r->dy + at,
											  drop_of_row(r, at, &drop), r->norm->gamma, r->n);
	}
	return DBERT_OK;
}

/*
 * dgamma = sum dy xhat, dbeta = sum dy: before ds, which may lie where dy does
 */
DbertStatus
dbert_residual_norm_backward(const DbertTrainRun *run, const DbertNorm *w, const DbertNorm *g,
							 const DbertDropout *d, const float *xhat, const float *rstd,
							 const float *dy, int m, int c, float *ds, float *dx)
{
	Rows rows = { .run = run,
				  .m = m,
				  .n = c,
				  .x = xhat,
				  .dy = dy,
				  .y = ds,
				  .norm = w,
				  .rstd = (float *) rstd,
				  .dropout = d,
				  .dropped = dx };

	if (g != NULL)
		DBERT_TRY(sum_columns(run, dy, xhat, m, c, g->beta, g->gamma));
	return loop_rows(&rows, norm_backward_part);
}

DbertStatus
dbert_norm_backward(const DbertTrainRun *run, const DbertNorm *w, const DbertNorm *g,
					const float *xhat, const float *rstd, const float *dy, int m, int c, float *dx)
{
	return dbert_residual_norm_backward(run, w, g, NULL, xhat, rstd, dy, m, c, dx, NULL);
}

/* ---- activations ---- */

static DbertStatus
act_forward_part(void *ctx, int part, int worker)
{
	const Rows *r = ctx;
	size_t		at = part_first(r, part);

	r->run->kernels->train->activate(r->y + at, r->x + at, part_count(r, part), r->act);
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
	size_t		at = part_first(r, part);

	r->run->kernels->train->activate_backward(r->y + at, r->x + at, r->act_y + at, r->dy + at,
											  part_count(r, part), r->act);
	return DBERT_OK;
}

DbertStatus
dbert_act_backward(const DbertTrainRun *run, int act, const float *x, const float *y,
				   const float *dy, int m, int n, float *dx)
{
	Rows		rows = {.run = run,.m = m,.n = n,.x = x,.act_y = y,.dy = dy,.y = dx,.act = act};

	return loop_rows(&rows, act_backward_part);
}

/* ---- gates ---- */

/* Rows of 2n: those that are activated, and those that they weigh. */
static DbertStatus
gate_forward_part(void *ctx, int part, int worker)
{
	const Rows *r = ctx;
	size_t		first = part_first(r, part),
				end = first + part_count(r, part);

	for (size_t at = first; at < end; at += r->n)
	{
		const float *weighed = r->x + 2 * at + r->n;
		float	   *y = r->y + at;

		r->run->kernels->train->activate(y, r->x + 2 * at, r->n, r->act);
		for (int j = 0; j < r->n; j++)
			y[j] *= weighed[j];
	}
	return DBERT_OK;
}

DbertStatus
dbert_gate_forward(const DbertTrainRun *run, int act, const float *u, int m, int n, float *y)
{
	Rows		rows = {.run = run,.m = m,.n = n,.x = u,.y = y,.act = act};

	return loop_rows(&rows, gate_forward_part);
}

/*
 * of y = act(a) b: db = dy act(a), da = dy b act'(a); they replace a and b, and
 * dropped, the caller's, is dy and then dy b
 */
static DbertStatus
gate_backward_part(void *ctx, int part, int worker)
{
	const Rows *r = ctx;
	const DbertTrainKernels *kernels = r->run->kernels->train;
	size_t		first = part_first(r, part),
				end = first + part_count(r, part);

	for (size_t at = first; at < end; at += r->n)
	{
		float	   *a = r->xhat + 2 * at,
				   *b = a + r->n,
				   *dy = r->dropped + at,
				   *activated = r->y + at;

		kernels->activate(activated, a, r->n, r->act);
		for (int j = 0; j < r->n; j++)
		{
			float		d = dy[j];

			dy[j] = d * b[j];
			b[j] = d * activated[j];
		}
		kernels->activate_backward(a, a, activated, dy, r->n, r->act);
	}
	return DBERT_OK;
}

DbertStatus
dbert_gate_backward(const DbertTrainRun *run, int act, float *u, float *dy, float *scratch, int m,
					int n)
{
	Rows rows = { .run = run, .m = m, .n = n, .xhat = u, .dropped = dy, .y = scratch, .act = act };

	return loop_rows(&rows, gate_backward_part);
}

/* ---- dropout, zeros, sums ---- */

static DbertStatus
sum_part(void *ctx, int part, int worker)
{
	const Rows *r = ctx;
	size_t		first = part_first(r, part),
				end = first + part_count(r, part);

	for (size_t i = first; i < end; i++)
		r->y[i] = r->x[i] + r->residual[i];
	return DBERT_OK;
}

DbertStatus
dbert_sum_rows(const DbertTrainRun *run, const float *x, const float *r, int m, int n, float *y)
{
	Rows		rows = {.run = run,.m = m,.n = n,.x = x,.residual = r,.y = y};

	return loop_rows(&rows, sum_part);
}

static DbertStatus
dropout_part(void *ctx, int part, int worker)
{
	const Rows *r = ctx;
	size_t		first = part_first(r, part),
				end = first + part_count(r, part);

	for (size_t at = first; at < end; at += r->n)
	{
		DbertDropRow drop;

		r->run->kernels->train->dropout(r->y + at, r->x + at, r->n, drop_of_row(r, at, &drop));
	}
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
