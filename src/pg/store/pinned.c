/*
 * pinned.c -- see pinned.h.
 *
 * No model's name has an "@" (names.c), so the first one ends it.  A database
 * has one content for a name, so digits are compared and never searched for.
 * Errors say what the name stands for here, and where "here" is: they are read
 * at the end of a connection from another server.
 */
#include "postgres.h"

#include <unistd.h>

#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "postmaster/postmaster.h"
#include "utils/snapmgr.h"

#include "pg/bridge/compat.h"
#include "pg/store/models.h"
#include "pg/store/names.h"
#include "pg/store/pinned.h"

/* As few digits as nobody finds twice by accident. */
#define FEWEST_DIGITS 8
#define MOST_DIGITS (2 * DISTIL_SHA256_BYTES)

char *
distil_pin(const char *name, const uint8 *sha256)
{
	char		hex[DISTIL_SHA256_HEX];

	return psprintf("%s@%.*s", name, FEWEST_DIGITS, distil_sha256_hex(sha256, hex));
}

static char *
this_server(void)
{
	char		host[256] = "";

	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	return psprintf("%s:%d", host, PostPortNumber);
}

pg_noreturn static void
raise_invalid(const char *name, const char *model, const char *detail)
{
	Snapshot	snapshot = ActiveSnapshotSet() ? GetActiveSnapshot() : GetTransactionSnapshot();
	uint8		sha256[DISTIL_SHA256_BYTES];
	bool		found;

	snapshot = RegisterSnapshot(snapshot);
	found = distil_valid_name(model) && distil_find_content(model, snapshot, sha256);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_NAME),
			 errmsg("invalid model name \"%s\"", name),
			 errdetail("%s", detail),
			 found ? errhint("Here \"%s\" is \"%s\"; see the column sha256 of distil_models.",
							 model, distil_pin(model, sha256))
			 : errhint("Use the digits of the column sha256 of distil_models, as in "
					   "\"%s@93cd2c70\".",
					   distil_valid_name(model) ? model : "m")));
}

DistilPinned
distil_unpin(const char *name)
{
	const char *at = strchr(name, '@');
	DistilPinned pinned = {.name = name};
	char	   *digits;
	size_t		n;

	if (at == NULL)
		return pinned;
	pinned.name = pnstrdup(name, at - name);
	pinned.digits = digits = pstrdup(at + 1);
	n = strlen(digits);
	if (strchr(digits, '@') != NULL)
		raise_invalid(name, pinned.name, "A name may have only one \"@\".");
	if (!distil_valid_name(pinned.name))
		raise_invalid(name, pinned.name, "The name of a model must come before the \"@\".");
	if (strspn(digits, "0123456789abcdefABCDEF") != n)
		raise_invalid(name, pinned.name, "Only hexadecimal digits may follow the \"@\".");
	if (n < FEWEST_DIGITS || n > MOST_DIGITS)
		raise_invalid(name, pinned.name,
					  psprintf("The first %d to %d digits of the model's sha256 must follow "
							   "the \"@\".",
							   FEWEST_DIGITS, MOST_DIGITS));
	for (size_t i = 0; i < n; i++)
		digits[i] = pg_ascii_tolower((unsigned char) digits[i]);
	return pinned;
}

void
distil_check_pinned(const DistilPinned *pinned, const uint8 *sha256)
{
	char		hex[DISTIL_SHA256_HEX];
	const char *database;

	if (pinned->digits == NULL ||
		strncmp(distil_sha256_hex(sha256, hex), pinned->digits, strlen(pinned->digits)) == 0)
		return;
	database = get_database_name(MyDatabaseId);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("model \"%s\" does not have the content \"%s\"", pinned->name, pinned->digits),
			 errdetail("In database \"%s\" at %s it is \"%s\".", database == NULL ? "" : database,
					   this_server(), distil_pin(pinned->name, sha256)),
			 errhint("Load that content there, or name the one that is there.  "
					 "distil_check_nodes compares servers, distil_send_model copies a model.")));
}

bool
distil_names_model(const char *name, const char *model)
{
	size_t		n = strcspn(name, "@");

	return strlen(model) == n && strncmp(name, model, n) == 0;
}
