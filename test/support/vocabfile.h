/*
 * vocabfile.h -- for tests: read a vocab.txt and compile it with the settings
 * of bert-base-uncased, or with those of a cased model.
 */
#ifndef DBERT_TEST_VOCABFILE_H
#define DBERT_TEST_VOCABFILE_H

#include "text/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct VocabFile
{
	char	   *text;			/* the file, lines terminated */
	const char **tokens;
	size_t	   *lens;
	int32_t		n;
	DbertAddedToken added[5];
	DbertTokenizerSpec spec;
} VocabFile;

/* With a zero behind; NULL: no such file.  To be freed. */
extern char *read_whole_file(const char *path, size_t *size);

/* false: no such file.  uncased: lower case and no accents. */
extern bool vocab_load(VocabFile *v, const char *path, bool uncased);
extern void vocab_free(VocabFile *v);

#endif
