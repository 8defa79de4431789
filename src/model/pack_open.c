/*
 * pack_open.c -- an image to a model: checks, then pointers.
 *
 * Nothing is copied but the config.  What could crash a reader is checked: the
 * header, the bounds of the sections, the checksum of everything before the
 * weights, the limits of the config, the tokenizer.  A model needs a few
 * kilobytes of its own: itself, its layers, its list of labels.
 */
#include "model/pack.h"

#include "model/configfile.h"
#include "model/packimage.h"
#include "model/slots.h"

#include <string.h>

uint64_t
dbert_pack_checksum(const void *image, size_t size)
{
	const unsigned char *bytes = image;
	uint64_t	hash = UINT64_C(0x9e3779b97f4a7c15);

	/* every step is a bijection of the hash and of the word */
	for (size_t i = 0; i < size; i += 8)
	{
		uint64_t	word;

		memcpy(&word, bytes + i, 8);
		if (i == offsetof(DbertPackHeader, checksum))
			word = 0;
		hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
		hash ^= hash >> 32;
	}
	return hash;
}

const char *
dbert_pack_layout(const DbertKernels *kernels, DbertPrecision precision)
{
	const DbertInt8Kernels *int8 = dbert_int8_of(kernels, precision);

	return int8 != NULL ? int8->layout : kernels->layout;
}

static DbertStatus
check_header(const DbertPackHeader *h, const void *image, size_t image_size, DbertError *err)
{
	uint64_t	end = sizeof(*h);

	if (h->magic != DBERT_PACK_MAGIC)
		return dbert_fail(err, DBERT_E_CORRUPT, "model pack has a wrong magic number");
	if (h->version != DBERT_PACK_VERSION)
		return dbert_fail(err, DBERT_E_CORRUPT, "model pack is of version %u, expected %d",
						  h->version, DBERT_PACK_VERSION);
	if (h->size != image_size)
		return dbert_fail(err, DBERT_E_CORRUPT, "model pack has %zu bytes, expected %llu",
						  image_size, (unsigned long long) h->size);
	for (int i = 0; i < DBERT_SECTIONS; i++)
	{
		uint64_t	offset = h->sections[i].offset,
					size = h->sections[i].size;

		if (offset < end || offset > image_size || size > image_size - offset ||
			offset % DBERT_PACK_ALIGN != 0)
			return dbert_fail(err, DBERT_E_CORRUPT, "section %d of the model pack is out of bounds",
							  i);
		end = offset + size;
	}
	if (end != image_size || h->sections[DBERT_SECTION_WEIGHTS].offset > DBERT_PACK_FRONT_MAX)
		return dbert_fail(err, DBERT_E_CORRUPT, "model pack does not end with its weights");
	if (dbert_pack_checksum(image, h->sections[DBERT_SECTION_WEIGHTS].offset) != h->checksum)
		return dbert_fail(err, DBERT_E_CORRUPT, "model pack has a wrong checksum");
	return DBERT_OK;
}

static const char *
section(const void *image, const DbertPackHeader *h, DbertPackSection which, size_t *size)
{
	*size = h->sections[which].size;
	return (const char *) image + h->sections[which].offset;
}

static DbertStatus
open_config(const void *image, const DbertPackHeader *h, DbertConfig *config, DbertError *err)
{
	size_t		size;
	const char *at = section(image, h, DBERT_SECTION_CONFIG, &size);

	if (size != sizeof(*config))
		return dbert_fail(err, DBERT_E_CORRUPT, "model pack has a config of %zu bytes", size);
	memcpy(config, at, size);
	if (!dbert_config_valid(config))
		return dbert_fail(err, DBERT_E_CORRUPT, "model pack has a config out of its limits");
	return DBERT_OK;
}

static DbertStatus
check_family(const DbertPackHeader *h, const DbertConfig *config, DbertError *err)
{
	if (h->family != (uint32_t) config->family)
		return dbert_fail(err, DBERT_E_CORRUPT, "model pack is of family %u, its config of %d",
						  h->family, config->family);
	for (size_t i = 0; i < sizeof(h->unused) / sizeof(h->unused[0]); i++)
		if (h->unused[i] != 0)
			return dbert_fail(err, DBERT_E_CORRUPT, "model pack is of a later version's kind");
	return DBERT_OK;
}

/* Of the kernels and of the precision that the config tells. */
static DbertStatus
check_layout(const DbertPackHeader *h, const char *layout, DbertError *err)
{
	if (strncmp(h->layout, layout, sizeof(h->layout)) != 0)
		return dbert_fail(err, DBERT_E_CORRUPT, "model pack is not laid out as \"%s\"", layout);
	return DBERT_OK;
}

/* Point at the n strings of a section. */
static DbertStatus
open_strings(const void *image, const DbertPackHeader *h, DbertPackSection which,
			 const char **strings, int n, const char *what, DbertError *err)
{
	size_t		size;
	const char *at = section(image, h, which, &size);

	for (int i = 0; i < n; i++)
	{
		const char *end = memchr(at, '\0', size);

		if (end == NULL)
			return dbert_fail(err, DBERT_E_CORRUPT, "model pack lacks %s %d", what, i);
		strings[i] = at;
		size -= (size_t) (end + 1 - at);
		at = end + 1;
	}
	return DBERT_OK;
}

static DbertStatus
open_labels(const void *image, const DbertPackHeader *h, DbertModel *model, DbertError *err)
{
	const char **labels;

	labels = dbert_alloc_array(model->alloc, (size_t) model->config.n_labels, sizeof(*labels));
	if (labels == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	model->labels = labels;
	DBERT_TRY(
		open_strings(image, h, DBERT_SECTION_LABELS, labels, model->config.n_labels, "label", err));
	return open_strings(image, h, DBERT_SECTION_PROMPTS, model->prompts, DBERT_PROMPTS, "prompt",
						err);
}

static DbertStatus
open_tokenizer(const void *image, const DbertPackHeader *h, DbertModel *model, DbertError *err)
{
	size_t		size;
	const char *at = section(image, h, DBERT_SECTION_TOKENIZER, &size);

	DBERT_TRY(dbert_tokenizer_open(at, size, &model->tokenizer, err));
	if (model->tokenizer.n_tokens > model->config.vocab)
		return dbert_fail(err, DBERT_E_CORRUPT, "model pack has more tokens than embeddings");
	if (!dbert_config_has_types(&model->config, &model->tokenizer))
		return dbert_fail(err, DBERT_E_CORRUPT, "model pack lacks types of its tokens");
	return DBERT_OK;
}

/* The types that the image names are possible ones. */
static DbertStatus
read_types(const void *image, const DbertPackHeader *h, const DbertModel *model, DbertSlots *slots,
		   DbertError *err)
{
	size_t		size;
	const char *types = section(image, h, DBERT_SECTION_TYPES, &size);
	int			wrong;

	if (size != (size_t) slots->count || h->n_slots != size)
		return dbert_fail(err, DBERT_E_CORRUPT, "model pack has %zu weights, expected %d", size,
						  slots->count);
	wrong = dbert_slots_take_types(slots, &model->config, model->kernels, types);
	if (wrong >= 0)
		return dbert_fail(err, DBERT_E_CORRUPT, "weight %d of the model pack is of type %d", wrong,
						  types[wrong]);
	return DBERT_OK;
}

static DbertStatus
open_weights(const void *image, const DbertPackHeader *h, DbertModel *model, DbertError *err)
{
	size_t		size;
	const char *at = section(image, h, DBERT_SECTION_WEIGHTS, &size);
	DbertSlots	slots;
	DbertStatus status;

	model->weights.layers =
		dbert_alloc_zero(model->alloc, (size_t) model->config.layers, sizeof(DbertLayer));
	model->weights.decoder = dbert_alloc_zero(
		model->alloc, (size_t) dbert_decoder_layers(&model->config), sizeof(DbertLayer));
	if (model->weights.layers == NULL || model->weights.decoder == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	DBERT_TRY(dbert_slots_plan(&model->config, h->flags & DBERT_PACK_TIED, model->kernels,
							   model->alloc, &slots, err));
	status = read_types(image, h, model, &slots, err);
	if (status == DBERT_OK)
		dbert_slots_place(&slots, &model->config, at, &model->weights);
	dbert_free(model->alloc, slots.items);
	if (status == DBERT_OK && slots.bytes != size)
		return dbert_fail(err, DBERT_E_CORRUPT,
						  "model pack has weights of %zu bytes, expected %llu", size,
						  (unsigned long long) slots.bytes);
	return status;
}

static DbertStatus
open_sections(const void *image, size_t image_size, DbertModel *model, DbertError *err)
{
	DbertPackHeader h;

	if (image_size < sizeof(h))
		return dbert_fail(err, DBERT_E_CORRUPT, "model pack of %zu bytes is too short", image_size);
	memcpy(&h, image, sizeof(h));
	DBERT_TRY(check_header(&h, image, image_size, err));
	DBERT_TRY(open_config(image, &h, &model->config, err));
	DBERT_TRY(check_family(&h, &model->config, err));
	DBERT_TRY(check_layout(&h, dbert_pack_layout(model->kernels, model->config.precision), err));
	DBERT_TRY(open_labels(image, &h, model, err));
	DBERT_TRY(open_tokenizer(image, &h, model, err));
	return open_weights(image, &h, model, err);
}

DbertStatus
dbert_model_open(const void *image, size_t image_size, const DbertKernels *kernels,
				 const DbertAllocator *alloc, DbertModel **model, DbertError *err)
{
	DbertModel *m = dbert_alloc_zero(alloc, 1, sizeof(*m));
	DbertStatus status;

	*model = NULL;
	if (m == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	m->kernels = kernels;
	m->alloc = alloc;
	status = open_sections(image, image_size, m, err);
	if (status != DBERT_OK)
	{
		dbert_model_close(m);
		return status;
	}
	*model = m;
	return DBERT_OK;
}

void
dbert_pack_weights(const void *image, DbertPackWeights *out)
{
	const DbertPackHeader *h = image;

	out->content = h->content;
	out->offset = h->sections[DBERT_SECTION_WEIGHTS].offset;
	out->size = h->sections[DBERT_SECTION_WEIGHTS].size;
	out->checksum = h->weights_checksum;
}

bool
dbert_pack_may_be(const void *front, size_t len, uint64_t file_size)
{
	DbertPackHeader h;

	if (len < DBERT_PACK_FRONT || file_size < sizeof(h))
		return false;
	memcpy(&h, front, DBERT_PACK_FRONT);
	return h.magic == DBERT_PACK_MAGIC && h.version == DBERT_PACK_VERSION && h.size == file_size;
}

void
dbert_model_close(DbertModel *model)
{
	if (model == NULL)
		return;
	dbert_free(model->alloc, model->weights.layers);
	dbert_free(model->alloc, model->weights.decoder);
	dbert_free(model->alloc, (void *) model->labels);
	dbert_free(model->alloc, model);
}
