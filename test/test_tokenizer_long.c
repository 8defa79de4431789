/*
 * test_tokenizer_long.c -- words as long as texts: Unigram against its
 * definition.  (BPE: test_bpe.c)
 *
 * A kind that cuts a long word as it is read must give what it gives of it as a
 * whole.  The definition takes it as a whole: Viterbi's algorithm over all of
 * the word.  Vocabularies and words are random, of few letters.
 */
#include "test/support/smallvocab.h"
#include "test/support/testhelp.h"

#include <math.h>

#define MAX_CHARS 60000

typedef struct Vocab
{
	SmallVocab	v;
	double		scores[SMALL_VOCAB_TOKENS];
} Vocab;

static void
add_scored(Vocab *v, const char *text, double score)
{
	int32_t		before = v->v.n,
				id = add(&v->v, text);

	if (id == before)
		v->scores[id] = score;
}

static void
random_word(char *word, size_t n, const char *letters)
{
	for (size_t i = 0; i < n; i++)
		word[i] = letters[random_below((unsigned) strlen(letters))];
	word[n] = '\0';
}

/* The tokens of the word must be want[n], each beginning at from[i]. */
static void
check_word(const DbertTokenizerSpec *spec, const char *word, size_t len, const int32_t *want,
		   const int32_t *from, size_t n)
{
	DbertTokenizer t;
	DbertTokenList list = {0};
	DbertError	err;
	void	   *image;
	size_t		size,
				same = 0;
	bool		truncated;

	CHECK(dbert_tokenizer_compile(spec, &dbert_malloc_allocator, NULL, &image, &size, &err) ==
		  DBERT_OK);
	CHECK(dbert_tokenizer_open(image, size, &t, &err) == DBERT_OK);
	CHECK(dbert_tokenize(&t, word, len, NULL, 0, DBERT_NO_LIMIT, &dbert_malloc_allocator, NULL,
						 &list, &truncated, &err) == DBERT_OK);
	while (same < n && same < list.count && list.items[same].id == want[same] &&
		   list.items[same].start == from[same])
		same++;
	CHECK_MSG(same == n && same == list.count, "%zu of %zu tokens, %zu found", same, n,
			  list.count);

	/* a limit: the beginning of it */
	list.count = 0;
	CHECK(dbert_tokenize(&t, word, len, NULL, 0, 50, &dbert_malloc_allocator, NULL, &list,
						 &truncated, &err) == DBERT_OK);
	CHECK(truncated == (n > 50) && list.count == (n > 50 ? 50 : n));
	for (size_t i = 0; i < list.count; i++)
		CHECK(list.items[i].id == want[i]);
	dbert_token_list_free(&list, &dbert_malloc_allocator);
	free(image);
}

/* ---- Unigram ---- */

static int32_t want[MAX_CHARS],
			from[MAX_CHARS];

/* Tokens of the word, by the definition. */
static size_t
best_cut(const Vocab *v, const char *word, size_t len)
{
	double	   *sums = calloc(len + 1, sizeof(double));
	int32_t    *ids = calloc(len + 1, sizeof(int32_t)),
			   *starts = calloc(len + 1, sizeof(int32_t));
	double		least = 0;
	size_t		n = 0;

	for (int32_t i = 0; i < v->v.n; i++)
		least = fmin(least, v->scores[i]);
	for (size_t i = 1; i <= len; i++)
		starts[i] = -1;
	for (size_t at = 0; at < len; at++)
		for (size_t end = at + 1; end <= len && end <= at + 15; end++)
		{
			int32_t		id = find(&v->v, word + at, end - at);
			double		sum = sums[at] + (id >= 0 ? v->scores[id] : least - 10);

			if (id < 0 && end > at + 1)
				continue;
			id = id < 0 ? 0 : id;
			if (starts[end] >= 0 && !(sum > sums[end]))
				continue;
			sums[end] = sum;
			ids[end] = id;
			starts[end] = (int32_t) at;
		}
	for (size_t end = len; end > 0; end = (size_t) starts[end])
	{
		/* neighbouring unknown ones melt */
		if (ids[end] == 0 && n > 0 && want[n - 1] == 0)
			from[n - 1] = starts[end];
		else
		{
			want[n] = ids[end];
			from[n++] = starts[end];
		}
	}
	for (size_t i = 0; i < n / 2; i++)
	{
		int32_t		id = want[i],
					start = from[i];

		want[i] = want[n - 1 - i];
		from[i] = from[n - 1 - i];
		want[n - 1 - i] = id;
		from[n - 1 - i] = start;
	}
	free(sums);
	free(ids);
	free(starts);
	return n;
}

static void
check_unigram(const Vocab *v, const char *word, size_t len)
{
	DbertTokenizerSpec spec = spec_of(&v->v, DBERT_KIND_UNIGRAM);
	size_t		n = best_cut(v, word, len);

	spec.scores = v->scores;
	check_word(&spec, word, len, want, from, n);
}

static void
test_unigram(void)
{
	static char word[MAX_CHARS + 1];

	for (int round = 0; round < 12; round++)
	{
		Vocab		v = {.v.n = 0};
		const char *letters = round % 3 == 0 ? "ab" : round % 3 == 1 ? "abcz" : "abbbbbbz";
		size_t		len = round < 6 ? 9000 : 1 + random_below(5000);

		add_scored(&v, "<unk>", 0);
		/* letters that are no token are unknown */
		for (const char *c = "abc"; *c != '\0'; c++)
			if (round % 4 != 3 || *c == 'a')
				add_scored(&v, (char[2]) {*c, '\0'}, -2.0 - random_below(8) / 4.0);
		while (v.v.n < 30)
		{
			char		piece[16];

			random_word(piece, 2 + random_below(7), "abc");
			add_scored(&v, piece, -2.0 - random_below(64) / 16.0);
		}
		random_word(word, len, letters);
		check_unigram(&v, word, len);
	}
}

/* Paths that never meet: nothing can be decided before the end. */
static void
test_apart(void)
{
	static char word[MAX_CHARS + 1];
	Vocab		v = {.v.n = 0};

	add_scored(&v, "<unk>", 0);
	add_scored(&v, "aaa", -1);
	memset(word, 'a', 20000);
	for (size_t len = 19998; len <= 20000; len++)
		check_unigram(&v, word, len);
}

int
main(void)
{
	RUN(test_unigram);
	RUN(test_apart);
	return tests_end();
}
