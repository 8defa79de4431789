/*
 * compare.c -- see compare.h.
 *
 * Each text goes through the model, and the result cache, by itself.  So a
 * query that many pairs have is read once, and documents whose vectors were
 * asked for before are not read at all.
 */
#include "postgres.h"

#include "pg/bridge/compat.h"
#include "pg/func/compare.h"
#include "pg/run/many.h"

/* ---- one ---- */

float *
distil_text_vector(DistilModel *model, int what, const DistilText *text, DistilTextRules rules,
				   MemoryContext context)
{
	Size		bytes = model->core->config.dimensions * sizeof(float);
	DbertBatch *batch = distil_run_text(model, DBERT_WANT_EMBEDDING | what, text, false, rules);
	float	   *vector;

	if (batch == NULL)
		return NULL;
	vector = MemoryContextAlloc(context, bytes);
	memcpy(vector, dbert_batch_embedding(batch, 0), bytes);
	return vector;
}

bool
distil_compare_pair(const DistilTask *task, DistilModel *model, const DistilText *texts,
					DistilTextRules rules, Datum *answer)
{
	float	   *query = distil_text_vector(model, DBERT_WANT_QUERY, &texts[0], rules,
										   CurrentMemoryContext),
			   *passage;

	if (query == NULL)
		return false;
	passage = distil_text_vector(model, DBERT_WANT_PASSAGE, &texts[1], rules,
								 CurrentMemoryContext);
	if (passage != NULL)
	{
		*answer = task->compare(query, passage, model->core->config.dimensions);
		pfree(passage);
	}
	pfree(query);
	return passage != NULL;
}

/* ---- many ---- */

typedef struct Comparison
{
	const DistilTask *task;
	int			width;
	float	   *queries;		/* [n, width] */
	NullableDatum *answers;		/* [n] */
} Comparison;

static void
take_query(void *ctx, int e, DbertBatch *batch, int i, const DistilText *texts)
{
	Comparison *c = ctx;

	memcpy(c->queries + (Size) e * c->width, dbert_batch_embedding(batch, i),
		   c->width * sizeof(float));
	c->answers[e].isnull = false;
}

static void
take_passage(void *ctx, int e, DbertBatch *batch, int i, const DistilText *texts)
{
	Comparison *c = ctx;

	c->answers[e].value = c->task->compare(c->queries + (Size) e * c->width,
										   dbert_batch_embedding(batch, i), c->width);
}

static void
no_vector(void *ctx, int e)
{
	((Comparison *) ctx)->answers[e].isnull = true;
}

/* The first or the second texts of all pairs that have no NULL yet. */
static int64
run_texts(Comparison *c, DistilModel *model, const DistilText *const *pairs, int n, int which,
		  DistilTextRules rules)
{
	DistilMany	many = {
		.model = model,
		.want = DBERT_WANT_EMBEDDING | (which == 0 ? DBERT_WANT_QUERY : DBERT_WANT_PASSAGE),
		.item = DISTIL_ITEM_TEXT,
		.rules = rules,
		.cached = true,
		.quiet = true,
		.take = which == 0 ? take_query : take_passage,
		.none = no_vector,
		.ctx = c
	};

	distil_many_begin(&many);
	for (int e = 0; e < n; e++)
	{
		if (!c->answers[e].isnull)
			distil_many_add(&many, e, &pairs[e][which]);
	}
	distil_many_end(&many);
	return many.tokens;
}

int64
distil_compare_pairs(const DistilTask *task, DistilModel *model, const DistilText *const *pairs,
					 int n, DistilTextRules rules, NullableDatum *answers)
{
	Comparison	c = {.task = task,.width = model->core->config.dimensions,.answers = answers};
	int64		tokens;

	c.queries = palloc_extended(Max(n, 1) * (Size) c.width * sizeof(float), MCXT_ALLOC_HUGE);
	for (int e = 0; e < n; e++)
		answers[e] = (NullableDatum) {0};
	tokens = run_texts(&c, model, pairs, n, 0, rules);
	tokens += run_texts(&c, model, pairs, n, 1, rules);
	pfree(c.queries);
	return tokens;
}
