/*
 * ascii.h -- comparing names without regard to case, whatever the locale.
 */
#ifndef DBERT_TASK_ASCII_H
#define DBERT_TASK_ASCII_H

#include <stdbool.h>

static inline char
dbert_ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

/* lower is in lower case already */
static inline bool
dbert_ascii_equal(const char *s, const char *lower)
{
	while (*s != '\0' && dbert_ascii_lower(*s) == *lower)
	{
		s++;
		lower++;
	}
	return *s == '\0' && *lower == '\0';
}

#endif
