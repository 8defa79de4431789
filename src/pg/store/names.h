/*
 * names.h -- the names of models.
 */
#ifndef DISTILBERT_PG_NAMES_H
#define DISTILBERT_PG_NAMES_H

#include "nodes/pg_list.h"

/*
 * Is this a name that a model can have?  1 to 63 ASCII letters, digits and
 * "._-/", the first a letter or a digit: what the Hub allows ("org/model")
 * and what is the same in every encoding.
 */
extern bool distil_valid_name(const char *name);

/* Raise unless it is. */
extern void distil_check_name(const char *name);

/* Sort a List of strings byte by byte, in place. */
extern void distil_sort_strings(List *strings);

#endif
