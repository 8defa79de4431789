/*
 * test_chunk.c -- texts cut into chunks: where, and that each fits.
 */
#include "text/chunk.h"
#include "test/support/testhelp.h"

#include <string.h>

static DbertTokenizer tokenizer;

/*
 * Letters are pieces of words, and "xyz" inside a word is one; so are the letters
 * of Korean syllables; other characters are words of their own, unknown.
 */
static void
open_tokenizer(void **image)
{
	static char store[128][8];
	static const char *tokens[128];
	size_t		lens[128],
				size;
	int			n = 0;
	DbertTokenizerSpec spec = {
		.tokens = tokens,.token_lens = lens,.prefix = "##",.max_word_chars = 100,.clean_text = true,
		.split_cjk = true,.lowercase = true,.strip_accents = true,
		.unk_id = 0,.cls_id = 1,.sep_id = 2,.pad_id = -1,.mask_id = -1
	};

	tokens[n++] = "[UNK]";
	tokens[n++] = "[CLS]";
	tokens[n++] = "[SEP]";
	for (char c = 'a'; c <= 'z'; c++)
		for (int tail = 0; tail < 2; tail++, n++)
		{
			snprintf(store[n], sizeof(store[n]), "%s%c", tail ? "##" : "", c);
			tokens[n] = store[n];
		}
	tokens[n++] = "##xyz";
	/* letters of the syllables U+D55C and U+D558; one piece is of two syllables */
	tokens[n++] = "\u1112";
	tokens[n++] = "##\u1112";
	tokens[n++] = "##\u1161";
	tokens[n++] = "##\u11ab";
	tokens[n++] = "##\u11ab\u1112";
	for (int i = 0; i < n; i++)
		lens[i] = strlen(tokens[i]);
	spec.n_tokens = n;
	CHECK(dbert_tokenizer_compile(&spec, &dbert_malloc_allocator, NULL, image, &size, NULL) ==
		  DBERT_OK);
	CHECK(dbert_tokenizer_open(*image, size, &tokenizer, NULL) == DBERT_OK);
}

/* The bytes of characters start .. end - 1. */
static const char *
part(const char *text, int32_t start, int32_t end, size_t *len)
{
	const char *from = NULL;
	int32_t		chars = 0;

	for (const char *p = text;; p++)
	{
		if ((*p & 0xc0) == 0x80)
			continue;
		if (chars == start)
			from = p;
		if (chars++ == end)
		{
			*len = (size_t) (p - from);
			return from;
		}
	}
}

/* The chunks, each between bars. */
static void
check_chunks(const char *text, int max_tokens, int overlap, const char *want)
{
	DbertChunk *chunks;
	int			count;
	DbertError	err = {0};
	char		got[4096] = "";

	CHECK_MSG(dbert_chunk(&tokenizer, text, strlen(text), max_tokens, overlap,
						  &dbert_malloc_allocator, NULL, &chunks, &count, &err) == DBERT_OK,
			  "%s", err.msg);
	for (int i = 0; i < count; i++)
	{
		size_t		len;
		const char *from = part(text, chunks[i].start, chunks[i].end, &len);
		int64_t		tokens;

		snprintf(got + strlen(got), sizeof(got) - strlen(got), "|%.*s", (int) len, from);
		CHECK(dbert_count_tokens(&tokenizer, from, len, &dbert_malloc_allocator, NULL, &tokens,
								 NULL) == DBERT_OK);
		CHECK_MSG(tokens <= max_tokens, "\"%.*s\" has %d tokens", (int) len, from, (int) tokens);
	}
	CHECK_STR(got, want);
	dbert_free(&dbert_malloc_allocator, chunks);
}

static void
test_borders(void)
{
	check_chunks("", 10, 0, "");
	check_chunks("  \n ", 10, 0, "");
	check_chunks("abc", 10, 0, "|abc");
	check_chunks("  abc  ", 10, 0, "|abc");
	/* sentences first, words else, tokens if they must */
	check_chunks("Ab cd. Ef gh. Ij kl.", 12, 0, "|Ab cd. Ef gh.|Ij kl.");
	check_chunks("Ab cd. Ef gh. Ij kl.", 11, 0, "|Ab cd.|Ef gh.|Ij kl.");
	check_chunks("ab cd ef gh ij", 7, 0, "|ab cd|ef gh|ij");
	check_chunks("abcdefghij", 6, 0, "|abcd|efgh|ij");
	check_chunks("ab cdefghij", 6, 0, "|ab|cdef|ghij");
	/* a sentence that ends too early does not end the chunk */
	check_chunks("A. Bc de fg hi jk", 12, 0, "|A. Bc de fg hi|jk");
	/* "don't" goes into the next chunk as a whole, if it can */
	check_chunks("abc don't", 9, 0, "|abc|don't");
	check_chunks("don't", 6, 0, "|don'|t");
}

/* What begins inside a word has other tokens than it had there. */
static void
test_long_words(void)
{
	check_chunks("axyzb", 5, 0, "|axyzb");
	check_chunks("axyzb", 4, 0, "|axyz|b");
	check_chunks("axyzb", 3, 0, "|a|x|y|z|b");
	check_chunks("aaxyz bb", 4, 0, "|aa|xy|z|bb");
	check_chunks("c aaxyzxyzb", 4, 1, "|c|aa|xy|zxyz|b");
	/* there is no room for the overlap and the next word */
	check_chunks("ab cd efghij", 8, 3, "|ab cd|efghij");
	check_chunks("ab cd efghijkl", 8, 3, "|ab cd|efghij|kl");
}

static void
test_sentences(void)
{
	check_chunks("Ab? (Cd!) Ef", 10, 0, "|Ab? (Cd!)|Ef");
	check_chunks("abc e.g. def gh", 11, 0, "|abc e.g.|def gh");	/* at a space, not as a sentence */
	check_chunks("Ab. Cd 1.5 ef", 8, 0, "|Ab.|Cd 1.5|ef");
	check_chunks("abc\n\ncd ef gh", 8, 0, "|abc|cd ef gh");
	check_chunks("北京。東京！大阪", 6, 0, "|北京。|東京！|大阪");
	check_chunks("「北京。」東京", 8, 0, "|「北京。」|東京");
	/* one blank among ideographs is no better a place than others */
	check_chunks("北 京東京大阪", 6, 0, "|北 京東京|大阪");
	check_chunks("北京 東京大阪", 5, 0, "|北京|東京大|阪");
	check_chunks("北京東「大阪」", 6, 0, "|北京東|「大阪」");
}

static void
test_characters(void)
{
	/* a mark that is no token stays with its letter */
	check_chunks("cafe\xcc\x81 ab", 6, 0, "|cafe\xcc\x81|ab");
	check_chunks("\xf0\x9f\x98\x80 \xf0\x9f\x98\x80 \xf0\x9f\x98\x80", 4, 0,
				 "|\xf0\x9f\x98\x80 \xf0\x9f\x98\x80|\xf0\x9f\x98\x80");
	check_chunks("\xd7\xa9\xd7\x9c \xd7\xa2\xd7\x95", 3, 0, "|\xd7\xa9\xd7\x9c|\xd7\xa2\xd7\x95");
}

/* The error of chunks that one character does not fit into. */
static void
check_refused(const char *text, int max_tokens, const char *want)
{
	DbertChunk *chunks;
	int			count;
	DbertError	err = {0};

	CHECK(dbert_chunk(&tokenizer, text, strlen(text), max_tokens, 0, &dbert_malloc_allocator, NULL,
					  &chunks, &count, &err) == DBERT_E_LIMIT);
	CHECK(chunks == NULL && count == 0);
	CHECK_STR(err.msg, want);
}

/* Characters of several tokens are never cut. */
static void
test_syllables(void)
{
	check_chunks("\ud55c", 5, 0, "|\ud55c");
	check_chunks("\ud55c\ud55c", 5, 0, "|\ud55c|\ud55c");
	check_chunks("\ud55c\ud55c", 7, 0, "|\ud55c\ud55c");
	check_chunks("a\ud558b\ud55c", 5, 0, "|a\ud558|b|\ud55c");
	check_chunks("a\ud558b", 4, 0, "|a|\ud558|b");
	check_refused("\ud55c", 4,
				  "one character has 3 tokens, chunks of at most 4 tokens have room for 2: "
				  "max_tokens must be at least 5");
	check_refused("ab cd \ud558", 3,
				  "one character has 2 tokens, chunks of at most 3 tokens have room for 1: "
				  "max_tokens must be at least 4");
	check_refused("a\ud55c", 4,
				  "one character has 3 tokens, chunks of at most 4 tokens have room for 2: "
				  "max_tokens must be at least 5");
}

static void
test_overlap(void)
{
	check_chunks("ab cd ef gh ij", 8, 2, "|ab cd ef|ef gh ij");
	check_chunks("ab cd ef gh ij", 8, 3, "|ab cd ef|ef gh ij");
	check_chunks("Ab. Cd. Ef. Gh.", 11, 4, "|Ab. Cd. Ef.|Ef. Gh.");
	check_chunks("abcdefghij", 8, 3, "|abcdef|ghij");	/* no border to begin at */
	check_chunks("ab cd", 8, 3, "|ab cd");
}

static void
test_refusals(void)
{
	DbertChunk *chunks;
	int			count;
	DbertError	err;
	const int bad[][2] = { { 2, 0 },
						   { -1, 0 },
						   { 10, -1 },
						   { 10, 5 },
						   { INT32_MAX, INT32_MAX },
						   { INT32_MIN, INT32_MIN } };

	for (int i = 0; i < 6; i++)
		CHECK(dbert_chunk(&tokenizer, "a", 1, bad[i][0], bad[i][1], &dbert_malloc_allocator, NULL,
						  &chunks, &count, &err) == DBERT_E_INVALID &&
			  chunks == NULL && count == 0);
	CHECK(dbert_chunk(&tokenizer, "\xff", 1, 10, 0, &dbert_malloc_allocator, NULL, &chunks, &count,
					  &err) == DBERT_E_ENCODING);
	CHECK(dbert_chunk(&tokenizer, "a", 1, INT32_MAX, 4, &dbert_malloc_allocator, NULL, &chunks,
					  &count, &err) == DBERT_OK);
	CHECK(count == 1);
	dbert_free(&dbert_malloc_allocator, chunks);
}

/*
 * Whatever the text: chunks fit, go forward, and leave out white space alone.
 */
static void
test_random(void)
{
	static const char *const pieces[] = { "a",
										  "bc",
										  "xyz",
										  " ",
										  ". ",
										  "!",
										  "\n",
										  "\n\n",
										  "'",
										  "e\xcc\x81",
										  "京",
										  "。",
										  "\xf0\x9f\x98\x80",
										  "\ud55c",
										  "\ud558" };
	uint32_t	seed = 1;
	char		text[600];
	int			refused = 0;
	DbertStatus status;
	DbertError	err = {0};

	for (int round = 0; round < 6000; round++)
	{
		int			pieces_used = round % 100,
					most = 1,	/* tokens of one character */
					max_tokens = 3 + round % 17,
					overlap = round % ((max_tokens - 2) / 2 + 1),
					count;
		DbertChunk *chunks;
		int32_t		covered = 0;

		text[0] = '\0';
		for (int i = 0; i < pieces_used; i++)
		{
			seed = seed * 1664525 + 1013904223;
			strcat(text, pieces[(seed >> 16) % 15]);
		}
		most = strstr(text, "\ud55c") != NULL ? 3 : strstr(text, "\ud558") != NULL ? 2 : 1;
		status = dbert_chunk(&tokenizer, text, strlen(text), max_tokens, overlap,
							 &dbert_malloc_allocator, NULL, &chunks, &count, &err);
		CHECK_MSG(status == DBERT_OK || (status == DBERT_E_LIMIT && most > max_tokens - 2),
				  "\"%s\" in chunks of %d: %s", text, max_tokens, err.msg);
		refused += status != DBERT_OK;
		for (int i = 0; i < count; i++)
		{
			size_t		len;
			const char *from = part(text, chunks[i].start, chunks[i].end, &len);
			int64_t		tokens;

			CHECK(dbert_count_tokens(&tokenizer, from, len, &dbert_malloc_allocator, NULL, &tokens,
									 NULL) == DBERT_OK);
			CHECK_MSG(tokens <= max_tokens, "\"%.*s\" of \"%s\"", (int) len, from, text);
			CHECK(i == 0 ||
				  (chunks[i].start > chunks[i - 1].start && chunks[i].end > chunks[i - 1].end));
			if (chunks[i].start > covered)
			{
				from = part(text, covered, chunks[i].start, &len);
				CHECK_MSG(strspn(from, " \n") >= len, "\"%.*s\" is left out of \"%s\"", (int) len,
						  from, text);
			}
			covered = chunks[i].end;
		}
		dbert_free(&dbert_malloc_allocator, chunks);
	}
	CHECK(refused > 0 && refused < 1000);
}

/* Gives up at the n-th question. */
static bool
stop_soon(void *ctx)
{
	return --*(int *) ctx <= 0;
}

/* A word of many parts can be cancelled while it is cut. */
static void
test_cancel(void)
{
	char		text[91] = "";
	DbertChunk *chunks;
	int			count;

	memset(text, 'a', sizeof(text) - 1);
	for (int n = 1; n < 40; n++)
	{
		int			left = n;
		DbertPoll	poll = {.stop = stop_soon,.ctx = &left};

		CHECK(dbert_chunk(&tokenizer, text, strlen(text), 3, 0, &dbert_malloc_allocator, &poll,
						  &chunks, &count, NULL) == DBERT_E_CANCELLED);
		CHECK(chunks == NULL && count == 0);
	}
}

int
main(void)
{
	void	   *image;

	open_tokenizer(&image);
	RUN(test_borders);
	RUN(test_long_words);
	RUN(test_sentences);
	RUN(test_characters);
	RUN(test_syllables);
	RUN(test_overlap);
	RUN(test_refusals);
	RUN(test_random);
	RUN(test_cancel);
	dbert_free(&dbert_malloc_allocator, image);
	return tests_end();
}
