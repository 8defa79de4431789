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
	DbertJsonTree tree;			/* the caller's to release */
} DbertSentenceFile;

#define DBERT_SENTENCE_FILES 3

/*
 * Of a model of this config, whose tokenizer lowercases or not.  Dumping them
 * tells whether there was memory for them.
 */
extern void dbert_sentence_files(const DbertConfig *config, bool lowercases,
								 const DbertAllocator *alloc,
								 DbertSentenceFile files[DBERT_SENTENCE_FILES]);

#endif
