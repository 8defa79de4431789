/*
 * names.c -- what a model may be called, and what the user may have meant.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/varlena.h"

#include "pg/store/builtin.h"
#include "pg/store/catalog.h"
#include "pg/store/names.h"

#define MAX_HINTS 5

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

/* A name that is this far away, or nearer, may have been meant; nothing is
 * left of a name after as many changes as it has letters. */
static int
distance_limit(const char *name)
{
	int			len = strlen(name);

	return Min(Max(2, len / 3), len - 1);
}

static bool
is_near(const char *name, const char *other)
{
	int			limit = distance_limit(name);

	return varstr_levenshtein_less_equal(name, strlen(name), other, strlen(other),
										 1, 1, 1, limit, true) <= limit;
}

static int
compare_strings(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/* Those of the sorted names that are near (all, if near is NULL), each once. */
static void
append_names(StringInfo list, List *names, const char *near)
{
	const char *previous = "";
	int			n = 0;
	ListCell   *lc;

	foreach(lc, names)
	{
		bool		again = strcmp(previous, lfirst(lc)) == 0;

		previous = lfirst(lc);
		if (again || (near != NULL && !is_near(near, lfirst(lc))))
			continue;
		if (n++ == MAX_HINTS)
		{
			appendStringInfoString(list, " and others");
			return;
		}
		appendStringInfo(list, "%s\"%s\"", n > 1 ? ", " : "", (char *) lfirst(lc));
	}
}

void
distil_raise_unknown(const char *name, Snapshot snapshot)
{
	List	   *names = list_concat(distil_catalog_names(snapshot), distil_builtin_names());
	StringInfoData list;

	list_sort(names, compare_strings);
	initStringInfo(&list);
	if (strlen(name) <= DISTIL_MAX_NAME)
		append_names(&list, names, name);
	if (list.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("model \"%s\" does not exist", name),
				 errhint("Perhaps you meant %s.", list.data)));

	append_names(&list, names, NULL);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("model \"%s\" does not exist", name),
			 list.len > 0
			 ? errhint("Load it with distil_load_model(name, path), or use one of %s.", list.data)
			 : errhint("Load it with distil_load_model(name, path).")));
}
