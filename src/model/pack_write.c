/*
 * pack_write.c -- streams a model into its image.
 *
 * Values pass through a block of a megabyte; a matrix that the kernels lay out
 * their own way is first collected as rows, so the scratch is the largest such
 * matrix.  The header comes last: an image whose writing failed does not open.
 */
#include "model/packbuild.h"

#include <string.h>

/* Scratch of one writing. */
typedef struct Scratch
{
	void	   *block;			/* DBERT_READ_BLOCK bytes */
	float	   *rows;			/* the largest matrix that is packed, or NULL */
} Scratch;

/* Whether a slot's rows go through scratch.rows. */
static bool
is_repacked(const DbertPack *pack, const DbertSlot *slot)
{
	return slot->kind == DBERT_SLOT_LINEAR && !dbert_layout_is_rows(pack->kernels);
}

static DbertStatus
begin_scratch(const DbertPack *pack, bool checking, Scratch *scratch, DbertError *err)
{
	size_t		floats = 0;

	for (int i = 0; i < pack->slots.count && !checking; i++)
	{
		const DbertSlot *slot = &pack->slots.items[i];
		size_t		n = (size_t) slot->rows * slot->cols;

		if (is_repacked(pack, slot) && n > floats)
			floats = n;
	}
	scratch->block = dbert_alloc(pack->alloc, DBERT_READ_BLOCK);
	scratch->rows = floats > 0 ? dbert_alloc_array(pack->alloc, floats, sizeof(float)) : NULL;
	if (scratch->block == NULL || (floats > 0 && scratch->rows == NULL))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	return DBERT_OK;
}

/* The parts one below the other to dst, or only checked when dst is NULL. */
static DbertStatus
read_parts(const DbertPack *pack, const DbertSlot *slot, float *dst, void *block,
		   const DbertPoll *poll, DbertError *err)
{
	for (int i = 0; i < slot->n_parts; i++)
	{
		DBERT_TRY(dbert_tensor_read(&pack->source, slot->parts[i], dst, block, poll, err));
		if (dst != NULL)
			dst += slot->parts[i]->count;
	}
	return DBERT_OK;
}

/* base: the weights section, or NULL */
static DbertStatus
write_slot(const DbertPack *pack, const DbertSlot *slot, char *base, Scratch *scratch,
		   const DbertPoll *poll, DbertError *err)
{
	float	   *at = base != NULL ? (float *) (base + slot->offset) : NULL;
	size_t		end = slot->floats * sizeof(float);

	if (slot->kind == DBERT_SLOT_TIED)
		return DBERT_OK;
	if (at == NULL || !is_repacked(pack, slot))
		DBERT_TRY(read_parts(pack, slot, at, scratch->block, poll, err));
	else
	{
		DBERT_TRY(read_parts(pack, slot, scratch->rows, scratch->block, poll, err));
		pack->kernels->pack_linear(at, scratch->rows, slot->rows, slot->cols);
	}
	if (at != NULL && end % DBERT_PACK_ALIGN != 0)
		memset((char *) at + end, 0, DBERT_PACK_ALIGN - end % DBERT_PACK_ALIGN);
	return DBERT_OK;
}

static DbertStatus
write_weights(DbertPack *pack, char *base, const DbertPoll *poll, DbertError *err)
{
	Scratch		scratch;
	DbertStatus status = begin_scratch(pack, base == NULL, &scratch, err);

	for (int i = 0; status == DBERT_OK && i < pack->slots.count; i++)
		status = write_slot(pack, &pack->slots.items[i], base, &scratch, poll, err);
	dbert_free(pack->alloc, scratch.block);
	dbert_free(pack->alloc, scratch.rows);
	return status;
}

/* Everything before the weights. */
static void
write_front(const DbertPack *pack, char *image)
{
	DbertPackHeader h = pack->header;
	size_t		front = h.sections[DBERT_SECTION_WEIGHTS].offset;
	char	   *label = image + h.sections[DBERT_SECTION_LABELS].offset;

	memset(image, 0, front);
	memcpy(image + h.sections[DBERT_SECTION_CONFIG].offset, &pack->config, sizeof(pack->config));
	for (int i = 0; i < pack->config.n_labels; i++)
	{
		strcpy(label, pack->labels[i]);
		label += strlen(label) + 1;
	}
	memcpy(image + h.sections[DBERT_SECTION_TOKENIZER].offset, pack->tokenizer.image,
		   pack->tokenizer.image_size);
	memcpy(image, &h, sizeof(h));
	h.checksum = dbert_pack_checksum(image, front);
	memcpy(image, &h, sizeof(h));
}

DbertStatus
dbert_pack_write(DbertPack *pack, void *image, const DbertPoll *poll, DbertError *err)
{
	char	   *base = image;

	if (image == NULL)
		return write_weights(pack, NULL, poll, err);
	memset(image, 0, sizeof(pack->header));
	DBERT_TRY(write_weights(pack, base + pack->header.sections[DBERT_SECTION_WEIGHTS].offset, poll, err));
	write_front(pack, image);
	return DBERT_OK;
}
