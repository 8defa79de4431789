/*
 * chunkfunc.c -- distil_chunk(text [, model], max_tokens, overlap): seq,
 * start_pos, end_pos, chunk.
 *
 * The model gives its tokenizer and nothing else: a chunk has at most
 * max_tokens tokens of it, as distil_token_count counts them, so that it fits
 * a model that takes so many.
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/errors.h"
#include "pg/func/options.h"
#include "pg/func/textcursor.h"

PG_FUNCTION_INFO_V1(distil_chunk);

static void
put_chunk(ReturnSetInfo *rsinfo, DistilCursor *cursor, int seq, const DbertChunk *chunk)
{
	DistilPart	part = distil_cursor_part(cursor, chunk->start, chunk->end);
	Datum		values[4];
	bool		nulls[4] = {false};

	values[0] = Int32GetDatum(seq);
	values[1] = Int32GetDatum(part.start_pos);
	values[2] = Int32GetDatum(part.end_pos);
	values[3] = PointerGetDatum(part.value);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	pfree(part.value);
}

/* (text [, model], max_tokens, overlap [, on_error]) */
Datum
distil_chunk(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	DistilCallForm form = distil_call_form(fcinfo, 1, 2);
	DistilModel *model = distil_call_model(fcinfo, form.model, "embed");
	int			max_tokens = PG_GETARG_INT32(form.option);
	int			overlap = PG_GETARG_INT32(form.option + 1);
	DbertAllocator alloc = distil_allocator(CurrentMemoryContext);
	DistilText	t;
	DistilCursor cursor;
	DbertChunk *chunks;
	int			count;
	DbertError	err;

	distil_check_chunks(max_tokens, overlap);
	InitMaterializedSRF(fcinfo, 0);
	t = distil_text_get(PG_GETARG_DATUM(0), form.rules.on_error);
	if (dbert_chunk(&model->core->tokenizer, t.data, t.len, max_tokens, overlap, &alloc,
					distil_poll(), &chunks, &count, &err) != DBERT_OK &&
		distil_answer_null(&err, form.rules))
		return (Datum) 0;

	distil_cursor_open(&cursor, &t);
	for (int i = 0; i < count; i++)
		put_chunk(rsinfo, &cursor, i + 1, &chunks[i]);
	dbert_free(&alloc, chunks);
	distil_text_free(&t);
	return (Datum) 0;
}
