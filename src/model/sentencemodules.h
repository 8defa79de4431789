/*
 * sentencemodules.h -- sentence-transformers' modules.json: what an encoder's
 * hidden states go through, module by module.
 */
#ifndef DBERT_MODEL_SENTENCEMODULES_H
#define DBERT_MODEL_SENTENCEMODULES_H

#include "model/sentence.h"

/*
 * The modules of the list, which is the root of modules.json, and their own
 * files, into out, whose kind (cross) is known.  E_UNSUPPORTED names a module,
 * or its setting, that there is no code for.
 */
extern DbertStatus dbert_sentence_read_modules(const DbertSource *source, const DbertJson *list,
											   DbertArena *arena, const DbertPoll *poll,
											   DbertSentence *out, DbertFileList *files,
											   DbertError *err);

#endif
