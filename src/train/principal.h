/*
 * principal.h -- principal components of many vectors.
 */
#ifndef DBERT_TRAIN_PRINCIPAL_H
#define DBERT_TRAIN_PRINCIPAL_H

#include "base/memory.h"
#include "base/status.h"

/* Axes in the order of their variance, the largest first. */
typedef struct DbertPrincipal
{
	const DbertAllocator *alloc;
	int			d;				/* numbers of a vector */
	double	   *mean;			/* [d] */
	double	   *axes;			/* [d, d]: each of length 1, or 0 where there is no variance */
	double	   *variance;		/* [d]: sums of squares along them */
} DbertPrincipal;

/*
 * Of x[n, d]; to be freed, after a failure, too.  E_NOMEM, E_CANCELLED,
 * E_NOT_FINITE.
 */
extern DbertStatus dbert_principal_find(const float *x, size_t n, int d,
										const DbertAllocator *alloc, const DbertPoll *poll,
										DbertPrincipal *p, DbertError *err);
extern void dbert_principal_free(DbertPrincipal *p);

/* out[count] = where x[d] lies on the axes from first on. */
extern void dbert_principal_project(const DbertPrincipal *p, const float *x, int first, int count,
									double *out);

#endif
