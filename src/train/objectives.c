/*
 * objectives.c -- the table of what can be learnt: an objective for each kind
 * of head.
 */
#include "train/objective.h"

static const DbertObjective *const objectives[] = {
	[DBERT_HEAD_NONE] = &dbert_learn_vectors,
	[DBERT_HEAD_SEQUENCE] = &dbert_learn_sequence,
	[DBERT_HEAD_TOKEN] = &dbert_learn_token,
	[DBERT_HEAD_SPAN] = &dbert_learn_span,
	[DBERT_HEAD_MASK] = &dbert_learn_masked
};

const DbertObjective *
dbert_objective_of(DbertHead head)
{
	return (size_t) head < sizeof(objectives) / sizeof(objectives[0]) ? objectives[head] : NULL;
}
