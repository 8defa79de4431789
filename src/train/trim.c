/*
 * trim.c -- a model with a smaller vocabulary, as files (trim.h).
 *
 * config.json is the model's with other numbers, the tokenizer's files are
 * trimtokenizer.c's.  model.safetensors is a header made here, followed by the
 * model's tensors as they are, but that those with a row for each token, the
 * word embedding and a masked-LM decoder, have the rows that stay.  All other
 * files are the model's.
 */
#include "train/trim.h"

#include "model/family.h"
#include "model/packbuild.h"
#include "model/sentence.h"
#include "train/trimplan.h"

#include <string.h>

#define CONFIG_FILE "config.json"

/* A tensor of the new file. */
typedef struct Origin
{
	const DbertTensor *tensor;
	uint64_t	row;			/* bytes of one, where rows go; else 0 */
} Origin;

struct DbertTrim
{
	const DbertAllocator *alloc;
	DbertPack  *pack;			/* begun, never written */
	char		dir[DBERT_FILE_NAME_MAX];	/* folder of config.json */
	DbertJsonTree config;
	DbertVocabSource vocab;
	DbertTrimPlan plan;
	DbertOverlay files;
	Origin	   *origins;		/* [files.weights.n_pieces] */
};

/* ---- what the model is ---- */

static DbertStatus
find_folder(DbertTrim *t, const DbertSource *source, const DbertPoll *poll, DbertError *err)
{
	DbertSentence sentence;
	DbertFileList list = {0};

	DBERT_TRY(dbert_sentence_read(source, &t->pack->arena, poll, &sentence, &list, err));
	memcpy(t->dir, sentence.dir, sizeof(t->dir));
	return DBERT_OK;
}

static DbertStatus
begin_plan(DbertTrim *t, DbertError *err)
{
	DbertTrimPlan *p = &t->plan;

	p->alloc = t->alloc;
	p->n = t->pack->config.vocab;
	DBERT_TRY(dbert_tokenizer_open(t->pack->tokenizer.image, t->pack->tokenizer.image_size,
								   &p->tokenizer, err));
	p->needed = dbert_alloc_zero(t->alloc, (size_t) p->n, sizeof(*p->needed));
	p->to = dbert_alloc_array(t->alloc, (size_t) p->n, sizeof(*p->to));
	if (p->needed == NULL || p->to == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	DBERT_TRY(dbert_trim_tokenizer_read(p, &t->vocab, err));
	dbert_trim_config_needs(p, t->config.root);
	/* positions are counted from the padding's id on, which must not change */
	for (int32_t id = 0; id < t->pack->config.first_position && id < p->n; id++)
		p->needed[id] = true;
	return DBERT_OK;
}

static DbertStatus
open_trim(DbertTrim *t, const DbertSource *source, const char *task, const DbertPoll *poll,
		  DbertError *err)
{
	DbertJson	at;

	DBERT_TRY(dbert_pack_begin(source, task, DBERT_PRECISION_FP32, &dbert_kernels_scalar, t->alloc,
							   poll, &t->pack, err));
	if (dbert_family_of(&t->pack->config)->lookup)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "the vocabulary of static embeddings cannot be cut, but that of the "
						  "model that they are made of");
	DBERT_TRY(find_folder(t, source, poll, err));
	DBERT_TRY(dbert_json_load(source, t->dir, CONFIG_FILE, DBERT_JSON_MAX, 0, false, t->alloc, poll,
							  &t->config, &at, err));
	DBERT_TRY(dbert_vocab_source_load(source, t->dir, t->alloc, poll, &t->vocab, err));
	return begin_plan(t, err);
}

/* ---- weights ---- */

/* What has a row, or a number, for each token. */
static bool
is_of_tokens(const DbertSlot *slot, const DbertConfig *config)
{
	bool		decoder = dbert_head_traits(config->head)->columns == DBERT_COLUMNS_VOCAB &&
		dbert_slot_role(slot) == DBERT_ROLE_OUTPUT;

	return decoder || dbert_slot_is_words(slot);
}

/* The slot that a tensor is a part of; NULL: none. */
static const DbertSlot *
find_slot(const DbertSlots *slots, const DbertTensor *tensor)
{
	for (int i = 0; i < slots->count; i++)
		for (int part = 0; part < slots->items[i].n_parts; part++)
			if (slots->items[i].parts[part] == tensor)
				return &slots->items[i];
	return NULL;
}

/*
 * A tensor that nothing reads stays, too, unless it may have a row for each
 * token.
 */
static void
add_tensor(DbertTrim *t, const DbertTensor *tensor)
{
	const DbertSlot *slot = find_slot(&t->pack->slots, tensor);
	bool		cut = slot != NULL && is_of_tokens(slot, &t->pack->config);

	if (slot == NULL && tensor->rank > 0 && tensor->shape[0] == t->plan.n)
		return;
	t->origins[t->files.weights.n_pieces] = (Origin) {
		.tensor = tensor, .row = cut ? tensor->bytes / (uint64_t) t->plan.n : 0
	};
	dbert_tensorfile_add_copy(&t->files.weights, tensor,
							  cut || tensor->rank == 0 ? t->plan.kept : tensor->shape[0]);
}

static DbertStatus
make_weights(DbertTrim *t, DbertError *err)
{
	const DbertTensorSet *tensors = &t->pack->tensors;

	if (tensors->count > INT32_MAX)
		return dbert_fail(err, DBERT_E_LIMIT, "too many tensors");
	DBERT_TRY(dbert_tensorfile_begin(&t->files.weights, (int) tensors->count, t->alloc, err));
	t->origins = dbert_alloc_array(t->alloc, tensors->count, sizeof(Origin));
	if (t->origins == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	for (size_t i = 0; i < tensors->count; i++)
		add_tensor(t, &tensors->items[i]);
	return dbert_tensorfile_end(&t->files.weights, err);
}

/* Old rows that stand one behind the other, as those of new rows from i on. */
static int32_t
run_of(const DbertTrimPlan *p, int32_t i, int32_t most)
{
	int32_t		n = 1;

	while (n < most && i + n < p->kept && p->from[i + n] == p->from[i] + n)
		n++;
	return n;
}

/* Bytes from .. of the rows that stay, a run of them at a time. */
static DbertStatus
fetch_rows(const DbertTrim *t, const Origin *o, uint64_t from, char *buf, size_t len,
		   DbertError *err)
{
	const DbertSource *source = &t->pack->source;

	while (len > 0)
	{
		int32_t		row = (int32_t) (from / o->row);
		uint64_t	in_row = from % o->row,
					more = (in_row + len + o->row - 1) / o->row,
					bytes;

		bytes = (uint64_t) run_of(&t->plan, row, more < INT32_MAX ? (int32_t) more : INT32_MAX) *
			o->row - in_row;
		if (bytes > len)
			bytes = len;
		DBERT_TRY(source->read(source->ctx, o->tensor->file,
							   o->tensor->offset + (uint64_t) t->plan.from[row] * o->row + in_row,
							   buf, (size_t) bytes, err));
		buf += bytes;
		from += bytes;
		len -= (size_t) bytes;
	}
	return DBERT_OK;
}

static DbertStatus
fetch(void *ctx, int piece, uint64_t from, void *buf, size_t len, DbertError *err)
{
	const DbertTrim *t = ctx;
	const DbertSource *source = &t->pack->source;
	const Origin *o = &t->origins[piece];

	if (o->row > 0)
		return fetch_rows(t, o, from, buf, len, err);
	return source->read(source->ctx, o->tensor->file, o->tensor->offset + from, buf, len, err);
}

/* ---- files ---- */

static DbertStatus
make_config(DbertTrim *t, DbertError *err)
{
	const DbertFamily *family = dbert_family_of(&t->pack->config);

	dbert_json_pool_enter(&t->config.pool);
	dbert_json_set_size(t->config.root, dbert_family_size(family, DBERT_SIZE_OF(vocab)),
						t->plan.kept);
	dbert_trim_config_write(&t->plan, t->config.root);
	dbert_json_pool_leave(&t->config.pool);
	return dbert_overlay_put_json(&t->files, t->dir, CONFIG_FILE, &t->config, DBERT_CONFIG_FORMAT,
								  err);
}

DbertStatus
dbert_trim_choose(DbertTrim *trim, const int64_t *counts, int32_t most, const DbertPoll *poll,
				  DbertTrimmed *out, DbertError *err)
{
	DBERT_TRY(dbert_trim_plan_choose(&trim->plan, counts, most, poll, out, err));
	DBERT_TRY(dbert_overlay_begin(&trim->files, &trim->pack->source, trim->dir, trim->alloc, fetch,
								  trim, err));
	DBERT_TRY(make_config(trim, err));
	DBERT_TRY(dbert_trim_tokenizer_write(&trim->plan, &trim->vocab, trim->dir, &trim->files, poll,
										 err));
	return make_weights(trim, err);
}

/* ---- life ---- */

DbertStatus
dbert_trim_open(const DbertSource *source, const char *task, const DbertAllocator *alloc,
				const DbertPoll *poll, DbertTrim **trim, DbertError *err)
{
	DbertTrim  *t = dbert_alloc_zero(alloc, 1, sizeof(*t));
	DbertStatus status;

	*trim = NULL;
	if (t == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	t->alloc = t->files.alloc = t->files.weights.alloc = alloc;
	status = open_trim(t, source, task, poll, err);
	if (status != DBERT_OK)
	{
		dbert_trim_free(t);
		return status;
	}
	*trim = t;
	return DBERT_OK;
}

const DbertConfig *
dbert_trim_config(const DbertTrim *trim)
{
	return &trim->pack->config;
}

const DbertTokenizer *
dbert_trim_tokenizer(const DbertTrim *trim)
{
	return &trim->plan.tokenizer;
}

const DbertSource *
dbert_trim_source(const DbertTrim *trim)
{
	return &trim->files.source;
}

void
dbert_trim_free(DbertTrim *trim)
{
	if (trim == NULL)
		return;
	dbert_overlay_free(&trim->files);
	dbert_free(trim->alloc, trim->origins);
	dbert_free(trim->alloc, trim->plan.needed);
	dbert_free(trim->alloc, trim->plan.to);
	dbert_free(trim->alloc, trim->plan.from);
	dbert_free(trim->alloc, trim->plan.merges);
	dbert_json_free(&trim->config);
	dbert_vocab_source_free(&trim->vocab, trim->alloc);
	dbert_pack_end(trim->pack);
	dbert_free(trim->alloc, trim);
}
