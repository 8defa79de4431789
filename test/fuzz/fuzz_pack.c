/*
 * fuzz_pack.c -- any bytes as an image: opened under a checksum made right.
 *
 * Built as fuzz_model.c says.  A good seed is the image of a fixture.
 */
#include "model/pack.h"
#include "model/packimage.h"

#include <stdlib.h>
#include <string.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void	   *image;
	DbertPackHeader *h;
	DbertModel *model;
	DbertError	err;

	if (posix_memalign(&image, 64, size ? size : 1) != 0)
		abort();
	memcpy(image, data, size);
	h = image;
	if (size >= sizeof(*h))
	{
		h->magic = DBERT_PACK_MAGIC;
		h->version = DBERT_PACK_VERSION;
		h->size = size;
		if (h->sections[DBERT_SECTION_WEIGHTS].offset <= size)
			h->checksum =
				dbert_pack_checksum(image, h->sections[DBERT_SECTION_WEIGHTS].offset / 8 * 8);
	}
	if (dbert_model_open(image, size, &dbert_kernels_scalar, &dbert_malloc_allocator, &model,
						 &err) == DBERT_OK)
		dbert_model_close(model);
	free(image);
	return 0;
}
