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
	m->continues = palloc(sizeof(bool) * tokenizer->n_tokens);
	for (int32 id = 0; id < tokenizer->n_tokens; id++)
	{
		m->continues[id] = dbert_token_continues(tokenizer, id);
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

static bool
begins_unit(const MaskedText *t, int i)
{
	const DistilMasker *m = t->masker;

	return distil_maskable(m->tokenizer, t->ids[i]) &&
		!(m->whole_word && m->continues[t->ids[i]] && distil_maskable(m->tokenizer, t->ids[i - 1]));
}

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

/* The unit, a token or a word, that begins at i; the token behind it. */
static int
mask_unit(const MaskedText *t, int i)
{
	int			end = i + 1;

	while (end < t->n && distil_maskable(t->masker->tokenizer, t->ids[end]) && !begins_unit(t, end))
		end++;
	for (; i < end; i++)
		mask_token(t, i);
	return end;
}

/* Each unit with the same chance; one in any case. */
static void
mask_text(const MaskedText *t)
{
	int			before = t->batch->core.n_masked,
				units = 0,
				one;

	for (int i = 1; i < t->n - 1;)
	{
		bool		begins = begins_unit(t, i);

		units += begins;
		i = begins && dbert_random_uniform(t->key, NUMBERS * i) < t->masker->share ? mask_unit(t, i)
																				   : i + 1;
	}
	if (t->batch->core.n_masked > before)
		return;
	one = (int) (dbert_random_uniform(t->key, NUMBER_OF_ONE) * units);
	for (int i = 1; i < t->n - 1; i++)
	{
		if (begins_unit(t, i) && one-- == 0)
		{
			mask_unit(t, i);
			return;
		}
	}
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
