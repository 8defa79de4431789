/*
 * likeness.h -- how near a model's translations are to references.
 */
#ifndef DISTILBERT_PG_LIKENESS_H
#define DISTILBERT_PG_LIKENESS_H

#include "pg/eval/example.h"
#include "pg/run/openmodel.h"

/* What a translation and its reference add; begins as zeros. */
typedef struct DistilLikeness
{
	DbertBleu	bleu;
	DbertChrf	chrf;
} DistilLikeness;

/*
 * Those of the model's translations of rows [n], whose second texts are the
 * references and whose labels, if any, the languages; palloc'd.  NULL where
 * distilbert.on_error allows a text to have no answer.
 */
extern DistilLikeness **distil_likenesses(DistilModel *model, const DistilExample *rows, int n);

/* Add more, so many times. */
extern void distil_likeness_add(DistilLikeness *sum, const DistilLikeness *more, int64 times);

#endif
