/*
 * tokenizerfiles.h -- a model's tokenizer files, compiled to a tokenizer image.
 *
 * tokenizer.json when it is there, else a SentencePiece model or vocab.txt;
 * beside it, tokenizer_config.json and, of older models,
 * special_tokens_map.json and added_tokens.json.
 */
#ifndef DBERT_MODEL_TOKENIZERFILES_H
#define DBERT_MODEL_TOKENIZERFILES_H

#include "model/modelfiles.h"

typedef struct DbertTokenizerFiles
{
	void	   *image;			/* dbert_tokenizer_compile's; belongs to the allocator */
	size_t		image_size;
	const char *file;			/* that the vocabulary came from, of the arena */
	int64_t		max_tokens;		/* model_max_length, 0: not said */
	bool		lowercases;
	bool		omits_types;	/* the model is to get no token types, though it has them */
	bool		has_mask;		/* there is a [MASK] token */
} DbertTokenizerFiles;

/*
 * model_type: whose tokenizer it is, where its class is not said.
 * vocab: rows of the word embedding; E_SHAPE when the vocabulary has more.
 * The names of the files in folder dir are added to list.
 */
extern DbertStatus dbert_tokenizer_files_read(const DbertSource *source, const char *dir,
											  const char *model_type, int32_t vocab,
											  const DbertAllocator *alloc, DbertArena *arena,
											  const DbertPoll *poll, DbertTokenizerFiles *out,
											  DbertFileList *list, DbertError *err);

#endif
