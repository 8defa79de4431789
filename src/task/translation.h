/*
 * translation.h -- texts through a model that translates.
 *
 * A text goes sentence by sentence; what stands between its sentences, white
 * space and ends of lines, is kept.
 */
#ifndef DBERT_TASK_TRANSLATION_H
#define DBERT_TASK_TRANSLATION_H

#include "base/parallel.h"
#include "model/pack.h"

typedef struct DbertTranslation DbertTranslation;

/* The token of a target language ("fra"), which some models need; -1: none. */
extern int32_t dbert_language_token(const DbertModel *model, const char *language, size_t len);

/* Whether a token is a language's; its name then. */
extern bool dbert_token_language(const DbertModel *model, int32_t id, const char **name,
								 size_t *len);

/* how: the model's config.generation, perhaps of other beams and length. */
extern DbertStatus dbert_translation_create(const DbertModel *model, const DbertGeneration *how,
											int32_t language, const DbertAllocator *alloc,
											DbertTranslation **translation, DbertError *err);
extern void dbert_translation_free(DbertTranslation *t);

/* One text more, which stays the caller's; on failure all is as it was. */
extern DbertStatus dbert_translation_add(DbertTranslation *t, const char *text, size_t len,
										 const DbertPoll *poll, DbertError *err);

/* When all texts are there: which sentences are to be translated, each once. */
extern DbertStatus dbert_translation_prepare(DbertTranslation *t, const DbertPoll *poll,
											 DbertError *err);

/* Bytes that a run takes at its peak, as dbert_translate_memory tells. */
extern bool dbert_translation_memory(const DbertTranslation *t, int rows, int threads,
									 size_t *bytes);

/* rows: as of dbert_translate (nn/translate.h) */
extern DbertStatus dbert_translation_run(DbertTranslation *t, int rows, DbertThreads *pool,
										 const DbertPoll *poll, DbertError *err);

/* Tokens that were added; sentences that the limit of length ended. */
extern size_t dbert_translation_tokens(const DbertTranslation *t);
extern int	dbert_translation_limited(const DbertTranslation *t);

/*
 * Text i in the other language, from alloc, not terminated; E_NOT_FINITE if the
 * weights gave no numbers for it.
 */
extern DbertStatus dbert_translation_text(const DbertTranslation *t, int i, char **text,
										  size_t *len, DbertError *err);

#endif
