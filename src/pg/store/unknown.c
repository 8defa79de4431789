/*
 * unknown.c -- "model does not exist", and which one may have been meant.
 *
 * The hint names models that are spelt alike.  Where there are none it names
 * some that exist, and says how to load another.
 */
#include "postgres.h"

#include "utils/varlena.h"

#include "pg/bridge/quoted.h"
#include "pg/store/builtin.h"
#include "pg/store/catalog.h"
#include "pg/store/names.h"
#include "pg/store/unknown.h"

#define MAX_HINTS 5

/*
 * Changes of one letter that a misspelt name may be away from the one that was
 * meant: fewer than it has letters, for any name is as near as that.
 */
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
		distil_append_quoted(list, lfirst(lc));
	}
}

void
distil_raise_unknown(const char *name, Snapshot snapshot)
{
	List	   *names = list_concat(distil_catalog_names(snapshot), distil_builtin_names());
	StringInfoData list;

	distil_sort_strings(names);
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
