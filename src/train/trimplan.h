/*
 * trimplan.h -- the inside of a DbertTrim: which ids stay and what they become,
 * shared by trim.c, trimchoose.c and trimtokenizer.c.
 */
#ifndef DBERT_TRAIN_TRIMPLAN_H
#define DBERT_TRAIN_TRIMPLAN_H

#include "model/pack.h"
#include "model/vocabsource.h"
#include "train/overlay.h"
#include "train/trim.h"

/* The model of a tokenizer, as far as the choice depends on it. */
typedef enum DbertTrimKind
{
	DBERT_TRIM_WORDPIECE,
	DBERT_TRIM_UNIGRAM,
	DBERT_TRIM_BPE
} DbertTrimKind;

/* What becomes of ids. */
typedef struct DbertTrimPlan
{
	const DbertAllocator *alloc;
	DbertTokenizer tokenizer;
	int32_t		n;				/* rows of the word embedding */
	DbertTrimKind kind;
	bool	   *needed;			/* [n]: stays whatever the counts are */
	int32_t    *to;				/* [n]: the new id, -1: it goes */
	int32_t    *from;			/* [kept]: the old ones, rising */
	int32_t		kept;
	DbertMerge *merges;			/* [n_merges] by rank, of BPE; left -1: of no tokens */
	int32_t		n_merges;
} DbertTrimPlan;

/* trimchoose.c: fill to and from; needed has what the files name. */
extern DbertStatus dbert_trim_plan_choose(DbertTrimPlan *p, const int64_t *counts, int32_t most,
										  const DbertPoll *poll, DbertTrimmed *out,
										  DbertError *err);

/* ---- trimtokenizer.c ---- */

/* Kind, merges, needed tokens; E_UNSUPPORTED for files that cannot be cut. */
extern DbertStatus dbert_trim_tokenizer_read(DbertTrimPlan *p, const DbertVocabSource *files,
											 DbertError *err);

/*
 * Put the new files over those in folder dir.  The trees of files are used up.
 */
extern DbertStatus dbert_trim_tokenizer_write(const DbertTrimPlan *p, DbertVocabSource *files,
											  const char *dir, DbertOverlay *over,
											  const DbertPoll *poll, DbertError *err);

/* Ids that a config.json names: "pad_token_id" and the like. */
extern void dbert_trim_config_needs(DbertTrimPlan *p, const json_t *config);
extern void dbert_trim_config_write(const DbertTrimPlan *p, json_t *config);

#endif
