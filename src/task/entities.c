/*
 * entities.c -- logits of tokens to named entities.
 *
 * Three steps, as in transformers' TokenClassificationPipeline, whose results
 * these are:
 *   1. items: one per token (NONE, SIMPLE) or one per word (FIRST, AVERAGE,
 *      MAX), each with the best label and its score;
 *   2. groups: neighbouring items of one type, unless the later one begins an
 *      entity (not for NONE); the score is the mean of the items';
 *   3. items or groups whose label is "O" are dropped, and those below
 *      min_score.
 *
 * A token continues a word when its text has another length than the piece of
 * the original text it stands for: "##ing" is two characters longer.  Where
 * tokens have no such prefix, it does when there is no space at its beginning
 * or before it, so that punctuation belongs to the word.  Those are
 * transformers' rules, odd cases (a letter whose accent was stripped, a line's
 * end) included.
 *
 * The tags B-, I- and none are read as there.  Where every label but "O" is of
 * the scheme BIOES or BILOU, transformers would break its entities into
 * pieces; here E-/L- ends an entity and S-/U- is a whole one (Ratinov and Roth
 * 2009, "Design Challenges and Misconceptions in Named Entity Recognition").
 */
#include "task/entities.h"

#include "base/numbers.h"
#include "nn/batch_inside.h"
#include "task/ascii.h"
#include "text/utf8.h"

#include <math.h>
#include <string.h>

bool
dbert_aggregation_parse(const char *name, DbertAggregation *out)
{
	static const char *const names[] = {"none", "simple", "first", "average", "max"};

	for (int i = 0; i <= DBERT_AGGREGATE_MAX; i++)
		if (dbert_ascii_equal(name, names[i]))
		{
			*out = (DbertAggregation) i;
			return true;
		}
	return false;
}

/* ---- tags ---- */

typedef struct Tag
{
	char		part;			/* 'B', 'I', 'E' (last), 'S' (single) */
	const char *type;
} Tag;

/* Does the label have a prefix out of letters, such as "B-"? */
static bool
has_prefix(const char *label, const char *letters)
{
	return label[0] != '\0' && label[1] == '-' && strchr(letters, label[0]) != NULL;
}

/* Is there a label "B-" and this type? */
static bool
has_begin(const DbertModel *model, const char *type)
{
	for (int i = 0; i < model->config.n_labels; i++)
		if (has_prefix(model->labels[i], "B") && strcmp(model->labels[i] + 2, type) == 0)
			return true;
	return false;
}

/*
 * Are all labels but "O" of the scheme with these letters?  One label at least
 * must have a letter beyond B and I and share its type with a B-, so that
 * "E-MAIL" among B- and I- does not make a scheme.
 */
static bool
labels_of_scheme(const DbertModel *model, const char *letters)
{
	bool		beyond_bi = false;

	for (int i = 0; i < model->config.n_labels; i++)
	{
		const char *label = model->labels[i];

		if (strcmp(label, "O") == 0)
			continue;
		if (!has_prefix(label, letters))
			return false;
		beyond_bi |= !has_prefix(label, "BI") && has_begin(model, label + 2);
	}
	return beyond_bi;
}

static Tag
read_tag(const char *label, bool five_parts)
{
	if (has_prefix(label, "BI"))
		return (Tag) {label[0], label + 2};
	if (five_parts && has_prefix(label, "EL"))
		return (Tag) {'E', label + 2};
	if (five_parts && has_prefix(label, "SU"))
		return (Tag) {'S', label + 2};
	return (Tag) {'I', label};
}

/* Does a token with tag next belong to the entity that last is in? */
static bool
continues(Tag last, Tag next)
{
	return next.part != 'B' && next.part != 'S' &&
		last.part != 'E' && last.part != 'S' &&
		strcmp(last.type, next.type) == 0;
}

/* ---- step 1: items ---- */

typedef struct Item
{
	int			label;
	float		score;
	int32_t		start;
	int32_t		end;
} Item;

/* The work on one text. */
typedef struct Reading
{
	const DbertModel *model;
	const DbertToken *tokens;
	const float *logits;		/* [n_tokens, n_labels] */
	int			n_tokens;
	int			n_labels;
	float	   *scores;			/* [n_labels] */
	float	   *sums;			/* [n_labels] */
} Reading;

/*
 * r->scores = softmax of token i's logits; returns the best label.  As the
 * pipeline computes it: in float.
 */
static int
score_token(const Reading *r, int i)
{
	const float *logits = r->logits + (size_t) i * r->n_labels;
	float		max = logits[dbert_best_of(logits, r->n_labels, 1)];
	float		sum = 0;

	for (int j = 0; j < r->n_labels; j++)
		sum += r->scores[j] = expf(logits[j] - max);
	for (int j = 0; j < r->n_labels; j++)
		r->scores[j] /= sum;
	return dbert_best_of(r->scores, r->n_labels, 1);
}

static bool
is_subword(const Reading *r, int i)
{
	const DbertToken *token = &r->tokens[i];
	size_t		len = 0;
	const char *text = dbert_token_text(&r->model->tokenizer, token->id, &len);

	if (text == NULL || token->id == r->model->tokenizer.unk_id)
		return false;
	if (!dbert_tokenizer_has_pieces(&r->model->tokenizer))
		return token->joined;
	return dbert_utf8_count(text, len) != token->end - token->start;
}

/*
 * Label and score of the word of tokens first .. last-1, none of them special.
 */
static void
score_word(const Reading *r, int first, int last, DbertAggregation how, Item *item)
{
	int			best;

	item->label = best = score_token(r, first);
	item->score = r->scores[best];
	if (how == DBERT_AGGREGATE_AVERAGE)
		memcpy(r->sums, r->scores, r->n_labels * sizeof(float));

	for (int i = first + 1; i < last && how >= DBERT_AGGREGATE_AVERAGE; i++)
	{
		best = score_token(r, i);
		for (int j = 0; how == DBERT_AGGREGATE_AVERAGE && j < r->n_labels; j++)
			r->sums[j] += r->scores[j];
		if (how == DBERT_AGGREGATE_MAX && r->scores[best] > item->score)
		{
			item->label = best;
			item->score = r->scores[best];
		}
	}

	if (how != DBERT_AGGREGATE_AVERAGE)
		return;
	item->label = best = dbert_best_of(r->sums, r->n_labels, 1);
	item->score = r->sums[best] / (last - first);
}

static int
skip_special(const Reading *r, int i)
{
	while (i < r->n_tokens && r->tokens[i].special)
		i++;
	return i;
}

/*
 * Read the item that begins at or after token i; returns where the next one may
 * begin, or -1 when there is none.
 */
static int
next_item(const Reading *r, int i, DbertAggregation how, Item *item)
{
	int			first = skip_special(r, i),
				last = first + 1;

	if (first >= r->n_tokens)
		return -1;
	while (how >= DBERT_AGGREGATE_FIRST && last < r->n_tokens &&
		   !r->tokens[last].special && is_subword(r, last))
		last++;
	score_word(r, first, last, how, item);
	item->start = r->tokens[first].start;
	item->end = r->tokens[last - 1].end;
	return last;
}

/* ---- steps 2 and 3: groups ---- */

/*
 * The entity that is being put together, kept at entities[*count] until it is
 * whole.
 */
typedef struct Group
{
	Tag			last;			/* of its latest item */
	double		score_sum;
	int			n_items;		/* 0: there is none yet */
} Group;

/* Keep entities[*count] if it is to be shown. */
static void
finish_group(Group *group, float min_score, DbertEntity *entities, int *count)
{
	DbertEntity *e = &entities[*count];

	if (group->n_items == 0)
		return;
	e->score = (float) (group->score_sum / group->n_items);
	e->label_len = strlen(e->label);
	if (strcmp(e->label, "O") != 0 && e->score >= min_score)
		(*count)++;
	group->n_items = 0;
}

/* "B-PER" is shown as "PER"; whatever stands behind the first dash. */
static const char *
shown_label(const char *label, DbertAggregation how)
{
	const char *dash = strchr(label, '-');

	return how == DBERT_AGGREGATE_NONE || dash == NULL ? label : dash + 1;
}

static int
read_entities(const Reading *r, DbertAggregation how, float min_score, DbertEntity *entities)
{
	bool five_parts = labels_of_scheme(r->model, "BIES") || labels_of_scheme(r->model, "BILU");
	Group		group = {.n_items = 0};
	Item		item;
	int			count = 0;

	for (int i = 0; (i = next_item(r, i, how, &item)) >= 0;)
	{
		const char *label = r->model->labels[item.label];
		Tag			tag = read_tag(label, five_parts);

		if (how == DBERT_AGGREGATE_NONE || group.n_items == 0 || !continues(group.last, tag))
		{
			finish_group(&group, min_score, entities, &count);
			entities[count].label = shown_label(label, how);
			entities[count].start = item.start;
			group.score_sum = 0;
		}
		entities[count].end = item.end;
		group.last = tag;
		group.score_sum += item.score;
		group.n_items++;
	}
	finish_group(&group, min_score, entities, &count);
	return count;
}

DbertStatus
dbert_batch_entities(const DbertBatch *batch, int i, DbertAggregation aggregation, float min_score,
					 DbertEntity **entities, int *count, DbertError *err)
{
	const DbertModel *model = batch->model;
	const DbertAllocator *alloc = batch->alloc;
	Reading		r = {.model = model};
	int			rows;

	if (model->config.head != DBERT_HEAD_TOKEN)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "the model does not classify tokens");
	r.logits = dbert_batch_logits(batch, i, &rows);
	if (r.logits == NULL)
		return dbert_fail(err, DBERT_E_INVALID, "the batch has no logits");
	r.tokens = dbert_batch_text_tokens(batch, i, &r.n_tokens);
	r.n_labels = model->config.n_labels;

	r.scores = dbert_alloc_array(alloc, r.n_labels, 2 * sizeof(float));
	*entities = dbert_alloc_array(alloc, r.n_tokens, sizeof(**entities));
	if (r.scores == NULL || *entities == NULL)
	{
		dbert_free(alloc, r.scores);
		dbert_free(alloc, *entities);
		*entities = NULL;
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	}
	r.sums = r.scores + r.n_labels;
	*count = read_entities(&r, aggregation, min_score, *entities);
	dbert_free(alloc, r.scores);
	return DBERT_OK;
}
