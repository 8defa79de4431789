/*
 * trainfixture.h -- a trainer on a tiny model, and batches for it: what the
 * tests of training share.
 */
#ifndef DBERT_TEST_TRAINFIXTURE_H
#define DBERT_TEST_TRAINFIXTURE_H

#include "nn/teacher.h"
#include "test/support/refnet.h"
#include "train/objective.h"
#include "train/passbegin.h"
#include "train/trainbase.h"

/* ---- batches ---- */

/* Three texts of 3, 1 and 5 tokens. */
#define TINY_TEXTS	3
#define TINY_TOKENS 9
#define TINY_MASKED 4

extern const int32_t tiny_cu[TINY_TEXTS + 1];
extern const int32_t tiny_ids[TINY_TOKENS];
extern const uint8_t tiny_types[TINY_TOKENS];
extern const int32_t tiny_text_classes[TINY_TEXTS];
extern const int32_t tiny_masked[TINY_MASKED];
extern const int32_t tiny_masked_ids[TINY_MASKED];
extern const float tiny_class_weights[3];

/* Of the four pairs of texts that models without a head learn from. */
extern const float tiny_numbers[4];

/* A teacher's states where they are wider than the model's. */
#define TEACHER_C 12

/* Its answers for masked tokens, as tiny_batch has filled them in. */
extern float teacher_top_soft[TINY_MASKED * (MEM_V + 1)];

/*
 * Fill what a teacher says of the three texts; only_last: of the states after
 * each layer those after the last one alone.
 */
extern void fill_teacher(bool only_last);

/* ---- trainers ---- */

extern DbertTrainOptions tiny_options(DbertHead head, DbertProblem problem);

/* A batch for these options; of NONE without a teacher the pairs. */
extern DbertTrainBatch tiny_batch(const DbertTrainOptions *o);

typedef struct Rig
{
	MemModel	model;
	DbertSource source;
	DbertTrainBase *base;
	DbertTrainer *trainer;
} Rig;

/*
 * A trainer on rig->model, whose files the rig owns from now on.  false, and a
 * failed check: there is none.
 */
extern bool begin_rig(Rig *rig, const DbertTrainOptions *o);
extern void end_rig(Rig *rig);

extern DbertPass pass_of(DbertTrainer *t, const DbertTrainBatch *b, bool training, DbertError *err);

/* dbert_teacher_run on the tokens of a batch. */
extern DbertStatus ask_teacher(DbertTeacher *teacher, const DbertTrainBatch *batch,
							   DbertError *err);

/* So many steps on tiny_batch's batch; the last one's loss. */
extern double run_steps(DbertTrainer *t, int steps);

/*
 * Scale the weights of a tiny model, which are far larger than a real one's:
 * each softmax would be all 0 and 1.
 */
extern void soften(DbertTrainer *t);

/* ---- models ---- */

/* More tokens than a part or a product of the decoder takes. */
#define WIDE_V 9000

/* The model's vocabulary becomes that large. */
extern void widen_vocabulary(MemModel *m);

/* It becomes sentence-transformers', with this pooling. */
extern void put_modules(MemModel *m, bool cls, bool normalize);

/* ---- gradients.c ---- */

/*
 * Every element of every gradient against the central difference of the
 * definition's loss.
 */
extern void check_batch_gradients(const MemModel *model, const DbertTrainOptions *o,
								  DbertTrainBatch batch);

/* The same with tiny_batch's batch. */
extern void check_gradients(const MemModel *model, const DbertTrainOptions *o);

#endif
