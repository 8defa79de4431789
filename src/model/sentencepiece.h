/*
 * sentencepiece.h -- a SentencePiece model, a protobuf of that project's
 * schema: "sentencepiece.bpe.model", "spiece.model", "spm.model",
 * "tokenizer.model".
 */
#ifndef DBERT_MODEL_SENTENCEPIECE_H
#define DBERT_MODEL_SENTENCEPIECE_H

#include "base/arena.h"
#include "base/status.h"

typedef enum DbertPieceType
{
	DBERT_PIECE_NORMAL = 1,
	DBERT_PIECE_UNKNOWN,
	DBERT_PIECE_CONTROL,
	DBERT_PIECE_USER,
	DBERT_PIECE_UNUSED,
	DBERT_PIECE_BYTE
} DbertPieceType;

typedef struct DbertPiece
{
	const char *text;			/* terminated, UTF-8 */
	size_t		len;
	float		score;			/* finite */
	DbertPieceType type;
} DbertPiece;

typedef enum DbertPieceModel
{
	DBERT_PIECES_UNIGRAM = 1,
	DBERT_PIECES_BPE
} DbertPieceModel;

typedef struct DbertPieces
{
	DbertPiece *pieces;
	int32_t		n;
	DbertPieceModel model;
	bool		byte_fallback;
	int32_t		unk_id;			/* a piece's */
	bool		other_spaces;	/* it does not treat spaces as nearly all do: one before a text, one
								 * between words, none behind */
	const char *charsmap;		/* of the file's bytes; size 0: none */
	size_t		charsmap_size;
} DbertPieces;

/*
 * Read bytes; file is their name in messages.  E_FORMAT for whatever is no such
 * protobuf, two equal pieces, a score that is no number; E_UNSUPPORTED for the
 * models "word" and "char".
 */
extern DbertStatus dbert_pieces_read(const char *bytes, size_t len, const char *file,
									 DbertArena *arena, DbertPieces *out, DbertError *err);

#endif
