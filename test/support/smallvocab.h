/*
 * smallvocab.h -- vocabularies that a test makes up by chance.
 */
#ifndef DBERT_TEST_SMALLVOCAB_H
#define DBERT_TEST_SMALLVOCAB_H

#include "text/tokenizer.h"

#include <stdio.h>
#include <string.h>

#define SMALL_VOCAB_TOKENS 400

typedef struct SmallVocab
{
	char		texts[SMALL_VOCAB_TOKENS][48];
	const char *tokens[SMALL_VOCAB_TOKENS];
	size_t		lens[SMALL_VOCAB_TOKENS];
	int32_t		n;
} SmallVocab;

static unsigned random_state = 1;

static inline unsigned
random_below(unsigned n)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % n;
}

static inline int32_t
find(const SmallVocab *v, const char *text, size_t len)
{
	for (int32_t i = 0; i < v->n; i++)
		if (v->lens[i] == len && memcmp(v->texts[i], text, len) == 0)
			return i;
	return -1;
}

/* A token's id, which is new if there was none. */
static inline int32_t
add(SmallVocab *v, const char *text)
{
	int32_t		i = find(v, text, strlen(text));

	if (i >= 0)
		return i;
	i = v->n++;
	snprintf(v->texts[i], sizeof(v->texts[i]), "%s", text);
	v->tokens[i] = v->texts[i];
	v->lens[i] = strlen(text);
	return i;
}

/* A tokenizer of that kind without steps and templates: a text is a word. */
static inline DbertTokenizerSpec
spec_of(const SmallVocab *v, DbertTokenKindId kind)
{
	static const DbertTemplate none;

	return (DbertTokenizerSpec)
	{
		.kind = kind, .n_tokens = v->n, .tokens = v->tokens, .token_lens = v->lens,
		.split_by_steps = true, .single = &none, .pair = &none, .unk_id = 0, .cls_id = -1,
		.sep_id = -1, .pad_id = -1, .mask_id = -1
	};
}

#endif
