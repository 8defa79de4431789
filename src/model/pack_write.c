/*
 * pack_write.c -- streams a model into its image.
 *
 * Values pass through a block of a megabyte; a matrix that the kernels lay out
 * their own way is first collected as rows, so the scratch is the largest such
 * matrix.  The header comes last: an image whose writing failed does not open.
 */
#include "model/packbuild.h"

#include "base/checksum.h"
#include "base/numbers.h"
#include "kernel/half.h"
#include "kernel/int8.h"

#include <math.h>
#include <string.h>

/* Scratch of one writing. */
typedef struct Scratch
{
	void	   *block;			/* DBERT_READ_BLOCK bytes */
	float	   *rows;			/* the largest matrix that is packed, or some rows, or NULL */
	DbertWeights weights;		/* in the image, if some are made of others; layers is freed */
} Scratch;

/* Is this the word embedding, whose rows are others of the file's? */
static bool
is_gathered(const DbertPack *pack, const DbertSlot *slot)
{
	return slot == pack->slots.items &&
		   (pack->token_rows.row != NULL || pack->token_rows.weight != NULL);
}

/* Rows of ROWS8 that are read at once: about a block. */
static int
some_rows(const DbertSlot *slot)
{
	int			rows = (int) (DBERT_READ_BLOCK / sizeof(float) / slot->cols);

	return rows < 1 ? 1 : rows < slot->rows ? rows : slot->rows;
}

/*
 * Floats, or pairs of 16 bits, of a slot that must stand in scratch.rows
 * together.
 */
static size_t
scratch_floats(const DbertPack *pack, const DbertSlot *slot)
{
	size_t		rows = 0;

	if (is_gathered(pack, slot))
		rows = (size_t) pack->token_rows.n_rows + 1;
	else if (slot->kind == DBERT_SLOT_ROWS8)
		rows = some_rows(slot);
	else if (slot->kind == DBERT_SLOT_LINEAR8 ||
			 (slot->kind == DBERT_SLOT_LINEAR && !dbert_layout_is_rows(pack->kernels)))
		rows = slot->rows;
	return dbert_slot_is_half(slot) ? (rows * slot->cols + 1) / 2 : rows * slot->cols;
}

static DbertStatus
begin_scratch(const DbertPack *pack, const char *base, Scratch *scratch, DbertError *err)
{
	size_t		floats = 0;

	memset(scratch, 0, sizeof(*scratch));
	for (int i = 0; i < pack->slots.count && base != NULL; i++)
	{
		size_t		n = scratch_floats(pack, &pack->slots.items[i]);

		if (n > floats)
			floats = n;
	}
	scratch->block = dbert_alloc(pack->alloc, DBERT_READ_BLOCK);
	scratch->rows = floats > 0 ? dbert_alloc_array(pack->alloc, floats, sizeof(float)) : NULL;
	if (scratch->block == NULL || (floats > 0 && scratch->rows == NULL))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	if (base == NULL || pack->config.distances.span == 0)
		return DBERT_OK;
	scratch->weights.layers = dbert_alloc_zero(pack->alloc, pack->config.layers,
											   sizeof(DbertLayer));
	if (scratch->weights.layers == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	dbert_slots_place(&pack->slots, &pack->config, base, &scratch->weights);
	return DBERT_OK;
}

/*
 * The parts one below the other to dst, as floats or in the slot's 16 bits;
 * only checked when dst is NULL.
 */
static DbertStatus
read_parts(const DbertPack *pack, const DbertSlot *slot, void *dst, void *block,
		   const DbertPoll *poll, DbertError *err)
{
	for (int i = 0; i < slot->n_parts; i++)
	{
		const DbertTensor *part = slot->parts[i];
		bool		half = dbert_slot_is_half(slot);

		if (half)
			DBERT_TRY(dbert_tensor_read_halves(&pack->source, part, dst, block, poll, err));
		else
			DBERT_TRY(dbert_tensor_read(&pack->source, part, dst, block, poll, err));
		if (dst != NULL)
			dst = (char *) dst + part->count * (half ? sizeof(uint16_t) : sizeof(float));
	}
	return DBERT_OK;
}

/* A row in 8 bits; its scale is returned. */
static float
round_row(int8_t *out, const float *row, int cols)
{
	DbertI8Scale scale = dbert_i8_weight_scale(row, cols);

	dbert_i8_round(out, row, cols, scale);
	return scale.scale;
}

/* A tensor in 8 bits, some rows after the other. */
static DbertStatus
write_rows8(const DbertPack *pack, const DbertSlot *slot, char *at, Scratch *scratch,
			const DbertPoll *poll, DbertError *err)
{
	size_t		cols = slot->cols,
				gap = dbert_rows8_scales(slot) - slot->rows * cols;
	float	   *scales = (float *) (at + dbert_rows8_scales(slot));
	int8_t	   *rows = (int8_t *) at;
	DbertTensor some = *slot->parts[0];
	int			step = some_rows(slot);

	memset(rows + slot->rows * cols, 0, gap);
	for (int i = 0; i < slot->rows; i += step)
	{
		int			count = slot->rows - i < step ? slot->rows - i : step;

		some.count = count * cols;
		DBERT_TRY(
			dbert_tensor_read(&pack->source, &some, scratch->rows, scratch->block, poll, err));
		some.offset += some.bytes / slot->rows * count;
		for (int r = 0; r < count; r++)
			scales[i + r] = round_row(rows + (i + r) * cols, scratch->rows + r * cols, slot->cols);
	}
	return DBERT_OK;
}

/* The row of the table that is a token's. */
static size_t
row_of_token(const DbertTokenRows *rows, int token)
{
	return (size_t) (rows->row != NULL ? rows->row[token] : token);
}

/* A token's row: that of the table, times its weight. */
static void
token_row(const DbertTokenRows *rows, const float *table, int token, int cols, float *out)
{
	const float *row = table + row_of_token(rows, token) * cols;
	float		weight = rows->weight != NULL ? rows->weight[token] : 1;

	for (int j = 0; j < cols; j++)
		out[j] = row[j] * weight;
}

/* The rows of all tokens, from a table that is read as a whole. */
static DbertStatus
write_gathered(const DbertPack *pack, const DbertSlot *slot, char *at, Scratch *scratch,
			   const DbertPoll *poll, DbertError *err)
{
	size_t		cols = slot->cols,
				scales = dbert_rows8_scales(slot);
	float	   *row = scratch->rows + pack->token_rows.n_rows * cols;

	DBERT_TRY(read_parts(pack, slot, scratch->rows, scratch->block, poll, err));
	if (slot->kind == DBERT_SLOT_ROWS8)
		memset(at + slot->rows * cols, 0, scales - slot->rows * cols);
	for (int i = 0; i < slot->rows; i++)
	{
		if (i % 4096 == 0 && dbert_stopped(poll))
			return dbert_fail(err, DBERT_E_CANCELLED, "cancelled while the model was packed");
		if (dbert_slot_is_half(slot))
		{
			memcpy((uint16_t *) at + i * cols,
				   (uint16_t *) scratch->rows + row_of_token(&pack->token_rows, i) * cols,
				   cols * sizeof(uint16_t));
			continue;
		}
		token_row(&pack->token_rows, scratch->rows, i, slot->cols, row);
		if (!dbert_all_finite(row, cols))
			return dbert_fail(err, DBERT_E_FORMAT, "%s: the row of token %d is not finite",
							  slot->parts[0]->file, i);
		if (slot->kind == DBERT_SLOT_ROWS8)
			((float *) (at + scales))[i] =
				round_row((int8_t *) at + i * cols, row, slot->cols);
		else
			memcpy((float *) at + i * cols, row, cols * sizeof(float));
	}
	return DBERT_OK;
}

/*
 * Rows of positions: sines of ever slower angles in the first half, cosines of
 * the same in the other.  (Vaswani et al. 2017, section 3.5.)
 */
static void
write_sinusoids(const DbertSlot *slot, float *at)
{
	int			half = slot->cols / 2;

	for (int i = 0; i < slot->rows; i++)
		for (int j = 0; j < half; j++)
		{
			double		angle = i / pow(10000, 2.0 * j / slot->cols);

			at[(size_t) i * slot->cols + j] = (float) sin(angle);
			at[(size_t) i * slot->cols + half + j] = (float) cos(angle);
		}
}

static bool
is_for_distances(const DbertSlot *slot)
{
	return slot->kind == DBERT_SLOT_QUERY_ROWS || slot->kind == DBERT_SLOT_KEY_ROWS;
}

/* What was read, laid out by the kernels. */
static void
pack_matrix(const DbertPack *pack, const DbertSlot *slot, void *at, const float *rows)
{
	if (slot->kind == DBERT_SLOT_LINEAR8)
		dbert_int8_of(pack->kernels, pack->precision)->pack(at, rows, slot->rows, slot->cols);
	else if (dbert_slot_is_half(slot))
		pack->kernels->half->pack(at, (const uint16_t *) rows, slot->rows, slot->cols, slot->type);
	else
		pack->kernels->pack_linear(at, rows, slot->rows, slot->cols);
}

/* base: the weights section, or NULL */
static DbertStatus
write_slot(const DbertPack *pack, const DbertSlot *slot, char *base, Scratch *scratch,
		   const DbertPoll *poll, DbertError *err)
{
	char	   *at = base != NULL ? base + slot->offset : NULL;
	size_t		end = slot->bytes;

	if (slot->kind == DBERT_SLOT_TIED || (slot->kind == DBERT_SLOT_SINUSOIDS && at == NULL))
		return DBERT_OK;
	if (at != NULL && is_gathered(pack, slot))
		DBERT_TRY(write_gathered(pack, slot, at, scratch, poll, err));
	else if (at != NULL && slot->kind == DBERT_SLOT_ROWS8)
		DBERT_TRY(write_rows8(pack, slot, at, scratch, poll, err));
	else if (slot->kind == DBERT_SLOT_SINUSOIDS)
		write_sinusoids(slot, (float *) at);
	else if (at != NULL && is_for_distances(slot))
		DBERT_TRY(dbert_write_distances(pack, slot, &scratch->weights, (float *) at,
										scratch->block, poll, err));
	else if (at == NULL || scratch_floats(pack, slot) == 0)
		DBERT_TRY(read_parts(pack, slot, at, scratch->block, poll, err));
	else
	{
		DBERT_TRY(read_parts(pack, slot, scratch->rows, scratch->block, poll, err));
		pack_matrix(pack, slot, at, scratch->rows);
	}
	if (at != NULL && end % DBERT_PACK_ALIGN != 0)
		memset(at + end, 0, DBERT_PACK_ALIGN - end % DBERT_PACK_ALIGN);
	return DBERT_OK;
}

static DbertStatus
write_weights(DbertPack *pack, char *base, const DbertPoll *poll, DbertError *err)
{
	Scratch		scratch;
	DbertStatus status = begin_scratch(pack, base, &scratch, err);

	for (int i = 0; status == DBERT_OK && i < pack->slots.count; i++)
		status = write_slot(pack, &pack->slots.items[i], base, &scratch, poll, err);
	dbert_free(pack->alloc, scratch.block);
	dbert_free(pack->alloc, scratch.rows);
	dbert_free(pack->alloc, scratch.weights.layers);
	return status;
}

/* A string to at, which is moved behind it. */
static void
put_string(char **at, const char *s)
{
	strcpy(*at, s);
	*at += strlen(s) + 1;
}

/* In blocks: the poll is asked in between. */
static DbertStatus
sum_weights(const char *base, uint64_t size, const DbertPoll *poll, uint64_t *checksum,
			DbertError *err)
{
	DbertChecksum sum;

	dbert_checksum_begin(&sum, 0);
	for (uint64_t at = 0; at < size; at += DBERT_READ_BLOCK)
	{
		if (dbert_stopped(poll))
			return dbert_fail(err, DBERT_E_CANCELLED, "cancelled while the model was packed");
		dbert_checksum_add(&sum, base + at,
						   size - at < DBERT_READ_BLOCK ? size - at : DBERT_READ_BLOCK);
	}
	*checksum = dbert_checksum_end(&sum);
	return DBERT_OK;
}

/* Everything before the weights. */
static void
write_front(const DbertPack *pack, uint64_t weights_checksum, char *image)
{
	DbertPackHeader h = pack->header;
	char	   *types = image + h.sections[DBERT_SECTION_TYPES].offset;
	size_t		front = h.sections[DBERT_SECTION_WEIGHTS].offset;
	char	   *label = image + h.sections[DBERT_SECTION_LABELS].offset;
	char	   *prompt = image + h.sections[DBERT_SECTION_PROMPTS].offset;

	memset(image, 0, front);
	memcpy(image + h.sections[DBERT_SECTION_CONFIG].offset, &pack->config, sizeof(pack->config));
	for (int i = 0; i < pack->config.n_labels; i++)
		put_string(&label, pack->labels[i]);
	for (int i = 0; i < DBERT_PROMPTS; i++)
		put_string(&prompt, pack->prompts[i]);
	memcpy(image + h.sections[DBERT_SECTION_TOKENIZER].offset, pack->tokenizer.image,
		   pack->tokenizer.image_size);
	for (int i = 0; i < pack->slots.count; i++)
		types[i] = (char) pack->slots.items[i].type;
	h.weights_checksum = weights_checksum;
	memcpy(image, &h, sizeof(h));
	h.checksum = dbert_pack_checksum(image, front);
	memcpy(image, &h, sizeof(h));
}

DbertStatus
dbert_pack_write(DbertPack *pack, void *image, const DbertPoll *poll, DbertError *err)
{
	char	   *weights;
	uint64_t	checksum = 0;

	if (image == NULL)
		return write_weights(pack, NULL, poll, err);
	weights = (char *) image + pack->header.sections[DBERT_SECTION_WEIGHTS].offset;
	memset(image, 0, sizeof(pack->header));
	DBERT_TRY(write_weights(pack, weights, poll, err));
	DBERT_TRY(sum_weights(weights, pack->slots.bytes, poll, &checksum, err));
	write_front(pack, checksum, image);
	return DBERT_OK;
}
