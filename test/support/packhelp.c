/*
 * packhelp.c -- an image and its model in one call.
 */
#include "test/support/packhelp.h"

#include "test/support/testhelp.h"

#include <stdlib.h>
#include <string.h>

/* Packed as columns, with one float of padding that is -1. */
static size_t
column_size(int n, int k)
{
	return (size_t) n * k + 1;
}

static void
column_pack(float *dst, const float *w, int n, int k)
{
	for (int i = 0; i < n; i++)
		for (int j = 0; j < k; j++)
			dst[(size_t) j * n + i] = w[(size_t) i * k + j];
	dst[(size_t) n * k] = -1;
}

const DbertKernels column_kernels = {
	.name = "columns",.layout = "test-columns",
	.packed_linear_size = column_size,.pack_linear = column_pack
};

DbertStatus
build_precision(const DbertSource *source, const char *task, DbertPrecision precision,
				const DbertKernels *kernels, Built *b, DbertError *err)
{
	static unsigned char fill = 0xa5;	/* nothing of it may remain */
	DbertPack  *pack;
	DbertStatus status;

	memset(b, 0, sizeof(*b));
	DBERT_TRY(dbert_pack_begin(source, task, precision, kernels, &dbert_malloc_allocator, NULL,
							   &pack, err));
	b->size = dbert_pack_size(pack);
	if (posix_memalign(&b->image, 64, b->size) != 0)
		abort();
	memset(b->image, fill, b->size);
	fill ^= 0xff;
	status = dbert_pack_write(pack, b->image, NULL, err);
	dbert_pack_end(pack);
	return status;
}

DbertStatus
build_image(const DbertSource *source, const char *task, const DbertKernels *kernels,
			Built *b, DbertError *err)
{
	return build_precision(source, task, DBERT_PRECISION_FP32, kernels, b, err);
}

DbertStatus
build(const DbertSource *source, const char *task, const DbertKernels *kernels,
	  Built *b, DbertError *err)
{
	DBERT_TRY(build_image(source, task, kernels, b, err));
	return dbert_model_open(b->image, b->size, kernels, &dbert_malloc_allocator, &b->model, err);
}

void
release(Built *b)
{
	dbert_model_close(b->model);
	free(b->image);
	memset(b, 0, sizeof(*b));
}

bool
built(MemModel *m, const char *task, Built *b)
{
	DbertSource source = mem_source(m);
	DbertError	err = {0};
	DbertStatus status = build(&source, task, &dbert_kernels_scalar, b, &err);

	CHECK_MSG(status == DBERT_OK, "%s", err.msg);
	if (status != DBERT_OK)
		release(b);
	return status == DBERT_OK;
}
