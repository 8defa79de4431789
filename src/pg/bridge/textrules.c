/*
 * textrules.c -- see textrules.h.
 *
 * The settings and the arguments have the same values and the same defaults.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/guc.h"

#include "pg/bridge/compat.h"
#include "pg/bridge/quoted.h"
#include "pg/bridge/textrules.h"

#define MOST_VALUES 3

static const struct config_enum_entry long_text_values[MOST_VALUES + 1] = {
	{"window", DBERT_LONG_WINDOW, false},
	{"truncate", DBERT_LONG_TRUNCATE, false},
	{"error", DBERT_LONG_ERROR, false},
	{NULL, 0, false}
};

static const struct config_enum_entry on_error_values[MOST_VALUES + 1] = {
	{"error", DISTIL_ERROR_RAISE, false},
	{"null", DISTIL_ERROR_NULL, false},
	{NULL, 0, false}
};

const DistilTextRules distil_fixed_rules = {DBERT_LONG_WINDOW, DISTIL_ERROR_RAISE};

static int	guc_long_text;
static int	guc_on_error;

DistilTextRules
distil_session_rules(void)
{
	return (DistilTextRules) {guc_long_text, guc_on_error};
}

/* ---- arguments ---- */

/* "a", "b" and "c" */
static const char *
list_values(const struct config_enum_entry *values)
{
	const char *names[MOST_VALUES];
	int			n = 0;

	for (; values[n].name != NULL; n++)
		names[n] = psprintf("\"%s\"", values[n].name);
	return distil_joined_list(names, n);
}

/* As settings are read: case does not matter. */
static int
value_of(const char *argument, const struct config_enum_entry *values, const text *value)
{
	const char *s = VARDATA_ANY(value);
	size_t		len = VARSIZE_ANY_EXHDR(value);

	for (int i = 0; values[i].name != NULL; i++)
	{
		if (strlen(values[i].name) == len && pg_strncasecmp(values[i].name, s, len) == 0)
			return values[i].val;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized %s \"%s\"", argument, text_to_cstring(value)),
			 errhint("Available are %s.", list_values(values))));
}

DbertLongText
distil_long_text_of(const text *value)
{
	return value_of("long_text", long_text_values, value);
}

DistilOnError
distil_on_error_of(const text *value)
{
	return value_of("on_error", on_error_values, value);
}

/* ---- settings ---- */

void
distil_textrules_init(void)
{
	DefineCustomEnumVariable("distilbert.long_text",
							 "What happens to a text longer than its model can take.",
							 "Functions that name their model have an argument instead.",
							 &guc_long_text, DBERT_LONG_WINDOW,
							 long_text_values, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("distilbert.on_error", "What happens when a text cannot be evaluated.",
							 "\"null\": the answer is NULL, and a warning tells why; errors of the "
							 "statement itself are raised. Functions that name their model have an "
							 "argument instead.",
							 &guc_on_error, DISTIL_ERROR_RAISE, on_error_values,
							 PGC_USERSET, 0, NULL, NULL, NULL);
}
