/*
 * textspaces.h -- words as Python's str.split has them: what stands between
 * white space.
 *
 * That is Unicode's property White_Space and four separators of ASCII.  Bytes
 * that are no UTF-8 are no white space.
 */
#ifndef DBERT_TASK_TEXTSPACES_H
#define DBERT_TASK_TEXTSPACES_H

#include <stdbool.h>
#include <stddef.h>

/* The first word of text[len] from *end on; false: there is none. */
extern bool dbert_next_word(const char *text, size_t len, size_t *start, size_t *end);

/* The length without white space at the end. */
extern size_t dbert_without_last_spaces(const char *text, size_t len);

#endif
