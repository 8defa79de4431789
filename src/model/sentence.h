/*
 * sentence.h -- sentence-transformers' files: modules.json and what it names.
 */
#ifndef DBERT_MODEL_SENTENCE_H
#define DBERT_MODEL_SENTENCE_H

#include "model/config.h"
#include "model/json.h"

typedef struct DbertSentence
{
	bool		present;		/* there is a modules.json */
	char		dir[DBERT_FILE_NAME_MAX];	/* folder of the encoder, "" for the model's own */
	int32_t		pooling;		/* DbertPooling */
	int32_t		normalize;
	int64_t		width;			/* of the pooled vectors, 0: not said */
	int64_t		max_tokens;		/* 0: not said */
	bool		lowercases;		/* texts are lower-cased before tokenising */
} DbertSentence;

/*
 * Read modules.json, the pooling's config.json and sentence_bert_config.json
 * where they exist; without them: mean pooling, no normalisation, folder "".
 * Module folders' files are added to list.  E_UNSUPPORTED names a module or
 * pooling mode there is no code for.
 */
extern DbertStatus dbert_sentence_read(const DbertSource *source, DbertModelPool *pool,
									   const DbertPoll *poll, DbertSentence *out,
									   DbertFileList *list, DbertError *err);

#endif
