/*
 * watched.c -- see watched.h.
 */
#include "postgres.h"

#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/ownersql.h"
#include "pg/pipe/watched.h"

static HTAB *watched;			/* DistilWatched by trigger */
static uint64 changes = 1;		/* of anything that entries stand on */

static void
forget(Datum arg, Oid relation)
{
	HASH_SEQ_STATUS all;
	DistilWatched *w;

	changes++;
	if (watched == NULL)
		return;
	hash_seq_init(&all, watched);
	while ((w = hash_seq_search(&all)) != NULL)
	{
		if (!OidIsValid(relation) || w->relation == relation || w->source == relation)
			(void) hash_search(watched, &w->trigger, HASH_REMOVE, NULL);
	}
}

/* A schema's name is in no relation's entry, but in SQL that was made here. */
static void
forget_names(Datum arg, int cache, uint32 hash)
{
	changes++;
}

static bool
is_source_or_part(Relation rel, Oid source)
{
	if (RelationGetRelid(rel) == source)
		return true;
	return rel->rd_rel->relispartition &&
		list_member_oid(get_partition_ancestors(RelationGetRelid(rel)), source);
}

/* How the key columns of a relation are copied and written. */
static void
find_types(Relation rel, const DistilPipelineColumns *columns, DistilKeyType *types)
{
	for (int i = 0; i < columns->n_keys; i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), columns->keys[i] - 1);
		bool		varlena;

		types[i].length = att->attlen;
		types[i].byval = att->attbyval;
		getTypeOutputInfo(att->atttypid, &types[i].output, &varlena);
	}
}

/*
 * Look at the pipeline that the trigger names; it may be anybody's.  Keys are
 * captured also for one that is not whole, for it may be so again.
 */
static void
look_up(const TriggerData *trigger, DistilWatched *w)
{
	Relation	rel = trigger->tg_relation;
	const char *name = trigger->tg_trigger->tgnargs == 1 ? trigger->tg_trigger->tgargs[0] : "";
	DistilPipeline *p = distil_pipeline_find(name);

	if (p == NULL || !is_source_or_part(rel, p->source))
		return;
	w->source = p->source;
	w->remove_stale = p->remove_stale;
	w->sync = p->sync;
	w->each = p->sync && get_rel_relkind(p->source) == RELKIND_PARTITIONED_TABLE;
	strlcpy(w->pipeline, p->name, sizeof(w->pipeline));
	for (int i = 0; i < p->n_generations; i++)
	{
		Oid			target = p->generations[i].target;

		if (OidIsValid(target) && distil_relation_owner(target) == p->owner)
			w->targets[w->n_targets++] = target;
	}
	w->acts = distil_pipeline_columns(rel, name, &w->columns);
	if (w->acts)
		find_types(rel, &w->columns, w->types);
}

static void
make_table(void)
{
	HASHCTL		ctl = {.keysize = sizeof(Oid), .entrysize = sizeof(DistilWatched)};

	ctl.hcxt = CacheMemoryContext;
	watched = hash_create("distilbert triggers", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* Again, if something changed meanwhile: the entry could not hear of it yet. */
static DistilWatched
look_up_now(const TriggerData *trigger)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "distilbert trigger",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	DistilWatched w;
	uint64		before;

	do
	{
		before = changes;
		memset(&w, 0, sizeof(w));
		w.trigger = trigger->tg_trigger->tgoid;
		w.relation = RelationGetRelid(trigger->tg_relation);
		look_up(trigger, &w);
		MemoryContextReset(context);
	} while (before != changes);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return w;
}

const DistilWatched *
distil_watched(const TriggerData *trigger)
{
	DistilWatched *entry;
	DistilWatched w;

	if (watched == NULL)
		make_table();
	entry = hash_search(watched, &trigger->tg_trigger->tgoid, HASH_FIND, NULL);
	if (entry != NULL && entry->relation == RelationGetRelid(trigger->tg_relation))
		return entry;
	w = look_up_now(trigger);
	entry = hash_search(watched, &w.trigger, HASH_ENTER, NULL);
	*entry = w;
	return entry;
}

uint64
distil_watched_changes(void)
{
	AcceptInvalidationMessages();
	return changes;
}

bool
distil_same_value(Relation rel, AttrNumber column, TupleTableSlot *a, TupleTableSlot *b)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), column - 1);
	bool		null_a,
				null_b;
	Datum		x = slot_getattr(a, column, &null_a);
	Datum		y = slot_getattr(b, column, &null_b);

	if (null_a || null_b)
		return null_a && null_b;
	return datumIsEqual(x, y, att->attbyval, att->attlen) ||
		datum_image_eq(x, y, att->attbyval, att->attlen);
}

void
distil_watched_init(void)
{
	CacheRegisterRelcacheCallback(forget, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, forget_names, (Datum) 0);
}
