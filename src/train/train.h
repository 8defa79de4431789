/*
 * train.h -- fine-tuning: from a base model and examples to a model's files.
 *
 * dbert_trainbase_open reads a model's files, all but the weights' values.  The
 * caller tokenises with dbert_trainbase_tokenizer, makes a trainer, which reads
 * the weights, and calls dbert_trainer_step for each batch; at the end
 * dbert_trainer_files gives the trained model as a Hugging Face directory.
 *
 * Batches are ragged, as everywhere: N tokens of B texts, no padding.  The same
 * seed, batches and kernels (with OpenBLAS its version, too) give the same bits, whatever the number
 * of threads.
 *
 * Source: Devlin et al. 2018 (arXiv:1810.04805), section 3.2; dropout where
 * transformers' DistilBERT and BERT have it; Loshchilov and Hutter 2017
 * (arXiv:1711.05101), AdamW.
 */
#ifndef DBERT_TRAIN_TRAIN_H
#define DBERT_TRAIN_TRAIN_H

#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"
#include "kernel/kernel.h"
#include "model/config.h"
#include "model/source.h"
#include "text/tokenizer.h"

/* ---- the base ---- */

typedef struct DbertTrainBase DbertTrainBase;

/* source must outlive the base.  Any head will do, and none. */
extern DbertStatus dbert_trainbase_open(const DbertSource *source, const DbertAllocator *alloc,
										const DbertPoll *poll, DbertTrainBase **base, DbertError *err);
extern void dbert_trainbase_close(DbertTrainBase *base);

extern const DbertConfig *dbert_trainbase_config(const DbertTrainBase *base);
extern const char *dbert_trainbase_label(const DbertTrainBase *base, int i);	/* of n_labels */
extern const DbertTokenizer *dbert_trainbase_tokenizer(const DbertTrainBase *base);
extern const DbertAllocator *dbert_trainbase_allocator(const DbertTrainBase *base);

/* ---- training ---- */

typedef struct DbertTrainOptions
{
	DbertHead	head;			/* SEQUENCE, TOKEN or MASK */
	DbertProblem problem;		/* of SEQUENCE; TOKEN is SINGLE */
	int			n_labels;		/* 0 for MASK */
	const char *const *labels;	/* [n_labels], UTF-8; must outlive the trainer */
	const float *class_weights; /* [n_labels] of SINGLE, or NULL; must outlive the trainer */

	bool		head_only;		/* the encoder stays as it is; neither this nor the next for MASK */
	bool		freeze_embeddings;
	float		dropout;		/* 0 <= p < 1: embeddings, probabilities, layers' outputs, head */
	uint64_t	seed;			/* of a new head and of dropout */

	float		learning_rate;	/* at its highest: after the warm-up, before it falls to 0 */
	float		weight_decay;	/* of matrices, not of biases and norms */
	float		warmup;			/* share of the steps, 0 .. 1 */
	float		max_grad_norm;	/* 0: no clipping */
	int64_t		steps;			/* of the whole training */

	int			max_texts;		/* of a batch */
	int			max_batch_tokens;	/* N of a batch */
	int			max_text_tokens;	/* of a text: at most config.positions */
	bool		keep_best;		/* room for dbert_trainer_keep */

	int			threads;		/* of the pool that runs will have: 1 .. DBERT_MAX_THREADS */
	const DbertKernels *kernels;
} DbertTrainOptions;

typedef struct DbertTrainBatch
{
	int			n_texts;		/* B */
	const int32_t *cu;			/* [B+1], cu[0] = 0, rising; N = cu[B] */
	const int32_t *ids;			/* [N] */
	const uint8_t *types;		/* [N], or NULL: all 0 */

	/* What is to be learnt: the one that head and problem ask for. */
	const int32_t *classes;		/* SINGLE: [B]; TOKEN: [N], -1 for tokens that do not count; MASK: [n_masked] ids */
	const float *targets;		/* MULTI: [B, n_labels] of 0 and 1; REGRESSION: [B, n_labels] */
	const int32_t *masked;		/* MASK: [n_masked] the tokens, of N, whose ids were others, rising */
	int			n_masked;		/* at least 1 */
} DbertTrainBatch;

typedef struct DbertTrainer DbertTrainer;

/*
 * Bytes that a trainer of these options takes at most, for as long as it
 * lives; E_LIMIT when they do not fit a size_t.
 */
extern DbertStatus dbert_trainer_bytes(const DbertTrainBase *base, const DbertTrainOptions *options,
									   uint64_t *bytes, DbertError *err);

/*
 * Reads the base's weights.  Layers of the head that the base has in the
 * right shape are taken over, the one that gives the logits only if the
 * labels are the same; others begin at random (normal, 0.02).  The decoder of
 * MASK is the word embedding, unless the base has one of its own.  base must
 * outlive the trainer.
 */
extern DbertStatus dbert_trainer_create(DbertTrainBase *base, const DbertTrainOptions *options,
										const DbertAllocator *alloc, const DbertPoll *poll,
										DbertTrainer **trainer, DbertError *err);
extern void dbert_trainer_free(DbertTrainer *trainer);

/* Threads for the runs to come, at most options.threads; NULL: the caller's alone. */
extern void dbert_trainer_set_pool(DbertTrainer *trainer, DbertPool *pool);

/* Whether the output layer is the base's. */
extern bool dbert_trainer_kept_head(const DbertTrainer *trainer);

/*
 * One step of AdamW on the batch's mean loss, which goes to *loss (before the
 * step; the mean is weighted by class_weights, over labelled tokens for TOKEN
 * and masked ones for MASK).  E_LIMIT for a batch larger than promised, E_INVALID for a loss that
 * is not finite: the training has diverged.  After a failure the trainer can
 * only be freed.
 */
extern DbertStatus dbert_trainer_step(DbertTrainer *trainer, const DbertTrainBatch *batch,
									  const DbertPoll *poll, double *loss, DbertError *err);

/*
 * Logits without dropout, [B, n_labels] or [N, n_labels], valid until the next
 * call; of MASK [n_masked], the logit of the class less the greatest one, so
 * that 0 means: the most likely token is the right one.  *loss as above, and *weight what it is the mean of, so that means
 * over several batches can be made.
 */
extern DbertStatus dbert_trainer_evaluate(DbertTrainer *trainer, const DbertTrainBatch *batch,
										  const DbertPoll *poll, const float **logits,
										  double *loss, double *weight, DbertError *err);

/* Remember the weights as they are; go back to them.  With keep_best. */
extern DbertStatus dbert_trainer_keep(DbertTrainer *trainer, const DbertPoll *poll, DbertError *err);
extern DbertStatus dbert_trainer_restore(DbertTrainer *trainer, const DbertPoll *poll, DbertError *err);

/* ---- the result ---- */

typedef struct DbertTrainedFiles DbertTrainedFiles;

/*
 * The trained model as the files of a directory: config.json,
 * model.safetensors (F32), and the base's tokenizer files.  Weights are read
 * from the trainer where they lie, so it must outlive the files and not step.
 */
extern DbertStatus dbert_trainer_files(const DbertTrainer *trainer, const DbertAllocator *alloc,
									   const DbertPoll *poll, DbertTrainedFiles **files,
									   DbertError *err);
extern const DbertSource *dbert_trained_source(const DbertTrainedFiles *files);
extern void dbert_trained_free(DbertTrainedFiles *files);

#endif
