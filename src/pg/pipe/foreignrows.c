/*
 * foreignrows.c -- rows of another server's pipelines.
 *
 * A publication FOR ALL TABLES has the extension's tables, too.  But pipelines,
 * their queue and their errors are each server's own: rows of the same name and
 * number would stop the subscription, and what the publisher has done would
 * vanish from the subscriber's queue.  So the trigger, which fires for replicas
 * alone, leaves out all that comes by logical replication, the copy at its
 * beginning among it.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"
#include "replication/logicalworker.h"

PG_FUNCTION_INFO_V1(distil_foreign_rows);
Datum
distil_foreign_rows(PG_FUNCTION_ARGS)
{
	const TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager", "foreign_rows")));
	if (IsLogicalWorker())
		return PointerGetDatum(NULL);
	return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple
																	  : trigger->tg_trigtuple);
}
