/*
 * defaultmodel.c -- see defaultmodel.h.
 *
 * Each row of the table of tasks that has a default model becomes a setting.
 */
#include "postgres.h"

#include "utils/guc.h"

#include "pg/run/defaultmodel.h"
#include "pg/store/modeltask.h"

static char *names[DISTIL_MODEL_TASKS];		/* the settings; NULL of a task without one */

void
distil_defaultmodel_init(void)
{
	for (int i = 0; i < DISTIL_MODEL_TASKS; i++)
	{
		const DistilModelTask *task = &distil_model_tasks[i];

		if (task->setting != NULL)
			DefineCustomStringVariable(psprintf("distilbert.%s_model", task->name), task->setting,
									   NULL, &names[i], task->preset, PGC_USERSET, 0, NULL, NULL,
									   NULL);
	}
}

const char *
distil_default_name(const char *task)
{
	for (int i = 0; i < DISTIL_MODEL_TASKS; i++)
	{
		if (distil_model_tasks[i].setting != NULL && strcmp(distil_model_tasks[i].name, task) == 0)
			return names[i];
	}
	elog(ERROR, "task \"%s\" has no default model", task);
	return NULL;				/* keep compiler quiet */
}

const char *
distil_default_model(const char *task)
{
	const char *name = distil_default_name(task);

	if (name == NULL || name[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("no model is set for %s", task),
				 errhint("Name a model in the call, or load one with distil_load_model(name, path) "
						 "and set \"distilbert.%s_model\" to its name.",
						 task)));
	return name;
}
