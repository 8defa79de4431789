/*
 * setfunc.c -- SQL functions from one text to rows.
 *
 *	   distil_scores(text, model)
 *			label, score: all labels, best first
 *	   distil_entities(text [, model], aggregation, min_score)
 *			entity, label, score, start_pos, end_pos: in order of appearance
 *
 * Positions count characters from 1 and include the last one, so that
 * substr(text, start_pos, end_pos - start_pos + 1) = entity: the entity is cut
 * from the text as it is stored.
 *
 * Rows go into the tuplestore that InitMaterializedSRF makes; fn_extra stays
 * with the model.  The batch is read to its end before anything else could use
 * it.
 */
#include "postgres.h"

#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/float.h"

#include "pg/compat.h"
#include "pg/errors.h"
#include "pg/textarg.h"

/* A place in a stored text. */
typedef struct TextCursor
{
	const char *begin;
	const char *end;
	const char *at;
	int32		chars;			/* before at, as the core counts them */
} TextCursor;

typedef struct Score
{
	int			label;
	float		score;
} Score;

PG_FUNCTION_INFO_V1(distil_scores);
PG_FUNCTION_INFO_V1(distil_entities);
PG_FUNCTION_INFO_V1(distil_entities_default);

/* ---- distil_scores ---- */

/* Best first; of equals the one that the model lists first. */
static int
compare_scores(const void *a, const void *b)
{
	const Score *x = a;
	const Score *y = b;
	int			order = float4_cmp_internal(y->score, x->score);

	return order != 0 ? order : x->label - y->label;
}

/* The labels of text 0, sorted. */
static Score *
sorted_scores(const DbertModel *core, const DbertBatch *batch)
{
	int			n = core->config.n_labels;
	float	   *scores = palloc(n * sizeof(float));
	Score	   *sorted = palloc(n * sizeof(Score));
	int			rows;

	dbert_classify_scores(core, dbert_batch_logits(batch, 0, &rows), scores);
	for (int i = 0; i < n; i++)
		sorted[i] = (Score) {.label = i, .score = scores[i]};
	qsort(sorted, n, sizeof(Score), compare_scores);
	pfree(scores);
	return sorted;
}

Datum
distil_scores(PG_FUNCTION_ARGS)
{
	DistilModel *model = distil_call_model(fcinfo, 1, NULL);
	DistilText	t;
	Score	   *scores;
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	distil_require_head(model, DBERT_HEAD_SEQUENCE, "distil_scores");
	t = distil_text_get(PG_GETARG_DATUM(0));
	scores = sorted_scores(model->core, distil_run_text(model, DBERT_WANT_LOGITS, &t, false));
	distil_text_free(&t);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < model->core->config.n_labels; i++)
	{
		const char *label = model->core->labels[scores[i].label];
		Datum		values[2];
		bool		nulls[2] = {false};

		values[0] = PointerGetDatum(distil_text_from_utf8(label, strlen(label)));
		values[1] = Float4GetDatum(scores[i].score);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		pfree(DatumGetPointer(values[0]));
	}
	pfree(scores);
	return (Datum) 0;
}

/* ---- distil_entities ---- */

/*
 * Move to a character.  Entities come in order, so that the text is walked
 * once; an earlier one is reached from the beginning again.
 *
 * In a SQL_ASCII database a character is a byte to the server, but the text
 * has been checked to be UTF-8.
 */
static const char *
move_to(TextCursor *cursor, int32 target)
{
	int			encoding = GetDatabaseEncoding() == PG_SQL_ASCII ? PG_UTF8 : GetDatabaseEncoding();

	if (target < cursor->chars)
	{
		cursor->at = cursor->begin;
		cursor->chars = 0;
	}
	while (cursor->chars < target && cursor->at < cursor->end)
	{
		cursor->at += Min(pg_encoding_mblen(encoding, cursor->at), cursor->end - cursor->at);
		cursor->chars++;
	}
	return cursor->at;
}

static void
put_entity(ReturnSetInfo *rsinfo, TextCursor *cursor, const DbertEntity *entity)
{
	const char *from = move_to(cursor, entity->start);
	const char *to = move_to(cursor, entity->end);
	bool		bytes = GetDatabaseEncoding() == PG_SQL_ASCII;
	Datum		values[5];
	bool		nulls[5] = {false};

	values[0] = PointerGetDatum(cstring_to_text_with_len(from, to - from));
	values[1] = PointerGetDatum(distil_text_from_utf8(entity->label, entity->label_len));
	values[2] = Float4GetDatum(entity->score);
	values[3] = Int32GetDatum((bytes ? (int32) (from - cursor->begin) : entity->start) + 1);
	values[4] = Int32GetDatum(bytes ? (int32) (to - cursor->begin) : entity->end);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	pfree(DatumGetPointer(values[0]));
	pfree(DatumGetPointer(values[1]));
}

static DbertAggregation
get_aggregation(text *arg)
{
	char	   *name = text_to_cstring(arg);
	DbertAggregation aggregation;

	if (!dbert_aggregation_parse(name, &aggregation))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized aggregation \"%s\"", name),
				 errhint("Available are \"none\", \"simple\", \"first\", \"average\" and \"max\".")));
	pfree(name);
	return aggregation;
}

/*
 * The entities of text 0, in the caller's context.  What the core allocates
 * lives as long as the batch, so nothing may raise before it is freed.
 */
static DbertEntity *
find_entities(const DbertBatch *batch, DbertAggregation aggregation,
			  float min_score, int *count)
{
	int			n_tokens;
	DbertEntity *result;
	DbertEntity *found;
	DbertError	err;

	(void) dbert_batch_text_tokens(batch, 0, &n_tokens);
	result = palloc(n_tokens * sizeof(DbertEntity));	/* no more than tokens */
	if (dbert_batch_entities(batch, 0, aggregation, min_score,
							 &found, count, &err) != DBERT_OK)
		distil_raise(&err, NULL);
	memcpy(result, found, *count * sizeof(DbertEntity));
	pfree(found);				/* distil_allocator's memory is palloc's */
	return result;
}

static Datum
entities(FunctionCallInfo fcinfo, DistilModel *model, text *aggregation_name, float min_score)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	DbertAggregation aggregation = get_aggregation(aggregation_name);
	DistilText	t;
	DbertEntity *found;
	int			count;
	TextCursor	cursor;

	if (!(min_score >= 0 && min_score <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("min_score must be between 0 and 1")));
	distil_require_head(model, DBERT_HEAD_TOKEN, "distil_entities");

	t = distil_text_get(PG_GETARG_DATUM(0));
	found = find_entities(distil_run_text(model, DBERT_WANT_LOGITS, &t, false),
						  aggregation, min_score, &count);

	InitMaterializedSRF(fcinfo, 0);
	cursor.begin = cursor.at = VARDATA_ANY(t.stored);
	cursor.end = cursor.begin + VARSIZE_ANY_EXHDR(t.stored);
	cursor.chars = 0;
	for (int i = 0; i < count; i++)
		put_entity(rsinfo, &cursor, &found[i]);
	pfree(found);
	distil_text_free(&t);
	return (Datum) 0;
}

/* (text, model, aggregation, min_score) */
Datum
distil_entities(PG_FUNCTION_ARGS)
{
	DistilModel *model = distil_call_model(fcinfo, 1, NULL);

	return entities(fcinfo, model, PG_GETARG_TEXT_PP(2), PG_GETARG_FLOAT4(3));
}

/* (text, min_score, aggregation): see the install script for the order */
Datum
distil_entities_default(PG_FUNCTION_ARGS)
{
	DistilModel *model = distil_call_model(fcinfo, -1, "entities");

	return entities(fcinfo, model, PG_GETARG_TEXT_PP(2), PG_GETARG_FLOAT4(1));
}
