/*
 * chain.c -- see chain.h.
 */
#include "text/chain.h"

#include "text/steps.h"

#include <string.h>

static const DbertStepRules rules[DBERT_STEPS] = {
	[DBERT_STEP_LOWERCASE] = {dbert_step_lowercase, NULL},
	[DBERT_STEP_NFC] = {dbert_step_unicode, NULL},
	[DBERT_STEP_NFD] = {dbert_step_unicode, NULL},
	[DBERT_STEP_NFKC] = {dbert_step_unicode, NULL},
	[DBERT_STEP_NFKD] = {dbert_step_unicode, NULL},
	[DBERT_STEP_STRIP_ACCENTS] = {dbert_step_strip_accents, NULL},
	[DBERT_STEP_WHITESPACE] = {dbert_step_whitespace, NULL},
	[DBERT_STEP_DIGITS] = {dbert_step_split_at, NULL},
	[DBERT_STEP_LINE_WORDS] = {dbert_step_line_words, NULL},
	[DBERT_STEP_WORDS] = {dbert_step_words, NULL},
	[DBERT_STEP_SPLIT_AT] = {dbert_step_split_at, NULL},
	[DBERT_STEP_CHARSMAP] = {dbert_step_charsmap, dbert_step_charsmap_valid},
	[DBERT_STEP_LONGEST_MAP] = {dbert_step_longest_map, dbert_step_charsmap_valid},
	[DBERT_STEP_REPLACE] = {dbert_step_replace, dbert_step_text_valid},
	[DBERT_STEP_STRIP] = {dbert_step_strip, NULL},
	[DBERT_STEP_NMT] = {dbert_step_nmt, NULL},
	[DBERT_STEP_PREPEND] = {dbert_step_prepend, dbert_step_text_valid},
	[DBERT_STEP_REGEX] = {dbert_step_regex, dbert_step_regex_valid},
	[DBERT_STEP_SPACE_BEFORE] = {dbert_step_space_before, NULL},
	[DBERT_STEP_METASPACE] = {dbert_step_metaspace, NULL},
	[DBERT_STEP_BERT_WORDS] = {dbert_step_bert_words, NULL},
};

bool
dbert_step_valid(const DbertImageStep *step, const void *data)
{
	if (step->kind < 0 || step->kind >= DBERT_STEPS)
		return false;
	return rules[step->kind].valid == NULL || rules[step->kind].valid(step, data);
}

DbertNext
dbert_step_make_room(DbertLink *l)
{
	/* moved at most as often as characters were taken */
	if (l->first > l->count)
	{
		memmove(l->queue, l->queue + l->first, l->count * sizeof(DbertChar));
		l->first = 0;
	}
	else if (!dbert_grow(l->chain->alloc, &l->queue, &l->capacity, l->first + l->count,
						 l->first + l->count + DBERT_LINK_CHARS, sizeof(DbertChar)))
		return dbert_norm_fail(l->chain->norm, DBERT_E_NOMEM, "out of memory");
	return DBERT_NEXT_CHAR;
}

DbertNext
dbert_step_pass(DbertLink *l)
{
	DbertLink  *in = l - 1;

	while (l->capacity - l->first - l->count < in->count)
		if (dbert_step_make_room(l) == DBERT_NEXT_FAILED)
			return DBERT_NEXT_FAILED;
	memcpy(l->queue + l->first + l->count, in->queue + in->first, in->count * sizeof(DbertChar));
	l->count += in->count;
	dbert_step_take(l, in->count);
	return DBERT_NEXT_CHAR;
}

/*
 * The source writes into the queue itself, as a copy of what was just written
 * is slow.
 */
static DbertNext
fill_source(DbertLink *l)
{
	DbertNext	next = DBERT_NEXT_CHAR;

	for (int i = 0; i < DBERT_LINK_CHARS && next == DBERT_NEXT_CHAR; i++)
	{
		if (l->first + l->count == l->capacity && dbert_step_make_room(l) == DBERT_NEXT_FAILED)
			return DBERT_NEXT_FAILED;
		next = l->chain->source(l->chain->ctx, &l->queue[l->first + l->count]);
		l->count += next == DBERT_NEXT_CHAR;
	}
	return next;
}

/* Make the links; CHAR or FAILED. */
static DbertNext
open_links(DbertChain *chain)
{
	chain->links = dbert_alloc_zero(chain->alloc, (size_t) chain->n + 1, sizeof(DbertLink));
	if (chain->links == NULL)
		return dbert_norm_fail(chain->norm, DBERT_E_NOMEM, "out of memory");
	for (int i = 0; i <= chain->n; i++)
	{
		DbertLink  *l = &chain->links[i];

		l->chain = chain;
		l->step = i > 0 ? &chain->steps[i - 1] : NULL;
		l->fill = i > 0 ? rules[l->step->kind].fill : fill_source;
	}
	return DBERT_NEXT_CHAR;
}

void
dbert_chain_begin(DbertChain *chain)
{
	for (int i = 0; chain->links != NULL && i <= chain->n; i++)
	{
		DbertLink  *l = &chain->links[i];

		l->first = l->count = 0;
		l->ended = l->mark = false;
		memset(l->state, 0, sizeof(l->state));
	}
}

DbertNext
dbert_chain_next(DbertChain *chain, DbertChar *out)
{
	DbertLink  *behind;
	DbertNext	next;

	if (chain->links == NULL && open_links(chain) == DBERT_NEXT_FAILED)
		return DBERT_NEXT_FAILED;
	behind = chain->links + chain->n + 1;
	next = dbert_step_peek(behind, 0, out);
	if (next == DBERT_NEXT_CHAR)
		dbert_step_take(behind, 1);
	return next;
}

void
dbert_chain_close(DbertChain *chain)
{
	for (int i = 0; chain->links != NULL && i <= chain->n; i++)
	{
		dbert_free(chain->alloc, chain->links[i].queue);
		dbert_free(chain->alloc, chain->links[i].room);
	}
	dbert_free(chain->alloc, chain->links);
	chain->links = NULL;
}
