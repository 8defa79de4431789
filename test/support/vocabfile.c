/*
 * vocabfile.c -- a vocab.txt and what it compiles to.
 */
#include "test/support/vocabfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *
read_whole_file(const char *path, size_t *size)
{
	FILE	   *f = fopen(path, "rb");
	char	   *text = NULL;
	long		len;

	if (f == NULL)
		return NULL;
	if (fseek(f, 0, SEEK_END) == 0 && (len = ftell(f)) >= 0 && fseek(f, 0, SEEK_SET) == 0)
	{
		text = malloc((size_t) len + 1);
		*size = fread(text, 1, (size_t) len, f);
		text[*size] = '\0';
	}
	fclose(f);
	return text;
}

static int32_t
vocab_find(const VocabFile *v, const char *token)
{
	for (int32_t i = 0; i < v->n; i++)
		if (strcmp(v->tokens[i], token) == 0)
			return i;
	return -1;
}

bool
vocab_load(VocabFile *v, const char *path, bool uncased)
{
	static const char *const special[] = {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"};
	size_t		size;
	int32_t		lines = 0;

	v->text = read_whole_file(path, &size);
	if (v->text == NULL)
		return false;
	for (size_t i = 0; i < size; i++)
		lines += (v->text[i] == '\n');
	v->tokens = calloc((size_t) lines + 1, sizeof(char *));
	v->lens = calloc((size_t) lines + 1, sizeof(size_t));
	v->n = 0;
	for (char *line = strtok(v->text, "\n"); line != NULL; line = strtok(NULL, "\n"))
	{
		v->tokens[v->n] = line;
		v->lens[v->n++] = strlen(line);
	}
	for (int i = 0; i < 5; i++)
		v->added[i] = (DbertAddedToken) {.text = special[i], .len = strlen(special[i]),
		.id = vocab_find(v, special[i]), .special = true};
	v->spec = (DbertTokenizerSpec)
	{
		.n_tokens = v->n, .tokens = v->tokens, .token_lens = v->lens,
		.n_added = 5, .added = v->added,
		.prefix = "##", .max_word_chars = 100,
		.clean_text = true, .split_cjk = true, .lowercase = uncased, .strip_accents = uncased,
		.unk_id = v->added[0].id, .cls_id = v->added[1].id, .sep_id = v->added[2].id,
		.pad_id = v->added[3].id, .mask_id = v->added[4].id
	};
	return true;
}

void
vocab_free(VocabFile *v)
{
	free(v->text);
	free(v->tokens);
	free(v->lens);
}
