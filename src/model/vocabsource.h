/*
 * vocabsource.h -- which files a tokenizer is in, and their contents.
 */
#ifndef DBERT_MODEL_VOCABSOURCE_H
#define DBERT_MODEL_VOCABSOURCE_H

#include "model/piecesspec.h"

/* The files, kept while strings point into them. */
typedef struct DbertVocabSource
{
	DbertJsonTree trees[4];
	DbertJson	config;			/* tokenizer_config.json; value NULL: absent */
	DbertJson	special_map;	/* special_tokens_map.json, only read where it counts */
	DbertJson	added_map;		/* added_tokens.json, likewise */
	DbertJson	vocab;			/* of the forms that are JSON */
	DbertVocabForm form;
	const char *name;			/* of the vocabulary's file */
	char	   *text,			/* its bytes, of the other forms, */
			   *beside;			/* and those of the file beside it, or NULL */
	size_t		len,
				beside_len;
	DbertPieces pieces;
	const DbertTokenizerClass *named;	/* the class, as far as names of tokens go; or NULL */
	const DbertTokenizerClass *class;	/* NULL: BERT's, or tokenizer.json says it all */
} DbertVocabSource;

/* Load all of them; f is zeroed before, and released even on failure. */
extern DbertStatus dbert_vocab_source_load(const DbertSource *source, const char *dir,
										   const DbertAllocator *alloc, const DbertPoll *poll,
										   DbertVocabSource *f, DbertError *err);

extern void dbert_vocab_source_free(DbertVocabSource *f, const DbertAllocator *alloc);

/* Add the names of those that are there to a list. */
extern DbertStatus dbert_vocab_source_list(const DbertSource *source, const char *dir,
										   DbertArena *arena, DbertFileList *list,
										   DbertError *err);

/* May one of them be called so? */
extern bool dbert_is_tokenizer_file(const char *name);

/* tokenadded.c: the added tokens that other files than tokenizer.json name */
extern DbertStatus dbert_vocab_source_add(const DbertVocabSource *f, DbertTokenSpec *t,
										  DbertError *err);

#endif
