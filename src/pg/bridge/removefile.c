/*
 * removefile.c -- see removefile.h.
 *
 * Each file of the list has the nesting level of the transaction it belongs to.
 * A subtransaction that commits hands its files to the transaction around it;
 * one that aborts removes what it made and forgets the rest.  A transaction
 * that is prepared forgets them all: nothing is removed when it ends.
 */
#include "postgres.h"

#include <unistd.h>

#include "access/xact.h"
#include "utils/memutils.h"

#include "pg/bridge/removefile.h"

/* A file, and how the transaction of this level must end to remove it. */
typedef struct PendingRemove
{
	char	   *path;
	bool		at_commit;
	int			level;
	struct PendingRemove *next;
} PendingRemove;

/* in TopTransactionContext */
static PendingRemove *pending = NULL;

void
distil_remove_file_at_end(const char *path, bool at_commit)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	PendingRemove *entry = palloc(sizeof(PendingRemove));

	entry->path = pstrdup(path);
	entry->at_commit = at_commit;
	entry->level = GetCurrentTransactionNestLevel();
	entry->next = pending;
	pending = entry;
	MemoryContextSwitchTo(old);
}

/* Here nothing may raise: that unlink failed is not reported. */
static void
at_xact_end(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
		return;
	for (PendingRemove *entry = pending; entry != NULL; entry = entry->next)
	{
		if (event == (entry->at_commit ? XACT_EVENT_COMMIT : XACT_EVENT_ABORT))
			(void) unlink(entry->path);
	}
	pending = NULL;
}

static void
at_subxact_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();
	PendingRemove **link = &pending;

	if (event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB)
		return;
	while (*link != NULL)
	{
		PendingRemove *entry = *link;

		if (entry->level >= level && event == SUBXACT_EVENT_ABORT_SUB)
		{
			if (!entry->at_commit)
				(void) unlink(entry->path);
			*link = entry->next;
			continue;
		}
		if (entry->level >= level)
			entry->level = level - 1;
		link = &entry->next;
	}
}

void
distil_removefile_init(void)
{
	RegisterXactCallback(at_xact_end, NULL);
	RegisterSubXactCallback(at_subxact_end, NULL);
}
