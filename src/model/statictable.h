/*
 * statictable.h -- static embeddings: a table of rows, and the few settings
 * that go with it.
 */
#ifndef DBERT_MODEL_STATICTABLE_H
#define DBERT_MODEL_STATICTABLE_H

#include "model/config.h"
#include "model/json.h"
#include "model/safetensors.h"
#include "text/tokenizer.h"

/*
 * A token's row is a row of the table in the file, perhaps not that of its own
 * number, and perhaps times a weight.
 */
typedef struct DbertTokenRows
{
	int32_t		n_rows;			/* of the table in the file */
	const int32_t *row;			/* [V], each below n_rows; NULL: token i has row i */
	const float *weight;		/* [V]; NULL: 1 */
} DbertTokenRows;

/* Does config.json (value NULL: there is none) say that it is of model2vec? */
extern DbertStatus dbert_static_is_model2vec(const DbertJson *root, bool *is, DbertError *err);

/*
 * What model2vec's config.json says else: are vectors scaled to length 1, and
 * how many tokens does it read, the template's not counted (0: all).
 */
extern DbertStatus dbert_static_settings(const DbertJson *root, bool *normalize,
										 int64_t *max_tokens, DbertError *err);

/*
 * Before model2vec cuts a text to so many tokens it cuts it to as many
 * characters: the number times the vocabulary's median length.
 */
extern int32_t dbert_static_max_chars(const DbertTokenizer *tokenizer, int64_t max_tokens);

/*
 * The config of the table among these tensors, and how its rows belong to
 * tokens; both of them are cleared first, rows belong to the arena.  The
 * table's tensor then has one row for each token, and the name by which the
 * family calls it.
 */
extern DbertStatus dbert_static_read(const DbertSource *source, DbertTensorSet *tensors,
									 DbertArena *arena, const DbertPoll *poll,
									 DbertConfig *config, DbertTokenRows *rows,
									 DbertError *err);

#endif
