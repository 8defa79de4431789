/*
 * charsmap.h -- SentencePiece's precompiled character map.
 *
 * A map is a trie of characters and short sequences, and what each is replaced
 * with (NFKC and more: full-width letters, ligatures, controls).  The bytes are
 * those of a SentencePiece model or, in base64, of tokenizer.json:
 *
 *     u32 size of the trie in bytes | its units, u32 each | replacements,
 *     each ended by a zero byte; all little-endian
 *
 * The units are darts-clone's.  They are checked once, when the map is opened:
 * after that no walk can leave them.
 */
#ifndef DBERT_TEXT_CHARSMAP_H
#define DBERT_TEXT_CHARSMAP_H

#include "base/status.h"

#include <stdint.h>

/* The longest replacement of nmt_nfkc has 33 bytes. */
#define DBERT_CHARSMAP_TEXT_MAX 1024

typedef struct DbertCharsmap
{
	const uint8_t *units;
	uint32_t	n_units;
	const uint8_t *texts;
	uint32_t	texts_size;
} DbertCharsmap;

/* A view of bytes, which must live on.  E_FORMAT, E_LIMIT: a sentence of it. */
extern DbertStatus dbert_charsmap_open(const void *bytes, size_t size, DbertCharsmap *map,
									   DbertError *err);

/*
 * What the shortest key that begins key[len] is replaced with, ended by a zero
 * byte; NULL: no key does.
 */
extern const uint8_t *dbert_charsmap_find(const DbertCharsmap *map, const uint8_t *key,
										  size_t len);

#endif
