/*
 * tokenizerclass.h -- transformers' tokenizer classes.
 *
 * A directory without tokenizer.json leaves much to the class that is named in
 * tokenizer_config.json, or, where none is, that models of this type have: the
 * tokens with a role, the template, and what its vocabulary file means.
 */
#ifndef DBERT_MODEL_TOKENIZERCLASS_H
#define DBERT_MODEL_TOKENIZERCLASS_H

#include "model/tokenspec.h"

/* What a vocabulary is written in. */
typedef enum DbertVocabForm
{
	DBERT_VOCAB_TOKENIZER,		/* tokenizer.json */
	DBERT_VOCAB_MERGES,			/* an object, and merges by rank */
	DBERT_VOCAB_PIECES,			/* a SentencePiece model */
	DBERT_VOCAB_TWO,			/* two SentencePiece models, and an object of both's pieces */
	DBERT_VOCAB_CODES,			/* lines with counts, and fastBPE's codes */
	DBERT_VOCAB_LINES
} DbertVocabForm;

typedef struct DbertTokenizerClass
{
	const char *name;			/* without "Tokenizer" or "TokenizerFast" behind it */
	const char *model_type;		/* of models that have it */
	DbertVocabForm form;		/* of its vocabulary where there is no tokenizer.json */
	const char *roles[DBERT_SPECIALS];
	bool		mask_lstrip;	/* the mask takes the space before it along */
	bool		adds_mask;		/* the mask is no piece, but has the next id */
	unsigned	normalized;		/* bits 1 << role: tokens that are matched normalised */
	int32_t		separators;		/* between two texts */
	uint8_t		second_type;	/* of the second text */
} DbertTokenizerClass;

/* The class of this name, or, name NULL, of this model_type; NULL: unknown. */
extern const DbertTokenizerClass *dbert_tokenizer_class(const char *name, const char *model_type);

/* "cls A sep", "cls A sep B sep" of the spec's tokens, whose ids are known. */
extern void dbert_tokenizer_class_template(const DbertTokenizerClass *class, DbertTokenSpec *t);

#endif
