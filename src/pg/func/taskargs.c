/*
 * taskargs.c -- the arguments of a call of a task's SQL function: its model,
 * its options, what is NULL among them.
 */
#include "postgres.h"

#include "pg/func/task.h"

void
distil_task_options(FunctionCallInfo fcinfo, const DistilTask *task, NullableDatum *options)
{
	int			first = distil_task_first_option(task, PG_NARGS());

	Assert(task->n_options <= DISTIL_MAX_OPTIONS);
	for (int i = 0; i < task->n_options; i++)
		options[i] = fcinfo->args[first + i];
}

DistilModel *
distil_task_model(FunctionCallInfo fcinfo, const DistilTask *task, const NullableDatum *options)
{
	DistilModel *model = distil_call_model(fcinfo, distil_task_model_arg(task, PG_NARGS()),
										   task->setting);

	if (task->check != NULL)
		task->check(task, model, options);
	return model;
}

bool
distil_task_is_early(FunctionCallInfo fcinfo, const DistilTask *task)
{
	int			model = distil_task_model_arg(task, PG_NARGS());

	return model >= 0 && distil_call_is_early(fcinfo, model);
}

DistilTextRules
distil_task_rules(const DistilTask *task, const NullableDatum *args, int nargs)
{
	return distil_form_of(args, nargs, distil_task_texts(task), task->n_options).rules;
}

bool
distil_task_asks_nothing(FunctionCallInfo fcinfo, const DistilTask *task)
{
	for (int i = 0; i < PG_NARGS(); i++)
	{
		if (PG_ARGISNULL(i) && !distil_task_is_option(task, PG_NARGS(), i))
			return true;
	}
	return false;
}
