/*
 * inpages.h -- a directory's model for programs that time it, its weights in
 * the pages of a file.
 */
#ifndef DBERT_BENCH_INPAGES_H
#define DBERT_BENCH_INPAGES_H

#include "model/pack.h"
#include "test/support/dirsource.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static inline float *
floats(size_t count)
{
	void	   *p;

	if (posix_memalign(&p, 64, (count + 1) * sizeof(float)) != 0)
		abort();
	return p;
}

/*
 * Weights that floats() holds go where they lie in the server: into pages of a
 * file on disk.  Linux keeps those in larger pieces than malloc's, and whoever
 * reads all of them waits less for addresses.
 */
static inline const void *
in_file(float *weights, size_t size)
{
	char		name[] = "/var/tmp/encodeXXXXXX";
	int			fd = mkstemp(name);
	void	   *p = MAP_FAILED;
	size_t		at = 0;
	ssize_t		written = 1;

	if (fd >= 0)
		unlink(name);
	for (; at < size && written > 0; at += (size_t) written)
		written = write(fd, (char *) weights + at, size - at);
	if (written > 0)
		p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
	{
		perror("bench: weights in /var/tmp");
		exit(1);
	}
	close(fd);
	free(weights);
	return p;
}

static inline DbertModel *
open_model(const char *dir, const DbertKernels *kernels, DbertPrecision precision, DbertError *err)
{
	const DbertAllocator *a = &dbert_malloc_allocator;
	DbertSource source = dir_source(dir);
	DbertPack  *pack;
	DbertModel *model;
	float	   *image;
	size_t		size;

	if (dbert_pack_begin(&source, NULL, precision, kernels, a, NULL, &pack, err) != DBERT_OK)
		return NULL;
	size = dbert_pack_size(pack);
	image = floats(size / sizeof(float));
	if (dbert_pack_write(pack, image, NULL, err) != DBERT_OK ||
		dbert_model_open(in_file(image, size), size, kernels, a, &model, err) != DBERT_OK)
		return NULL;
	dbert_pack_end(pack);
	return model;
}

#endif
