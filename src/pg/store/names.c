/*
 * names.c -- what a model may be called.
 */
#include "postgres.h"

#include "pg/store/catalog.h"
#include "pg/store/names.h"

bool
distil_valid_name(const char *name)
{
	size_t		len = strlen(name);

	return len > 0 && len <= DISTIL_MAX_NAME &&
		strchr("._-/", name[0]) == NULL &&
		strspn(name,
			   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/") == len;
}

void
distil_check_name(const char *name)
{
	if (!distil_valid_name(name))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid model name \"%s\"", name),
				 errdetail("A name has 1 to %d letters, digits and \"._-/\", and begins with a "
						   "letter or a digit.",
						   DISTIL_MAX_NAME)));
}

static int
compare_strings(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

void
distil_sort_strings(List *strings)
{
	list_sort(strings, compare_strings);
}
