/*
 * restoring.c -- see restoring.h.
 *
 * pg_dump orders the rows of tables by the names of their schemas, and a
 * parallel pg_restore by nothing that matters here.  So a generated column or a
 * CHECK may have to be computed before its model is there.  In a session that
 * restores a dump the answer is then NULL; when all rows of the model are
 * there, the generated columns that name it are computed (restored.c).
 *
 * Such a session is one with check_function_bodies off, as all dumps have it:
 * what they name may come later.  The command must be COPY or INSERT: no index
 * or materialized view is built of NULLs, for they come behind all rows.
 *
 * Two sessions may restore the table and the model side by side.  Who finds no
 * model holds a lock until his rows are committed; who brings the last row of a
 * model waits for it, and then sees them.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "storage/lmgr.h"
#include "tcop/pquery.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

#include "pg/store/builtin.h"
#include "pg/store/catalog.h"
#include "pg/store/pinned.h"
#include "pg/store/restoring.h"

/* What was found in this transaction, for the rows to come. */
typedef struct Found
{
	char		name[DISTIL_MAX_NAME + 1];
	bool		awaited;
} Found;

static Found found[8];
static int	n_found;

/* Rows of models come and go with any subtransaction. */
static void
forget(void)
{
	n_found = 0;
}

bool
distil_restoring(void)
{
	return !check_function_bodies && ActivePortal != NULL &&
		(ActivePortal->commandTag == CMDTAG_COPY || ActivePortal->commandTag == CMDTAG_INSERT);
}

/* ---- is a model there? ---- */

static void
add_length(void *ctx, const char *file, int32 seq, size_t len)
{
	*(int64 *) ctx += len;
}

bool
distil_model_is_complete(const char *name, Snapshot snapshot)
{
	DistilInfo	row;
	int64		bytes = 0;

	if (!distil_catalog_find(name, snapshot, &row))
		return false;
	distil_chunks_visit(name, snapshot, add_length, &bytes);
	return bytes == row.bytes;
}

/* An object of the model table's, which no command of the server's locks. */
static void
lock(LOCKMODE mode)
{
	LockDatabaseObject(RelationRelationId, distil_model_table(), 1, mode);
}

void
distil_awaited_lock(void)
{
	lock(ExclusiveLock);
	forget();
}

void
distil_awaited_unlock(void)
{
	UnlockDatabaseObject(RelationRelationId, distil_model_table(), 1, ExclusiveLock);
}

static bool
is_complete_now(const char *name)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	bool		complete = distil_model_is_complete(name, snapshot);

	UnregisterSnapshot(snapshot);
	return complete;
}

/* A model that is installed serves until a row takes its place. */
static bool
look(const char *name)
{
	if (is_complete_now(name))
		return false;
	lock(ShareLock);
	if (is_complete_now(name) || distil_builtin_path(name) != NULL)
		return false;
	ereport(WARNING,
			(errmsg("model \"%s\" is not restored yet", name),
			 errdetail("What is computed with it is NULL until it is.")));
	return true;
}

bool
distil_model_is_awaited(const char *name)
{
	bool		awaited;

	if (!distil_restoring() || !OidIsValid(distil_model_table()))
		return false;
	name = distil_unpin(name).name;
	for (int i = 0; i < n_found; i++)
	{
		if (strcmp(found[i].name, name) == 0)
			return found[i].awaited;
	}
	awaited = look(name);
	if (n_found < lengthof(found) && strlen(name) <= DISTIL_MAX_NAME)
	{
		strcpy(found[n_found].name, name);
		found[n_found++].awaited = awaited;
	}
	return awaited;
}

static void
at_xact_end(XactEvent event, void *arg)
{
	forget();
}

static void
at_subxact_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	forget();
}

void
distil_restoring_init(void)
{
	RegisterXactCallback(at_xact_end, NULL);
	RegisterSubXactCallback(at_subxact_end, NULL);
}
