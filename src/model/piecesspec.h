/*
 * piecesspec.h -- from a SentencePiece model to a tokenizer, as the converters
 * of transformers make it of the model and the tokenizer's class.
 */
#ifndef DBERT_MODEL_PIECESSPEC_H
#define DBERT_MODEL_PIECESSPEC_H

#include "model/sentencepiece.h"
#include "model/tokenizerclass.h"

/* The vocabulary, the model, and the steps; config: tokenizer_config.json. */
extern DbertStatus dbert_pieces_spec(const DbertPieces *pieces, const DbertTokenizerClass *class,
									 const DbertJson *config, DbertTokenSpec *t, DbertError *err);

/* Control and user pieces are added tokens: those that are none yet. */
extern DbertStatus dbert_pieces_add(const DbertPieces *pieces, DbertTokenSpec *t,
									DbertError *err);

/*
 * Marian's, with the ids of vocab.json; then, when all its tokens are there,
 * the pieces' scores, and those that it lacks.
 */
extern DbertStatus dbert_marian_spec(const DbertPieces *pieces, const DbertJson *vocab,
									 const DbertJson *config, DbertTokenSpec *t, DbertError *err);
extern DbertStatus dbert_marian_add(const DbertPieces *pieces, DbertTokenSpec *t,
									DbertError *err);

#endif
