/*
 * teacheranswers.h -- what a teacher says of the texts: asked once, kept, and
 * given back batch by batch.
 *
 * The teacher reads each text before the first epoch.  Its answers are kept in
 * memory; its hidden states, in 16 bits, in a temporary file.  Texts without
 * labels are read with their masks, the same in all epochs, and the answers for
 * masked tokens are in a file, too.
 */
#ifndef DISTILBERT_PG_TEACHERANSWERS_H
#define DISTILBERT_PG_TEACHERANSWERS_H

#include "pg/train/trainteacher.h"

/* Bytes that a teacher takes. */
typedef struct DistilTeacherBytes
{
	uint64		reading;		/* of memory, while it reads */
	uint64		kept;			/* of memory, from then on */
	uint64		disk;
} DistilTeacherBytes;

/* After distil_teacher_plan. */
extern DistilTeacherBytes distil_teacher_bytes(const DistilTrainJob *job);

/* The teacher reads all texts. */
extern void distil_teacher_read(DistilTrainJob *job);

/* What it said of the n texts that job->batch was filled with. */
extern void distil_teacher_fill(const DistilTrainJob *job, const int32 *order, int n);

/* Close the files. */
extern void distil_teacher_end(DistilTeacher *teacher);

#endif
