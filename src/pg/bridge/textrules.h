/*
 * textrules.h -- what becomes of texts that are too long, and of those that
 * cannot be evaluated.
 *
 * Functions that do not name their model go by the session's settings.  Those
 * that name it are IMMUTABLE: their answers stand in indexes, generated columns
 * and constraints, so they go by their arguments alone, whatever a session has
 * set.
 */
#ifndef DISTILBERT_PG_TEXTRULES_H
#define DISTILBERT_PG_TEXTRULES_H

#include "dbert.h"

typedef enum DistilOnError
{
	DISTIL_ERROR_RAISE,
	DISTIL_ERROR_NULL
} DistilOnError;

typedef struct DistilTextRules
{
	DbertLongText long_text;
	DistilOnError on_error;
} DistilTextRules;

/* Long texts are read in windows, errors are raised. */
extern const DistilTextRules distil_fixed_rules;

/* As distilbert.long_text and distilbert.on_error say. */
extern DistilTextRules distil_session_rules(void);

/* The rule that an argument names; raises where there is no such rule. */
extern DbertLongText distil_long_text_of(const text *value);
extern DistilOnError distil_on_error_of(const text *value);

/* Defines both settings; called once by _PG_init. */
extern void distil_textrules_init(void);

#endif
