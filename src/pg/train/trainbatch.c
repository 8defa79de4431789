/*
 * trainbatch.c -- see trainbatch.h.
 *
 * The arrays have room for the largest batch and are filled again and again.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/eval/spans.h"
#include "pg/train/trainbatch.h"

DistilTrainBatch *
distil_trainbatch_create(const DistilTrainSet *set, int max_texts, int max_tokens, int n_labels)
{
	DistilTrainBatch *b = palloc0(sizeof(DistilTrainBatch));
	Size		targets = sizeof(float) * (Size) max_texts * Max(n_labels, 1);

	b->max_texts = max_texts;
	b->max_tokens = max_tokens;
	b->n_labels = n_labels;
	b->cu = palloc(sizeof(int32) * ((Size) max_texts * distil_trainset_texts_each(set) + 1));
	b->ids = palloc(sizeof(int32) * (Size) max_tokens);
	b->types = set->pairs ? palloc(max_tokens) : NULL;
	b->classes = palloc(sizeof(int32) * (Size) Max(max_tokens, max_texts));
	b->masked = set->kind == DISTIL_LABEL_NONE ? palloc(sizeof(int32) * (Size) max_tokens) : NULL;
	if (set->kind != DISTIL_LABEL_MANY && set->kind != DISTIL_LABEL_NUMBER &&
		set->kind != DISTIL_LABEL_PAIR)
		return b;
	distil_trainset_check_limit(set, targets);
	b->targets = MemoryContextAllocHuge(CurrentMemoryContext, targets);
	return b;
}

static bool
fits(const DistilTrainBatch *b, const DistilTrainSet *set, int texts, int tokens, int text)
{
	return texts == 0 ||
		   (texts < b->max_texts && tokens + set->texts[text].n_tokens <= b->max_tokens);
}

static void
fill_tags(DistilTrainBatch *b, const DistilTrainSet *set, int row, const DistilTrainText *text)
{
	for (int i = 0; i < text->n_tokens; i++)
	{
		int32		tag = set->tags[text->token + i];

		b->classes[b->cu[row] + i] = tag < 0 || b->tag_labels == NULL ? tag : b->tag_labels[tag];
	}
}

/* What the core takes for no label. */
static void
fill_unlabelled(DistilTrainBatch *b, const DistilTrainSet *set, int row, int n_tokens)
{
	if (b->targets != NULL)
		b->targets[(Size) row * b->n_labels] = NAN;
	else if (set->kind == DISTIL_LABEL_ONE)
		b->classes[row] = -1;
	for (int i = 0; set->kind == DISTIL_LABEL_SPANS && i < n_tokens; i++)
		b->classes[b->cu[row] + i] = DISTIL_TAG_NONE;
}

static void
fill_row_of_targets(DistilTrainBatch *b, const DistilTrainSet *set, int row,
					const DistilTrainText *text)
{
	float	   *targets = b->targets + (Size) row * b->n_labels;

	memset(targets, 0, sizeof(float) * b->n_labels);
	if (set->kind == DISTIL_LABEL_NUMBER)
		targets[0] = text->number;
	for (int i = 0; i < text->n_labels; i++)
		targets[set->labels[text->label + i]] = 1;
}

static void
fill_truth(DistilTrainBatch *b, const DistilTrainSet *set, int row, const DistilTrainText *text)
{
	if (text->unlabelled)
	{
		fill_unlabelled(b, set, row, text->n_tokens);
		return;
	}
	switch (set->kind)
	{
		case DISTIL_LABEL_ONE:
			b->classes[row] = set->labels[text->label];
			break;
		case DISTIL_LABEL_MANY:
		case DISTIL_LABEL_NUMBER:
			fill_row_of_targets(b, set, row, text);
			break;
		case DISTIL_LABEL_SPANS:
			fill_tags(b, set, row, text);
			break;
		case DISTIL_LABEL_PAIR:
			b->targets[row] = text->number;
			break;
		case DISTIL_LABEL_NONE:		/* trainmask.c */
		case DISTIL_LABEL_QUESTION:
		case DISTIL_LABEL_REFERENCE:	/* nothing is trained on */
			break;
	}
}

/* Where the example's texts end. */
static void
add_ends(DistilTrainBatch *b, const DistilTrainSet *set, int row, const DistilTrainText *text)
{
	int			each = distil_trainset_texts_each(set);
	int32	   *cu = b->cu + (Size) row * each;

	if (each == 2)
		cu[1] = cu[0] + text->n_first;
	cu[each] = cu[0] + text->n_tokens;
}

int
distil_trainbatch_fill(DistilTrainBatch *batch, const DistilTrainSet *set, const int32 *order,
					   int first, int end)
{
	int			each = distil_trainset_texts_each(set);
	int			rows = 0,
				at = 0;

	batch->cu[0] = 0;
	for (; first + rows < end && fits(batch, set, rows, at, order[first + rows]); rows++)
	{
		const DistilTrainText *text = &set->texts[order[first + rows]];

		memcpy(batch->ids + at, set->ids + text->token, sizeof(int32) * text->n_tokens);
		if (set->pairs)
			memcpy(batch->types + at, set->types + text->token, text->n_tokens);
		fill_truth(batch, set, rows, text);
		add_ends(batch, set, rows, text);
		at += text->n_tokens;
	}
	batch->core = (DbertTrainBatch) {
		.n_texts = rows * each,.cu = batch->cu,.ids = batch->ids,.types = batch->types,
		.classes = batch->classes,.targets = batch->targets
	};
	if (set->kind == DISTIL_LABEL_PAIR && isnan(batch->targets[0]))
		batch->core.targets = NULL;
	return rows;
}

int64
distil_trainbatch_count(const DistilTrainBatch *batch, const DistilTrainSet *set,
						const int32 *order, int n)
{
	int64		count = 0;
	int			texts = 0,
				tokens = 0;

	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!fits(batch, set, texts, tokens, order[i]))
			texts = tokens = 0;
		count += texts == 0;
		texts++;
		tokens += set->texts[order[i]].n_tokens;
	}
	return count;
}
