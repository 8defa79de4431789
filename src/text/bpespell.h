/*
 * bpespell.h -- the tokens that a word of any length is merged to, found from
 * left to right.
 *
 * Source: the theorem and its use are GitHub's (van Antwerpen and Neubeck
 * 2024, "So many tokens, so little time", the crate bpe); the proof is in
 * bpespell.c.
 */
#ifndef DBERT_TEXT_BPESPELL_H
#define DBERT_TEXT_BPESPELL_H

#include "text/bpe.h"

/*
 * w->symbols[0 .. n) = the tokens of bytes[len], up to a byte at which no
 * token begins; *end = how many bytes they are.  If more bytes will follow,
 * only tokens which stay what they are, to the beginning of a character.
 * Needs table->spells.
 */
extern DbertStatus dbert_bpe_spell(DbertTokenizing *t, const DbertBpeTable *table,
								   DbertBpeWork *w, const uint8_t *bytes, size_t len, bool more,
								   size_t *end);

#endif
