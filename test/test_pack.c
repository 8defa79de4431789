/*
 * test_pack.c -- images that are damaged, models whose reading fails half-way,
 * whole directories.
 */
#include "base/bytes.h"
#include "base/checksum.h"
#include "model/packimage.h"
#include "model/slots.h"
#include "test/support/counting.h"
#include "test/support/dirsource.h"
#include "test/support/packhelp.h"
#include "test/support/shareddata.h"
#include "test/support/testhelp.h"

#include <dirent.h>

/* ---- damage ---- */

/* A copy of exactly size bytes, so that a read past it is seen. */
static void *
exact_copy(const void *image, size_t size)
{
	void	   *copy;

	if (posix_memalign(&copy, 64, size ? size : 1) != 0)
		abort();
	memcpy(copy, image, size);
	return copy;
}

static DbertStatus
open_copy(const void *image, size_t size)
{
	DbertModel *model = NULL;
	DbertError	err = {0};
	DbertStatus status = dbert_model_open(image, size, &dbert_kernels_scalar,
										  &dbert_malloc_allocator, &model, &err);

	CHECK((model != NULL) == (status == DBERT_OK));
	dbert_model_close(model);
	return status;
}

static void
test_damaged_image(void)
{
	MemModel	m;
	Built		b;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	if (built(&m, NULL, &b))
	{
		const DbertPackHeader *h = b.image;
		size_t		front = h->sections[DBERT_SECTION_WEIGHTS].offset;
		unsigned char *copy = exact_copy(b.image, b.size);
		int			missed = 0;

		for (size_t i = 0; i < front; i++)
		{
			for (int flip = 1; flip < 256; flip = flip * 2 + 1)
			{
				copy[i] ^= (unsigned char) flip;
				missed += open_copy(copy, b.size) != DBERT_E_CORRUPT;
				copy[i] ^= (unsigned char) flip;
			}
		}
		CHECK_MSG(missed == 0, "%d damaged bytes were not noticed", missed);
		CHECK(open_copy(copy, b.size) == DBERT_OK);
		free(copy);
		missed = 0;
		for (size_t size = 0; size < b.size; size += 1 + size / 64)
		{
			copy = exact_copy(b.image, size);
			missed += open_copy(copy, size) != DBERT_E_CORRUPT;
			free(copy);
		}
		CHECK_MSG(missed == 0, "%d truncations were not noticed", missed);
		release(&b);
	}
	mem_free(&m);
}

/*
 * Sections must follow each other up to the last byte, whatever the checksum
 * says.
 */
static void
test_forged_sections(void)
{
	static const struct
	{
		int			section;
		int			offset;			/* added to the section's */
		int			size;
	} forged[] = { { DBERT_SECTION_CONFIG, -64, 0 },        { DBERT_SECTION_LABELS, -64, 0 },
				   { DBERT_SECTION_LABELS, 1, 0 },          { DBERT_SECTION_LABELS, 0, -1 },
				   { DBERT_SECTION_PROMPTS, 0, -1 },        { DBERT_SECTION_TOKENIZER, 0, -8 },
				   { DBERT_SECTION_TOKENIZER, 0, 1 << 20 }, { DBERT_SECTION_TYPES, 0, -1 },
				   { DBERT_SECTION_TYPES, 0, 1 },           { DBERT_SECTION_WEIGHTS, 0, -64 },
				   { DBERT_SECTION_WEIGHTS, 0, 64 },        { DBERT_SECTION_WEIGHTS, 64, -64 },
				   { DBERT_SECTION_CONFIG, 0, 8 } };
	MemModel	m;
	Built		b;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	if (built(&m, NULL, &b))
	{
		for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++)
		{
			unsigned char *copy = exact_copy(b.image, b.size);
			DbertPackHeader *h = (DbertPackHeader *) copy;

			h->sections[forged[i].section].offset += (uint64_t) (int64_t) forged[i].offset;
			h->sections[forged[i].section].size += (uint64_t) (int64_t) forged[i].size;
			h->checksum = dbert_pack_checksum(copy, h->sections[DBERT_SECTION_WEIGHTS].offset);
			CHECK_MSG(open_copy(copy, b.size) == DBERT_E_CORRUPT,
					  "forged section %zu was not noticed", i);
			free(copy);
		}
		release(&b);
	}
	mem_free(&m);
}

/* Family, types and what is unused are not believed, whatever the checksum says. */
static void
test_forged_fields(void)
{
	MemModel	m;
	Built		b;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	for (int field = 0; field < 4 && built(&m, NULL, &b); field++)
	{
		unsigned char *copy = exact_copy(b.image, b.size);
		DbertPackHeader *h = (DbertPackHeader *) copy;

		if (field == 0)
			h->family++;
		else if (field == 1)
			h->n_slots++;
		else if (field == 2)
			h->unused[3] = 1;
		else
			copy[h->sections[DBERT_SECTION_TYPES].offset + h->n_slots - 1] = DBERT_WEIGHT_BF16;
		h->checksum = dbert_pack_checksum(copy, h->sections[DBERT_SECTION_WEIGHTS].offset);
		CHECK_MSG(open_copy(copy, b.size) == DBERT_E_CORRUPT, "forged field %d was not noticed",
				  field);
		free(copy);
		release(&b);
	}
	mem_free(&m);
}

static bool
weights_are_whole(const void *image)
{
	DbertPackWeights w;
	DbertChecksum sum;

	dbert_pack_weights(image, &w);
	dbert_checksum_begin(&sum, 0);
	dbert_checksum_add(&sum, (const char *) image + w.offset, w.size);
	return dbert_checksum_end(&sum) == w.checksum;
}

/* Every bit of the weights is in their checksum, in either precision. */
static void
test_weights_checksum(void)
{
	MemModel	m;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	for (int precision = 0; precision < DBERT_PRECISIONS; precision++)
	{
		DbertSource source = mem_source(&m);
		DbertPackWeights w;
		DbertError	err = {0};
		Built		b;
		int			missed = 0;

		CHECK(build_precision(&source, NULL, (DbertPrecision) precision, &dbert_kernels_scalar, &b,
							  &err) == DBERT_OK);
		dbert_pack_weights(b.image, &w);
		CHECK(w.offset + w.size == b.size && weights_are_whole(b.image));
		for (uint64_t at = 0; at < w.size; at += 1 + w.size / 1000)
		{
			unsigned char *byte = (unsigned char *) b.image + w.offset + at;

			*byte ^= (unsigned char) (1 << at % 8);
			missed += weights_are_whole(b.image);
			*byte ^= (unsigned char) (1 << at % 8);
		}
		CHECK_MSG(missed == 0, "%d flipped bits were not noticed", missed);
		release(&b);
	}
	mem_free(&m);
}

/* The content's name goes into the image, under the checksum. */
static void
test_content(void)
{
	static const uint8_t content[DBERT_CONTENT_BYTES] = {1, 2, 3, [31] = 4};
	MemModel	m;
	Built		b;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	if (built(&m, NULL, &b))
	{
		DbertSource source = mem_source(&m);
		DbertPackWeights w;
		DbertPack  *pack;
		DbertError	err;

		CHECK(dbert_pack_begin(&source, NULL, DBERT_PRECISION_FP32, &dbert_kernels_scalar,
							   &dbert_malloc_allocator, NULL, &pack, &err) == DBERT_OK);
		dbert_pack_set_content(pack, content);
		CHECK(dbert_pack_write(pack, b.image, NULL, &err) == DBERT_OK);
		dbert_pack_end(pack);
		dbert_pack_weights(b.image, &w);
		CHECK(memcmp(w.content, content, sizeof(content)) == 0);
		CHECK(open_copy(b.image, b.size) == DBERT_OK);
		CHECK(dbert_pack_may_be(b.image, DBERT_PACK_FRONT, b.size));
		CHECK(!dbert_pack_may_be(b.image, DBERT_PACK_FRONT, b.size + 1));
		CHECK(!dbert_pack_may_be(b.image, DBERT_PACK_FRONT - 1, b.size));
		CHECK(!dbert_pack_may_be(content, 0, 0));
		release(&b);
	}
	mem_free(&m);
}

static float
last_of(const float *values, size_t rows, size_t cols)
{
	return values != NULL ? values[rows * cols - 1] : 0;
}

static float
last_half(DbertHalves halves, size_t rows, size_t cols)
{
	return halves.at != NULL ? halves.at[rows * cols - 1] : 0;
}

/* Read everything a model points to. */
static float
touch(const DbertModel *model)
{
	const DbertConfig *c = &model->config;
	const DbertWeights *w = &model->weights;
	float		sum = last_of(w->word, c->vocab, c->embed_width) +
		last_of(w->position, c->positions, c->embed_width) +
		last_half(w->word16, c->vocab, c->embed_width) +
		last_half(w->position16, c->positions, c->embed_width) +
		last_of(w->head_out.w, w->head_out.n, w->head_out.k) +
		last_half(w->head_out.w16, w->head_out.n, w->head_out.k);

	if (c->layers > 0)
	{
		const DbertLayer *last = &w->layers[c->layers - 1];

		sum += last_of(last->qkv.w, last->qkv.n, last->qkv.k) +
			last_half(last->qkv.w16, last->qkv.n, last->qkv.k) +
			last_of(last->ffn_out.w, last->ffn_out.n, last->ffn_out.k) +
			last_half(last->ffn_out.w16, last->ffn_out.n, last->ffn_out.k);
	}
	for (int i = 0; i < c->n_labels; i++)
		sum += (float) strlen(model->labels[i]);
	return sum;
}

/* All tensors in this dtype: their numbers are exact in each. */
static void
save_as(MemModel *m, const char *dtype)
{
	for (int i = 0; i < m->n_tensors; i++)
		m->tensors[i].dtype = dtype;
	mem_model_save(m);
}

static void
forge_images(MemModel *m, int rounds)
{
	Built		b;
	uint32_t	seed = 1;
	float		sum = 0;
	int			opened = 0;

	if (built(m, NULL, &b))
	{
		size_t		front = ((DbertPackHeader *) b.image)->sections[DBERT_SECTION_TOKENIZER].offset;

		for (int round = 0; round < rounds; round++)
		{
			unsigned char *copy = exact_copy(b.image, b.size);
			DbertPackHeader *h = (DbertPackHeader *) copy;
			DbertModel *model;
			DbertError	err;

			for (int k = 0; k < 1 + round % 3; k++)
			{
				seed = seed * 1664525u + 1013904223u;
				copy[16 + (seed >> 8) % (front - 16)] = (unsigned char) (seed >> 24);
			}
			if (h->sections[DBERT_SECTION_WEIGHTS].offset <= b.size)
				h->checksum =
					dbert_pack_checksum(copy, h->sections[DBERT_SECTION_WEIGHTS].offset / 8 * 8);
			if (dbert_model_open(copy, b.size, &dbert_kernels_scalar, &dbert_malloc_allocator,
								 &model, &err) == DBERT_OK)
			{
				opened++;
				sum += touch(model);
				dbert_model_close(model);
			}
			free(copy);
		}
		CHECK(opened > 0 && opened < rounds && sum != 0);
		release(&b);
	}
	mem_free(m);
}

/* Header, config and labels bent at random under a right checksum: no crash. */
static void
test_forged_image(void)
{
	MemModel	m;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	forge_images(&m, 20000);
	mem_model_roberta(&m, "ForSequenceClassification", 3);
	forge_images(&m, 10000);
	mem_model_albert(&m, "ForMaskedLM", 4, 2, 2);
	forge_images(&m, 10000);
	mem_model_distilbert(&m, "ForMaskedLM", 0);
	save_as(&m, "F16");
	forge_images(&m, 10000);
}

/* The same image with another config, under a right checksum: never misread. */
static void
check_config_refused(const Built *b, const DbertConfig *config)
{
	unsigned char *copy = exact_copy(b->image, b->size);
	DbertPackHeader *h = (DbertPackHeader *) copy;
	DbertModel *model;
	DbertError	err;

	memcpy(copy + h->sections[DBERT_SECTION_CONFIG].offset, config, sizeof(*config));
	h->checksum = dbert_pack_checksum(copy, h->sections[DBERT_SECTION_WEIGHTS].offset / 8 * 8);
	CHECK(dbert_model_open(copy, b->size, &dbert_kernels_scalar, &dbert_malloc_allocator, &model,
						   &err) == DBERT_E_CORRUPT);
	free(copy);
}

/* A head that the family has not: nobody would know its weights. */
static void
test_head_of_others(void)
{
	MemModel	m;
	Built		b;

	mem_model_electra(&m, "Model", 6, 0);
	if (built(&m, NULL, &b))
	{
		DbertConfig config = b.model->config;

		config.head = DBERT_HEAD_MASK;
		check_config_refused(&b, &config);
		release(&b);
	}
	mem_free(&m);
}

/* ---- precision ---- */

static DbertStatus
build_int8(const DbertSource *source, Built *b, DbertError *err)
{
	DBERT_TRY(build_precision(source, NULL, DBERT_PRECISION_INT8, &dbert_kernels_scalar, b, err));
	return dbert_model_open(b->image, b->size, &dbert_kernels_scalar, &dbert_malloc_allocator,
							&b->model, err);
}

/* The config says another precision than the layout. */
static void
check_wrong_precision(const Built *b, int precision)
{
	DbertConfig config = b->model->config;

	config.precision = precision;
	check_config_refused(b, &config);
}

/*
 * Every weight within half a step of fp32; an image of one precision is not
 * taken for the other's.
 */
static void
test_int8(void)
{
	MemModel	m;
	Built		fp32 = {0},
				int8 = {0};
	DbertSource source;
	DbertError	err = {0};

	mem_model_distilbert(&m, "ForMaskedLM", 0);
	source = mem_source(&m);
	CHECK_MSG(build_int8(&source, &int8, &err) == DBERT_OK, "%s", err.msg);
	if (int8.model != NULL && built(&m, NULL, &fp32))
	{
		const DbertWeights *a = &fp32.model->weights,
				   *b = &int8.model->weights;
		const DbertLinear *in = &a->layers[1].ffn_in;
		const char *row = b->layers[1].ffn_in.w8;	/* a scale and its numbers */
		size_t		c = fp32.model->config.hidden;

		for (int j = 0; j < in->n; j++, row += sizeof(float) + in->k)
		{
			float		scale;

			memcpy(&scale, row, sizeof(scale));
			for (int i = 0; i < in->k; i++)
				CHECK_NEAR(((const int8_t *) row)[sizeof(float) + i] * scale, in->w[j * in->k + i],
						   scale * 0.501);
		}
		for (size_t i = 0; i < fp32.model->config.vocab * c; i++)
			CHECK_NEAR(b->word8[i] * b->word8_scale[i / c], a->word[i],
					   b->word8_scale[i / c] * 0.501);
		CHECK(b->word == NULL && a->word8 == NULL && b->layers[1].ffn_in.w == NULL &&
			  in->w8 == NULL);
		CHECK(b->head_out.w8 != NULL && b->head_out.w == NULL);
		CHECK(memcmp(a->position, b->position, sizeof(float) * fp32.model->config.positions * c) ==
			  0);
		CHECK(memcmp(a->head_dense.w, b->head_dense.w, sizeof(float) * c * c) == 0);
		CHECK(int8.size < fp32.size);
		check_wrong_precision(&fp32, DBERT_PRECISION_INT8);
		check_wrong_precision(&int8, DBERT_PRECISION_FP32);
		check_wrong_precision(&int8, DBERT_PRECISION_INT7);
		check_wrong_precision(&int8, DBERT_PRECISIONS);
	}
	release(&fp32);
	release(&int8);
	mem_free(&m);
}

/* ---- 16 bits ---- */

static void
check_same_numbers(DbertHalves halves, const float *want, size_t count, const char *what)
{
	int			wrong = 0;

	CHECK_MSG(halves.at != NULL, "%s are not in 16 bits", what);
	for (size_t i = 0; halves.at != NULL && i < count; i++)
		wrong += want[i] != (halves.type == DBERT_WEIGHT_F16 ? dbert_float_of_f16(halves.at[i])
														   : dbert_float_of_bf16(halves.at[i]));
	CHECK_MSG(wrong == 0, "%d numbers of %s are others in 16 bits", wrong, what);
}

/* What an array of so many numbers takes less than as floats. */
static size_t
saved(size_t count)
{
	return dbert_pack_aligned(4 * count) - dbert_pack_aligned(2 * count);
}

/* Matrices and rows in 16 bits, vectors as floats; the tied decoder is the words. */
static void
check_halves(const Built *halves, const Built *floats, DbertWeightType type)
{
	const DbertWeights *a = &floats->model->weights,
			   *b = &halves->model->weights;
	const DbertLinear *in = &b->layers[1].ffn_in;

	CHECK(b->word == NULL && b->position == NULL && b->word16.type == type);
	CHECK(in->w == NULL && in->w8 == NULL && in->w16.type == type && in->n == MEM_F);
	CHECK(b->head_out.w == NULL && b->head_out.w16.at == b->word16.at);
	CHECK(a->word16.at == NULL && a->position16.at == NULL && a->layers[0].qkv.w16.at == NULL);
	check_same_numbers(b->word16, a->word, MEM_V * MEM_C, "words");
	check_same_numbers(b->position16, a->position, MEM_P * MEM_C, "positions");
	check_same_numbers(in->w16, a->layers[1].ffn_in.w, MEM_F * MEM_C, "a layer");
	check_same_numbers(b->layers[0].qkv.w16, a->layers[0].qkv.w, 3 * MEM_C * MEM_C, "queries");
	CHECK(memcmp(in->b, a->layers[1].ffn_in.b, MEM_F * sizeof(float)) == 0);
	CHECK(memcmp(b->embed_norm.gamma, a->embed_norm.gamma, MEM_C * sizeof(float)) == 0);
	CHECK(floats->size - halves->size ==
		  saved(MEM_V * MEM_C) + saved(MEM_P * MEM_C) + saved(MEM_C * MEM_C) +
		  MEM_L * (saved(3 * MEM_C * MEM_C) + saved(MEM_C * MEM_C) + 2 * saved(MEM_F * MEM_C)));
}

static bool
is_half_type(unsigned char type)
{
	return type == DBERT_WEIGHT_F16 || type == DBERT_WEIGHT_BF16;
}

/*
 * Any other type in the place of one is noticed, unless it takes as many bytes;
 * that words and decoder are of one type, too.
 */
static void
check_types(const Built *b)
{
	for (uint32_t i = 0; i < ((DbertPackHeader *) b->image)->n_slots; i++)
		for (int type = 0; type <= 255; type++)
		{
			unsigned char *copy = exact_copy(b->image, b->size);
			DbertPackHeader *h = (DbertPackHeader *) copy;
			unsigned char *at = copy + h->sections[DBERT_SECTION_TYPES].offset + i;
			bool		alone = i > 0 && i + 2 != h->n_slots,	/* of words and decoder */
						may_be = type == *at ||
				(alone && is_half_type(*at) && is_half_type((unsigned char) type));

			*at = (unsigned char) type;
			h->checksum = dbert_pack_checksum(copy, h->sections[DBERT_SECTION_WEIGHTS].offset);
			CHECK_MSG(open_copy(copy, b->size) == (may_be ? DBERT_OK : DBERT_E_CORRUPT),
					  "type %d of slot %u", type, i);
			free(copy);
		}
}

static void
test_halves(void)
{
	static const struct
	{
		const char *dtype;
		DbertWeightType type;
	} kinds[] = { { "F16", DBERT_WEIGHT_F16 }, { "BF16", DBERT_WEIGHT_BF16 } };
	MemModel	m;
	Built		floats,
				halves;

	mem_model_distilbert(&m, "ForMaskedLM", 0);
	if (built(&m, NULL, &floats))
	{
		for (int i = 0; i < 2; i++)
		{
			save_as(&m, kinds[i].dtype);
			if (built(&m, NULL, &halves))
			{
				check_halves(&halves, &floats, kinds[i].type);
				check_types(&halves);
				release(&halves);
			}
		}
		release(&floats);
	}
	mem_free(&m);
}

/* Parts of two types become floats, whatever stands beside them. */
static void
test_mixed_types(void)
{
	MemModel	m;
	Built		floats,
				mixed;

	mem_model_distilbert(&m, "ForMaskedLM", 0);
	if (built(&m, NULL, &floats))
	{
		save_as(&m, "F16");
		mem_tensor(&m, "distilbert.transformer.layer.0.attention.k_lin.weight")->dtype = "BF16";
		mem_tensor(&m, "distilbert.transformer.layer.1.attention.v_lin.weight")->dtype = "F32";
		mem_tensor(&m, "distilbert.embeddings.word_embeddings.weight")->dtype = "F32";
		mem_tensor(&m, "distilbert.transformer.layer.1.ffn.lin1.weight")->dtype = "BF16";
		mem_model_save(&m);
		if (built(&m, NULL, &mixed))
		{
			const DbertWeights *a = &floats.model->weights,
					   *b = &mixed.model->weights;

			for (int l = 0; l < MEM_L; l++)
				CHECK(b->layers[l].qkv.w != NULL && b->layers[l].qkv.w16.at == NULL &&
					  memcmp(a->layers[l].qkv.w, b->layers[l].qkv.w,
							 3 * MEM_C * MEM_C * sizeof(float)) == 0);
			CHECK(memcmp(a->word, b->word, MEM_V * MEM_C * sizeof(float)) == 0);
			CHECK(b->head_out.w == b->word);
			CHECK(b->layers[0].ffn_in.w16.type == DBERT_WEIGHT_F16);
			check_same_numbers(b->layers[1].ffn_in.w16, a->layers[1].ffn_in.w, MEM_F * MEM_C,
							   "a layer in BF16");
			check_same_numbers(b->position16, a->position, MEM_P * MEM_C, "positions");
			check_types(&mixed);
			release(&mixed);
		}
		release(&floats);
	}
	mem_free(&m);
}

/*
 * In 8 bits, and for kernels that have no products of 16, it does not matter
 * what the tensors were saved as.
 */
static void
test_no_halves(void)
{
	MemModel	m;
	DbertSource source = mem_source(&m);
	DbertError	err = {0};

	mem_model_distilbert(&m, "ForMaskedLM", 0);
	for (int precision = 0; precision <= DBERT_PRECISION_INT8; precision++)
	{
		const DbertKernels *kernels =
			precision == DBERT_PRECISION_INT8 ? &dbert_kernels_scalar : &column_kernels;
		Built		floats,
					halves;

		save_as(&m, "F32");
		CHECK(build_precision(&source, NULL, (DbertPrecision) precision, kernels, &floats, &err) ==
			  DBERT_OK);
		save_as(&m, "BF16");
		CHECK(build_precision(&source, NULL, (DbertPrecision) precision, kernels, &halves, &err) ==
			  DBERT_OK);
		CHECK(floats.size == halves.size && memcmp(floats.image, halves.image, floats.size) == 0);
		release(&floats);
		release(&halves);
	}
	mem_free(&m);
}

/* An image of another version is built again, whatever else it says. */
static void
test_other_versions(void)
{
	MemModel	m;
	Built		b;

	mem_model_distilbert(&m, "ForMaskedLM", 0);
	for (uint32_t version = 0; version < 12 && built(&m, NULL, &b); version++)
	{
		DbertPackHeader *h = b.image;

		h->version = version;
		h->checksum = dbert_pack_checksum(h, h->sections[DBERT_SECTION_WEIGHTS].offset);
		CHECK((open_copy(b.image, b.size) == DBERT_OK) == (version == DBERT_PACK_VERSION));
		CHECK(dbert_pack_may_be(b.image, DBERT_PACK_FRONT, b.size) ==
			  (version == DBERT_PACK_VERSION));
		release(&b);
	}
	mem_free(&m);
}

/* ---- failures on the way ---- */

/* One whole life; the image is only made when checking it passed. */
static DbertStatus
one_life(const DbertSource *source, const DbertAllocator *alloc, const DbertPoll *poll)
{
	DbertError	err = {0};
	DbertPack  *pack;
	DbertModel *model = NULL;
	void	   *image = NULL;
	size_t		size;
	DbertStatus status;

	DBERT_TRY(dbert_pack_begin(source, NULL, DBERT_PRECISION_FP32, &column_kernels, alloc, poll,
							   &pack, &err));
	size = dbert_pack_size(pack);
	status = dbert_pack_write(pack, NULL, poll, &err);
	if (status == DBERT_OK && posix_memalign(&image, 64, size) == 0)
		status = dbert_pack_write(pack, image, poll, &err);
	dbert_pack_end(pack);
	if (status == DBERT_OK)
		status = dbert_model_open(image, size, &column_kernels, alloc, &model, &err);
	dbert_model_close(model);
	free(image);
	return status;
}

static void
check_failing_allocations(MemModel *m)
{
	DbertSource source = mem_source(m);
	Counter		counter = {0};
	DbertAllocator alloc = counting(&counter);
	DbertStatus status = DBERT_E_NOMEM;
	long		n;

	for (n = 1; n < 5000 && status == DBERT_E_NOMEM; n++)
	{
		counter = (Counter) {.fail_at = n};
		status = one_life(&source, &alloc, NULL);
		CHECK_MSG(counter.live == 0, "%ld leaked when allocation %ld failed", counter.live, n);
		if (counter.live != 0)
			return;
	}
	CHECK_MSG(status == DBERT_OK && n > 50, "status %d after %ld allocations", status, n);
}

static void
test_failing_allocator(void)
{
	MemModel	m;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	check_failing_allocations(&m);
	mem_drop(&m, "model.safetensors");
	mem_save(&m, "one.safetensors", 0, 20);
	mem_save(&m, "two.safetensors", 20, m.n_tensors);
	mem_put_index(&m, 20, "one.safetensors", "two.safetensors");
	mem_put(
		&m, "tokenizer_config.json",
		"{\"added_tokens_decoder\":{\"2\":{\"content\":\"[CLS]\"},\"13\":{\"content\":\"new\"}}}");
	check_failing_allocations(&m);
	mem_free(&m);
	mem_model_bert(&m, "ForMaskedLM", "bert.", 0);
	check_failing_allocations(&m);
	mem_free(&m);
}

static void
test_failing_reads(void)
{
	MemModel	m;
	DbertSource source = mem_source(&m);
	Counter		counter = {0};
	DbertAllocator alloc = counting(&counter);
	DbertStatus status = DBERT_E_IO;

	mem_model_bert(&m, "ForSequenceClassification", "bert.", 3);
	for (int n = 1; n < 1000 && status == DBERT_E_IO; n++)
	{
		m.fail_read = n;
		status = one_life(&source, &alloc, NULL);
		CHECK(counter.live == 0);
	}
	CHECK(status == DBERT_OK);
	mem_free(&m);
}

static bool
stop_at(void *ctx)
{
	return --*(int *) ctx == 0;
}

static void
test_cancel(void)
{
	MemModel	m;
	DbertSource source = mem_source(&m);
	Counter		counter = {0};
	DbertAllocator alloc = counting(&counter);
	DbertStatus status = DBERT_E_CANCELLED;
	int			n;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	for (n = 1; n < 1000 && status == DBERT_E_CANCELLED; n++)
	{
		int			left = n;
		DbertPoll	poll = {stop_at, &left};

		status = one_life(&source, &alloc, &poll);
		CHECK(counter.live == 0);
	}
	CHECK(status == DBERT_OK && n > 40);
	mem_free(&m);
}

/* ---- whole directories ---- */

/*
 * Same bytes twice, and every weight that the golden test would use is there.
 * false: of a family that is still to come.
 */
static bool
check_folder(const char *path)
{
	DbertSource source = dir_source(path);
	DbertError	err = {0};
	Built		one,
				two;
	bool		counts = true;

	if (build(&source, NULL, &dbert_kernels_scalar, &one, &err) != DBERT_OK)
	{
		counts = !may_be_refused(path, &err);
		CHECK_MSG(!counts, "%s: %s", path, err.msg);
		if (!counts)
			printf("skipped - to come: %s: %s\n", path, err.msg);
	}
	else
	{
		CHECK(touch(one.model) == touch(one.model));
		if (build_image(&source, NULL, &dbert_kernels_scalar, &two, &err) == DBERT_OK)
			CHECK_MSG(one.size == two.size && memcmp(one.image, two.image, one.size) == 0,
					  "%s: two images differ", path);
		release(&two);
	}
	release(&one);
	return counts;
}

/* All folders of a folder that hold a model; returns how many. */
static int
check_folders(const char *parent)
{
	DIR		   *d = opendir(parent);
	struct dirent *entry;
	int			n = 0;

	while (d != NULL && (entry = readdir(d)) != NULL)
	{
		char		path[4096];
		int64_t		size;
		DbertSource source;

		snprintf(path, sizeof(path), "%s/%s", parent, entry->d_name);
		source = dir_source(path);
		source.size(source.ctx, "config.json", &size, NULL);
		if (entry->d_name[0] == '.' || size < 0)
			continue;
		n += check_folder(path);
	}
	if (d != NULL)
		closedir(d);
	return n;
}

static void
test_fixtures(void)
{
	CHECK(check_folders("test/fixtures") >= 10);
}

static void
test_golden_folders(void)
{
	char		path[4096];

	if (shared_dir() == NULL)
		SKIP("../shared is absent");
	snprintf(path, sizeof(path), "%s/golden", shared_dir());
	CHECK(check_folders(path) >= 10);
}

int
main(void)
{
	RUN(test_damaged_image);
	RUN(test_forged_sections);
	RUN(test_forged_fields);
	RUN(test_weights_checksum);
	RUN(test_content);
	RUN(test_forged_image);
	RUN(test_head_of_others);
	RUN(test_int8);
	RUN(test_halves);
	RUN(test_mixed_types);
	RUN(test_no_halves);
	RUN(test_other_versions);
	RUN(test_failing_allocator);
	RUN(test_failing_reads);
	RUN(test_cancel);
	RUN(test_fixtures);
	RUN(test_golden_folders);
	return tests_end();
}
