/*
 * teacher.h -- what a model says of given tokens to one that learns from it.
 */
#ifndef DBERT_NN_TEACHER_H
#define DBERT_NN_TEACHER_H

#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"
#include "model/pack.h"

/*
 * What a model says of tokens that another one learns from: its answers, and
 * its hidden states after some of its layers.  All memory is allocated once.
 */
typedef struct DbertTeacher DbertTeacher;

typedef struct DbertTeacherOptions
{
	int			max_texts;		/* of a batch */
	int			max_tokens;
	int			max_text_tokens;
	int			threads;		/* of the pool that runs will have */
	int			n_states;		/* 0 .. L; evenly, the last layer's among them */
	bool		attention;		/* of these layers queries and keys, too */
	int			top;			/* of MASK: 1 .. V */
	float		temperature;	/* of MASK */
} DbertTeacherOptions;

/* false: more than a size_t */
extern bool dbert_teacher_bytes(const DbertModel *model, const DbertTeacherOptions *options,
								size_t *bytes);
extern DbertStatus dbert_teacher_create(const DbertModel *model, const DbertTeacherOptions *options,
										const DbertAllocator *alloc, DbertTeacher **teacher,
										DbertError *err);
extern void dbert_teacher_free(DbertTeacher *teacher);

/* Tokens that it is asked about. */
typedef struct DbertTeacherBatch
{
	int			n_texts;		/* B */
	const int32_t *cu;			/* [B+1], as in DbertRagged */
	const int32_t *ids;			/* [N] */
	const uint8_t *types;		/* [N], or NULL: all 0 */
	const int32_t *masked;		/* MASK: [n_masked] those of N that are masked, rising */
	int			n_masked;
} DbertTeacherBatch;

/* E_LIMIT for a batch larger than promised. */
extern DbertStatus dbert_teacher_run(DbertTeacher *teacher, const DbertTeacherBatch *batch,
									 DbertThreads *pool, const DbertPoll *poll, DbertError *err);

/*
 * After a run, until the next: logits [B, n_labels] (SEQUENCE) or [N, n_labels]
 * (TOKEN), embeddings [B, E] of a model without a head; MASK: [n_masked, top +
 * 1] log q at the temperature of the likeliest tokens, these first, and of all
 * others.
 */
extern const float *dbert_teacher_outputs(const DbertTeacher *teacher);

/* MASK: these tokens [n_masked, top]. */
extern const int32_t *dbert_teacher_ids(const DbertTeacher *teacher);

/* States [N, C] number i of n_states. */
extern const float *dbert_teacher_states(const DbertTeacher *teacher, int i);

/* Queries and keys [N, 2C] of the layer after which states i are. */
extern const float *dbert_teacher_queries_keys(const DbertTeacher *teacher, int i);

#endif
