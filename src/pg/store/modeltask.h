/*
 * modeltask.h -- the tasks that models are for: the one table of them.
 *
 * A task's name is what distil_models shows, what distil_load_model takes and
 * what the setting "distilbert.<task>_model" is called by.  Whatever else needs
 * to know which tasks there are asks here.
 */
#ifndef DISTILBERT_PG_MODELTASK_H
#define DISTILBERT_PG_MODELTASK_H

#include "dbert.h"

typedef struct DistilModelTask
{
	const char *name;
	DbertHead	head;			/* that its models have */

	/*
	 * Functions that take any model with this head, for hints; NULL where
	 * another task of the head stands for all of them.
	 */
	const char *functions;

	/* distil_load_model and distil_models know it; else it has but a default */
	bool		loadable;

	/*
	 * What its setting is for, and the model that it names at first ("": none);
	 * NULL: there is no default model.
	 */
	const char *setting;
	const char *preset;
} DistilModelTask;

#define DISTIL_MODEL_TASKS 9

/* What a sentiment is made of, for hints. */
#define DISTIL_SENTIMENT_LABELS \
	"Sentiment needs labels negative and positive, which neutral and steps such as very " \
	"negative and slightly positive may join, or 1 star to 5 stars"

extern const DistilModelTask distil_model_tasks[DISTIL_MODEL_TASKS];

/* The task that stands for all models with this head. */
extern const DistilModelTask *distil_task_of_head(DbertHead head);

/* The task of this name that models are loaded for; NULL: there is none. */
extern const DistilModelTask *distil_loadable_task(const char *name);

/* Raise, listing those there are, unless models are loaded for this task. */
extern void distil_check_task(const char *name);

#endif
