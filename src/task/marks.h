/*
 * marks.h -- combining marks at the beginning of a text.
 */
#ifndef DBERT_TASK_MARKS_H
#define DBERT_TASK_MARKS_H

#include <stddef.h>

/* Bytes of the combining marks (category Mn) with which a text begins. */
extern size_t dbert_leading_marks(const char *text, size_t len);

#endif
