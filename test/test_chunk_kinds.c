/*
 * test_chunk_kinds.c -- texts cut into chunks by tokenizers whose tokens hold
 * white space, or bring the space before a word along, or know no words.
 */
#include "model/tokenizerfiles.h"
#include "text/chunk.h"
#include "text/utf8.h"
#include "test/support/dirsource.h"
#include "test/support/testhelp.h"

#include <string.h>

static const char *const kinds[] = { "roberta",     "roberta-prefix", "modernbert", "byte-split",
									 "xlm-roberta", "deberta-v2",     "camembert",  "albert",
									 "gemma",       "llama",          "mpnet",      "unigram-bytes" };
#define KINDS ((int) (sizeof(kinds) / sizeof(kinds[0])))

typedef struct Kind
{
	DbertSource source;
	DbertArena	arena;
	DbertTokenizerFiles files;
	DbertTokenizer tokenizer;
	char		dir[256];
} Kind;

static void
kind_open(Kind *k, const char *name)
{
	DbertFileList used = {0};
	DbertError	err = {0};

	memset(k, 0, sizeof(*k));
	k->arena.alloc = &dbert_malloc_allocator;
	snprintf(k->dir, sizeof(k->dir), "test/fixtures/tokenizer-%s", name);
	k->source = dir_source(k->dir);
	CHECK_MSG(dbert_tokenizer_files_read(&k->source, "", "bert", 1 << 20, &dbert_malloc_allocator,
										 &k->arena, NULL, &k->files, &used, &err) == DBERT_OK &&
				  dbert_tokenizer_open(k->files.image, k->files.image_size, &k->tokenizer, &err) ==
					  DBERT_OK,
			  "%s: %s", name, err.msg);
}

static void
kind_close(Kind *k)
{
	dbert_free(&dbert_malloc_allocator, k->files.image);
	dbert_arena_end(&k->arena);
}

/* The bytes of a chunk. */
static const char *
part(const char *text, int32_t start, int32_t end, size_t *len)
{
	DbertTextPlace place = dbert_text_begin(text, strlen(text));
	const char *from = (const char *) dbert_text_go(&place, start);

	*len = (size_t) ((const char *) dbert_text_go(&place, end) - from);
	return from;
}

static bool
is_blank(const char *from, size_t len)
{
	return strspn(from, " \t\n") >= len;
}

/* Does chunk i fit, and go on from the one before? */
static void
check_chunk(const Kind *k, const char *text, int max_tokens, const DbertChunk *chunks, int i)
{
	int32_t		covered = i > 0 ? chunks[i - 1].end : 0;
	size_t		len;
	const char *from = part(text, chunks[i].start, chunks[i].end, &len);
	int64_t		tokens = 0;

	CHECK_MSG(len > 0 && !is_blank(from, 1) && !is_blank(from + len - 1, 1),
			  "%s: chunk \"%.*s\" of \"%s\"", k->dir, (int) len, from, text);
	CHECK(dbert_count_tokens(&k->tokenizer, from, len, &dbert_malloc_allocator, NULL, &tokens,
							 NULL) == DBERT_OK);
	CHECK_MSG(tokens <= max_tokens, "%s: \"%.*s\" of \"%s\" has %d tokens, not %d", k->dir,
			  (int) len, from, text, (int) tokens, max_tokens);
	CHECK_MSG(i == 0 || (chunks[i].start > chunks[i - 1].start && chunks[i].end > covered),
			  "%s: no way on in \"%s\"", k->dir, text);
	if (chunks[i].start > covered)
	{
		from = part(text, covered, chunks[i].start, &len);
		CHECK_MSG(is_blank(from, len), "%s: \"%.*s\" is left out of \"%s\"", k->dir, (int) len,
				  from, text);
	}
}

/* How many chunks there are; -1: a character has no room. */
static int
check_text(const Kind *k, const char *text, int max_tokens, int overlap)
{
	DbertChunk *chunks;
	int			count;
	size_t		len;
	DbertError	err = {0};
	DbertStatus status = dbert_chunk(&k->tokenizer, text, strlen(text), max_tokens, overlap,
									 &dbert_malloc_allocator, NULL, &chunks, &count, &err);

	if (status == DBERT_E_LIMIT)
		return -1;
	CHECK_MSG(status == DBERT_OK, "%s: \"%s\": %s", k->dir, text, err.msg);
	for (int i = 0; i < count; i++)
		check_chunk(k, text, max_tokens, chunks, i);
	if (count > 0)
	{
		const char *rest = part(text, chunks[count - 1].end, INT32_MAX, &len);

		CHECK_MSG(is_blank(rest, len), "%s: \"%s\" is left out", k->dir, rest);
	}
	else
		CHECK_MSG(is_blank(text, strlen(text)), "%s: \"%s\" has no chunks", k->dir, text);
	dbert_free(&dbert_malloc_allocator, chunks);
	return count;
}

/* A text of random words, white space and characters. */
static void
make_text(char *text, int pieces_used, uint32_t *seed)
{
	static const char *const pieces[] = {
		"a",  "the", "quick", "unbelievably", " ",            " ",     " ",    "  ",
		". ", "!",   "\n",    "\n\n",         "e\xcc\x81",    "京",    "。",   "\xf0\x9f\x98\x80",
		"\t", "'s",  " I",    "zebra",        "\xed\x95\x9c", " of ", " the "
	};

	text[0] = '\0';
	for (int i = 0; i < pieces_used; i++)
	{
		*seed = *seed * 1664525 + 1013904223;
		strcat(text, pieces[(*seed >> 16) % (sizeof(pieces) / sizeof(pieces[0]))]);
	}
}

static void
test_random(void)
{
	char		text[2000];
	uint32_t	seed = 1;

	for (int i = 0; i < KINDS; i++)
	{
		Kind		k;
		int			refused = 0;

		kind_open(&k, kinds[i]);
		for (int round = 0; round < 800; round++)
		{
			int			max_tokens = 8 + round % 31;

			make_text(text, round % 100, &seed);
			refused += check_text(&k, text, max_tokens, round % ((max_tokens - 4) / 2)) < 0;
		}
		CHECK_MSG(refused < 400, "%s: %d are refused", kinds[i], refused);
		kind_close(&k);
	}
}

static void
test_blanks(void)
{
	for (int i = 0; i < KINDS; i++)
	{
		Kind		k;

		kind_open(&k, kinds[i]);
		CHECK(check_text(&k, "", 10, 0) == 0);
		CHECK(check_text(&k, " ", 10, 0) == 0);
		CHECK(check_text(&k, "  \n\t ", 10, 2) == 0);
		CHECK(check_text(&k, " a ", 20, 0) == 1);
		kind_close(&k);
	}
}

/* A space that a token brings along ends a sentence as any other. */
static void
test_sentences(void)
{
	const char *text = "The film was good. I loved it. The end.";

	for (int i = 0; i < KINDS; i++)
	{
		Kind		k;
		int64_t		tokens = 0;
		DbertChunk *chunks = NULL;
		int			count = 0;

		kind_open(&k, kinds[i]);
		CHECK(dbert_count_tokens(&k.tokenizer, text, strlen(text), &dbert_malloc_allocator, NULL,
								 &tokens, NULL) == DBERT_OK);
		CHECK(dbert_chunk(&k.tokenizer, text, strlen(text), (int32_t) tokens - 1, 0,
						  &dbert_malloc_allocator, NULL, &chunks, &count, NULL) == DBERT_OK);
		CHECK_MSG(count == 2 && chunks[0].end == 30 && chunks[1].start == 31,
				  "%s: %d chunks, the first ends at %d", kinds[i], count,
				  count > 0 ? (int) chunks[0].end : -1);
		dbert_free(&dbert_malloc_allocator, chunks);
		kind_close(&k);
	}
}

/* What the work is measured by: how often it asks whether to stop. */
static bool
count_polls(void *ctx)
{
	++*(int *) ctx;
	return false;
}

static int
polls_of(const Kind *k, int letters)
{
	char	   *text = malloc((size_t) letters);
	DbertChunk *chunks;
	int			polls = 0,
				count;
	DbertPoll	poll = {.stop = count_polls,.ctx = &polls};

	for (int i = 0; i < letters; i++)
		text[i] = (char) ('a' + i % 7 * i % 26);
	CHECK(dbert_chunk(&k->tokenizer, text, (size_t) letters, 100, 0, &dbert_malloc_allocator, &poll,
					  &chunks, &count, NULL) == DBERT_OK);
	dbert_free(&dbert_malloc_allocator, chunks);
	free(text);
	return polls;
}

/* Four times as long a word takes four times the work, not sixteen times. */
static void
test_long_words(void)
{
	for (int i = 0; i < KINDS; i++)
	{
		Kind		k;

		kind_open(&k, kinds[i]);
		CHECK_MSG(polls_of(&k, 80000) < 6 * polls_of(&k, 20000), "%s: %d, %d", kinds[i],
				  polls_of(&k, 20000), polls_of(&k, 80000));
		kind_close(&k);
	}
}

int
main(void)
{
	RUN(test_blanks);
	RUN(test_sentences);
	RUN(test_random);
	RUN(test_long_words);
	return tests_end();
}
