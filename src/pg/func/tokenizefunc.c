/*
 * tokenizefunc.c -- the tokens of a text.
 *
 *	   distil_tokenize(text, model [, on_error])		text[]
 *	   distil_token_count(text, model [, on_error])	integer
 *	   distil_token_count(text[], model [, on_error])	integer[]
 *
 * They ask the model for its tokenizer alone: nothing goes through the encoder.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/compat.h"
#include "pg/bridge/errors.h"
#include "pg/func/arrayvalue.h"
#include "pg/run/runtext.h"

PG_FUNCTION_INFO_V1(distil_tokenize);
PG_FUNCTION_INFO_V1(distil_token_count);
PG_FUNCTION_INFO_V1(distil_token_count_array);

/*
 * The whole text, however long it is: what a model would read of it is the
 * models' affair.  An array cannot hold more than MaxArraySize elements.
 */
static bool
tokenize(const DistilModel *model, Datum value, DistilTextRules rules, const DbertAllocator *alloc,
		 DbertTokenList *tokens)
{
	DistilText	t = distil_text_get(value, rules.on_error);
	bool		truncated;
	DbertError	err;
	bool there = dbert_tokenize(&model->core->tokenizer, t.data, t.len, NULL, 0, MaxArraySize,
								alloc, distil_poll(), tokens, &truncated, &err) == DBERT_OK ||
				 !distil_answer_null(&err, rules);

	if (there && truncated)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("text has more than %zu tokens", (size_t) MaxArraySize)));
	distil_text_free(&t);
	return there;
}

/*
 * The text[] is written element by element, for millions of tokens should not
 * become as many allocations first.
 */
static ArrayType *
token_array(const DbertTokenizer *tokenizer, const DbertTokenList *tokens)
{
	const int	count = (int) tokens->count;
	const int	lower = 1;
	StringInfoData s;
	ArrayType  *array;

	initStringInfo(&s);
	appendStringInfoSpaces(&s, ARR_OVERHEAD_NONULLS(1));
	for (size_t i = 0; i < tokens->count; i++)
	{
		size_t		len;
		const char *token = dbert_token_text(tokenizer, tokens->items[i].id, &len);
		text	   *t = distil_text_from_utf8(token, len);

		CHECK_FOR_INTERRUPTS();
		appendBinaryStringInfo(&s, (char *) t, VARSIZE(t));
		while (s.len != INTALIGN(s.len))
			appendStringInfoChar(&s, '\0');
		pfree(t);
	}

	array = (ArrayType *) s.data;
	distil_array_head(array, s.len, 1, &count, &lower, 0, TEXTOID);
	return array;
}

Datum
distil_tokenize(PG_FUNCTION_ARGS)
{
	DistilCallForm form = distil_call_form(fcinfo, 1, 0);
	DistilModel *model = distil_call_model(fcinfo, form.model, NULL);
	DbertAllocator alloc = distil_allocator(CurrentMemoryContext);
	DbertTokenList tokens = {0};
	ArrayType  *result;

	if (!tokenize(model, PG_GETARG_DATUM(0), form.rules, &alloc, &tokens))
		PG_RETURN_NULL();
	result = token_array(&model->core->tokenizer, &tokens);
	dbert_token_list_free(&tokens, &alloc);
	PG_RETURN_ARRAYTYPE_P(result);
}

/*
 * Number of tokens of a text, [CLS] and [SEP] included; false: NULL, as
 * the rules say.
 */
static bool
count_tokens(const DistilModel *model, Datum value, DistilTextRules rules, int32 *tokens)
{
	DistilText	t = distil_text_get(value, rules.on_error);
	DbertAllocator alloc = distil_allocator(CurrentMemoryContext);
	int64_t		count = 0;
	DbertError	err;
	bool		there = dbert_count_tokens(&model->core->tokenizer, t.data, t.len, &alloc,
										   distil_poll(), &count, &err) == DBERT_OK ||
		!distil_answer_null(&err, rules);

	distil_text_free(&t);

	/* a text value has less than 1 GB, a token at least one byte */
	Assert(count <= PG_INT32_MAX);
	*tokens = (int32) count;
	return there;
}

Datum
distil_token_count(PG_FUNCTION_ARGS)
{
	DistilCallForm form = distil_call_form(fcinfo, 1, 0);
	int32		tokens;

	if (distil_call_is_early(fcinfo, form.model) ||
		!count_tokens(distil_call_model(fcinfo, form.model, NULL), PG_GETARG_DATUM(0), form.rules,
					  &tokens))
		PG_RETURN_NULL();
	PG_RETURN_INT32(tokens);
}

Datum
distil_token_count_array(PG_FUNCTION_ARGS)
{
	DistilCallForm form = distil_call_form(fcinfo, 1, 0);
	DistilModel *model = distil_call_model(fcinfo, form.model, NULL);
	DistilTextArray a = distil_array_open(PG_GETARG_DATUM(0));
	Datum	   *values = palloc0_array(Datum, Max(a.n, 1));
	ArrayType  *result;

	for (int e = 0; e < a.n; e++)
	{
		int32		tokens = 0;

		CHECK_FOR_INTERRUPTS();
		if (!a.nulls[e])
			a.nulls[e] = !count_tokens(model, a.texts[e], form.rules, &tokens);
		values[e] = Int32GetDatum(tokens);
	}
	result = distil_array_like(&a, values, INT4OID);
	pfree(values);
	distil_array_close(&a, PG_GETARG_DATUM(0));
	PG_RETURN_ARRAYTYPE_P(result);
}
