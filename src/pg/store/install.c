/*
 * install.c -- what CREATE EXTENSION asks before it makes anything.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "fmgr.h"

#include "pg/bridge/compat.h"

/* The install script makes this schema; one that is there is somebody's. */
PG_FUNCTION_INFO_V1(distil_check_install);
Datum
distil_check_install(PG_FUNCTION_ARGS)
{
	if (OidIsValid(get_namespace_oid("distilbert", true)))
		ereport(
			ERROR,
			(errcode(ERRCODE_DUPLICATE_SCHEMA),
			 errmsg("schema \"distilbert\" already exists"),
			 errdetail("The extension makes a schema of this name for its models, which must "
					   "not be there before."),
			 errhint("Rename that schema, or drop it if it is empty (DROP SCHEMA distilbert), and "
					 "choose another for the functions, such as CREATE EXTENSION distilbert "
					 "SCHEMA public.")));
	PG_RETURN_VOID();
}
