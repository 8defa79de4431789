/*
 * fuzz_pack.c -- an image that was damaged on purpose: its checksums are right.
 *
 * An input names a model, whose image is then edited: byte 0 is the kind; each
 * edit is a byte that chooses a section (or the header), and what take_edit
 * says.  So inputs do not grow old with the format.  With bit 7 of byte 0 the
 * rest of the input is the image.  The header is mended afterwards, so that the
 * edits are looked at behind the checksum.  What opens has to run, too.
 *
 * The mutator puts into sections what counts and offsets look like.
 */
#include "test/fuzz/fuzzhelp.h"

#include "model/packimage.h"

#include <string.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
extern size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* A part of the image: section 0 .., or the header. */
static uint8_t *
part(void *image, size_t size, unsigned which, size_t *len)
{
	DbertPackHeader *h = image;
	uint64_t	offset = 0;

	*len = sizeof(*h);
	which %= DBERT_SECTIONS + 1;
	if (which < DBERT_SECTIONS)
	{
		offset = h->sections[which].offset;
		*len = h->sections[which].size;
		if (offset > size || *len > size - offset)
			*len = 0;
	}
	return (uint8_t *) image + (*len == 0 ? 0 : offset);
}

static void *
edited(Bytes *in, unsigned kind, size_t *size)
{
	MemModel	m;
	void	   *image;

	mem_model_kind(&m, kind);
	image = image_of(&m, kind & 0x40 ? DBERT_PRECISION_INT8 : DBERT_PRECISION_FP32, size);
	mem_free(&m);
	REQUIRE(image != NULL);
	while (in->left > 4)
	{
		size_t		len;
		uint8_t    *at = part(image, *size, take_byte(in), &len);

		take_edit(in, at, len);
	}
	return image;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Bytes		in = {data, size};
	unsigned	kind = take_byte(&in);
	size_t		image_size = in.left;
	DbertModel *model;
	DbertError	err;
	void	   *image;

	if (kind & 0x80)
	{
		if (posix_memalign(&image, 64, image_size ? image_size : 1) != 0)
			abort();
		memcpy(image, in.at, image_size);
	}
	else
		image = edited(&in, kind & 0x7f, &image_size);
	mend_image(image, image_size);
	if (dbert_model_open(image, image_size, &dbert_kernels_scalar, &dbert_malloc_allocator, &model,
						 &err) == DBERT_OK)
	{
		ask_model(model, "hello worldly fine [MASK] ab!", 29, "a b [MASK] fine", 15);
		dbert_model_close(model);
	}
	free(image);
	return 0;
}

/* An edit: section, place, length, and one number that is often wrong. */
static size_t
add_edit(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	static const int64_t numbers[] = {
		0, 1, -1, 2, 3, 7, 8, 14, 15, 16, 64, 127, 128, 255, 256, 1024, 32767, 65535, 65536,
		65537, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN
	};
	int64_t		number = numbers[seed % (sizeof(numbers) / sizeof(numbers[0]))];
	unsigned	width = seed >> 5 & 1 ? 8 : 4,
				where = (seed >> 8) % 4096 * width;

	if (size == 0 || size + 4 + width > max_size)
		return size;
	data[0] &= 0x7f;
	data[size++] = (uint8_t) ((seed >> 20) % (DBERT_SECTIONS + 1));
	data[size++] = (uint8_t) where;
	data[size++] = (uint8_t) (where >> 8);
	data[size++] = (uint8_t) width;
	memcpy(data + size, &number, width);
	return size + width;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	if (seed % 2 == 0 || size == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	return add_edit(data, size, max_size, seed * 2654435761u);
}
