/*
 * textvalue.c -- texts on their way from the server to the core, and back.
 *
 * The core reads UTF-8.  Databases in other encodings have their texts
 * converted on the way in and labels, tokens and names converted on the way
 * out; characters correspond one to one, so offsets counted in characters mean
 * the same on both sides.  (In a SQL_ASCII database the server counts bytes:
 * func/textcursor.c deals with that.)
 *
 * Memory: copies live in the caller's context and are freed as soon as they
 * are used, for index builds and array functions see many texts in one
 * context.
 */
#include "postgres.h"

#include <limits.h>

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "pg/bridge/compat.h"
#include "pg/bridge/textvalue.h"

/* ---- from the server ---- */

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
 * Where texts may be wrong (on_error), it is the core that finds it.
 */
static const char *
to_utf8(const char *s, int len, DistilOnError on_error)
{
	int			encoding = GetDatabaseEncoding();

	if (on_error == DISTIL_ERROR_RAISE || encoding == PG_UTF8 || len == 0 ||
		len > (INT_MAX - 16) / MAX_CONVERSION_GROWTH)
		return pg_server_to_any(s, len, PG_UTF8);
	return encoding == PG_SQL_ASCII ? s : convert_what_can_be(s, len);
}

DistilText
distil_text_get(Datum value, DistilOnError on_error)
{
	DistilText	t;
	const char *s;
	int			len;

	t.given = value;
	t.stored = DatumGetTextPP(value);
	s = VARDATA_ANY(t.stored);
	len = VARSIZE_ANY_EXHDR(t.stored);
	t.data = to_utf8(s, len, on_error);
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

/* ---- from the core ---- */

/* As far as it can be converted; *done: how many bytes of s were. */
static char *
convert_from_utf8(const char *s, int len, Oid conversion, int *done)
{
	int			room = (len + 1) * MAX_CONVERSION_GROWTH + 1;
	char	   *to = MemoryContextAllocHuge(CurrentMemoryContext, room);

	*done = pg_do_encoding_conversion_buf(conversion, PG_UTF8, GetDatabaseEncoding(),
										  (unsigned char *) unconstify(char *, s), len,
										  (unsigned char *) to, room, true);
	return to;
}

text *
distil_text_spelt(const char *s, size_t len)
{
	int			encoding = GetDatabaseEncoding();
	Oid			conversion = encoding == PG_UTF8 || encoding == PG_SQL_ASCII || len == 0 ||
		len > (INT_MAX - 16) / MAX_CONVERSION_GROWTH
		? InvalidOid : FindDefaultConversionProc(PG_UTF8, encoding);
	int			done;
	char	   *to;
	text	   *result;

	if (!OidIsValid(conversion))
		return distil_text_from_utf8(s, len);
	to = convert_from_utf8(s, (int) len, conversion, &done);
	result = done == (int) len ? cstring_to_text(to) : NULL;
	pfree(to);
	return result;
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
