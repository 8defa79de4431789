/*
 * quoted.c -- see quoted.h.
 */
#include "postgres.h"

#include "pg/bridge/quoted.h"

void
distil_append_quoted(StringInfo list, const char *name)
{
	appendStringInfo(list, "%s\"%s\"", list->len > 0 ? ", " : "", name);
}

const char *
distil_quoted_list(const char *const *names, int n, int most)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < Min(n, most); i++)
		distil_append_quoted(&list, names[i]);
	if (n > most)
		appendStringInfoString(&list, ", ...");
	return list.data;
}

const char *
distil_joined_list(const char *const *names, int n)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < n; i++)
		appendStringInfo(&list, "%s%s", i == 0 ? "" : i == n - 1 ? " and " : ", ", names[i]);
	return list.data;
}
