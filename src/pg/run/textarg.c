/*
 * textarg.c -- from SQL arguments to the core, and back.
 *
 * The core reads UTF-8.  Databases in other encodings have their texts
 * converted on the way in and labels, tokens and names converted on the way
 * out; characters correspond one to one, so offsets counted in characters mean
 * the same on both sides (setfunc.c deals with SQL_ASCII, where the server
 * counts bytes).
 *
 * Memory: copies live in the caller's context and are freed as soon as they
 * are used, for index builds and array functions see many texts in one
 * context.  The core's frames are never jumped over: errors are raised here,
 * after it has returned.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/compat.h"
#include "pg/bridge/errors.h"
#include "pg/bridge/guc.h"
#include "pg/run/resultcache.h"

/*
 * What a head is for: the task by which models are loaded, the functions that
 * use it.
 */
static const struct
{
	const char *task;
	const char *functions;
}			head_uses[] =
{
	[DBERT_HEAD_NONE] = {"embed", "distil_embed"},
	[DBERT_HEAD_SEQUENCE] = {"classify", "distil_classify, distil_scores or distil_pair_scores"},
	[DBERT_HEAD_TOKEN] = {"entities", "distil_entities"},
	[DBERT_HEAD_SPAN] = {"answer", "distil_answer or distil_answer_text"},
	[DBERT_HEAD_MASK] = {"fill_mask", "distil_fill_mask"},
};

/*
 * A text as UTF-8, palloc'd; what cannot be converted, and all behind it,
 * becomes a byte that is no UTF-8.
 */
static const char *
convert_what_can_be(const char *s, int len)
{
	int			encoding = GetDatabaseEncoding();
	Oid			conversion = FindDefaultConversionProc(encoding, PG_UTF8);
	int			room = (len + 1) * MAX_CONVERSION_GROWTH + 1;
	char	   *to;
	int			done;

	if (!OidIsValid(conversion))
		return pg_server_to_any(s, len, PG_UTF8);	/* raises */
	to = MemoryContextAllocHuge(CurrentMemoryContext, (Size) room + 1);
	done = pg_do_encoding_conversion_buf(conversion, encoding, PG_UTF8,
										 (unsigned char *) unconstify(char *, s), len,
										 (unsigned char *) to, room, true);
	if (done < len)
		strcat(to, "\xff");
	return to;
}

/*
 * A text as UTF-8: s itself where there is nothing to convert, else a string.
 * Where texts may be wrong (distilbert.on_error), it is the core that finds it.
 */
static const char *
to_utf8(const char *s, int len)
{
	int			encoding = GetDatabaseEncoding();

	if (distil_guc_on_error == DISTIL_ERROR_RAISE || encoding == PG_UTF8 || len == 0 ||
		len > (INT_MAX - 16) / MAX_CONVERSION_GROWTH)
		return pg_server_to_any(s, len, PG_UTF8);
	return encoding == PG_SQL_ASCII ? s : convert_what_can_be(s, len);
}

DistilText
distil_text_get(Datum value)
{
	DistilText	t;
	const char *s;
	int			len;

	t.given = value;
	t.stored = DatumGetTextPP(value);
	s = VARDATA_ANY(t.stored);
	len = VARSIZE_ANY_EXHDR(t.stored);
	t.data = to_utf8(s, len);
	t.len = t.data == s ? (size_t) len : strlen(t.data);
	return t;
}

void
distil_text_free(DistilText *t)
{
	if (t->data != VARDATA_ANY(t->stored))
		pfree(unconstify(char *, t->data));
	if ((Pointer) t->stored != DatumGetPointer(t->given))
		pfree(t->stored);
}

text *
distil_text_from_utf8(const char *s, size_t len)
{
	char	   *converted = pg_any_to_server(s, (int) len, PG_UTF8);
	text	   *result;

	if (converted == s)
		return cstring_to_text_with_len(s, (int) len);
	result = cstring_to_text(converted);
	pfree(converted);
	return result;
}

DistilModel *
distil_call_model(FunctionCallInfo fcinfo, int argno, const char *task)
{
	DistilModel *model;
	char	   *name;

	if (argno < 0)
		model = distil_model_for_call(fcinfo->flinfo, distil_default_model(task));
	else
	{
		name = text_to_cstring(PG_GETARG_TEXT_PP(argno));
		model = distil_model_for_call(fcinfo->flinfo, name);
		pfree(name);
	}
	distil_usage_count(model->usage, &(DistilUsage) {.calls = 1});
	return model;
}

void
distil_require_head(const DistilModel *model, DbertHead head, const char *function)
{
	DbertHead	has = model->core->config.head;

	if (has == head)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("model \"%s\" cannot be used with %s", model->name, function),
			 errdetail("The model's task is \"%s\"; %s needs one whose task is \"%s\".",
					   head_uses[has].task, function, head_uses[head].task),
			 errhint("This model can be used with %s.", head_uses[has].functions)));
}

static DbertStatus
try_add(DbertBatch *batch, const DistilText *texts, bool pair, DbertLongText long_text,
		DbertError *err)
{
	DbertStatus status;
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	status = dbert_batch_add(batch, texts[0].data, texts[0].len,
							 pair ? texts[1].data : NULL, pair ? texts[1].len : 0,
							 long_text, distil_poll(), err);
	distil_usage_count(distil_batch_model(batch)->usage,
					   &(DistilUsage) {.tokenizer_ms = distil_ms_since(start)});
	return status;
}

DbertStatus
distil_batch_try_add(DbertBatch *batch, const DistilText *texts, bool pair, DbertError *err)
{
	return try_add(batch, texts, pair, distil_guc_long_text, err);
}

/* Not if it is the user's wish to stop. */
static void
count_error(const DbertBatch *batch, const DbertError *err)
{
	if (err->code != DBERT_E_CANCELLED)
		distil_usage_count(distil_batch_model(batch)->usage, &(DistilUsage) {.errors = 1});
}

static bool
add(DbertBatch *batch, const DistilText *texts, bool pair, DbertLongText long_text)
{
	DbertError	err;

	if (try_add(batch, texts, pair, long_text, &err) == DBERT_OK)
		return true;
	count_error(batch, &err);
	return !distil_answer_null(&err);
}

bool
distil_batch_add(DbertBatch *batch, const DistilText *texts, bool pair)
{
	return add(batch, texts, pair, distil_guc_long_text);
}

bool
distil_batch_add_first_cut(DbertBatch *batch, const DistilText *texts)
{
	bool		truncate = distil_guc_long_text == DBERT_LONG_TRUNCATE;

	return add(batch, texts, true, truncate ? DBERT_LONG_TRUNCATE_FIRST : distil_guc_long_text);
}

DbertStatus
distil_batch_try_run(DbertBatch *batch, DbertError *err)
{
	DistilUsage done = { .batches = 1,
						 .texts = dbert_batch_count(batch),
						 .tokens = dbert_batch_tokens(batch) };
	DbertStatus status;
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	status = dbert_batch_run(batch, distil_poll(), err);
	if (status != DBERT_OK)
		done = (DistilUsage) {0};
	for (int i = 0; i < done.texts; i++)
		done.truncated += dbert_batch_truncated(batch, i);
	done.encoder_ms = distil_ms_since(start);
	distil_usage_count(distil_batch_model(batch)->usage, &done);
	return status;
}

void
distil_batch_run(DbertBatch *batch)
{
	DbertError	err;

	if (distil_batch_try_run(batch, &err) == DBERT_OK)
		return;
	count_error(batch, &err);
	distil_raise(&err, NULL);
}

DbertBatch *
distil_run_text(DistilModel *model, int want, const DistilText *texts, bool pair)
{
	bool		cached = distil_cache_holds(model, want);
	DistilResultKey key;
	DbertBatch *batch;

	distil_usage_count(model->usage, &(DistilUsage) {.rows = 1});
	if (cached)
	{
		key = distil_cache_key(model, want, texts, pair);
		batch = distil_cache_find(model, want, &key);
		if (batch != NULL)
			return batch;
	}
	batch = distil_model_batch(model, want);
	if (!distil_batch_add(batch, texts, pair))
		return NULL;
	distil_batch_run(batch);
	if (cached)
		distil_cache_keep(model, want, &key, batch, 0);
	return batch;
}
