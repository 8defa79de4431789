/*
 * sentence.h -- sentence-transformers' files: modules.json and what it names.
 */
#ifndef DBERT_MODEL_SENTENCE_H
#define DBERT_MODEL_SENTENCE_H

#include "model/config.h"
#include "model/json.h"

/* What holds for all modules: prompts, an activation. */
#define DBERT_SENTENCE_FILE "config_sentence_transformers.json"

/* A module behind the pooling. */
typedef struct DbertSentenceStep
{
	char		dir[DBERT_FILE_NAME_MAX];	/* its folder */
	int64_t		takes;			/* width of the vectors it is for */
	DbertPooledStep	step;
} DbertSentenceStep;

typedef struct DbertSentence
{
	bool		present;		/* there is a modules.json, of an encoder of sentences */
	bool		cross;			/* there is one, of a cross-encoder: */
	bool		pools;			/* it has a Pooling module, and no head of its own */
	bool		lookup;			/* the encoder is a StaticEmbedding */
	bool		scores;			/* the last step gives a cross-encoder's scores */
	const char *activation;		/* of a cross-encoder, NULL: not said; of the arena */
	char		dir[DBERT_FILE_NAME_MAX];	/* folder of the encoder, "" for the model's own */
	char		pooling_dir[DBERT_FILE_NAME_MAX];
	int32_t		pooling;		/* DbertPooling */
	bool		skip_prompt;	/* tokens of the prompt are not pooled */
	int32_t		normalize;
	int32_t		n_steps;
	DbertSentenceStep steps[DBERT_MAX_POOLED_STEPS];
	const char *prompts[DBERT_PROMPTS]; /* "" for none; of the arena */
	int64_t		dimensions;		/* of a vector so many are given, 0: all */
	int64_t		width;			/* of the pooled vectors, 0: not said */
	const char *settings;		/* the file that says the following, when they are said */
	int64_t		max_tokens;		/* 0: not said */
	bool		lowercases;		/* texts are lower-cased before tokenising */
} DbertSentence;

/*
 * Read modules.json, the modules' config.json, sentence_bert_config.json and
 * config_sentence_transformers.json where they exist; without modules.json:
 * mean pooling, no normalisation, no prompts, folder "".
 * Module folders' files are added to list.  E_UNSUPPORTED names a module,
 * pooling mode or setting there is no code for.
 */
extern DbertStatus dbert_sentence_read(const DbertSource *source, DbertArena *arena,
									   const DbertPoll *poll, DbertSentence *out,
									   DbertFileList *list, DbertError *err);

#endif
