/*
 * trainteacher.h -- the teacher of a distillation, and the student's beginning.
 */
#ifndef DISTILBERT_PG_TRAINTEACHER_H
#define DISTILBERT_PG_TRAINTEACHER_H

#include "storage/buffile.h"

#include "pg/run/modelcache.h"
#include "pg/train/trainjob.h"

struct DistilTeacher
{
	DistilModel *model;
	const DbertTrainBase *from; /* the student is made of it */
	DbertStudent *student;		/* or NULL: it begins as from */
	DistilTrainSet *set;		/* what the teacher reads: the student's, or its twin */
	DbertDistill distill;		/* of the trainer's options */
	bool		by_labels;		/* the student is measured by labels, not by its answers */
	double		value;			/* the teacher's own, of the metric */
	int			n_states;		/* after how many layers */
	int			columns;		/* of its outputs: labels, or numbers of an embedding */

	/*
	 * what it said (teacheranswers.c).  file: of each text and layer, states
	 * [T, C'] and, if attention counts, queries and keys [T, 2C'].  answers: of
	 * each masked token ids [top] and log q [top + 1], see DbertTrainBatch
	 */
	float	   *outputs;		/* [rows of logits or vectors, columns] of all texts */
	BufFile    *file;
	uint16	   *halves;			/* [longest text, 2C'] */
	BufFile    *answers;		/* MASK */
	int64	   *first_answer;	/* MASK: [texts + 1] of a text */

	/* of a batch */
	float	   *soft;
	int32	   *soft_ids;		/* MASK */
	float	  **states;			/* [n_states] of [N, C'] */
	const float **by_layer;		/* [L], see DbertTrainBatch */
	float	  **queries_keys;	/* [n_states] of [N, 2C'], or NULL */
};

/*
 * The teacher of this name, for a function call; raises where it cannot teach.
 */
extern DistilTeacher *distil_teacher_for_call(FmgrInfo *flinfo, const char *name);

/* job->base: a student that is made of the teacher, or of the base. */
extern void distil_teacher_open_student(DistilTrainJob *job);

/* What is learnt from; labels are of the teacher's kind, if there are any. */
extern DistilLearn distil_teacher_learn(const DistilTeacher *teacher);

/* job->set, empty. */
extern void distil_teacher_begin_set(DistilTrainJob *job);

/* Head and labels are the teacher's; raises where the rows have others. */
extern void distil_teacher_choose_labels(DistilTrainJob *job);

/* The part of job->options that is about the teacher; after all others. */
extern void distil_teacher_plan(DistilTrainJob *job);

static inline const DbertConfig *
distil_teacher_config(const DistilTeacher *t)
{
	return &t->model->core->config;
}

/* Does the student read the very tokens that the teacher reads? */
static inline bool
distil_teacher_same_tokens(const DistilTrainJob *job)
{
	return job->teacher->set == job->set;
}

static inline bool
distil_teacher_fills_masks(const DistilTeacher *t)
{
	return distil_teacher_config(t)->head == DBERT_HEAD_MASK;
}

#endif
