/*
 * template.c -- see template.h.
 */
#include "postgres.h"

#include "pg/func/template.h"

void
distil_append_filled(StringInfo out, const char *template, const char *slot, const char *word,
					 int len)
{
	const char *place;

	for (; (place = strstr(template, slot)) != NULL; template = place + strlen(slot))
	{
		appendBinaryStringInfo(out, template, place - template);
		appendBinaryStringInfo(out, word, len);
	}
	appendStringInfoString(out, template);
}
