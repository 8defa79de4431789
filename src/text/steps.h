/*
 * steps.h -- the steps: what chain.c's table names.
 */
#ifndef DBERT_TEXT_STEPS_H
#define DBERT_TEXT_STEPS_H

#include "text/chain.h"

/* stepchars.c: those that look at one character */
extern DbertNext dbert_step_lowercase(DbertLink *l);
extern DbertNext dbert_step_nmt(DbertLink *l);

/* charsmap.c */
extern DbertNext dbert_step_charsmap(DbertLink *l);
extern DbertNext dbert_step_longest_map(DbertLink *l);
extern bool dbert_step_charsmap_valid(const DbertImageStep *step, const void *data);

/* stepspaces.c */
extern DbertNext dbert_step_replace(DbertLink *l);
extern DbertNext dbert_step_strip(DbertLink *l);
extern DbertNext dbert_step_prepend(DbertLink *l);
extern DbertNext dbert_step_metaspace(DbertLink *l);
extern bool dbert_step_text_valid(const DbertImageStep *step, const void *data);

/* stepwords.c: pre-tokenizers that go by what a character is */
extern DbertNext dbert_step_bert_words(DbertLink *l);
extern DbertNext dbert_step_whitespace(DbertLink *l);
extern DbertNext dbert_step_split_at(DbertLink *l);
extern DbertNext dbert_step_words(DbertLink *l);
extern DbertNext dbert_step_line_words(DbertLink *l);

/* stepunicode.c */
extern DbertNext dbert_step_unicode(DbertLink *l);
extern DbertNext dbert_step_strip_accents(DbertLink *l);

/* stepregex.c */
extern DbertNext dbert_step_space_before(DbertLink *l);
extern DbertNext dbert_step_regex(DbertLink *l);
extern bool dbert_step_regex_valid(const DbertImageStep *step, const void *data);

#endif
