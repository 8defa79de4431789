/*
 * trim.h -- a model with a smaller vocabulary: the tokens that a corpus uses,
 * with the vectors that they had.
 *
 * A text whose tokens all stay is cut into the same tokens as before, and the
 * model says the same of it to the bit.  A word whose token went is cut into
 * smaller ones.
 *
 * Open a model, count tokens by its tokenizer, choose, read the new model's
 * files.
 *
 * Source: Abdaoui, Pradel and Sigel 2020 (arXiv:2010.05609), "Load what you
 * need"; Ushio, Zhou and Camacho-Collados 2023 (arXiv:2305.15020), "vocabulary
 * trimming".
 */
#ifndef DBERT_TRAIN_TRIM_H
#define DBERT_TRAIN_TRIM_H

#include "model/config.h"
#include "model/source.h"
#include "text/tokenizer.h"

typedef struct DbertTrim DbertTrim;

/*
 * source must outlive it; task is what the model was loaded for, as for
 * dbert_pack_begin.  E_UNSUPPORTED names the file of a tokenizer that cannot be
 * cut.
 */
extern DbertStatus dbert_trim_open(const DbertSource *source, const char *task,
								   const DbertAllocator *alloc, const DbertPoll *poll,
								   DbertTrim **trim, DbertError *err);
extern void dbert_trim_free(DbertTrim *trim);

/* As it was. */
extern const DbertConfig *dbert_trim_config(const DbertTrim *trim);
extern const DbertTokenizer *dbert_trim_tokenizer(const DbertTrim *trim);

typedef struct DbertTrimmed
{
	int32_t		least;			/* tokens that stay in any case */
	int32_t		kept;			/* tokens of the new model */
	int64_t		seen,			/* tokens of the corpus, */
				covered;		/* of which so many stay */
} DbertTrimmed;

/*
 * Keep at most so many tokens, those of the highest counts[vocab].  In any case
 * there stay: tokens with a role and added ones, what config.json names, and
 * the characters (or bytes) that words of the corpus are made of, so that none
 * of them becomes unknown.  E_INVALID if those alone are more: then
 * only out->least is set.  Once.
 */
extern DbertStatus dbert_trim_choose(DbertTrim *trim, const int64_t *counts, int32_t most,
									 const DbertPoll *poll, DbertTrimmed *out, DbertError *err);

/* The files, after the choice. */
extern const DbertSource *dbert_trim_source(const DbertTrim *trim);

#endif
