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

/* The type of a column of the trigger's table, below domains. */
extern Oid	distil_column_type(const DistilModeration *m, AttrNumber number);
extern bool distil_holds_text(Oid type);

#endif
