/*
 * trainmask.c -- see trainmask.h.
 *
 * Of the tokens that are chosen 80 % become [MASK], 10 % any other token and
 * 10 % stay as they are: a model that reads no [MASK] later must not rely on
 * it.  In each epoch others are chosen.
 *
 * Source: Devlin et al. 2018 (arXiv:1810.04805), section 3.1; Liu et al. 2019
 * (arXiv:1907.11692), section 4.1, dynamic masking; whole words as in BERT's
 * release of May 2019.
 */
#include "postgres.h"

#include "pg/train/trainmask.h"

/* Random numbers of a token, and those behind all tokens' */
#define NUMBERS			3
#define NUMBER_OF_ONE	UINT64CONST(0xffffffff)

DistilMasker *
distil_masker_create(const DbertTokenizer *tokenizer, float share, bool whole_word, uint64 seed)
{
	DistilMasker *m = palloc0(sizeof(DistilMasker));
	size_t		len;

	m->tokenizer = tokenizer;
	m->share = share;
	m->whole_word = whole_word;
	m->seed = seed;
	m->ordinary = palloc(sizeof(int32) * tokenizer->n_tokens);
	for (int32 id = 0; id < tokenizer->n_tokens; id++)
	{
		if (distil_maskable(tokenizer, id) && dbert_token_text(tokenizer, id, &len) != NULL)
			m->ordinary[m->n_ordinary++] = id;
	}
	return m;
}

/* One text of the batch. */
typedef struct MaskedText
{
	const DistilMasker *masker;
	DistilTrainBatch *batch;
	uint64		key;
	int32	   *ids;
	int			first;			/* of its tokens in the batch */
	int			n;
} MaskedText;

static void
mask_token(const MaskedText *t, int i)
{
	const DistilMasker *m = t->masker;
	DbertTrainBatch *core = &t->batch->core;
	double		draw = dbert_random_uniform(t->key, NUMBERS * i + 1);

	t->batch->masked[core->n_masked] = t->first + i;
	t->batch->classes[core->n_masked++] = t->ids[i];
	if (draw < 0.8)
		t->ids[i] = m->tokenizer->mask_id;
	else if (draw < 0.9)
		t->ids[i] = m->ordinary[dbert_random_at(t->key, NUMBERS * i + 2) % m->n_ordinary];
}

static bool
is_maskable(const MaskedText *t, int i)
{
	return distil_maskable(t->masker->tokenizer, t->ids[i]);
}

/* The token behind the unit, a token or a word, that begins at i. */
static int
unit_end(const MaskedText *t, int i)
{
	const DistilMasker *m = t->masker;

	for (i++; m->whole_word && i < t->n && is_maskable(t, i); i++)
	{
		if (!dbert_token_continues(m->tokenizer, t->ids[i - 1], t->ids[i]))
			break;
	}
	return i;
}

static void
mask_unit(const MaskedText *t, int i, int end)
{
	for (; i < end; i++)
		mask_token(t, i);
}

/* Mask the unit of this number. */
static void
mask_one(const MaskedText *t, int number)
{
	for (int i = 1, end; i < t->n - 1; i = end)
	{
		end = is_maskable(t, i) ? unit_end(t, i) : i + 1;
		if (is_maskable(t, i) && number-- == 0)
		{
			mask_unit(t, i, end);
			return;
		}
	}
}

/* Each unit with the same chance; one in any case. */
static void
mask_text(const MaskedText *t)
{
	int			before = t->batch->core.n_masked,
				units = 0;

	for (int i = 1, end; i < t->n - 1; i = end)
	{
		end = i + 1;
		if (!is_maskable(t, i))
			continue;
		end = unit_end(t, i);
		units++;
		if (dbert_random_uniform(t->key, NUMBERS * i) < t->masker->share)
			mask_unit(t, i, end);
	}
	if (t->batch->core.n_masked == before)
		mask_one(t, (int) (dbert_random_uniform(t->key, NUMBER_OF_ONE) * units));
}

void
distil_mask_batch(const DistilMasker *masker, DistilTrainBatch *batch, const int32 *texts,
				  int epoch)
{
	batch->core.n_masked = 0;
	for (int i = 0; i < batch->core.n_texts; i++)
	{
		MaskedText	t = {
			.masker = masker,
			.batch = batch,
			.key = dbert_random_key(masker->seed, DBERT_STREAM_MASK + epoch, texts[i]),
			.ids = batch->ids + batch->cu[i],
			.first = batch->cu[i],
			.n = batch->cu[i + 1] - batch->cu[i]
		};

		mask_text(&t);
	}
	batch->core.masked = batch->masked;
}
