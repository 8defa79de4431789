/*
 * errors.c -- the core's failures as PostgreSQL errors.
 *
 * The core's sentence may quote names from a user's files.  They may be cut in
 * the middle of a character, and the database may have another encoding than
 * UTF-8.  Bytes that cannot be shown become '?'.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/errors.h"
#include "pg/bridge/memorylimit.h"

static int
sqlstate_of(DbertStatus code)
{
	switch (code)
	{
		case DBERT_E_NOMEM:
			return ERRCODE_OUT_OF_MEMORY;
		case DBERT_E_IO:
			return ERRCODE_IO_ERROR;
		case DBERT_E_FORMAT:
		case DBERT_E_SHAPE:
		case DBERT_E_INVALID:
			return ERRCODE_INVALID_PARAMETER_VALUE;
		case DBERT_E_UNSUPPORTED:
			return ERRCODE_FEATURE_NOT_SUPPORTED;
		case DBERT_E_ENCODING:
			return ERRCODE_CHARACTER_NOT_IN_REPERTOIRE;
		case DBERT_E_LIMIT:
		case DBERT_E_TOO_LONG:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		case DBERT_E_NOT_FINITE:
			return ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE;
		case DBERT_E_CANCELLED:
			return ERRCODE_QUERY_CANCELED;
		case DBERT_E_CORRUPT:
			return ERRCODE_DATA_CORRUPTED;
		case DBERT_OK:
		case DBERT_E_INTERNAL:
			break;
	}
	return ERRCODE_INTERNAL_ERROR;
}

static char *
showable(const DbertError *err)
{
	char	   *msg = pstrdup(err->msg[0] != '\0' ? err->msg : dbert_status_text(err->code));

	if (GetDatabaseEncoding() == PG_UTF8 &&
		pg_verify_mbstr(PG_UTF8, msg, strlen(msg), true))
		return msg;
	for (char *p = msg; *p != '\0'; p++)
	{
		if (IS_HIGHBIT_SET(*p))
			*p = '?';
	}
	return msg;
}

/*
 * A detail is a sentence and begins with a capital, unless its first word is a
 * name (of a file, of a tensor).
 */
static char *
sentence(char *msg)
{
	size_t		word = strspn(msg, "abcdefghijklmnopqrstuvwxyz");

	if (word > 0 && msg[word] == ' ')
		msg[0] = pg_toupper((unsigned char) msg[0]);
	return msg;
}

void
distil_raise(const DbertError *err, const char *subject)
{
	char	   *msg;

	distil_poll_rethrow();
	if (err->code == DBERT_E_NOMEM)
		distil_raise_memory_limit();

	msg = showable(err);
	if (subject == NULL)
		ereport(ERROR, (errcode(sqlstate_of(err->code)), errmsg("%s", msg)));
	ereport(ERROR,
			(errcode(sqlstate_of(err->code)),
			 errmsg("%s", subject), errdetail_internal("%s.", sentence(msg))));
}

/* The core knows no encoding but UTF-8, so its own sentence could mislead. */
static char *
text_message(const DbertError *err)
{
	bool converted = GetDatabaseEncoding() != PG_UTF8 && GetDatabaseEncoding() != PG_SQL_ASCII;
	bool		cores = strcmp(err->msg, "text is not valid UTF-8") == 0;

	return err->code == DBERT_E_ENCODING && converted && cores ?
		pstrdup("text has a character that has no equivalent in encoding \"UTF8\"") : showable(err);
}

static int
hint_for_text(const DbertError *err, DbertLongText long_text)
{
	if (err->code == DBERT_E_NOT_FINITE)
		errhint("The weights of the model are too large, or damaged. Load it from a sound copy.");
	if (err->code != DBERT_E_TOO_LONG)
		return 0;
	if (long_text == DBERT_LONG_WINDOW)
		errhint("The function distil_chunk cuts a text into parts.");
	if (long_text == DBERT_LONG_ERROR)
		errhint("With long_text \"window\" long texts are read in parts, with \"truncate\" only "
				"their beginning is read.");
	return 0;
}

bool
distil_answer_null(const DbertError *err, DistilTextRules rules)
{
	bool is_texts = err->code == DBERT_E_TOO_LONG || err->code == DBERT_E_LIMIT ||
					err->code == DBERT_E_ENCODING || err->code == DBERT_E_NOT_FINITE;

	if (!is_texts)
		distil_raise(err, NULL);
	ereport(rules.on_error == DISTIL_ERROR_NULL ? WARNING : ERROR,
			(errcode(sqlstate_of(err->code)),
			 errmsg("%s", text_message(err)),
			 hint_for_text(err, rules.long_text)));
	return true;
}
