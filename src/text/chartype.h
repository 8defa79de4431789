/*
 * chartype.h -- what a code point is, in the eyes of Hugging Face's tokenizers.
 *
 * That library (0.23) mixes several Unicode versions: the categories are those
 * of Unicode 8.0 (younger characters have none: they are neither punctuation
 * nor marks nor controls), decompositions and combining classes those of 9.0,
 * word characters those of 16.0, lower case that of 17.0.  The tables freeze
 * this, so that ids do not change with the libutf8proc that is installed.
 */
#ifndef DBERT_TEXT_CHARTYPE_H
#define DBERT_TEXT_CHARTYPE_H

#include <stdbool.h>
#include <stdint.h>

/* Property White_Space. */
extern bool dbert_char_is_space(uint32_t cp);

/*
 * Category P, or one of ASCII's other printing characters that are no letters
 * or digits.
 */
extern bool dbert_char_is_punct(uint32_t cp);

/*
 * What clean_text removes: Cc, Cf, Co and U+FFFD, but not tab, line feed,
 * carriage return.
 */
extern bool dbert_char_is_removed(uint32_t cp);

/* Category Mn. */
extern bool dbert_char_is_mark(uint32_t cp);

/* The blocks that handle_chinese_chars sets apart. */
extern bool dbert_char_is_cjk(uint32_t cp);

/* A word character of regular expressions (\w), for AddedToken.single_word. */
extern bool dbert_char_is_word(uint32_t cp);

/* What a character is to regular expressions: \p{L}, \p{N}, \s, or neither. */
typedef enum DbertCharClass
{
	DBERT_CLASS_OTHER,
	DBERT_CLASS_LETTER,
	DBERT_CLASS_NUMBER,
	DBERT_CLASS_SPACE
} DbertCharClass;

extern DbertCharClass dbert_char_class(uint32_t cp);

/* Category N of the same Unicode as that of \w, which is younger. */
extern bool dbert_char_is_number(uint32_t cp);

/* Canonical combining class. */
extern int	dbert_char_combining_class(uint32_t cp);

/* Full canonical decomposition, not reordered: writes 1 to 4 code points. */
#define DBERT_MAX_DECOMPOSED 4
extern int	dbert_char_decompose(uint32_t cp, uint32_t out[DBERT_MAX_DECOMPOSED]);

/* Full compatibility decomposition, not reordered. */
#define DBERT_MAX_COMPAT 18
extern int	dbert_char_decompose_compat(uint32_t cp, uint32_t out[DBERT_MAX_COMPAT]);

/* The character that canonically decomposes into a and b, 0: none. */
extern uint32_t dbert_char_compose(uint32_t a, uint32_t b);

/* Category M: nonspacing, spacing and enclosing marks. */
extern bool dbert_char_is_combining(uint32_t cp);

/* Lower case, without context; writes 1 or 2 code points (2: U+0130 alone). */
extern int	dbert_char_lower(uint32_t cp, uint32_t out[2]);

#endif
