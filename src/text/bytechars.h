/*
 * bytechars.h -- bytes written as characters.
 *
 * Byte-level vocabularies write each byte as a character that can be seen: the
 * printing ones of Latin-1 stand for themselves, the other 68 in rising order
 * are U+0100, U+0101, ...  So a space is U+0120.
 *
 * Source: Radford et al. 2019 (GPT-2), encoder.py's bytes_to_unicode.
 */
#ifndef DBERT_TEXT_BYTECHARS_H
#define DBERT_TEXT_BYTECHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The character of a byte. */
extern uint32_t dbert_byte_char(uint8_t byte);

/*
 * The bytes that a token's text stands for, at most len; *n is how many.
 * false: one of its characters stands for none.
 */
extern bool dbert_byte_chars_read(const char *text, size_t len, uint8_t *bytes, size_t *n);

#endif
