/*
 * tokens.c -- the tokenizer alone, for bench/peers.py to time against others.
 *
 *     bench/tokens DIR FILE ...
 *
 * Compiles the tokenizer of the Hugging Face directory DIR and answers each
 * line of the input with the seconds that tokenising the lines of each FILE took
 * in turn, each line a text of its own, by the thread's processor time, and with
 * the number of tokens.
 */
#include "model/tokenizerfiles.h"
#include "test/support/dirsource.h"
#include "text/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_VOCAB (1 << 20)

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static void __attribute__((noreturn))
die(const DbertError *err)
{
	fprintf(stderr, "%s: %s\n", dbert_status_text(err->code), err->msg);
	exit(1);
}

static char *
read_file(const char *path, size_t *size)
{
	FILE	   *f = fopen(path, "rb");
	char	   *text;

	if (f == NULL || fseek(f, 0, SEEK_END) != 0)
	{
		perror(path);
		exit(1);
	}
	*size = (size_t) ftell(f);
	rewind(f);
	text = malloc(*size + 1);
	if (text == NULL || fread(text, 1, *size, f) != *size)
		abort();
	fclose(f);
	return text;
}

/* Returns the number of tokens of all lines; list is room to work in. */
static size_t
tokenize_lines(const DbertTokenizer *tokenizer, const char *text, size_t size, DbertTokenList *list)
{
	size_t		total = 0;
	DbertError	err;
	bool		truncated;

	for (const char *end = text + size, *next; text < end; text = next)
	{
		const char *newline = memchr(text, '\n', end - text);
		size_t		len = (newline ? newline : end) - text;

		next = text + len + 1;
		list->count = 0;
		if (dbert_tokenize(tokenizer, text, len, NULL, 0, DBERT_NO_LIMIT, &dbert_malloc_allocator,
						   NULL, list, &truncated, &err) != DBERT_OK)
			die(&err);
		total += list->count;
	}
	return total;
}

int
main(int argc, char **argv)
{
	DbertSource source;
	DbertTokenizerFiles files = {0};
	DbertArena pool = {.alloc = &dbert_malloc_allocator};
	DbertFileList used = {0};
	DbertTokenizer tokenizer;
	DbertTokenList list = {0};
	DbertError	err;
	char	  **texts = calloc((size_t) argc, sizeof(char *));
	size_t	   *sizes = calloc((size_t) argc, sizeof(size_t));
	char		line[16];

	if (argc < 3 || texts == NULL || sizes == NULL)
		return 2;
	source = dir_source(argv[1]);
	if (dbert_tokenizer_files_read(&source, "", "bert", MAX_VOCAB, &dbert_malloc_allocator, &pool, NULL,
								   &files, &used, &err) != DBERT_OK ||
		dbert_tokenizer_open(files.image, files.image_size, &tokenizer, &err) != DBERT_OK)
		die(&err);
	for (int i = 2; i < argc; i++)
		texts[i] = read_file(argv[i], &sizes[i]);
	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		for (int i = 2; i < argc; i++)
		{
			double		start = seconds();
			size_t		count = tokenize_lines(&tokenizer, texts[i], sizes[i], &list);

			printf("%.9f %zu%s", seconds() - start, count, i + 1 < argc ? " " : "\n");
		}
		fflush(stdout);
	}
	dbert_token_list_free(&list, &dbert_malloc_allocator);
	dbert_free(&dbert_malloc_allocator, files.image);
	dbert_arena_end(&pool);
	for (int i = 2; i < argc; i++)
		free(texts[i]);
	free(texts);
	free(sizes);
	return 0;
}
