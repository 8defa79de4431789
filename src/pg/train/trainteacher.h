/*
 * trainteacher.h -- the teacher of a distillation: the student's beginning,
 * what the teacher says of each text, how much of it the student has learnt.
 *
 * The teacher reads each text once, before the first epoch.  Its answers are
 * kept in memory; its hidden states, in 16 bits, in a temporary file, from
 * which each batch takes its own.  Texts without labels are read with their
 * masks, the same in all epochs, and answers for masked tokens are in a file,
 * too.
 */
#ifndef DISTILBERT_PG_TRAINTEACHER_H
#define DISTILBERT_PG_TRAINTEACHER_H

#include "storage/buffile.h"

#include "pg/run/modelcache.h"
#include "pg/train/trainset.h"

struct DistilTrainJob;

typedef struct DistilTeacher
{
	DistilModel *model;
	const DbertTrainBase *from; /* the student is made of it */
	DbertStudent *student;		/* or NULL: it begins as from */
	DistilTrainSet *set;		/* what the teacher reads: the student's, or its twin */
	DbertDistill distill;		/* of the trainer's options */
	bool by_labels; /* the metric: labels, if validation has any; else the teacher's answers */
	double		value;			/* the teacher's own, of the metric */
	int			n_states;		/* after how many layers */
	int			columns;		/* of its outputs: labels, or numbers of an embedding */
	float	   *outputs;		/* [rows of logits or vectors, columns] of all texts */
	/*
	 * of each text and layer, states [T, C'] and, if attention counts, queries
	 * and keys [T, 2C']
	 */
	BufFile *file;
	uint16	   *halves;			/* [longest text, 2C'] */
	BufFile *
		answers; /* MASK: of each masked token ids [top] and log q [top + 1], see DbertTrainBatch */
	int64	   *first_answer;	/* MASK: [texts + 1] of a text */

	/* of a batch */
	float	   *soft;
	int32	   *soft_ids;		/* MASK */
	float	  **states;			/* [n_states] of [N, C'] */
	const float **by_layer;		/* [L], see DbertTrainBatch */
	float	  **queries_keys;	/* [n_states] of [N, 2C'], or NULL */
} DistilTeacher;

/* Bytes that a teacher takes. */
typedef struct DistilTeacherBytes
{
	uint64		reading;		/* of memory, while it reads */
	uint64		kept;			/* of memory, from then on */
	uint64		disk;
} DistilTeacherBytes;

/*
 * The teacher of this name, for a function call; raises where it cannot teach.
 */
extern DistilTeacher *distil_teacher_for_call(FmgrInfo *flinfo, const char *name);

/* job->base: a student that is made of the teacher, or of the base. */
extern void distil_teacher_open_student(struct DistilTrainJob *job);

/* Labels are of its kind, if there are any. */
extern DistilLearn distil_teacher_wants(const DistilTeacher *teacher);

/* job->set, empty. */
extern void distil_teacher_begin_set(struct DistilTrainJob *job);

/* Head and labels are the teacher's; raises where the rows have others. */
extern void distil_teacher_choose_labels(struct DistilTrainJob *job);

/* The part of job->options that is about the teacher; after all others. */
extern void distil_teacher_plan(struct DistilTrainJob *job);
extern DistilTeacherBytes distil_teacher_bytes(struct DistilTrainJob *job);

/*
 * The teacher reads all texts; its own value of the metric, if there is
 * validation.
 */
extern void distil_teacher_read(struct DistilTrainJob *job);

/* What it said of the n texts that job->batch was filled with. */
extern void distil_teacher_fill(const struct DistilTrainJob *job, const int32 *order, int n);

/* Without labels: the batch's are to be the teacher's answers. */
extern void distil_teacher_answer(const struct DistilTrainJob *job);

/* Tells how good the student is; raises if that is less than min_quality. */
extern void distil_teacher_judge(struct DistilTrainJob *job);

extern void distil_teacher_end(DistilTeacher *teacher);

#endif
