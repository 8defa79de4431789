/*
 * fuzzhelp.c -- see fuzzhelp.h.
 */
#include "test/fuzz/fuzzhelp.h"

#include "model/packimage.h"

#include <math.h>
#include <string.h>

static const DbertAllocator *const heap = &dbert_malloc_allocator;

/* ---- bytes of an input ---- */

unsigned
take_byte(Bytes *b)
{
	if (b->left == 0)
		return 0;
	b->left--;
	return *b->at++;
}

unsigned
take_two(Bytes *b)
{
	unsigned	low = take_byte(b);

	return low | take_byte(b) << 8;
}

const uint8_t *
take(Bytes *b, size_t *len)
{
	const uint8_t *at = b->at;

	*len = *len < b->left ? *len : b->left;
	b->at += *len;
	b->left -= *len;
	return at;
}

bool
take_edit(Bytes *b, uint8_t *range, size_t size)
{
	size_t		where,
				len;
	const uint8_t *bytes;

	if (b->left < 4)
		return false;
	where = take_two(b);
	len = take_byte(b);
	bytes = take(b, &len);
	if (size == 0)
		return true;
	where %= size;
	len = len < size - where ? len : size - where;
	memcpy(range + where, bytes, len);
	return true;
}

/* ---- models ---- */

void *
image_of(MemModel *m, DbertPrecision precision, size_t *size)
{
	DbertSource source = mem_source(m);
	DbertError	err;
	DbertPack  *pack;
	void	   *image = NULL;

	if (dbert_pack_begin(&source, NULL, precision, &dbert_kernels_scalar, heap, NULL, &pack,
						 &err) != DBERT_OK)
		return NULL;
	*size = dbert_pack_size(pack);
	if (posix_memalign(&image, 64, *size) != 0)
		abort();
	memset(image, 0, *size);
	if (dbert_pack_write(pack, image, NULL, &err) != DBERT_OK)
	{
		free(image);
		image = NULL;
	}
	dbert_pack_end(pack);
	return image;
}

void
mend_image(void *image, size_t size)
{
	DbertPackHeader *h = image;
	uint64_t	weights;

	if (size < sizeof(*h))
		return;
	h->magic = DBERT_PACK_MAGIC;
	h->version = DBERT_PACK_VERSION;
	h->size = size;
	weights = h->sections[DBERT_SECTION_WEIGHTS].offset;
	if (weights > size)
		return;
	h->checksum = dbert_pack_checksum(image, weights / 8 * 8);
}

/* ---- questions ---- */

/* Long texts end soon. */
static bool
stop_late(void *ctx)
{
	return --*(int *) ctx < 0;
}

static void
ask_token(const DbertBatch *batch, int i, size_t chars)
{
	DbertError	err;

	for (int a = DBERT_AGGREGATE_NONE; a <= DBERT_AGGREGATE_MAX; a++)
	{
		DbertEntity *entities;
		int			count;

		if (dbert_batch_entities(batch, i, (DbertAggregation) a, 0, &entities, &count, &err) !=
			DBERT_OK)
			continue;
		for (int k = 0; k < count; k++)
			REQUIRE(entities[k].start >= 0 && entities[k].start <= entities[k].end &&
					(size_t) entities[k].end <= chars);
		dbert_free(heap, entities);
	}
}

static void
ask_mask(const DbertBatch *batch, int i, int rows)
{
	DbertError	err;

	for (int mask = 0; mask < rows && mask < 3; mask++)
	{
		DbertFill  *fills;
		int			count;
		char	   *text;
		size_t		len;

		if (dbert_batch_fills(batch, i, mask, 4, NULL, 0, &fills, &count, &err) != DBERT_OK)
			continue;
		for (int k = 0; k < count; k++)
			if (dbert_batch_filled(batch, i, mask, fills[k].id, &text, &len, &err) == DBERT_OK)
				dbert_free(heap, text);
		dbert_free(heap, fills);
	}
}

static void
ask_span(const DbertBatch *batch, int i, const char *context, size_t len)
{
	DbertAnswerOptions options = {.top_k = 3, .no_answer = len % 2, .max_tokens = 5};
	DbertAnswer *answers;
	DbertError	err;
	int			count;

	if (dbert_batch_answers(batch, i, context, len, &options, NULL, &answers, &count, &err) !=
		DBERT_OK)
		return;
	for (int k = 0; k < count; k++)
		REQUIRE(answers[k].start == -1 ||
				(answers[k].start <= answers[k].end && (size_t) answers[k].end <= len));
	dbert_free(heap, answers);
}

static void
ask_sequence(const DbertModel *model, const float *logits)
{
	int			n = model->config.n_labels;
	float	   *scores = malloc((size_t) (n + 1) * sizeof(float));

	dbert_classify_scores(model, logits, scores);
	REQUIRE(dbert_classify_best(model, logits) < n || n == 0);
	if (dbert_model_has_sentiment(model))
		(void) dbert_sentiment(model, logits);
	if (dbert_entailment_label(model) >= 0)
		dbert_zero_shot_scores(model, logits, 1, false, scores);
	free(scores);
}

static void
ask_results(const DbertBatch *batch, const DbertModel *model, int i, size_t len, const char *pair,
			size_t pair_len)
{
	const float *logits;
	int			rows;

	if (model->config.head == DBERT_HEAD_NONE)
		return;
	logits = dbert_batch_logits(batch, i, &rows);
	if (model->config.head == DBERT_HEAD_SEQUENCE)
		ask_sequence(model, logits);
	else if (model->config.head == DBERT_HEAD_TOKEN)
		ask_token(batch, i, len);
	else if (model->config.head == DBERT_HEAD_MASK)
		ask_mask(batch, i, rows);
	else if (pair != NULL)
		ask_span(batch, i, pair, pair_len);
}

void
ask_model(const DbertModel *model, const char *text, size_t len, const char *pair, size_t pair_len)
{
	int			want = model->config.head == DBERT_HEAD_NONE ? DBERT_WANT_EMBEDDING
															  : DBERT_WANT_LOGITS;
	int			left = 20000;
	DbertPoll	poll = {stop_late, &left};
	DbertBatch *batch;
	DbertError	err;
	bool		alone,
				both = false;

	if (dbert_batch_create(model, want, heap, &batch, &err) != DBERT_OK)
		return;
	alone = dbert_batch_add(batch, text, len, NULL, 0,
							len % 2 ? DBERT_LONG_WINDOW : DBERT_LONG_TRUNCATE, &poll,
							&err) == DBERT_OK;
	if (pair != NULL)
		both = dbert_batch_add(batch, text, len, pair, pair_len,
							   pair_len % 2 ? DBERT_LONG_WINDOW : DBERT_LONG_TRUNCATE, &poll,
							   &err) == DBERT_OK;
	if (dbert_batch_run(batch, &poll, &err) == DBERT_OK)
	{
		if (alone && model->config.head != DBERT_HEAD_SPAN)
			ask_results(batch, model, 0, len, NULL, 0);
		if (both && model->config.head != DBERT_HEAD_TOKEN)
			ask_results(batch, model, alone, len, pair, pair_len);
	}
	dbert_batch_free(batch);
}
