/*
 * test_bpe.c -- the kinds that merge pairs, against their definition.
 *
 * The definition looks through all of a word for each merge.  Vocabularies are
 * random, of few letters: such as training makes, and such as it never does,
 * with ranks in disorder, tokens that several pairs become, or letters left out.
 * Words are random, too: most as long as words are, some longer than the blocks
 * that are read.
 */
#include "test/support/smallvocab.h"
#include "test/support/testhelp.h"
#include "text/bpetable.h"
#include "text/bytechars.h"
#include "text/utf8.h"

#define MAX_MERGES 600
#define MAX_CHARS 8000
#define VOCABULARIES 1200
#define WORDS 12

typedef struct Vocab
{
	SmallVocab	v;
	DbertMerge	merges[MAX_MERGES];
	int32_t		n_merges;
	int32_t		letters[8],		/* single symbols to merge */
				n_letters;
	DbertTokenizerSpec spec;
} Vocab;

typedef struct Symbol
{
	int32_t		id;
	int			len;			/* bytes of the word */
} Symbol;

static int32_t rank_of[SMALL_VOCAB_TOKENS][SMALL_VOCAB_TOKENS];	/* -1: no pair */
static Symbol symbols[4 * MAX_CHARS];
/* ---- vocabularies ---- */

static int32_t
add_byte(Vocab *v, int byte)
{
	uint8_t		text[5] = {0};

	(void) dbert_utf8_encode(dbert_byte_char((uint8_t) byte), text);
	return add(&v->v, (const char *) text);
}

/* Single symbols; of every fourth vocabulary one has no token. */
static void
add_letters(Vocab *v, bool bytes, int round)
{
	static const char *const chars[] = {"a", "b", "c", "\xc3\xa9", "\xe4\xb8\xad"};
	static const int parts[] = {'a', 'b', 'c', 0xc3, 0xa9};
	int			left_out = round % 8 >= 6 ? (int) random_below(5) : -1;

	add(&v->v, "<unk>");
	for (int i = 0; i < 5; i++)
		if (i != left_out)
			v->letters[v->n_letters++] = bytes ? add_byte(v, parts[i]) : add(&v->v, chars[i]);
	if (bytes)
		for (int i = 0; i < 256; i++)
			if (left_out < 0 || i != parts[left_out])
				add_byte(v, i);
	if (!bytes && round % 3 == 1)
		for (int i = 0; i < 256; i++)
		{
			char		name[8];

			snprintf(name, sizeof(name), "<0x%02X>", i);
			add(&v->v, name);
		}
}

/* A pair of letters or of what was merged from some. */
static void
add_merge(Vocab *v)
{
	int32_t		ids[2];
	char		both[100];

	for (int i = 0; i < 2; i++)
	{
		unsigned	which = random_below((unsigned) (v->n_letters + v->n_merges));

		ids[i] = which < (unsigned) v->n_letters ? v->letters[which]
												 : v->merges[which - (unsigned) v->n_letters].merged;
	}
	snprintf(both, sizeof(both), "%s%s", v->v.texts[ids[0]], v->v.texts[ids[1]]);
	if (strlen(both) < 16 && (random_below(8) == 0 || find(&v->v, both, strlen(both)) < 0))
		v->merges[v->n_merges++] = (DbertMerge) {ids[0], ids[1], add(&v->v, both)};
}

/* Merges as training makes them, each of a new token; n at most. */
static void
train(Vocab *v, int n)
{
	for (int i = 0; i < 20 * n && v->n_merges < n && v->v.n < SMALL_VOCAB_TOKENS - 1; i++)
		add_merge(v);
}

static void
swap_merges(Vocab *v, int a, int b)
{
	DbertMerge	m = v->merges[a];

	v->merges[a] = v->merges[b];
	v->merges[b] = m;
}

/* Every way to make each token of two, in the order of the tokens. */
static void
add_all_splits(Vocab *v)
{
	static DbertMerge before[MAX_MERGES];
	int			n = v->n_merges;

	memcpy(before, v->merges, sizeof(before));
	v->n_merges = 0;
	for (int i = 0; i < n; i++)
		for (size_t at = 1; at < v->v.lens[before[i].merged]; at++)
		{
			const char *text = v->v.texts[before[i].merged];
			int32_t		left = find(&v->v, text, at),
						right = find(&v->v, text + at, strlen(text) - at);

			if (left >= 0 && right >= 0 && v->n_merges < MAX_MERGES)
				v->merges[v->n_merges++] = (DbertMerge) {left, right, before[i].merged};
		}
}

static void
disorder(Vocab *v, int round)
{
	int			n = v->n_merges;

	if (round % 5 == 1)
		add_all_splits(v);
	if (round % 5 == 2)			/* a few */
		for (int i = 0; i < 3; i++)
			swap_merges(v, (int) random_below((unsigned) n), (int) random_below((unsigned) n));
	if (round % 5 == 3)			/* all */
		for (int i = 0; i < n; i++)
			swap_merges(v, i, (int) random_below((unsigned) n));
	/* pairs of characters without a token */
	if (round % 16 == 5)
		v->merges[v->n_merges++] = (DbertMerge) {0, v->letters[0], add(&v->v, "<unk>a")};
}

static void
make_vocab(Vocab *v, int round)
{
	bool		bytes = round % 2 == 0;

	memset(v, 0, sizeof(*v));
	add_letters(v, bytes, round);
	train(v, 4 + (int) random_below(100));
	disorder(v, round);
	v->spec = spec_of(&v->v, bytes ? DBERT_KIND_BYTEBPE : DBERT_KIND_CHARBPE);
	v->spec.merges = v->merges;
	v->spec.n_merges = v->n_merges;
	v->spec.unknown_id = random_below(4) > 0 ? 0 : -1;
	v->spec.fuse_unk = random_below(2);
	v->spec.byte_fallback = !bytes && round % 3 == 1;
	v->spec.ignore_merges = random_below(6) == 0;
	memset(rank_of, -1, sizeof(rank_of));
	for (int32_t i = 0; i < v->n_merges; i++)
		rank_of[v->merges[i].left][v->merges[i].right] = i;
}

/* ---- the definition ---- */

/* The symbols of a character of n bytes behind those of n_symbols. */
static size_t
add_symbols(const Vocab *v, const char *ch, int n, size_t n_symbols, bool *unknown)
{
	const DbertTokenizerSpec *s = &v->spec;
	bool		bytes = s->kind == DBERT_KIND_BYTEBPE;

	for (int i = 0; i < n; i += bytes ? 1 : n)
	{
		uint8_t		text[5] = {0};
		int32_t		id = bytes ? find(&v->v, (const char *) text,
									  (size_t) dbert_utf8_encode(dbert_byte_char((uint8_t) ch[i]), text))
							   : find(&v->v, ch, (size_t) n);
		bool		known = id >= 0;

		if (!known && s->byte_fallback)
		{
			for (int k = 0; k < n; k++)
			{
				char		name[8];

				snprintf(name, sizeof(name), "<0x%02X>", (uint8_t) ch[k]);
				symbols[n_symbols++] = (Symbol) {find(&v->v, name, 6), 1};
			}
			known = true;
		}
		else if (known)
			symbols[n_symbols++] = (Symbol) {id, bytes ? 1 : n};
		else if (*unknown && s->fuse_unk && s->unknown_id >= 0)
			symbols[n_symbols - 1].len += bytes ? 1 : n;
		else if (s->unknown_id >= 0)
			symbols[n_symbols++] = (Symbol) {s->unknown_id, bytes ? 1 : n};
		*unknown = !known;
	}
	return n_symbols;
}

/* Merge symbols[n] by looking through all of them; how many are left. */
static size_t
merge_all(const Vocab *v, size_t n)
{
	for (;;)
	{
		int32_t		best = v->n_merges;
		size_t		at = 0;

		for (size_t i = 0; i + 1 < n; i++)
		{
			int32_t		rank = rank_of[symbols[i].id][symbols[i + 1].id];

			if (rank >= 0 && rank < best)
			{
				best = rank;
				at = i;
			}
		}
		if (best == v->n_merges)
			return n;
		symbols[at] = (Symbol) {v->merges[best].merged, symbols[at].len + symbols[at + 1].len};
		n--;
		memmove(symbols + at + 1, symbols + at + 2, (n - at - 1) * sizeof(Symbol));
	}
}

/* The word's tokens are in symbols; how many. */
static size_t
define(const Vocab *v, const char *word, size_t len)
{
	size_t		n = 0;
	bool		unknown = false;
	char		written[100] = "";

	if (v->spec.ignore_merges && len < 16)
	{
		int32_t		id;

		for (size_t i = 0; i < len && v->spec.kind == DBERT_KIND_BYTEBPE; i++)
		{
			uint8_t		text[5] = {0};

			(void) dbert_utf8_encode(dbert_byte_char((uint8_t) word[i]), text);
			strcat(written, (const char *) text);
		}
		if (v->spec.kind == DBERT_KIND_CHARBPE)
			strcpy(written, word);
		id = find(&v->v, written, strlen(written));
		symbols[0] = (Symbol) {id, (int) len};
		if (id >= 0)
			return 1;
	}
	for (size_t i = 0; i < len;)
	{
		int			bytes = 1;

		while (dbert_utf8_is_tail((uint8_t) word[i + (size_t) bytes]))
			bytes++;
		n = add_symbols(v, word + i, bytes, n, &unknown);
		i += (size_t) bytes;
	}
	return merge_all(v, n);
}

/* ---- words ---- */

/* What the word is cut into must be symbols[n]. */
static void
check_word(const DbertTokenizer *t, const char *word, size_t len, size_t n, const char *which)
{
	DbertTokenList list = {0};
	DbertError	err;
	size_t		same = 0,
				at = 0;
	bool		truncated;

	CHECK(dbert_tokenize(t, word, len, NULL, 0, DBERT_NO_LIMIT, &dbert_malloc_allocator, NULL,
						 &list, &truncated, &err) == DBERT_OK);
	for (; same < n && same < list.count && list.items[same].id == symbols[same].id; same++)
	{
		/* the character that the token begins in */
		int32_t		start = dbert_utf8_count(word, at + 1) - 1;

		if (list.items[same].start != start)
			break;
		at += (size_t) symbols[same].len;
	}
	CHECK_MSG(same == n && same == list.count, "%s: %zu of %zu tokens of %zu bytes, %zu found",
			  which, same, n, len, list.count);

	/* a limit: the beginning of it */
	list.count = 0;
	CHECK(dbert_tokenize(t, word, len, NULL, 0, 20, &dbert_malloc_allocator, NULL, &list,
						 &truncated, &err) == DBERT_OK);
	CHECK(truncated == (n > 20) && list.count == (n > 20 ? 20 : n));
	for (size_t i = 0; i < list.count; i++)
		CHECK(list.items[i].id == symbols[i].id);
	dbert_token_list_free(&list, &dbert_malloc_allocator);
}

static size_t
random_word(char *word, size_t chars, int letters)
{
	static const char *const all[] = {"a", "b", "c", "\xc3\xa9", "\xe4\xb8\xad", "z", "\xc3\xa4"};
	int			first = (int) random_below(3);

	word[0] = '\0';
	for (size_t i = 0, at = 0; i < chars; i++)
		at += (size_t) sprintf(word + at, "%s", all[(first + (int) random_below((unsigned) letters)) % 7]);
	return strlen(word);
}

static void
check_vocab(const Vocab *v, int round)
{
	static char word[4 * MAX_CHARS + 1];
	DbertTokenizer t;
	DbertError	err;
	void	   *image;
	size_t		size;
	char		which[32];

	snprintf(which, sizeof(which), "vocabulary %d", round);
	CHECK(dbert_tokenizer_compile(&v->spec, &dbert_malloc_allocator, NULL, &image, &size, &err) ==
		  DBERT_OK);
	CHECK_MSG(dbert_tokenizer_open(image, size, &t, &err) == DBERT_OK, "%s", which);
	for (int i = 0; i < WORDS; i++)
	{
		bool		is_long = i == 0 && round % 16 < 2;
		size_t		chars = is_long ? 2000 + random_below(MAX_CHARS - 2000)
									: 1 + random_below(i < 6 ? 30 : 250);
		int			letters = i % 4 == 3 ? 7 : 1 + (int) random_below(5);
		size_t		len = random_word(word, chars, letters);

		check_word(&t, word, len, define(v, word, len), which);
	}
	free(image);
}

/* Thousands of words of hundreds of vocabularies. */
static void
test_definition(void)
{
	static Vocab v;

	for (int round = 0; round < VOCABULARIES && checks_failed < 10; round++)
	{
		make_vocab(&v, round);
		check_vocab(&v, round);
	}
}

/* A bit that is none. */
static void
test_forged_bits(void)
{
	static Vocab v;
	DbertTokenizer t;
	DbertError	err;
	void	   *image;
	size_t		size;
	DbertBpeTable *table;
	int			known = 0;

	make_vocab(&v, 0);
	CHECK(dbert_tokenizer_compile(&v.spec, &dbert_malloc_allocator, NULL, &image, &size, &err) ==
		  DBERT_OK);
	table = (DbertBpeTable *) dbert_image_model(image);
	CHECK(table->spells);
	for (int i = 0; i < 256; i++)
		known += table->dead_bits[i] > 0;
	CHECK(known > 0);
	table->dead_bits['z'] = 31;
	CHECK(dbert_tokenizer_open(image, size, &t, &err) == DBERT_OK);
	table->dead_bits['z'] = 32;
	CHECK(dbert_tokenizer_open(image, size, &t, &err) == DBERT_E_CORRUPT);
	free(image);
}

int
main(void)
{
	RUN(test_definition);
	RUN(test_forged_bits);
	return tests_end();
}
