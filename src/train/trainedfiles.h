/*
 * trainedfiles.h -- the inside of a DbertTrainedFiles: files that are made as
 * they are asked for.
 */
#ifndef DBERT_TRAIN_TRAINEDFILES_H
#define DBERT_TRAIN_TRAINEDFILES_H

#include "model/json.h"
#include "train/trainer.h"

/* A JSON file, of root, which is released; name must be a literal.  E_NOMEM. */
extern DbertStatus dbert_trained_add(DbertTrainedFiles *f, const char *name, json_t *root,
									 DbertError *err);

/* sentencefiles.c: those that sentence-transformers wants besides. */
extern DbertStatus dbert_sentence_files(const DbertTrainer *t, DbertTrainedFiles *f,
										DbertError *err);

#endif
