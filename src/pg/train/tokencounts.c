/* tokencounts.c -- see tokencounts.h. */
#include "postgres.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/errors.h"
#include "pg/eval/examples.h"
#include "pg/train/tokencounts.h"

typedef struct TokenCounts
{
	const DbertTokenizer *tokenizer;
	int64	   *counts;
	DistilProgress *progress;
} TokenCounts;

static void
count_text(TokenCounts *c, const DistilText *text)
{
	DbertAllocator alloc = distil_allocator(CurrentMemoryContext);
	DbertTokenList list = {0};
	DbertError	err = {0};
	bool		truncated;

	if (dbert_tokenize(c->tokenizer, text->data, text->len, NULL, 0, DBERT_NO_LIMIT, &alloc,
					   distil_poll(), &list, &truncated, &err) != DBERT_OK)
		distil_raise(&err, NULL);
	for (size_t i = 0; i < list.count; i++)
		if (!list.items[i].special)
			c->counts[list.items[i].id]++;
	dbert_token_list_free(&list, &alloc);
}

static void
visit(void *ctx, DistilLabelKind kind, bool integers, const DistilExample *rows, int n)
{
	TokenCounts *c = ctx;

	for (int i = 0; i < n; i++)
		count_text(c, &rows[i].texts[0]);
	c->progress->fields.rows += n;
	distil_progress_tell(c->progress);
}

int64 *
distil_count_tokens(const char *query, const DbertTokenizer *tokenizer, int32 vocab,
					DistilProgress *progress)
{
	TokenCounts c = {tokenizer, palloc0(sizeof(int64) * vocab), progress};
	DistilExampleCounts counts;

	distil_progress_phase(progress, DISTIL_PHASE_READING_ROWS);
	counts = distil_examples_visit(query, "query", DISTIL_LEARN_TEXTS, visit, &c);
	distil_examples_report(&counts);
	return c.counts;
}
