/*
 * packhelp.h -- an image and its model in one call, and kernels of a layout of
 * their own, for the tests of the model room.
 */
#ifndef DBERT_TEST_PACKHELP_H
#define DBERT_TEST_PACKHELP_H

#include "model/pack.h"
#include "test/support/memsource.h"

#include <stdbool.h>

/* They pack a matrix as columns, with one float of padding that is -1. */
extern const DbertKernels column_kernels;

typedef struct Built
{
	void	   *image;
	size_t		size;
	DbertModel *model;			/* NULL: of an image alone */
} Built;

/*
 * The image, or the image and the model on it, in fp32 unless said otherwise;
 * the memory holds other bytes before each build, so that one which is not
 * written shows.  release also after a failure.
 */
extern DbertStatus build_precision(const DbertSource *source, const char *task,
								   DbertPrecision precision, const DbertKernels *kernels, Built *b,
								   DbertError *err);
extern DbertStatus build_image(const DbertSource *source, const char *task,
							   const DbertKernels *kernels, Built *b, DbertError *err);
extern DbertStatus build(const DbertSource *source, const char *task, const DbertKernels *kernels,
						 Built *b, DbertError *err);
extern void release(Built *b);

/* Builds with the scalar kernels; false, and a failed check, if it cannot. */
extern bool built(MemModel *m, const char *task, Built *b);

#endif
