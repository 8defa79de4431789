/*
 * options.h -- what numbers among a function's options must be.
 */
#ifndef DISTILBERT_PG_OPTIONS_H
#define DISTILBERT_PG_OPTIONS_H

/* Raise, naming the option, unless it is a score: 0 .. 1. */
extern void distil_check_score(const char *option, float value);

/* Raise unless it is 1 or more. */
extern void distil_check_at_least_one(const char *option, int value);

/*
 * Raise unless a text can be cut into chunks of so many tokens, which overlap
 * by so many.
 */
extern void distil_check_chunks(int max_tokens, int overlap);

#endif
