/*
 * template.h -- a text with places for a word.
 */
#ifndef DISTILBERT_PG_TEMPLATE_H
#define DISTILBERT_PG_TEMPLATE_H

#include "lib/stringinfo.h"

/* Append the template with word [len] in all the places that read as slot. */
extern void distil_append_filled(StringInfo out, const char *template, const char *slot,
								 const char *word, int len);

#endif
