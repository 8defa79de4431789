/*
 * fillmaskfunc.c -- distil_fill_mask(text [, model], top_k, targets).
 *
 * Rows token, score, sequence, mask: for each mask of the text, counted from 1,
 * what it may stand for, best first.  token and sequence, the text with that
 * mask filled, are as the tokenizer decodes them.
 *
 * targets are tokens.  One that the vocabulary lacks is replaced by the first
 * of its pieces, with a warning, as transformers' pipeline does.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/compat.h"
#include "pg/bridge/errors.h"
#include "pg/func/arrayvalue.h"
#include "pg/func/options.h"
#include "pg/run/runtext.h"

PG_FUNCTION_INFO_V1(distil_fill_mask);

/* ---- targets ---- */

/* The first token of a target; -1: it has none. */
static int32
first_piece(const DistilModel *model, const DistilText *t)
{
	DbertAllocator alloc = distil_allocator(CurrentMemoryContext);
	DbertTokenList tokens = {0};
	const DbertTemplate *around = model->core->tokenizer.single;
	bool		truncated;
	int32		id = -1;
	DbertError	err;

	if (dbert_tokenize(&model->core->tokenizer, t->data, t->len, NULL, 0,
					   dbert_template_size(around) + 1, &alloc, distil_poll(), &tokens, &truncated,
					   &err) != DBERT_OK)
		distil_raise(&err, NULL);
	if (tokens.count > (size_t) dbert_template_size(around))
		id = tokens.items[around->head].id;
	dbert_token_list_free(&tokens, &alloc);
	return id;
}

static char *
token_string(const DistilModel *model, int32 id)
{
	size_t		len;
	const char *token = dbert_token_text(&model->core->tokenizer, id, &len);

	return text_to_cstring(distil_text_from_utf8(token, len));
}

static int32
target_id(const DistilModel *model, Datum target)
{
	DistilText	t = distil_text_get(target, DISTIL_ERROR_RAISE);
	int32		id = dbert_token_id(&model->core->tokenizer, t.data, t.len);

	if (id < 0)
	{
		id = first_piece(model, &t);
		ereport(WARNING,
				(errmsg("target \"%s\" is not in the vocabulary of model \"%s\"",
						TextDatumGetCString(target), model->name),
				 id < 0 ? errdetail("It is left out.") :
				 errdetail("Its first piece \"%s\" is taken instead.", token_string(model, id))));
	}
	distil_text_free(&t);
	return id;
}

static int
compare_ids(const void *a, const void *b)
{
	int32		x = *(const int32 *) a;
	int32		y = *(const int32 *) b;

	return (x > y) - (x < y);
}

/* Ids in ascending order, each once. */
static int32 *
target_ids(const DistilModel *model, Datum targets, int *n)
{
	int			given;
	Datum	   *texts = distil_text_elements(targets, "targets", &given);
	int32	   *ids = palloc_array(int32, Max(given, 1));
	int			found = 0;

	for (int i = 0; i < given; i++)
	{
		CHECK_FOR_INTERRUPTS();
		ids[found] = target_id(model, texts[i]);
		found += ids[found] >= 0;
	}
	qsort(ids, found, sizeof(int32), compare_ids);
	*n = 0;
	for (int i = 0; i < found; i++)
	{
		if (*n == 0 || ids[i] != ids[*n - 1])
			ids[(*n)++] = ids[i];
	}
	return ids;
}

/* ---- rows ---- */

/* The answers for one mask. */
static DbertFill *
find_fills(const DbertBatch *batch, int mask, int top_k, const int32 *targets, int n_targets,
		   int *count)
{
	DbertFill  *found;
	DbertError	err;

	if (dbert_batch_fills(batch, 0, mask, top_k, targets, n_targets, &found, count, &err) !=
		DBERT_OK)
		distil_raise(&err, NULL);
	return distil_move_here(found, *count * sizeof(DbertFill));
}

/* "" for an id without a token: there may be more rows than tokens */
static text *
decoded_token(const DistilModel *model, int32 id)
{
	DbertAllocator alloc = distil_allocator(CurrentMemoryContext);
	char	   *s;
	text	   *result;
	size_t		len;
	DbertError	err;

	if (dbert_decode(&model->core->tokenizer, &id, 1, false, &alloc, &s, &len, &err) != DBERT_OK)
		distil_raise(&err, NULL);
	result = distil_text_from_utf8(s, len);
	dbert_free(&alloc, s);
	return result;
}

static text *
filled_text(const DbertBatch *batch, int mask, int32 id)
{
	char	   *s;
	text	   *result;
	size_t		len;
	DbertError	err;

	if (dbert_batch_filled(batch, 0, mask, id, &s, &len, &err) != DBERT_OK)
		distil_raise(&err, NULL);
	s = distil_move_here(s, len);
	result = distil_text_from_utf8(s, len);
	pfree(s);
	return result;
}

static void
put_fill(ReturnSetInfo *rsinfo, const DistilModel *model, const DbertBatch *batch, int mask,
		 const DbertFill *fill)
{
	Datum		values[4];
	bool		nulls[4] = {false};

	values[0] = PointerGetDatum(decoded_token(model, fill->id));
	values[1] = Float4GetDatum(fill->score);
	values[2] = PointerGetDatum(filled_text(batch, mask, fill->id));
	values[3] = Int32GetDatum(mask + 1);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	pfree(DatumGetPointer(values[0]));
	pfree(DatumGetPointer(values[2]));
}

static void
raise_no_mask(const DistilModel *model, bool truncated)
{
	int32		mask = model->core->tokenizer.mask_id;

	if (mask < 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("tokenizer of model \"%s\" has no mask token", model->name)));
	ereport(ERROR,
		(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		 errmsg("text has no mask"),
		 truncated ? errdetail("The model reads %d tokens of it.", model->core->config.max_tokens)
				   : 0,
		 errhint("Write %s in place of a word.", token_string(model, mask))));
}

static void
put_fills(ReturnSetInfo *rsinfo, DistilModel *model, const DistilText *t, DistilTextRules rules,
		  int top_k, const int32 *targets, int n_targets)
{
	DbertBatch *batch = distil_run_text(model, DBERT_WANT_LOGITS, t, false, rules);
	int			masks;

	if (batch == NULL)
		return;
	(void) dbert_batch_logits(batch, 0, &masks);
	if (masks == 0)
		raise_no_mask(model, dbert_batch_truncated(batch, 0));
	for (int mask = 0; mask < masks; mask++)
	{
		int			count;
		DbertFill  *fills = find_fills(batch, mask, top_k, targets, n_targets, &count);

		for (int i = 0; i < count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			put_fill(rsinfo, model, batch, mask, &fills[i]);
		}
		pfree(fills);
	}
}

/*
 * (text [, model], top_k, targets [, long_text, on_error]); not strict, as
 * targets may be NULL
 */
Datum
distil_fill_mask(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	DistilCallForm form;
	DistilModel *model;
	DistilText	t;
	int32	   *targets = NULL;
	int			n_targets = 0;

	InitMaterializedSRF(fcinfo, 0);
	if (distil_asks_nothing(fcinfo, 1, 2))
		return (Datum) 0;
	form = distil_call_form(fcinfo, 1, 2);
	distil_check_at_least_one("top_k", PG_GETARG_INT32(form.option));
	model = distil_call_model(fcinfo, form.model, "fill_mask");
	distil_require_head(model, DBERT_HEAD_MASK, "distil_fill_mask");
	if (!PG_ARGISNULL(form.option + 1))
		targets = target_ids(model, PG_GETARG_DATUM(form.option + 1), &n_targets);
	t = distil_text_get(PG_GETARG_DATUM(0), form.rules.on_error);
	put_fills(rsinfo, model, &t, form.rules, PG_GETARG_INT32(form.option), targets, n_targets);
	distil_text_free(&t);
	return (Datum) 0;
}
