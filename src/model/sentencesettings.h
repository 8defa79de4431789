/*
 * sentencesettings.h -- settings of sentence-transformers' modules that would
 * change the numbers and that there is no code for: refused by name.
 * (doc/models.md lists all keys.)
 */
#ifndef DBERT_MODEL_SENTENCESETTINGS_H
#define DBERT_MODEL_SENTENCESETTINGS_H

#include "model/json.h"

/*
 * Those of sentence_bert_config.json: of an encoder whose hidden states are
 * pooled, or of one that gives scores by a head of its own.
 */
extern DbertStatus dbert_sentence_refuse_settings(const DbertJson *root, bool head,
												  DbertError *err);

/* A module reads sentence embeddings and writes these, nothing else. */
extern DbertStatus dbert_sentence_refuse_places(const DbertJson *root, const char *output,
												DbertError *err);

#endif
