/*
 * trainbase.c -- the model a training starts from.
 *
 * The model room reads it as if for a pack, which is then not written: training
 * begins with the checkpoint's own values, not with packed ones.  If its files
 * do not say a head that there is code for, the task says it; if there is no
 * such head, the encoder alone is read.
 */
#include "train/trainbase.h"

#include "model/family.h"
#include "model/sentence.h"

#include <string.h>

/* With the head that asked names; one made of modules does not learn. */
static DbertStatus
read_model(DbertTrainBase *b, const DbertSource *source, const char *asked, const DbertPoll *poll,
		   DbertError *err)
{
	DBERT_TRY(dbert_pack_begin(source, asked, DBERT_PRECISION_FP32, &dbert_kernels_scalar,
							   b->alloc, poll, &b->pack, err));
	if (!b->pack->config.pooled_head)
		return DBERT_OK;
	dbert_pack_end(b->pack);
	b->pack = NULL;
	return dbert_fail(err, DBERT_E_UNSUPPORTED, "a head made of modules cannot be trained");
}

/* What there is no way back for. */
static DbertStatus
check_trainable(const DbertConfig *config, DbertError *err)
{
	const DbertFamily *family = dbert_family_of(config);

	if (family->not_trained)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "models of type \"%s\" cannot be trained yet",
						  family->model_type);
	if (config->groups > 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "models whose layers share weights, as those of type \"%s\", "
						  "cannot be trained",
						  family->model_type);
	if (config->embed_width != config->hidden)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "models whose embeddings are projected, here from %d to %d, "
						  "cannot be trained",
						  config->embed_width, config->hidden);
	return DBERT_OK;
}

static DbertStatus
open_base(DbertTrainBase *b, const DbertSource *source, const char *task, const DbertPoll *poll,
		  DbertError *err)
{
	DbertSentence sentence;
	DbertFileList list = {0};
	DbertStatus status = read_model(b, source, NULL, poll, err);

	if (status == DBERT_E_UNSUPPORTED && task != NULL)
		status = read_model(b, source, task, poll, err);
	if (status == DBERT_E_UNSUPPORTED)
		status = read_model(b, source, "embed", poll, err);
	DBERT_TRY(status);
	DBERT_TRY(check_trainable(&b->pack->config, err));
	DBERT_TRY(dbert_sentence_read(source, &b->pack->arena, poll, &sentence, &list, err));
	memcpy(b->dir, sentence.dir, sizeof(b->dir));
	b->sentence = sentence.present;
	b->lowercases = sentence.lowercases;
	return dbert_tokenizer_open(b->pack->tokenizer.image, b->pack->tokenizer.image_size,
								&b->tokenizer, err);
}

DbertStatus
dbert_trainbase_open(const DbertSource *source, const char *task, const DbertAllocator *alloc,
					 const DbertPoll *poll, DbertTrainBase **base, DbertError *err)
{
	DbertTrainBase *b = dbert_alloc_zero(alloc, 1, sizeof(*b));
	DbertStatus status;

	*base = NULL;
	if (b == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	b->alloc = alloc;
	status = open_base(b, source, task, poll, err);
	if (status != DBERT_OK)
	{
		dbert_trainbase_close(b);
		return status;
	}
	*base = b;
	return DBERT_OK;
}

void
dbert_trainbase_close(DbertTrainBase *base)
{
	if (base == NULL)
		return;
	dbert_pack_end(base->pack);
	dbert_free(base->alloc, base);
}

const DbertConfig *
dbert_trainbase_config(const DbertTrainBase *base)
{
	return &base->pack->config;
}

const char *
dbert_trainbase_label(const DbertTrainBase *base, int i)
{
	return dbert_pack_label(base->pack, i);
}

const DbertTokenizer *
dbert_trainbase_tokenizer(const DbertTrainBase *base)
{
	return &base->tokenizer;
}

const DbertAllocator *
dbert_trainbase_allocator(const DbertTrainBase *base)
{
	return base->alloc;
}
