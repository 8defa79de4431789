/*
 * entitiesfunc.c -- the named entities of a text.
 *
 *	   distil_entities(text [, model], aggregation, min_score)
 *			entity, label, score, start_pos, end_pos: in order of appearance
 *
 * Positions are those of textcursor.h: the entity is cut from the text as it is
 * stored.
 *
 * Rows go into the tuplestore that InitMaterializedSRF makes; fn_extra stays
 * with the model.  The batch is read to its end before anything else could use
 * it.
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"

#include "pg/bridge/compat.h"
#include "pg/func/entitylist.h"
#include "pg/func/options.h"
#include "pg/func/textcursor.h"

PG_FUNCTION_INFO_V1(distil_entities);
PG_FUNCTION_INFO_V1(distil_entities_default);

static void
put_entity(ReturnSetInfo *rsinfo, DistilCursor *cursor, const DbertEntity *entity)
{
	DistilPart	part = distil_cursor_part(cursor, entity->start, entity->end);
	Datum		values[5];
	bool		nulls[5] = {false};

	values[0] = PointerGetDatum(part.value);
	values[1] = PointerGetDatum(distil_text_from_utf8(entity->label, entity->label_len));
	values[2] = Float4GetDatum(entity->score);
	values[3] = Int32GetDatum(part.start_pos);
	values[4] = Int32GetDatum(part.end_pos);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	pfree(DatumGetPointer(values[0]));
	pfree(DatumGetPointer(values[1]));
}

static Datum
entities(FunctionCallInfo fcinfo, DistilModel *model, DistilTextRules rules, text *aggregation_name,
		 float min_score)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	DbertAggregation aggregation = distil_aggregation_of(aggregation_name);
	DistilText	t;
	DbertBatch *batch;
	DbertEntity *found;
	int			count;
	DistilCursor	cursor;

	distil_check_score("min_score", min_score);
	distil_require_head(model, DBERT_HEAD_TOKEN, "distil_entities");

	t = distil_text_get(PG_GETARG_DATUM(0), rules.on_error);
	InitMaterializedSRF(fcinfo, 0);
	batch = distil_run_text(model, DBERT_WANT_LOGITS, &t, false, rules);
	if (batch == NULL)
		return (Datum) 0;
	found = distil_find_entities(batch, 0, aggregation, min_score, &count);
	distil_cursor_open(&cursor, &t);
	for (int i = 0; i < count; i++)
		put_entity(rsinfo, &cursor, &found[i]);
	pfree(found);
	distil_text_free(&t);
	return (Datum) 0;
}

/* (text, model, aggregation, min_score [, long_text, on_error]) */
Datum
distil_entities(PG_FUNCTION_ARGS)
{
	DistilModel *model = distil_call_model(fcinfo, 1, NULL);

	return entities(fcinfo, model, distil_call_form(fcinfo, 1, 2).rules, PG_GETARG_TEXT_PP(2),
					PG_GETARG_FLOAT4(3));
}

/* (text, min_score, aggregation): see the install script for the order */
Datum
distil_entities_default(PG_FUNCTION_ARGS)
{
	DistilModel *model = distil_call_model(fcinfo, -1, "entities");

	return entities(fcinfo, model, distil_session_rules(), PG_GETARG_TEXT_PP(2),
					PG_GETARG_FLOAT4(1));
}
