/*
 * textcursor.h -- from the core's places in a text to the server's.
 *
 * The core counts characters of the text in UTF-8, from 0, the end exclusive.
 * SQL functions show characters from 1, the last one included, so that
 * substr(text, start_pos, end_pos - start_pos + 1) gives the part.
 */
#ifndef DISTILBERT_PG_TEXTCURSOR_H
#define DISTILBERT_PG_TEXTCURSOR_H

#include "pg/run/runtext.h"

/* A place in a stored text. */
typedef struct DistilCursor
{
	const char *begin;
	const char *end;
	const char *at;
	int32		chars;			/* before at, as the core counts them */
} DistilCursor;

/* A part of a text, as SQL functions show it. */
typedef struct DistilPart
{
	text	   *value;			/* palloc'd */
	int32		start_pos;
	int32		end_pos;
} DistilPart;

extern void distil_cursor_open(DistilCursor *cursor, const DistilText *t);

/* The byte where character target begins, or the text's end. */
extern const char *distil_cursor_move(DistilCursor *cursor, int32 target);

/*
 * The characters start .. end - 1.  Parts that come in order cost one walk
 * through the text; an earlier one is reached from the beginning again.
 */
extern DistilPart distil_cursor_part(DistilCursor *cursor, int32 start, int32 end);

#endif
