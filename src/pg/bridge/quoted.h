/*
 * quoted.h -- lists of names in messages.
 */
#ifndef DISTILBERT_PG_QUOTED_H
#define DISTILBERT_PG_QUOTED_H

#include "lib/stringinfo.h"

/* One name more at the end of a list: "a", "b" */
extern void distil_append_quoted(StringInfo list, const char *name);

/* Names [n], or the first most of them and dots.  palloc'd. */
extern const char *distil_quoted_list(const char *const *names, int n, int most);

/* Names [n] as they stand in a sentence: a, b and c.  palloc'd. */
extern const char *distil_joined_list(const char *const *names, int n);

#endif
