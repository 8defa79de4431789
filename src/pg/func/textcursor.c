/*
 * textcursor.c -- see textcursor.h.
 *
 * In a SQL_ASCII database a character is a byte to the server, but the text
 * has been checked to be UTF-8.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "pg/bridge/compat.h"
#include "pg/func/textcursor.h"

void
distil_cursor_open(DistilCursor *cursor, const DistilText *t)
{
	cursor->begin = cursor->at = VARDATA_ANY(t->stored);
	cursor->end = cursor->begin + VARSIZE_ANY_EXHDR(t->stored);
	cursor->chars = 0;
}

const char *
distil_cursor_move(DistilCursor *cursor, int32 target)
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

DistilPart
distil_cursor_part(DistilCursor *cursor, int32 start, int32 end)
{
	const char *from = distil_cursor_move(cursor, start);
	const char *to = distil_cursor_move(cursor, end);
	bool		bytes = GetDatabaseEncoding() == PG_SQL_ASCII;
	DistilPart	part;

	part.value = cstring_to_text_with_len(from, to - from);
	part.start_pos = (bytes ? (int32) (from - cursor->begin) : start) + 1;
	part.end_pos = bytes ? (int32) (to - cursor->begin) : end;
	return part;
}
