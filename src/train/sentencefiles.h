/*
 * sentencefiles.h -- what makes a directory one of sentence-transformers: the
 * modules behind the encoder and their settings.
 */
#ifndef DBERT_TRAIN_SENTENCEFILES_H
#define DBERT_TRAIN_SENTENCEFILES_H

#include "model/config.h"
#include "model/json.h"

typedef struct DbertSentenceFile
{
	const char *name;
	json_t	   *root;			/* the caller's to release; NULL: out of memory */
} DbertSentenceFile;

#define DBERT_SENTENCE_FILES 3

/* Of a model of this config, whose tokenizer lowercases or not. */
extern void dbert_sentence_files(const DbertConfig *config, bool lowercases,
								 DbertSentenceFile files[DBERT_SENTENCE_FILES]);

#endif
