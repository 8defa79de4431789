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
#include "model/family.h"
#include "model/generating.h"
#include "model/sentence.h"

#include <stdio.h>
#include <string.h>

bool
dbert_precision_parse(const char *name, DbertPrecision *out)
{
	static const char *const names[DBERT_PRECISIONS] = {"fp32", "int8", "int7"};

	*out = DBERT_PRECISION_FP32;
	for (int i = 0; i < DBERT_PRECISIONS; i++)
		if (strcmp(name, names[i]) == 0)
		{
			*out = (DbertPrecision) i;
			return true;
		}
	return false;
}

/*
 * What the pooled vectors go through, and whether that gives a cross-encoder's
 * scores.  Asked for embeddings, such a model gives them as they are pooled.
 */
static void
apply_steps(DbertConfig *config, const DbertSentence *sentence, int asked)
{
	config->pooled_head = sentence->scores && asked != DBERT_HEAD_NONE;
	config->n_steps = sentence->scores && !config->pooled_head ? 0 : sentence->n_steps;
	for (int i = 0; i < config->n_steps; i++)
		config->steps[i] = sentence->steps[i].step;
}

/* The head that is looked for in the encoder's own files. */
static int
own_head(const DbertSentence *sentence, int asked)
{
	/* a sentence encoder's head, if it has one, is a remnant of its training */
	if (asked == DBERT_HEAD_AUTO && (sentence->present || sentence->scores))
		return DBERT_HEAD_NONE;
	return asked == DBERT_HEAD_SEQUENCE && sentence->scores ? DBERT_HEAD_NONE : asked;
}

/* Head and labels, as config.json and the tensors tell them. */
static DbertStatus
read_head(DbertPack *pack, const DbertJson *at, const DbertSentence *sentence, int asked,
		  DbertError *err)
{
	DbertConfig *config = &pack->config;

	DBERT_TRY(dbert_config_head(at, own_head(sentence, asked), &pack->tensors, config, err));
	apply_steps(config, sentence, asked);
	if (config->pooled_head)
		config->head = DBERT_HEAD_SEQUENCE;
	DBERT_TRY(dbert_config_labels(at, &pack->tensors, &pack->arena, config, &pack->labels, err));
	if (sentence->activation == NULL)
		return DBERT_OK;
	return dbert_config_activation(sentence->activation, DBERT_SENTENCE_FILE, config, err);
}

/* Sizes, head and labels of an encoder. */
static DbertStatus
read_encoder(DbertPack *pack, const DbertSentence *sentence, const DbertJson *at, int asked,
			 const DbertPoll *poll, DbertError *err)
{
	DBERT_TRY(dbert_config_read(at, &pack->config, err));
	DBERT_TRY(dbert_tensors_open(&pack->source, sentence->dir, &pack->arena, poll,
								 &pack->tensors, &pack->files, err));
	DBERT_TRY(read_head(pack, at, sentence, asked, err));
	if (dbert_decoder_layers(&pack->config) == 0)
		return DBERT_OK;
	return dbert_generation_read(&pack->source, sentence->dir, at, pack->alloc, &pack->arena, poll,
								 &pack->config, &pack->files, err);
}

/* Sizes of static embeddings; what model2vec says beside them. */
static DbertStatus
read_static(DbertPack *pack, DbertSentence *sentence, const DbertJson *at, bool model2vec,
			int asked, const DbertPoll *poll, DbertError *err)
{
	bool		normalize = false;

	if (sentence->cross || (asked != DBERT_HEAD_AUTO && asked != DBERT_HEAD_NONE))
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "static embeddings serve the task \"%s\" only",
						  dbert_head_traits(DBERT_HEAD_NONE)->task);
	DBERT_TRY(dbert_tensors_open(&pack->source, sentence->dir, &pack->arena, poll,
								 &pack->tensors, &pack->files, err));
	DBERT_TRY(dbert_static_read(&pack->source, &pack->tensors, &pack->arena, poll, &pack->config,
								&pack->token_rows, err));
	apply_steps(&pack->config, sentence, asked);
	pack->config.skip_unknown = model2vec;
	if (model2vec)
		DBERT_TRY(dbert_static_settings(at, &normalize, &pack->static_tokens, err));
	sentence->normalize |= normalize;
	return DBERT_OK;
}

/* config.json, which static embeddings may lack, and the tensors' headers. */
static DbertStatus
read_config(DbertPack *pack, DbertSentence *sentence, int asked, const DbertPoll *poll,
			DbertError *err)
{
	DbertJsonTree tree;
	DbertJson	at;
	bool		model2vec = false;
	DbertStatus status;

	DBERT_TRY(dbert_file_list_add(&pack->files, &pack->arena, &pack->source, sentence->dir,
								  "config.json", err));
	status = dbert_json_load(&pack->source, sentence->dir, "config.json", DBERT_JSON_MAX, 0,
							 sentence->lookup, pack->alloc, poll, &tree, &at, err);
	if (status == DBERT_OK)
		status = dbert_static_is_model2vec(&at, &model2vec, err);
	if (status == DBERT_OK && (sentence->lookup || model2vec))
		status = read_static(pack, sentence, &at, model2vec, asked, poll, err);
	else if (status == DBERT_OK)
		status = read_encoder(pack, sentence, &at, asked, poll, err);
	pack->config.precision = pack->precision;
	dbert_json_free(&tree);
	return status;
}

/* The name of a file in a folder, for messages. */
typedef struct FileName
{
	char		text[2 * DBERT_FILE_NAME_MAX];
} FileName;

static const char *
file_name(FileName *out, const char *dir, const char *name)
{
	snprintf(out->text, sizeof(out->text), "%s%s%s", dir, dir[0] != '\0' ? "/" : "", name);
	return out->text;
}

/* The shortest of the limits that the files name. */
static DbertStatus
limit_tokens(DbertConfig *config, int64_t limit, const char *file, const char *key, DbertError *err)
{
	if (limit > 0 && limit < DBERT_MIN_TOKENS)
		return dbert_fail(err, DBERT_E_FORMAT,
						  "%s: \"%s\" of %d tokens is too short, %d are the least", file, key,
						  (int) limit, DBERT_MIN_TOKENS);
	if (limit > 0 && limit < config->max_tokens)
		config->max_tokens = (int32_t) limit;
	return DBERT_OK;
}

/* Of static embeddings: the limit does not count the template's tokens. */
static DbertStatus
limit_static_tokens(DbertPack *pack, DbertError *err)
{
	DbertConfig *config = &pack->config;
	DbertTokenizer tokenizer;
	int64_t		count;

	if (pack->static_tokens == 0)
		return DBERT_OK;
	DBERT_TRY(dbert_tokenizer_open(pack->tokenizer.image, pack->tokenizer.image_size, &tokenizer,
								   err));
	config->max_chars = dbert_static_max_chars(&tokenizer, pack->static_tokens);
	DBERT_TRY(dbert_count_tokens(&tokenizer, "", 0, pack->alloc, NULL, &count, err));
	count += pack->static_tokens;
	if (count < config->max_tokens)
		config->max_tokens = count < DBERT_MIN_TOKENS ? DBERT_MIN_TOKENS : (int32_t) count;
	return DBERT_OK;
}

/* Each module takes what the one before it gives. */
static DbertStatus
check_widths(const DbertConfig *config, const DbertSentence *sentence, DbertError *err)
{
	FileName	file;
	int			width = config->hidden;

	if (sentence->width > 0 && sentence->width != width)
		return dbert_fail(err, DBERT_E_SHAPE,
						  "%s: pooling is for vectors of %d, but the hidden size is %d",
						  file_name(&file, sentence->pooling_dir, "config.json"),
						  (int) sentence->width, width);
	for (int i = 0; i < config->n_steps; i++)
	{
		if (sentence->steps[i].takes != width)
			return dbert_fail(err, DBERT_E_SHAPE,
							  "%s: the module is for vectors of %d, but gets vectors of %d",
							  file_name(&file, sentence->steps[i].dir, "config.json"),
							  (int) sentence->steps[i].takes, width);
		width = config->steps[i].width;
	}
	return DBERT_OK;
}

static DbertStatus
apply_sentence(DbertConfig *config, const DbertSentence *sentence, bool lowercases, DbertError *err)
{
	FileName	file;

	config->pooling = sentence->pooling;
	config->skip_prompt = sentence->skip_prompt;
	config->normalize = sentence->normalize;
	if (config->n_steps > 0 && !config->pooled_head)
		config->embedding = config->steps[config->n_steps - 1].width;
	config->dimensions = config->embedding;
	if (sentence->dimensions > 0 && sentence->dimensions < config->embedding)
		config->dimensions = (int32_t) sentence->dimensions;
	DBERT_TRY(check_widths(config, sentence, err));
	if (sentence->lowercases && !lowercases)
		return dbert_fail(
			err, DBERT_E_UNSUPPORTED,
			"%s: lower-casing texts before a tokenizer that keeps case is not supported",
			file_name(&file, sentence->dir, sentence->settings));
	if (sentence->settings == NULL)
		return DBERT_OK;
	return limit_tokens(config, sentence->max_tokens,
						file_name(&file, sentence->dir, sentence->settings), "max_seq_length", err);
}

static DbertStatus
plan_weights(DbertPack *pack, DbertError *err)
{
	bool		tied = dbert_slots_tied(&pack->config, &pack->tensors);

	pack->header.flags = tied ? DBERT_PACK_TIED : 0;
	DBERT_TRY(dbert_slots_plan(&pack->config, tied, pack->kernels, pack->alloc, &pack->slots, err));
	DBERT_TRY(dbert_slots_match(&pack->slots, &pack->config, &pack->tensors, pack->steps,
								&pack->config.parameters, err));
	dbert_slots_keep_halves(&pack->slots, &pack->config, pack->kernels,
							pack->token_rows.weight == NULL);
	return DBERT_OK;
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
	h->family = (uint32_t) pack->config.family;
	if (strlen(layout) >= sizeof(h->layout))
		return dbert_fail(err, DBERT_E_INTERNAL, "name of layout \"%s\" is too long", layout);
	strcpy(h->layout, layout);
	h->sections[DBERT_SECTION_CONFIG].size = sizeof(DbertConfig);
	h->sections[DBERT_SECTION_LABELS].size = labels_size(pack);
	h->sections[DBERT_SECTION_PROMPTS].size = prompts_size(pack);
	h->sections[DBERT_SECTION_TOKENIZER].size = pack->tokenizer.image_size;
	h->sections[DBERT_SECTION_TYPES].size = h->n_slots = (uint32_t) pack->slots.count;
	h->sections[DBERT_SECTION_WEIGHTS].size = pack->slots.bytes;
	for (int i = 0; i < DBERT_SECTIONS; i++)
	{
		offset = dbert_pack_aligned(offset);
		h->sections[i].offset = offset;
		offset += h->sections[i].size;
	}
	h->size = offset;
	if (h->sections[DBERT_SECTION_WEIGHTS].offset > DBERT_PACK_FRONT_MAX)
		return dbert_fail(err, DBERT_E_LIMIT, "vocabulary and labels take more than a gigabyte");
	return DBERT_OK;
}

/* Whether the model hears of token types, and that it has them. */
static DbertStatus
settle_types(DbertPack *pack, DbertError *err)
{
	DbertTokenizer tokenizer;

	if (pack->tokenizer.omits_types)
		pack->config.pair_types = 0;
	DBERT_TRY(dbert_tokenizer_open(pack->tokenizer.image, pack->tokenizer.image_size, &tokenizer,
								   err));
	if (!dbert_config_has_types(&pack->config, &tokenizer))
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: the post-processor gives tokens a type that the model, "
						  "which has %d types, lacks",
						  pack->tokenizer.file, (int) pack->config.types);
	return DBERT_OK;
}

static DbertStatus
read_model(DbertPack *pack, const char *task, const DbertPoll *poll, DbertError *err)
{
	int			asked;
	DbertSentence sentence;
	FileName	file;

	DBERT_TRY(dbert_head_parse(task, &asked, err));
	DBERT_TRY(dbert_sentence_read(&pack->source, &pack->arena, poll, &sentence, &pack->files, err));
	DBERT_TRY(read_config(pack, &sentence, asked, poll, err));
	DBERT_TRY(dbert_tokenizer_files_read(&pack->source, sentence.dir,
										 dbert_family_of(&pack->config)->model_type,
										 pack->config.vocab, pack->alloc, &pack->arena, poll,
										 &pack->tokenizer, &pack->files, err));
	if (dbert_head_traits(pack->config.head)->rows == DBERT_ROWS_MASKED &&
		!pack->tokenizer.has_mask)
		return dbert_fail(err, DBERT_E_FORMAT,
						  "%s: architecture \"%s\" needs a mask token, the vocabulary has none",
						  pack->tokenizer.file, pack->config.architecture);
	DBERT_TRY(settle_types(pack, err));
	if (dbert_family_of(&pack->config)->lookup)
		DBERT_TRY(limit_static_tokens(pack, err));
	else
		DBERT_TRY(limit_tokens(&pack->config, pack->tokenizer.max_tokens,
							   file_name(&file, sentence.dir, "tokenizer_config.json"),
							   "model_max_length", err));
	DBERT_TRY(apply_sentence(&pack->config, &sentence, pack->tokenizer.lowercases, err));
	for (int i = 0; i < pack->config.n_steps; i++)
		DBERT_TRY(dbert_tensors_open(&pack->source, sentence.steps[i].dir, &pack->arena, poll,
									 &pack->steps[i], &pack->files, err));
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

void
dbert_pack_set_content(DbertPack *pack, const uint8_t content[DBERT_CONTENT_BYTES])
{
	memcpy(pack->header.content, content, DBERT_CONTENT_BYTES);
}

uint64_t
dbert_pack_size(const DbertPack *pack)
{
	return pack->header.size;
}
