/*
 * pipecompute.c -- see pipecompute.h.
 *
 * Texts go through run/many.h, as those of arrays and of plan nodes do: in
 * batches, by all threads, equal ones once.  A text that is refused there says
 * nothing of the reason; it is computed again alone, and then the reason is its
 * error.
 *
 * Of chunks, all texts are cut first.  The parts are then embedded together.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/compat.h"
#include "pg/bridge/errors.h"
#include "pg/func/entitylist.h"
#include "pg/func/options.h"
#include "pg/func/textcursor.h"
#include "pg/pipe/pipecompute.h"
#include "pg/run/many.h"

typedef NullableDatum DistilRow[DISTIL_MOST_COLUMNS];

/* Some texts on their way. */
typedef struct Work
{
	const DistilPipeTask *task;
	DistilModel *model;
	const NullableDatum *options;
	DistilTextRules rules;
	const Datum *texts;			/* [n] */
	int			n;
	DistilAnswer *answers;		/* [n] */
	bool	   *refused;		/* [n] */
	bool		alone;			/* the one text's error is raised */
} Work;

int
distil_answer_types(const DistilPipeTask *task, Oid *types)
{
	static const Oid chunks[] = {INT4OID, INT4OID, INT4OID, TEXTOID, FLOAT4ARRAYOID};
	static const Oid entities[] = {INT4OID, TEXTOID, TEXTOID, FLOAT4OID, INT4OID, INT4OID};

	switch (task->kind)
	{
		case DISTIL_PIPE_CHUNKS:
			memcpy(types, chunks, sizeof(chunks));
			return lengthof(chunks);
		case DISTIL_PIPE_ENTITIES:
			memcpy(types, entities, sizeof(entities));
			return lengthof(entities);
		default:
			types[0] = task->task->type;
			return DISTIL_VALUE_COLUMNS;
	}
}

/* ---- many at a time ---- */

static DistilText
get_text(const Work *w, Datum value)
{
	distil_usage_count(w->model->usage, &(DistilUsage) {.rows = 1,.calls = 1});
	return distil_text_get(value, w->alone ? DISTIL_ERROR_RAISE : DISTIL_ERROR_NULL);
}

static void
add_text(DistilMany *many, const Work *w, int number, Datum value)
{
	DistilText	t = get_text(w, value);

	distil_many_add(many, number, &t);
}

static DistilMany
many_of(const Work *w, int want)
{
	return (DistilMany) {
		.model = w->model,
		.want = want,
		.item = DISTIL_ITEM_TEXT,
		.rules = w->rules,
		.cached = true,
		.quiet = !w->alone,
		.free_texts = true
	};
}

static void
make_rows(DistilAnswer *answer, int n)
{
	answer->n = n;
	answer->rows = palloc_extended(Max(n, 1) * sizeof(DistilRow),
								   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static void
refuse(void *ctx, int number)
{
	((Work *) ctx)->refused[number] = true;
}

/* ---- values and entities: an answer is made of its text's logits ---- */

static void
take_value(void *ctx, int number, DbertBatch *batch, int i, const DistilText *texts)
{
	Work	   *w = ctx;
	DistilRun	run = {.model = w->model,.batch = batch,.options = w->options};
	NullableDatum *value;

	make_rows(&w->answers[number], 1);
	value = &w->answers[number].rows[0][DISTIL_VALUE];
	value->isnull = !w->task->task->answer(&run, i, texts, &value->value);
}

static void
put_entity(NullableDatum *row, int seq, const DbertEntity *entity, DistilCursor *cursor)
{
	DistilPart	part = distil_cursor_part(cursor, entity->start, entity->end);

	row[DISTIL_ENTITY_SEQ].value = Int32GetDatum(seq);
	row[DISTIL_ENTITY_TEXT].value = PointerGetDatum(part.value);
	row[DISTIL_ENTITY_LABEL].value =
		PointerGetDatum(distil_text_from_utf8(entity->label, entity->label_len));
	row[DISTIL_ENTITY_SCORE].value = Float4GetDatum(entity->score);
	row[DISTIL_ENTITY_START].value = Int32GetDatum(part.start_pos);
	row[DISTIL_ENTITY_END].value = Int32GetDatum(part.end_pos);
}

static void
take_entities(void *ctx, int number, DbertBatch *batch, int i, const DistilText *texts)
{
	Work	   *w = ctx;
	DistilAnswer *answer = &w->answers[number];
	text *name = DatumGetTextPP(w->options[DISTIL_ENTITIES_AGGREGATION].value);
	float		min_score = DatumGetFloat4(w->options[DISTIL_ENTITIES_MIN_SCORE].value);
	DistilCursor cursor;
	int			count;
	DbertEntity *found =
		distil_find_entities(batch, i, distil_aggregation_of(name), min_score, &count);

	make_rows(answer, count);
	distil_cursor_open(&cursor, texts);
	for (int e = 0; e < count; e++)
		put_entity(answer->rows[e], e + 1, &found[e], &cursor);
	pfree(found);
}

static void
compute_texts(Work *w)
{
	bool		entities = w->task->kind == DISTIL_PIPE_ENTITIES;
	DistilMany	many = many_of(w, entities ? DBERT_WANT_LOGITS : w->task->task->want);

	many.take = entities ? take_entities : take_value;
	many.none = refuse;
	many.ctx = w;
	distil_many_begin(&many);
	for (int i = 0; i < w->n; i++)
		add_text(&many, w, i, w->texts[i]);
	distil_many_end(&many);
}

/* Values of a task that answers all texts at once. */
static void
answer_texts(Work *w)
{
	const DistilTask *task = w->task->task;
	DistilText *texts = palloc_array(DistilText, w->n);
	const DistilText **at = palloc_array(const DistilText *, w->n);
	NullableDatum *answers = palloc_array(NullableDatum, w->n);

	for (int i = 0; i < w->n; i++)
	{
		texts[i] = get_text(w, w->texts[i]);
		at[i] = &texts[i];
	}
	(void) task->answer_all(task, w->model, w->options, at, w->n, w->rules, !w->alone, answers);
	for (int i = 0; i < w->n; i++)
	{
		w->refused[i] = answers[i].isnull;
		make_rows(&w->answers[i], 1);
		w->answers[i].rows[0][DISTIL_VALUE] = answers[i];
		distil_text_free(&texts[i]);
	}
	pfree(answers);
	pfree(at);
	pfree(texts);
}

/* ---- chunks ---- */

/* The parts of all texts, in their order. */
typedef struct Parts
{
	Work	   *work;
	int			n;
	int		   *text;			/* [n] of which text */
	int		   *first;			/* [texts] the first part of each */
} Parts;

static void
put_chunk(NullableDatum *row, int seq, const DbertChunk *chunk, DistilCursor *cursor)
{
	DistilPart	part = distil_cursor_part(cursor, chunk->start, chunk->end);

	row[DISTIL_CHUNK_SEQ].value = Int32GetDatum(seq);
	row[DISTIL_CHUNK_START].value = Int32GetDatum(part.start_pos);
	row[DISTIL_CHUNK_END].value = Int32GetDatum(part.end_pos);
	row[DISTIL_CHUNK_TEXT].value = PointerGetDatum(part.value);
}

/* Its chunks without their embeddings; refused where it cannot be cut. */
static void
cut_text(Work *w, int number)
{
	int			max_tokens = DatumGetInt32(w->options[DISTIL_CHUNKS_MAX_TOKENS].value);
	int			overlap = DatumGetInt32(w->options[DISTIL_CHUNKS_OVERLAP].value);
	DbertAllocator alloc = distil_allocator(CurrentMemoryContext);
	DistilText	t =
		distil_text_get(w->texts[number], w->alone ? DISTIL_ERROR_RAISE : DISTIL_ERROR_NULL);
	DistilCursor cursor;
	DbertChunk *chunks;
	int			count;
	DbertError	err;

	if (dbert_chunk(&w->model->core->tokenizer, t.data, t.len, max_tokens, overlap, &alloc,
					distil_poll(), &chunks, &count, &err) != DBERT_OK)
	{
		if (w->alone || err.code == DBERT_E_CANCELLED)
			distil_raise(&err, NULL);
		w->refused[number] = true;
		return;
	}
	make_rows(&w->answers[number], count);
	distil_cursor_open(&cursor, &t);
	for (int i = 0; i < count; i++)
		put_chunk(w->answers[number].rows[i], i + 1, &chunks[i], &cursor);
	dbert_free(&alloc, chunks);
	distil_text_free(&t);
}

static void
take_embedding(void *ctx, int part, DbertBatch *batch, int i, const DistilText *texts)
{
	Parts	   *p = ctx;
	Work	   *w = p->work;
	int			text = p->text[part];
	DistilRun	run = {.model = w->model,.batch = batch,.options = w->options};
	NullableDatum *value =
		&w->answers[text].rows[part - p->first[text]][DISTIL_CHUNK_EMBEDDING];

	value->isnull = !w->task->task->answer(&run, i, texts, &value->value);
}

static void
refuse_part(void *ctx, int part)
{
	Parts	   *p = ctx;

	p->work->refused[p->text[part]] = true;
}

static Parts
number_parts(Work *w)
{
	Parts		p = {.work = w,.first = palloc_array(int, w->n)};

	for (int i = 0; i < w->n; i++)
	{
		p.first[i] = p.n;
		p.n += w->answers[i].n;
	}
	p.text = palloc_extended(Max(p.n, 1) * sizeof(int), MCXT_ALLOC_HUGE);
	for (int i = 0; i < w->n; i++)
	{
		for (int c = 0; c < w->answers[i].n; c++)
			p.text[p.first[i] + c] = i;
	}
	return p;
}

static void
compute_chunks(Work *w)
{
	DistilMany	many = many_of(w, w->task->task->want);
	Parts		p;

	for (int i = 0; i < w->n; i++)
		cut_text(w, i);
	p = number_parts(w);
	many.take = take_embedding;
	many.none = refuse_part;
	many.ctx = &p;
	distil_many_begin(&many);
	for (int part = 0; part < p.n; part++)
	{
		int			text = p.text[part];

		add_text(&many, w, part,
				 w->answers[text].rows[part - p.first[text]][DISTIL_CHUNK_TEXT].value);
	}
	distil_many_end(&many);
}

/* ---- all ---- */

static void
compute(Work *w)
{
	w->refused = palloc0_array(bool, w->n);
	if (w->task->kind == DISTIL_PIPE_CHUNKS)
		compute_chunks(w);
	else if (w->task->task != NULL && w->task->task->answer_all != NULL)
		answer_texts(w);
	else
		compute_texts(w);
}

/* What ends the work is no text's fault. */
static bool
ends_work(int sqlerrcode)
{
	return ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION;
}

/*
 * Why was a text refused?  Should it not be this time, its answer is as good as
 * any.
 */
static void
compute_alone(const Work *all, int number)
{
	MemoryContext context = CurrentMemoryContext;
	DistilAnswer *answer = &all->answers[number];
	Work		w = *all;

	*answer = (DistilAnswer) {0};
	w.texts = &all->texts[number];
	w.answers = answer;
	w.n = 1;
	w.alone = true;
	PG_TRY();
	{
		compute(&w);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		*answer = (DistilAnswer) {.error = CopyErrorData()};
		if (ends_work(answer->error->sqlerrcode))
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
}

void
distil_pipe_compute(const DistilPipeTask *task, DistilModel *model, const NullableDatum *options,
					const Datum *texts, int n, DistilAnswer *answers)
{
	Work		w = {
		.task = task,
		.model = model,
		.options = options,
		.rules = distil_pipe_rules(task, options),
		.texts = texts,
		.n = n,
		.answers = answers
	};

	memset(answers, 0, n * sizeof(DistilAnswer));
	compute(&w);
	for (int i = 0; i < n; i++)
	{
		if (w.refused[i])
			compute_alone(&w, i);
	}
}
