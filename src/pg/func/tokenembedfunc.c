/*
 * tokenembedfunc.c -- the vectors of a text's tokens.
 *
 *	   distil_token_embeddings(text [, model])
 *			token, start_pos, end_pos, embedding: in order, with [CLS] and [SEP]
 *
 * They are the encoder's last hidden states, before pooling: what late
 * interaction and pooling over parts of a text are made of.  A token is named
 * as the vocabulary has it; its place is that of distil_entities.  No prompt
 * stands before the text.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"

#include "pg/bridge/compat.h"
#include "pg/func/textcursor.h"
#include "pg/func/vector.h"

PG_FUNCTION_INFO_V1(distil_token_embeddings);

static Datum
vector_datum(const float *values, int n)
{
	ArrayType  *array = distil_vector(n);

	memcpy(distil_array_floats(array), values, n * sizeof(float4));
	return PointerGetDatum(array);
}

static void
put_token(ReturnSetInfo *rsinfo, const DbertModel *core, const DbertToken *token,
		  const float *hidden, DistilCursor *cursor)
{
	size_t		len;
	const char *name = dbert_token_text(&core->tokenizer, token->id, &len);
	Datum		values[4] = {0};
	bool		nulls[4] = {false};

	values[0] = PointerGetDatum(distil_text_from_utf8(name, len));
	nulls[1] = nulls[2] = token->special;	/* stands for nothing in the text */
	if (!nulls[1])
	{
		DistilPart	part = distil_cursor_part(cursor, token->start, token->end);

		values[1] = Int32GetDatum(part.start_pos);
		values[2] = Int32GetDatum(part.end_pos);
		pfree(part.value);
	}
	values[3] = vector_datum(hidden, core->config.hidden);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	pfree(DatumGetPointer(values[0]));
	pfree(DatumGetPointer(values[3]));
}

Datum
distil_token_embeddings(PG_FUNCTION_ARGS)
{
	DistilModel *model = distil_call_model(fcinfo, PG_NARGS() > 1 ? 1 : -1, "embed");
	const DbertModel *core = model->core;
	DistilText	t = distil_text_get(PG_GETARG_DATUM(0));
	DistilCursor cursor;
	DbertBatch *batch;
	const DbertToken *tokens;
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	batch = distil_run_text(model, DBERT_WANT_HIDDEN, &t, false);
	if (batch == NULL)
		return (Datum) 0;
	tokens = dbert_batch_text_tokens(batch, 0, &n);
	distil_cursor_open(&cursor, &t);
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_token((ReturnSetInfo *) fcinfo->resultinfo, core, &tokens[i],
				  dbert_batch_hidden(batch, 0) + (size_t) i * core->config.hidden, &cursor);
	}
	distil_text_free(&t);
	return (Datum) 0;
}
