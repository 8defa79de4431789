/*
 * pipereplica.c -- see pipereplica.h.
 *
 * A subscriber may compute for itself: then a pipeline is created there, on the
 * table that the subscription fills, and its triggers are ENABLE ALWAYS.  Or it
 * receives what the publisher has computed: then a pipeline that came with a
 * dump is elsewhere, and nothing is computed twice or written in the
 * publisher's place (DistilPipeline.elsewhere).
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "nodes/pg_list.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/pipereplica.h"

static bool
is_in_subscription(Oid relation)
{
	CatCList   *list = SearchSysCacheList1(SUBSCRIPTIONRELMAP, ObjectIdGetDatum(relation));
	bool		found = list->n_members > 0;

	ReleaseCatCacheList(list);
	return found;
}

bool
distil_is_subscribed(Oid relation)
{
	ListCell   *lc;

	if (is_in_subscription(relation))
		return true;
	if (get_rel_relkind(relation) != RELKIND_PARTITIONED_TABLE)
		return false;
	foreach(lc, find_all_inheritors(relation, NoLock, NULL))
	{
		if (is_in_subscription(lfirst_oid(lc)))
			return true;
	}
	return false;
}
