/*
 * sentencesettings.h -- settings of sentence-transformers' modules that would
 * change the numbers and that there is no code for: refused by name.
 * (doc/models.md lists all keys.)
 */
#ifndef DBERT_MODEL_SENTENCESETTINGS_H
#define DBERT_MODEL_SENTENCESETTINGS_H

#include "model/json.h"

/*
 * Those of sentence_bert_config.json: of an encoder of sentences, or of a
 * cross-encoder.
 */
extern DbertStatus dbert_sentence_refuse_settings(const DbertJson *root, bool cross,
												  DbertError *err);

/* A module reads and writes sentence embeddings, nothing else. */
extern DbertStatus dbert_sentence_refuse_places(const DbertJson *root, DbertError *err);

#endif
