/*
 * steps.h -- the steps: what chain.c's table names.
 */
#ifndef DBERT_TEXT_STEPS_H
#define DBERT_TEXT_STEPS_H

#include "text/chain.h"

/* stepchars.c: those that look at one character */
extern DbertNext dbert_step_lowercase(DbertLink *l);

/* stepwords.c: pre-tokenizers that go by what a character is */
extern DbertNext dbert_step_bert_words(DbertLink *l);

#endif
