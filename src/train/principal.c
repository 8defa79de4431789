/*
 * principal.c -- see principal.h.
 *
 * The covariance matrix is added up block of vectors by block of vectors.  Its
 * rows are then turned, two at a time, until all are orthogonal to each other
 * (one-sided Jacobi): of a symmetric matrix without negative eigenvalues these
 * are its eigenvectors, each as long as its eigenvalue.  That is slower than a
 * tridiagonal method and needs no more than dot products of rows.
 *
 * Source: Hestenes 1958, "Inversion of matrices by biorthogonalization"; Golub
 * and Van Loan, "Matrix Computations", section 8.6.3.
 */
#include "train/principal.h"

#include "base/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Vectors that are added to the covariance together. */
#define BLOCK 32

/* The poll is asked before each so many. */
#define SOME_VECTORS 512

/* Rows are orthogonal if their cosine is below this. */
#define ORTHOGONAL 1e-9

/* Seven or eight are usual. */
#define SWEEPS 40

static DbertStatus
cancelled(DbertError *err)
{
	return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
}

static double
dot(const double *a, const double *b, int n)
{
	double		sum[4] = {0};
	int			j = 0;

	for (; j + 4 <= n; j += 4)
		for (int k = 0; k < 4; k++)
			sum[k] += a[j + k] * b[j + k];
	for (; j < n; j++)
		sum[0] += a[j] * b[j];
	return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* ---- the covariance ---- */

/* And whether all numbers are numbers. */
static DbertStatus
find_mean(DbertPrincipal *p, const float *x, size_t n, const DbertPoll *poll, DbertError *err)
{
	for (int j = 0; j < p->d; j++)
		p->mean[j] = 0;
	for (size_t i = 0; i < n; i++)
	{
		const float *vector = x + i * p->d;

		if (i % SOME_VECTORS == 0 && dbert_stopped(poll))
			return cancelled(err);
		if (!dbert_all_finite(vector, p->d))
			return dbert_fail(err, DBERT_E_NOT_FINITE, "vector %zu is not finite", i);
		for (int j = 0; j < p->d; j++)
			p->mean[j] += vector[j];
	}
	for (int j = 0; j < p->d; j++)
		p->mean[j] /= (double) n;
	return DBERT_OK;
}

/* Adds the lower triangle of y[m, d]. */
static void
add_block(double *covariance, const double *y, int m, int d)
{
	for (int i = 0; i < d; i++)
	{
		double	   *row = covariance + (size_t) i * d;

		for (int r = 0; r < m; r++)
		{
			double		a = y[(size_t) r * d + i];

			for (int j = 0; j <= i; j++)
				row[j] += a * y[(size_t) r * d + j];
		}
	}
}

static DbertStatus
find_covariance(DbertPrincipal *p, const float *x, size_t n, double *block, const DbertPoll *poll,
				DbertError *err)
{
	int			d = p->d;

	memset(p->axes, 0, sizeof(double) * d * d);
	for (size_t i = 0; i < n; i += BLOCK)
	{
		int			m = n - i < BLOCK ? (int) (n - i) : BLOCK;

		if (dbert_stopped(poll))
			return cancelled(err);
		for (int r = 0; r < m; r++)
			for (int j = 0; j < d; j++)
				block[(size_t) r * d + j] = x[(i + r) * d + j] - p->mean[j];
		add_block(p->axes, block, m, d);
	}
	for (int i = 0; i < d; i++)
		for (int j = 0; j < i; j++)
			p->axes[(size_t) j * d + i] = p->axes[(size_t) i * d + j];
	return DBERT_OK;
}

/* ---- its eigenvectors ---- */

/* Turn rows a and b, whose squares are known, until they are orthogonal. */
static bool
turn(double *a, double *b, double *square_a, double *square_b, int n)
{
	double		product = dot(a, b, n),
				ratio,
				tangent,
				cosine,
				sine;

	if (!(fabs(product) > ORTHOGONAL * sqrt(*square_a * *square_b)))
		return false;
	ratio = (*square_b - *square_a) / (2 * product);
	tangent = (ratio < 0 ? -1 : 1) / (fabs(ratio) + sqrt(1 + ratio * ratio));
	cosine = 1 / sqrt(1 + tangent * tangent);
	sine = cosine * tangent;
	for (int j = 0; j < n; j++)
	{
		double		x = a[j],
					y = b[j];

		a[j] = cosine * x - sine * y;
		b[j] = sine * x + cosine * y;
	}
	*square_a -= tangent * product;
	*square_b += tangent * product;
	return true;
}

/* Each row with each other one, until no two have to be turned. */
static DbertStatus
make_orthogonal(DbertPrincipal *p, const DbertPoll *poll, DbertError *err)
{
	int			d = p->d;
	bool		turned = true;

	for (int sweep = 0; turned && sweep < SWEEPS; sweep++)
	{
		turned = false;
		for (int i = 0; i < d; i++)
			p->variance[i] = dot(p->axes + (size_t) i * d, p->axes + (size_t) i * d, d);
		for (int i = 0; i < d - 1; i++)
		{
			if (dbert_stopped(poll))
				return cancelled(err);
			for (int j = i + 1; j < d; j++)
				turned |= turn(p->axes + (size_t) i * d, p->axes + (size_t) j * d,
							   &p->variance[i], &p->variance[j], d);
		}
	}
	return DBERT_OK;
}

/*
 * The longest first; scaled to length 1, which is the variance.  A row without
 * length stays as it is.
 */
static void
sort_axes(DbertPrincipal *p)
{
	int			d = p->d;

	for (int i = 0; i < d; i++)
		p->variance[i] = sqrt(dot(p->axes + (size_t) i * d, p->axes + (size_t) i * d, d));
	for (int i = 0; i < d; i++)
	{
		double	   *axis = p->axes + (size_t) i * d;
		int			longest = i;
		double		length;

		for (int j = i + 1; j < d; j++)
			if (p->variance[j] > p->variance[longest])
				longest = j;
		length = p->variance[longest];
		p->variance[longest] = p->variance[i];
		p->variance[i] = length;
		for (int j = 0; j < d; j++)
		{
			double	   *other = p->axes + (size_t) longest * d,
						x = other[j];

			other[j] = axis[j];
			axis[j] = length > 0 ? x / length : x;
		}
	}
}

DbertStatus
dbert_principal_find(const float *x, size_t n, int d, const DbertAllocator *alloc,
					 const DbertPoll *poll, DbertPrincipal *p, DbertError *err)
{
	double	   *block = dbert_alloc_array(alloc, (size_t) BLOCK * d, sizeof(double));
	DbertStatus status;

	*p = (DbertPrincipal) {.alloc = alloc,.d = d};
	p->mean = dbert_alloc_array(alloc, d, sizeof(double));
	p->axes = dbert_alloc_array(alloc, (size_t) d * d, sizeof(double));
	p->variance = dbert_alloc_array(alloc, d, sizeof(double));
	if (block == NULL || p->mean == NULL || p->axes == NULL || p->variance == NULL)
		status = dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	else
		status = find_mean(p, x, n, poll, err);
	if (status == DBERT_OK)
		status = find_covariance(p, x, n, block, poll, err);
	if (status == DBERT_OK)
		status = make_orthogonal(p, poll, err);
	if (status == DBERT_OK)
		sort_axes(p);
	dbert_free(alloc, block);
	return status;
}

void
dbert_principal_free(DbertPrincipal *p)
{
	dbert_free(p->alloc, p->mean);
	dbert_free(p->alloc, p->axes);
	dbert_free(p->alloc, p->variance);
}

void
dbert_principal_project(const DbertPrincipal *p, const float *x, int first, int count, double *out)
{
	int			d = p->d;

	for (int k = 0; k < count; k++)
	{
		const double *axis = p->axes + (size_t) (first + k) * d;
		double		sum[4] = {0};
		int			j = 0;

		for (; j + 4 <= d; j += 4)
			for (int i = 0; i < 4; i++)
				sum[i] += axis[j + i] * (x[j + i] - p->mean[j + i]);
		for (; j < d; j++)
			sum[0] += axis[j] * (x[j] - p->mean[j]);
		out[k] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
	}
}
