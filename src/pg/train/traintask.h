/*
 * traintask.h -- what can be learnt: tables of tasks and of kinds of labels.
 *
 * A task whose labels are of a known kind is a row of the first.  README.md
 * says what a new kind of labels needs.
 */
#ifndef DISTILBERT_PG_TRAINTASK_H
#define DISTILBERT_PG_TRAINTASK_H

#include "pg/eval/example.h"
#include "pg/train/trainmeasure.h"

typedef struct DistilTrainTask
{
	const char *name;
	DistilLearn learn;			/* what it learns from */
	bool		chosen;			/* by an argument of distil_train; else by a function's name */
	const char *stored;			/* the model's task in distil_models; NULL: by head and labels */

	/* Those that may be chosen, NULL-terminated, and when each is right. */
	const char *const *losses;	/* or NULL: it has one alone */
	const char *which_loss;

	/* May these be its labels?  NULL: any may.  Else what is wrong, and why. */
	bool		(*labels_fit) (const char *const *labels, int n_labels);
	const char *misfit;
	const char *which_labels;
} DistilTrainTask;

/* NULL: there is none of this name. */
extern const DistilTrainTask *distil_train_task(const char *name);

/* The same for distil_train's argument: raises, listing those there are. */
extern const DistilTrainTask *distil_chosen_task(const char *name);

/* One that learns from such rows, for hints: there must be one. */
extern const DistilTrainTask *distil_task_that_learns(DistilLearn learn);

/* Raise unless the task has a choice of losses, and this one among them. */
extern void distil_check_loss(const DistilTrainTask *task, const char *loss);

/* How labels of a kind are learnt. */
typedef struct DistilTrainKind
{
	DistilLearn learn;			/* what a query is asked for */
	DbertHead	head;			/* of the trained model */
	DbertProblem problem;
	int			texts;			/* of an example, for the core */
	const char *examples;		/* their name in messages */
	const DistilMeasure *measure;	/* of the rows held back */
} DistilTrainKind;

extern const DistilTrainKind *distil_train_kind(DistilLabelKind kind);

/* The labels that models with this head give. */
extern DistilLabelKind distil_kind_of_head(DbertHead head, DbertProblem problem);

#endif
