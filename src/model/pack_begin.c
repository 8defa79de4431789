/*
 * pack_begin.c -- from a model's files to everything about it but the values
 * of its weights.
 *
 * The order: sentence-transformers' files (they may put the encoder into a
 * folder), config.json, the tensors' headers, head and labels (which need
 * both), the tokenizer, the plan of the weights.  A pack owns what it read
 * through its arena; one failure releases all of it.
 */
#include "model/packbuild.h"

#include "model/configfile.h"
#include "model/sentence.h"

#include <string.h>

bool
dbert_precision_parse(const char *name, DbertPrecision *out)
{
	bool		int8 = strcmp(name, "int8") == 0;

	*out = int8 ? DBERT_PRECISION_INT8 : DBERT_PRECISION_FP32;
	return int8 || strcmp(name, "fp32") == 0;
}

/* config.json and the tensors' headers: sizes, head, labels. */
static DbertStatus
read_config(DbertPack *pack, const DbertSentence *sentence, int asked,
			const DbertPoll *poll, DbertError *err)
{
	json_t	   *root;
	DbertJson	at;
	DbertStatus status;

	/* a sentence encoder's head, if it has one, is a remnant of its training */
	if (asked == DBERT_HEAD_AUTO && sentence->present)
		asked = DBERT_HEAD_NONE;
	DBERT_TRY(dbert_file_list_add(&pack->files, &pack->arena, &pack->source, sentence->dir,
								  "config.json", err));
	status = dbert_json_load(&pack->source, sentence->dir, "config.json", DBERT_JSON_MAX, 0, false,
							 pack->alloc, poll, &root, &at, err);
	if (status == DBERT_OK)
		status = dbert_config_read(&at, &pack->config, err);
	if (status == DBERT_OK)
		status = dbert_tensors_open(&pack->source, sentence->dir, &pack->arena, poll,
									&pack->tensors, &pack->files, err);
	if (status == DBERT_OK)
		status = dbert_config_head(&at, asked, &pack->tensors, &pack->config, err);
	if (status == DBERT_OK)
		status = dbert_config_labels(&at, &pack->tensors, &pack->arena, &pack->config,
									 &pack->labels, err);
	pack->config.precision = pack->precision;
	json_decref(root);
	return status;
}

/* The shortest of the limits that the files name. */
static DbertStatus
limit_tokens(DbertConfig *config, int64_t limit, const char *who, DbertError *err)
{
	if (limit > 0 && limit < DBERT_MIN_TOKENS)
		return dbert_fail(err, DBERT_E_FORMAT, "%s of %d tokens is too short, %d are the least",
						  who, (int) limit, DBERT_MIN_TOKENS);
	if (limit > 0 && limit < config->max_tokens)
		config->max_tokens = (int32_t) limit;
	return DBERT_OK;
}

static DbertStatus
apply_sentence(DbertConfig *config, const DbertSentence *sentence, bool lowercases, DbertError *err)
{
	config->pooling = sentence->pooling;
	config->skip_prompt = sentence->skip_prompt;
	config->normalize = sentence->normalize;
	config->dense = sentence->dense;
	config->dense_bias = sentence->dense_bias;
	config->dense_act = sentence->dense_act;
	config->embedding = sentence->dense ? (int32_t) sentence->dense_out : config->hidden;
	if (sentence->dense && sentence->dense_in != config->hidden)
		return dbert_fail(err, DBERT_E_SHAPE,
						  "the dense layer is for vectors of %d, but the hidden size is %d",
						  (int) sentence->dense_in, config->hidden);
	if (sentence->width > 0 && sentence->width != config->hidden)
		return dbert_fail(err, DBERT_E_SHAPE,
						  "pooling is for vectors of %d, but the hidden size is %d",
						  (int) sentence->width, config->hidden);
	if (sentence->lowercases && !lowercases)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "lower-casing texts before a tokenizer that keeps case is not supported");
	return limit_tokens(config, sentence->max_tokens, "\"max_seq_length\"", err);
}

static DbertStatus
plan_weights(DbertPack *pack, DbertError *err)
{
	bool		tied = dbert_slots_tied(&pack->config, &pack->tensors);

	pack->header.flags = tied ? DBERT_PACK_TIED : 0;
	DBERT_TRY(dbert_slots_plan(&pack->config, tied, pack->kernels, pack->alloc, &pack->slots, err));
	return dbert_slots_match(&pack->slots, &pack->config, &pack->tensors, &pack->dense,
							 &pack->config.parameters, err);
}

static uint64_t
aligned(uint64_t offset)
{
	return (offset + DBERT_PACK_ALIGN - 1) / DBERT_PACK_ALIGN * DBERT_PACK_ALIGN;
}

static uint64_t
prompts_size(const DbertPack *pack)
{
	uint64_t	size = 0;

	for (int i = 0; i < DBERT_PROMPTS; i++)
		size += strlen(pack->prompts[i]) + 1;
	return size;
}

static uint64_t
labels_size(const DbertPack *pack)
{
	uint64_t	size = 0;

	for (int i = 0; i < pack->config.n_labels; i++)
		size += strlen(pack->labels[i]) + 1;
	return size;
}

static DbertStatus
plan_image(DbertPack *pack, DbertError *err)
{
	DbertPackHeader *h = &pack->header;
	const char *layout = dbert_pack_layout(pack->kernels, pack->precision);
	uint64_t	offset = sizeof(*h);

	h->magic = DBERT_PACK_MAGIC;
	h->version = DBERT_PACK_VERSION;
	if (strlen(layout) >= sizeof(h->layout))
		return dbert_fail(err, DBERT_E_INTERNAL, "name of layout \"%s\" is too long", layout);
	strcpy(h->layout, layout);
	h->sections[DBERT_SECTION_CONFIG].size = sizeof(DbertConfig);
	h->sections[DBERT_SECTION_LABELS].size = labels_size(pack);
	h->sections[DBERT_SECTION_PROMPTS].size = prompts_size(pack);
	h->sections[DBERT_SECTION_TOKENIZER].size = pack->tokenizer.image_size;
	h->sections[DBERT_SECTION_WEIGHTS].size = pack->slots.bytes;
	for (int i = 0; i < DBERT_SECTIONS; i++)
	{
		offset = aligned(offset);
		h->sections[i].offset = offset;
		offset += h->sections[i].size;
	}
	h->size = offset;
	return DBERT_OK;
}

static DbertStatus
read_model(DbertPack *pack, const char *task, const DbertPoll *poll, DbertError *err)
{
	int			asked;
	DbertSentence sentence;

	DBERT_TRY(dbert_head_parse(task, &asked, err));
	DBERT_TRY(dbert_sentence_read(&pack->source, &pack->arena, poll, &sentence, &pack->files, err));
	DBERT_TRY(read_config(pack, &sentence, asked, poll, err));
	DBERT_TRY(dbert_tokenizer_files_read(&pack->source, sentence.dir, pack->config.vocab,
										 pack->alloc, &pack->arena, poll, &pack->tokenizer,
										 &pack->files, err));
	if (dbert_head_traits(pack->config.head)->rows == DBERT_ROWS_MASKED &&
		!pack->tokenizer.has_mask)
		return dbert_fail(err, DBERT_E_FORMAT, "a %s needs a mask token, the vocabulary has none",
						  pack->config.architecture);
	DBERT_TRY(limit_tokens(&pack->config, pack->tokenizer.max_tokens, "\"model_max_length\"", err));
	DBERT_TRY(apply_sentence(&pack->config, &sentence, pack->tokenizer.lowercases, err));
	if (sentence.dense)
		DBERT_TRY(dbert_tensors_open(&pack->source, sentence.dense_dir, &pack->arena, poll,
									 &pack->dense, &pack->files, err));
	memcpy(pack->prompts, sentence.prompts, sizeof(pack->prompts));
	DBERT_TRY(plan_weights(pack, err));
	dbert_file_list_sort(&pack->files);
	return plan_image(pack, err);
}

DbertStatus
dbert_pack_begin(const DbertSource *source, const char *task,
				 DbertPrecision precision, const DbertKernels *kernels,
				 const DbertAllocator *alloc, const DbertPoll *poll,
				 DbertPack **pack, DbertError *err)
{
	DbertPack  *p = dbert_alloc_zero(alloc, 1, sizeof(*p));
	DbertStatus status;

	*pack = NULL;
	if (p == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	p->source = *source;
	p->precision = precision;
	p->kernels = kernels;
	p->alloc = alloc;
	p->arena.alloc = alloc;
	status = read_model(p, task, poll, err);
	if (status != DBERT_OK)
	{
		dbert_pack_end(p);
		return status;
	}
	*pack = p;
	return DBERT_OK;
}

void
dbert_pack_end(DbertPack *pack)
{
	if (pack == NULL)
		return;
	dbert_free(pack->alloc, pack->slots.items);
	dbert_free(pack->alloc, pack->tokenizer.image);
	dbert_arena_end(&pack->arena);
	dbert_free(pack->alloc, pack);
}

const DbertConfig *
dbert_pack_config(const DbertPack *pack)
{
	return &pack->config;
}

const char *
dbert_pack_label(const DbertPack *pack, int i)
{
	return i >= 0 && i < pack->config.n_labels ? pack->labels[i] : NULL;
}

const char *
dbert_pack_file(const DbertPack *pack, int i)
{
	return i >= 0 && (size_t) i < pack->files.count ? pack->files.names[i] : NULL;
}

uint64_t
dbert_pack_size(const DbertPack *pack)
{
	return pack->header.size;
}
