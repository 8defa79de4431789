/*
 * train.h -- fine-tuning: from a base model and examples to a model's files.
 *
 * dbert_trainbase_open reads a model's files, all but the weights' values.  The
 * caller tokenises with dbert_trainbase_tokenizer, makes a trainer, which reads
 * the weights, and calls dbert_trainer_step for each batch; at the end
 * dbert_trainer_files gives the trained model as a Hugging Face directory.
 *
 * Batches are ragged, as everywhere: N tokens of B texts, no padding.  The same
 * seed, batches and kernels (with OpenBLAS its version, too) give the same
 * bits, whatever the number of threads.
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

/*
 * source must outlive the base.  Its head does not matter.  task, or NULL, is
 * what it was loaded for, where its files do not say it.
 */
extern DbertStatus dbert_trainbase_open(const DbertSource *source, const char *task,
										const DbertAllocator *alloc, const DbertPoll *poll,
										DbertTrainBase **base, DbertError *err);
extern void dbert_trainbase_close(DbertTrainBase *base);

extern const DbertConfig *dbert_trainbase_config(const DbertTrainBase *base);
extern const char *dbert_trainbase_label(const DbertTrainBase *base, int i);	/* of n_labels */
extern const DbertTokenizer *dbert_trainbase_tokenizer(const DbertTrainBase *base);
extern const DbertAllocator *dbert_trainbase_allocator(const DbertTrainBase *base);

/* ---- a student ---- */

/*
 * A smaller model of the same family, labels and tokenizer, as a base of its
 * own: some of the model's layers, under its embeddings and head; or, where
 * hidden is not its own width (0: it is), one of that width, which begins at
 * random.  Its feed-forward is narrower in proportion; it has as many heads as
 * the model if that divides hidden, else heads as wide as the model's.
 */
typedef struct DbertStudent DbertStudent;

/*
 * The model's layer that becomes the student's layer i: evenly, from the first
 * to the last; all from 0.
 */
static inline int
dbert_student_layer(int i, int layers, int of)
{
	return layers < 2 ? 0 : (2 * i * (of - 1) + layers - 1) / (2 * (layers - 1));
}

/*
 * layers: 1 .. the model's.  Nothing is copied, so the model must outlive the
 * student.  E_INVALID for a hidden that no heads divide.
 */
extern DbertStatus dbert_student_open(const DbertTrainBase *model, int layers, int hidden,
									  uint64_t seed, const DbertAllocator *alloc,
									  const DbertPoll *poll, DbertStudent **student,
									  DbertError *err);
extern const DbertSource *dbert_student_source(const DbertStudent *student);
extern void dbert_student_free(DbertStudent *student);

/* ---- training ---- */

/* What NONE learns from pairs of texts with numbers (learnvectors.c). */
typedef enum DbertEmbeddingLoss
{
	DBERT_LOSS_COSENT,			/* the order of the numbers */
	DBERT_LOSS_COSINE			/* the numbers, as cosines */
} DbertEmbeddingLoss;

/*
 * Learning from a teacher: how much each part of the loss counts; 0: not at
 * all.  The loss is the mean weighted by these, so only their ratio matters.
 *
 *     part        what is compared
 *     soft        the answers with the teacher's: see below
 *     hard        the answers with the labels, over the rows that have one
 *     cosine      the last hidden states of all tokens: 1 - cosine
 *     hidden      the hidden states after each layer: squared error
 *     attention   the scores q k' / sqrt(D) of each layer's heads, of which the
 *                 teacher has as many: squared error
 *
 *     head        the soft loss; KL is T^2 times Kullback and Leibler's
 *                 divergence from the teacher's answer at the temperature T
 *     SEQUENCE    SINGLE: KL over the labels; MULTI: of each label and its
 *                 opposite; REGRESSION: squared error
 *     TOKEN       KL over the labels, not of a text's first and last token
 *     SPAN        KL over the tokens of a text, of the answer's start and end
 *     MASK        KL over the teacher's likeliest top tokens and one class of
 *                 all others
 *     NONE        1 - cosine of the embeddings
 *
 * States that are not as wide as the teacher's go through a matrix, which is
 * learnt with the other parameters and forgotten at the end.
 *
 * Source: Hinton, Vinyals and Dean 2015 (arXiv:1503.02531); Sanh et al. 2019
 * (arXiv:1910.01108), section 2; Jiao et al. 2020 (arXiv:1909.10351), section
 * 3.
 */
typedef struct DbertDistill
{
	float		temperature;	/* above 0 */
	float		soft,
				hard,
				cosine,
				hidden,
				attention;
	int			teacher_hidden; /* C' */
	int			top;			/* of MASK: 1 .. DBERT_DISTILL_TOP, at most the vocabulary */
} DbertDistill;

/* Tokens that a teacher names for a masked one, at most. */
#define DBERT_DISTILL_TOP 64

/* Does it compare hidden states? */
static inline bool
dbert_distill_reads_states(const DbertDistill *d)
{
	return d->cosine > 0 || d->hidden > 0;
}

/* Does it compare anything of all tokens? */
static inline bool
dbert_distill_reads_tokens(const DbertDistill *d)
{
	return dbert_distill_reads_states(d) || d->attention > 0;
}

typedef struct DbertTrainOptions
{
	DbertHead head; /* SEQUENCE, TOKEN, MASK or NONE; SPAN from a teacher's answers alone */
	DbertProblem problem;		/* of SEQUENCE; TOKEN is SINGLE */
	DbertEmbeddingLoss embedding_loss;
	int			n_labels;		/* 0 for MASK and NONE; 2 for SPAN: "start", "end" */
	const char *const *labels;	/* [n_labels], UTF-8; must outlive the trainer */
	const float *class_weights; /* [n_labels] of SINGLE, or NULL; must outlive the trainer */
	const DbertDistill *distill;	/* or NULL: no teacher; must outlive the trainer */

	/*
	 * the encoder stays as it is; not for NONE, and neither this nor the next
	 * for MASK
	 */
	bool head_only;
	bool		freeze_embeddings;
	float		dropout;		/* 0 <= p < 1: embeddings, probabilities, layers' outputs, head */
	uint64_t	seed;			/* of a new head and of dropout */

	float		learning_rate;	/* at its highest: after the warm-up, before it falls to 0 */
	float		weight_decay;	/* of matrices, not of biases and norms */
	float		warmup;			/* share of the steps, 0 .. 1 */
	float		max_grad_norm;	/* 0: no clipping */
	int64_t		steps;			/* of the whole training */

	int			max_texts;		/* of a batch; of NONE two for each pair */
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

	/*
	 * What is to be learnt, as head and problem ask for it:
	 *
	 *     SINGLE       classes[B], -1 for a text that does not count
	 *     TOKEN        classes[N], -1 for a token that does not count
	 *     MASK         classes[n_masked]: ids
	 *     MULTI        targets[B, n_labels]: 0 and 1; NaN in an unlabelled row
	 *     REGRESSION   targets[B, n_labels]; NaN in an unlabelled row
	 *     NONE         targets[B / 2], or NULL
	 */
	const int32_t *classes;
	const float *targets;
	const int32_t *masked;		/* MASK: the tokens, of N, whose ids were others, rising */
	int			n_masked;		/* at least 1 */

	/*
	 * What the teacher says, as far as options.distill asks for it:
	 *
	 *     SEQUENCE     soft[B, n_labels]: logits
	 *     TOKEN, SPAN  soft[N, n_labels]: logits
	 *     NONE         soft[B, C']: embeddings
	 *     MASK         soft[n_masked, top + 1]: log q at the temperature, of
	 *                  soft_ids[n_masked, top], all different in a row, and of
	 *                  all others
	 */
	const float *soft;
	const int32_t *soft_ids;
	const float *const *states; /* [L]: after each layer, the last or all of them, [N, C'] */
	const float *const *queries_keys;	/* [L]: of each layer, [N, 2C'] */
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

/*
 * Threads for the runs to come, at most options.threads; NULL: the caller's
 * alone.
 */
extern void dbert_trainer_set_pool(DbertTrainer *trainer, DbertThreads *pool);

/*
 * Multiply weights and bias of the layer that gives the logits, and so the
 * logits.  Before dbert_trainer_files, and no step after it.
 */
extern void dbert_trainer_scale_output(DbertTrainer *trainer, float factor);

/* Whether the output layer is the base's. */
extern bool dbert_trainer_kept_head(const DbertTrainer *trainer);

/*
 * One step of AdamW on the batch's mean loss, which goes to *loss (before the
 * step; the mean is weighted by class_weights, over labelled tokens for TOKEN
 * and masked ones for MASK).  E_LIMIT for a batch larger than promised,
 * E_INVALID for a loss that is not finite: the training has diverged.  After a
 * failure the trainer can only be freed.
 */
extern DbertStatus dbert_trainer_step(DbertTrainer *trainer, const DbertTrainBatch *batch,
									  const DbertPoll *poll, double *loss, DbertError *err);

/*
 * Logits without dropout, [B, n_labels] or [N, n_labels], valid until the next
 * call; of MASK [n_masked], the logit of the class less the greatest one, so
 * that 0 means: the most likely token is the right one; of NONE [B / 2],
 * cosines of pairs with numbers, of others the partner's cosine less the
 * greatest one.  *loss as above, and *weight what it is the mean of, so that
 * means over several batches can be made.
 */
extern DbertStatus dbert_trainer_evaluate(DbertTrainer *trainer, const DbertTrainBatch *batch,
										  const DbertPoll *poll, const float **logits,
										  double *loss, double *weight, DbertError *err);

/* Remember the weights as they are; go back to them.  With keep_best. */
extern DbertStatus dbert_trainer_keep(DbertTrainer *trainer, const DbertPoll *poll,
									  DbertError *err);
extern DbertStatus dbert_trainer_restore(DbertTrainer *trainer, const DbertPoll *poll,
										 DbertError *err);

/* ---- going on another day (trainersave.c) ---- */

typedef struct DbertTrainerBlock
{
	void	   *data;
	size_t		bytes;			/* may be 0 */
} DbertTrainerBlock;

/*
 * Memory that the steps to come depend on, besides options, base and batches:
 * block i from 0, always in the same order; false behind the last.  Written to
 * a file between two steps, together with dbert_trainer_steps and _kept, and
 * read into the blocks of a new trainer of the same base and options after
 * dbert_trainer_continue, it makes that one go on with the same bits.
 */
extern bool dbert_trainer_block(DbertTrainer *trainer, int i, DbertTrainerBlock *block);
extern int64_t dbert_trainer_steps(const DbertTrainer *trainer);	/* done so far */
extern bool dbert_trainer_kept(const DbertTrainer *trainer);	/* Is there something to restore? */

/* Before the blocks are filled; E_INVALID for what the options do not allow. */
extern DbertStatus dbert_trainer_continue(DbertTrainer *trainer, int64_t steps, bool kept,
										  const DbertPoll *poll, DbertError *err);

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
