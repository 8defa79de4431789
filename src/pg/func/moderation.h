/*
 * moderation.h -- the arguments of a trigger of distil_moderate.
 */
#ifndef DISTILBERT_PG_MODERATION_H
#define DISTILBERT_PG_MODERATION_H

#include "commands/trigger.h"

#include "pg/run/modelcache.h"

typedef enum DistilAction
{
	DISTIL_ACTION_REJECT,
	DISTIL_ACTION_FLAG,
	DISTIL_ACTION_MASK
} DistilAction;

/* What a trigger says is to be done. */
typedef struct DistilModeration
{
	const TriggerData *trigger;
	DistilModel *model;
	AttrNumber	column;
	Oid			cast;			/* makes text of its values; invalid: they are text */
	DistilAction action;
	AttrNumber	target;			/* 0: none */
	const char *label;			/* NULL: any */
	int			number;			/* of the label, of a model that classifies; -1: any */
	float		threshold;
	const char *mask;			/* NULL: the action's default */
} DistilModeration;

/*
 * The arguments of the trigger that calls us; raises where they, its event, the
 * columns' types or the model do not fit together.
 */
extern DistilModeration distil_read_moderation(FunctionCallInfo fcinfo);

/* The value of an argument; NULL if it was not given. */
extern const char *distil_moderation_argument(const Trigger *trigger, const char *name);

/* The number of the column of this name; raises if there is none. */
extern AttrNumber distil_moderated_column(Relation rel, const char *name);

/* The type of a column of the trigger's table, below domains. */
extern Oid	distil_column_type(const DistilModeration *m, AttrNumber number);

/*
 * Is a type text, or one that is taken for text wherever a function wants it:
 * citext, name and the like?  cast: see DistilModeration; may be NULL.
 */
extern bool distil_holds_text(Oid type, Oid *cast);

#endif
