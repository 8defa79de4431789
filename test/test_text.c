/*
 * test_text.c -- the text room: UTF-8, tries, images, the tokenizer's errors,
 * limits, memory and amount of work.  (Whether ids and offsets are right is
 * test_tokenizer_golden.c's question.)
 */
#include "test/support/testhelp.h"

#include "text/chartype.h"
#include "text/tokimage.h"
#include "text/utf8.h"

#include <limits.h>
#include <utf8proc.h>

/* ---- a small tokenizer ---- */

static const char *const small_vocab[] = {
	"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "##a", "##b", "##c", "abc", "##bc",
	"word",
	"##s", ".", ",", "\xe4\xb8\xad", "\xc3\xa9", "i", "##\xcc\x87", "[", "]", "mask"
};

#define N_SMALL ((int32_t) (sizeof(small_vocab) / sizeof(small_vocab[0])))

typedef struct Small
{
	const char *tokens[N_SMALL + 3];
	size_t		lens[N_SMALL + 3];
	DbertAddedToken added[8];
	DbertTokenizerSpec spec;
	void	   *image;
	size_t		size;
	DbertTokenizer t;
	DbertError	err;
} Small;

/* [MASK] and three more added tokens, of the kinds there are. */
static void
small_spec(Small *s)
{
	memset(s, 0, sizeof(*s));
	for (int32_t i = 0; i < N_SMALL; i++)
	{
		s->tokens[i] = small_vocab[i];
		s->lens[i] = strlen(small_vocab[i]);
	}
	s->added[0] = (DbertAddedToken) {.text = "[MASK]", .len = 6, .id = 4, .special = true};
	s->added[1] =
		(DbertAddedToken){ .text = "<q>", .len = 3, .id = N_SMALL, .lstrip = true, .rstrip = true };
	s->added[2] = (DbertAddedToken){
		.text = "Foo", .len = 3, .id = N_SMALL + 1, .normalized = true, .single_word = true
	};
	s->added[3] = (DbertAddedToken) {.text = "zz", .len = 2, .id = N_SMALL + 2, .normalized = true,
	.lstrip = true, .rstrip = true};
	s->spec = (DbertTokenizerSpec){ .n_tokens = N_SMALL + 3,
									.tokens = s->tokens,
									.token_lens = s->lens,
									.n_added = 4,
									.added = s->added,
									.prefix = "##",
									.max_word_chars = 100,
									.clean_text = true,
									.split_cjk = true,
									.lowercase = true,
									.strip_accents = true,
									.pad_id = 0,
									.unk_id = 1,
									.cls_id = 2,
									.sep_id = 3,
									.mask_id = 4 };
}

static DbertStatus
small_compile(Small *s)
{
	DBERT_TRY(
		dbert_tokenizer_compile(&s->spec, &dbert_malloc_allocator, NULL, &s->image, &s->size,
								&s->err));
	return dbert_tokenizer_open(s->image, s->size, &s->t, &s->err);
}

static DbertStatus
tokenize(const DbertTokenizer *t, const char *text, size_t len, int32_t max_tokens,
		 const DbertPoll *poll, DbertTokenList *list, bool *truncated, DbertError *err)
{
	list->count = 0;
	return dbert_tokenize(t, text, len, NULL, 0, max_tokens, &dbert_malloc_allocator, poll, list,
						  truncated, err);
}

/* ---- UTF-8 ---- */

static void
test_utf8_round_trip(void)
{
	bool		ok = true;

	for (uint32_t cp = 0; cp < 0x110000; cp++)
	{
		uint8_t		b[4];
		uint32_t	back = 0,
					before = 0;
		int			len;

		if (cp >= 0xd800 && cp < 0xe000)
			continue;
		len = dbert_utf8_encode(cp, b);
		ok = ok && dbert_utf8_decode(b, b + len, &back) == len && back == cp &&
			dbert_utf8_decode_before(b, b + len, &before) == len && before == cp;
		for (int cut = 1; cut < len; cut++)
			ok = ok && dbert_utf8_decode(b, b + cut, &back) == 0;
	}
	CHECK(ok);
}

/* Every first byte with tails around all borders, against libutf8proc. */
static void
test_utf8_validity(void)
{
	static const uint8_t tails[] = { 0x00, 'A',  0x7f, 0x80, 0x81, 0x8f,
									 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff };
	size_t		n = sizeof(tails);
	bool		ok = true;

	for (size_t i = 0; i < 256 * n * n * n; i++)
	{
		uint8_t b[4] = { (uint8_t) (i % 256), tails[i / 256 % n], tails[i / 256 / n % n],
						 tails[i / 256 / n / n] };
		utf8proc_int32_t want;
		uint32_t	got = 0;
		int			len = (int) utf8proc_iterate(b, 4, &want);

		if (len < 0)
			len = 0;
		ok = ok && dbert_utf8_decode(b, b + 4, &got) == len && (len == 0 || (int32_t) got == want);
	}
	CHECK(ok);
}

static void
test_invalid_utf8_is_refused(void)
{
	static const char *const bad[] = {
		"\x80", "a\xff", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
		"abc \xe4\xb8", "\xc3",
		"\xf0\x9f\x98", "\xe4[MASK]", "[MASK]\x80", "a\xcc[MASK]", "\xcc\x81\xcc",
		"\xe4\xb8\xad\xb8", "<q>\xe3\x80"
	};
	Small		s;
	DbertTokenList list = {0};
	bool		truncated;

	small_spec(&s);
	CHECK(small_compile(&s) == DBERT_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		DbertStatus got =
			tokenize(&s.t, bad[i], strlen(bad[i]), DBERT_NO_LIMIT, NULL, &list, &truncated, &s.err);

		CHECK_MSG(got == DBERT_E_ENCODING && s.err.code == got, "case %zu: status %d", i, got);
		CHECK(list.count == 0);
	}
	/* an embedded zero byte is a character like others */
	CHECK(tokenize(&s.t, "a\0b", 3, DBERT_NO_LIMIT, NULL, &list, &truncated, &s.err) == DBERT_OK);
	CHECK(list.count == 4 && list.items[1].end == 1 && list.items[2].start == 2);
	dbert_token_list_free(&list, &dbert_malloc_allocator);
	free(s.image);
}

/* ---- characters ---- */

static void
test_characters(void)
{
	uint32_t	out[DBERT_MAX_DECOMPOSED];

	CHECK(dbert_char_is_space(0x3000) && dbert_char_is_space('\v') && !dbert_char_is_space(0x1c) &&
		  !dbert_char_is_space(0x200b));
	CHECK(dbert_char_is_punct('$') && dbert_char_is_punct(0x3002) && !dbert_char_is_punct(0x20ac) &&
		  !dbert_char_is_punct('a'));
	CHECK(dbert_char_is_removed(0x200d) && dbert_char_is_removed(0xfffd) &&
		  !dbert_char_is_removed('\t'));
	CHECK(!dbert_char_is_removed(0x378));	/* not assigned */
	CHECK(dbert_char_is_mark(0x301) && !dbert_char_is_mark(0x302e) && !dbert_char_is_mark(0x8ca));
	CHECK(dbert_char_is_cjk(0x4e00) && !dbert_char_is_cjk(0x3042) && !dbert_char_is_cjk(0x2b820));
	CHECK(dbert_char_combining_class(0x301) == 230 && dbert_char_combining_class(0x8ca) == 0);
	CHECK(dbert_char_decompose(0x1e69, out) == 3 && out[0] == 's' && out[1] == 0x323 &&
		  out[2] == 0x307);
	CHECK(dbert_char_decompose(0xd55c, out) == 3 && out[2] == 0x11ab);
	CHECK(dbert_char_decompose(0x11938, out) == 1);
	CHECK(dbert_char_lower(0x130, out) == 2 && out[0] == 'i' && out[1] == 0x307);
	CHECK(dbert_char_lower(0x3a3, out) == 1 && out[0] == 0x3c3);
	CHECK(dbert_char_lower(0x16ea0, out) == 1 && out[0] == 0x16ebb);
}

/* ---- tries ---- */

static void
test_trie_finds_its_keys_only(void)
{
	enum
	{
		N = 3000
	};
	static char texts[N][16];
	DbertTrieKey keys[N];
	DbertTrieBuilder b = {.alloc = &dbert_malloc_allocator};
	int32_t		root,
				other,
				duplicate;
	uint32_t	seed = 1;
	DbertError	err;
	bool		ok = true;

	for (int i = 0; i < N; i++)
	{
		/* distinct: the number is part of the key */
		int len = snprintf(texts[i], sizeof(texts[i]), "%x%c", i, 'a' + (int) (seed >> 24) % 26);

		seed = seed * 1664525u + 1013904223u;
		texts[i][0] = (char) (texts[i][0] ^ (seed >> 28));
		keys[i] = (DbertTrieKey) {(const uint8_t *) texts[i], (size_t) len, i};
	}
	CHECK(dbert_trie_add(&b, keys, N, &root, &duplicate, &err) == DBERT_OK);
	keys[0] = (DbertTrieKey) {(const uint8_t *) "ab", 2, 7};
	keys[1] = (DbertTrieKey) {(const uint8_t *) "ab", 2, 8};
	CHECK(dbert_trie_add(&b, keys, 2, &other, &duplicate, &err) == DBERT_OK && duplicate == 8);
	CHECK(dbert_trie_add(&b, keys, 0, &duplicate, NULL, &err) == DBERT_OK && duplicate == -1);

	for (int i = 0; i < N; i++)
	{
		int32_t		node = dbert_trie_find(b.units, root, texts[i], strlen(texts[i]));

		ok = ok && node >= 0 && (b.units[node].value == i ||
								 strcmp(texts[b.units[node].value], texts[i]) == 0);
		ok = ok && dbert_trie_find(b.units, other, texts[i], strlen(texts[i])) < 0;
		ok = ok && dbert_trie_find(b.units, node, "\x7f", 1) < 0;
	}
	CHECK(ok);
	CHECK(b.units[dbert_trie_find(b.units, other, "ab", 2)].value == 7);
	CHECK(b.units[dbert_trie_find(b.units, other, "a", 1)].value == -1);
	dbert_trie_free(&b);
}

/* ---- images ---- */

static void *
dirty_alloc(void *ctx, size_t size)
{
	void	   *p = malloc(size);

	if (p != NULL)
		memset(p, *(int *) ctx, size);
	return p;
}

static void
plain_free(void *ctx, void *ptr)
{
	free(ptr);
}

static void
test_image_depends_on_spec_alone(void)
{
	Small		s;
	void	   *images[2];
	size_t		sizes[2];

	small_spec(&s);
	for (int i = 0; i < 2; i++)
	{
		int			fill = i ? 0xa5 : 0x5a;
		DbertAllocator a = {dirty_alloc, plain_free, &fill};

		CHECK(dbert_tokenizer_compile(&s.spec, &a, NULL, &images[i], &sizes[i], &s.err) == DBERT_OK);
	}
	CHECK(sizes[0] == sizes[1] && memcmp(images[0], images[1], sizes[0]) == 0);
	free(images[0]);
	free(images[1]);
}

static void
test_names_and_ids(void)
{
	Small		s;
	size_t		len;
	void	   *moved;

	small_spec(&s);
	CHECK(small_compile(&s) == DBERT_OK);

	/* the image may move */
	moved = malloc(s.size);
	memcpy(moved, s.image, s.size);
	memset(s.image, 0xff, s.size);
	free(s.image);
	CHECK(dbert_tokenizer_open(moved, s.size, &s.t, &s.err) == DBERT_OK);

	CHECK(s.t.n_tokens == N_SMALL + 3 && s.t.cls_id == 2 && s.t.mask_id == 4);
	for (int32_t i = 0; i < N_SMALL; i++)
	{
		const char *text = dbert_token_text(&s.t, i, &len);

		CHECK(text != NULL && len == strlen(small_vocab[i]) &&
			  memcmp(text, small_vocab[i], len) == 0);
		CHECK(dbert_token_id(&s.t, small_vocab[i], strlen(small_vocab[i])) == i);
	}
	for (int i = 1; i < 4; i++)
	{
		const char *text = dbert_token_text(&s.t, s.added[i].id, &len);

		CHECK(text != NULL && len == s.added[i].len && memcmp(text, s.added[i].text, len) == 0);
		CHECK(dbert_token_id(&s.t, s.added[i].text, len) == s.added[i].id);
	}
	CHECK(dbert_token_text(&s.t, -1, &len) == NULL &&
		  dbert_token_text(&s.t, s.t.n_tokens, &len) == NULL);
	CHECK(dbert_token_id(&s.t, "wor", 3) == -1 && dbert_token_id(&s.t, "", 0) == -1 &&
		  dbert_token_id(&s.t, "words", 5) == -1 && dbert_token_id(&s.t, "##", 2) == -1);
	free(moved);
}

/* What may come out of a tokenizer whatever its image holds. */
static void
use_image(const void *image, size_t size)
{
	static const char text[] =
		"Abc [MASK] words. <q> foo zz \xe4\xb8\xad\xc3\xa9\xe2\x80\x8d x[mask]";
	DbertTokenizer t;
	DbertTokenList list = {0};
	DbertError	err;
	bool		truncated;
	size_t		len;
	const char *name;
	volatile char seen = 0;		/* so that the reads are made */

	if (dbert_tokenizer_open(image, size, &t, &err) != DBERT_OK)
	{
		CHECK(err.code == DBERT_E_CORRUPT);
		return;
	}
	CHECK(tokenize(&t, text, sizeof(text) - 1, 64, NULL, &list, &truncated, &err) == DBERT_OK);
	for (size_t i = 0; i < list.count; i++)
		CHECK(list.items[i].id >= 0 && list.items[i].id < t.n_tokens);
	for (int32_t id = 0; id < t.n_tokens; id++)
		if ((name = dbert_token_text(&t, id, &len)) != NULL)
			seen = (char) (name[0] ^ name[len - 1]);
	(void) seen;
	(void) dbert_token_id(&t, "abc", 3);
	dbert_token_list_free(&list, &dbert_malloc_allocator);
}

/*
 * Each copy lies in a block of its own size, so that the sanitizer sees its
 * edges.
 */
static void
test_damaged_images(void)
{
	static const uint8_t masks[] = {0x01, 0x10, 0x80, 0xff};
	Small		s;

	small_spec(&s);
	CHECK(small_compile(&s) == DBERT_OK);
	for (size_t m = 0; m < sizeof(masks); m++)
	{
		uint8_t    *copy = malloc(s.size);

		memcpy(copy, s.image, s.size);
		for (size_t i = 0; i < s.size; i++)
		{
			copy[i] ^= masks[m];
			use_image(copy, s.size);
			copy[i] ^= masks[m];
		}
		free(copy);
	}
	for (size_t size = 0; size < s.size; size += size < 1024 ? 1 : 97)
	{
		void	   *copy = malloc(size ? size : 1);
		DbertTokenizer t;

		memcpy(copy, s.image, size);
		CHECK(dbert_tokenizer_open(copy, size, &t, &s.err) == DBERT_E_CORRUPT);
		free(copy);
	}
	free(s.image);
}

static void
test_wrong_specs(void)
{
	static char giant[DBERT_MAX_TOKEN_BYTES + 2];
	Small		s;

#define REFUSED(change, want)                                                                      \
	do                                                                                             \
	{                                                                                              \
		small_spec(&s);                                                                            \
		change;                                                                                    \
		CHECK_MSG(dbert_tokenizer_compile(&s.spec, &dbert_malloc_allocator, NULL, &s.image,      \
										  &s.size, &s.err) == (want) &&                            \
					  s.image == NULL && s.err.code == (want),                                     \
				  "%s", #change);                                                                  \
	} while (0)

	memset(giant, 'x', sizeof(giant) - 1);
	REFUSED(s.tokens[7] = "a"; s.lens[7] = 1, DBERT_E_FORMAT);
	REFUSED(s.tokens[7] = "\xff"; s.lens[7] = 1, DBERT_E_FORMAT);
	REFUSED(s.added[0].text = "\xc3"; s.added[0].len = 1, DBERT_E_FORMAT);
	REFUSED(s.added[0].id = N_SMALL + 3, DBERT_E_FORMAT);
	REFUSED(s.spec.unk_id = -1, DBERT_E_FORMAT);
	REFUSED(s.spec.cls_id = N_SMALL + 3, DBERT_E_FORMAT);
	REFUSED(s.spec.sep_id = -1, DBERT_E_FORMAT);
	REFUSED(s.spec.pad_id = -2, DBERT_E_FORMAT);
	REFUSED(s.spec.mask_id = N_SMALL + 3, DBERT_E_FORMAT);
	REFUSED(s.spec.n_tokens = 0, DBERT_E_FORMAT);
	REFUSED(s.spec.n_added = N_SMALL + 4, DBERT_E_FORMAT);
	REFUSED(s.spec.max_word_chars = -1, DBERT_E_LIMIT);
	REFUSED(s.spec.max_word_chars = INT32_MAX, DBERT_E_LIMIT);
	REFUSED(s.tokens[7] = giant; s.lens[7] = sizeof(giant) - 1, DBERT_E_LIMIT);
	REFUSED(memset(s.tokens, 0, sizeof(s.tokens)), DBERT_E_FORMAT);
#undef REFUSED

	small_spec(&s);
	s.spec.pad_id = s.spec.mask_id = -1;
	CHECK(small_compile(&s) == DBERT_OK && s.t.pad_id == -1 && s.t.mask_id == -1);
	free(s.image);
}

/* ---- memory ---- */

typedef struct Failing
{
	int			left;			/* allocations before they fail */
	int			live;
} Failing;

static void *
failing_alloc(void *ctx, size_t size)
{
	Failing    *f = ctx;

	if (f->left-- <= 0)
		return NULL;
	f->live++;
	return malloc(size);
}

static void
failing_free(void *ctx, void *ptr)
{
	((Failing *) ctx)->live--;
	free(ptr);
}

static void
test_out_of_memory(void)
{
	Small		s;
	Failing		f;
	DbertAllocator a = {failing_alloc, failing_free, &f};
	DbertStatus status = DBERT_E_NOMEM;
	int			n;

	small_spec(&s);
	for (n = 0; status == DBERT_E_NOMEM; n++)
	{
		f = (Failing) {n, 0};
		status = dbert_tokenizer_compile(&s.spec, &a, NULL, &s.image, &s.size, &s.err);
		CHECK(status == DBERT_OK ? f.live == 1
								 : (status == DBERT_E_NOMEM && f.live == 0 && s.image == NULL));
	}
	CHECK(status == DBERT_OK && n > 5);
	CHECK(dbert_tokenizer_open(s.image, s.size, &s.t, &s.err) == DBERT_OK);

	for (status = DBERT_E_NOMEM, n = 0; status == DBERT_E_NOMEM; n++)
	{
		static const char text[] = "abc abc abc abc abc zz words . , abcabcabcabcabcabcabcabc";
		DbertTokenList list = {0};
		bool		truncated;

		f = (Failing) {n, 0};
		status = dbert_tokenize(&s.t, text, sizeof(text) - 1, text, sizeof(text) - 1, 100, &a, NULL,
								&list, &truncated, &s.err);
		CHECK(status == DBERT_OK || (status == DBERT_E_NOMEM && list.count == 0));
		dbert_token_list_free(&list, &a);
		CHECK(f.live == 0);
	}
	CHECK(status == DBERT_OK && n > 5);
	free(s.image);
}

static bool
stop_at(void *ctx)
{
	return --*(int *) ctx == 0;
}

/* A large vocabulary is compiled with polls, and nothing is left of a stop. */
static void
test_compiling_can_be_stopped(void)
{
	enum { MORE = 20000 };
	const char **tokens = calloc(N_SMALL + 3 + MORE, sizeof(*tokens));
	size_t	   *lens = calloc(N_SMALL + 3 + MORE, sizeof(*lens));
	char	   *texts = malloc(8 * MORE);
	Small		s;
	Failing		f = {INT_MAX, 0};
	DbertAllocator a = {failing_alloc, failing_free, &f};
	DbertStatus status = DBERT_E_CANCELLED;
	int			n;

	small_spec(&s);
	memcpy(tokens, s.tokens, sizeof(s.tokens));
	memcpy(lens, s.lens, sizeof(s.lens));
	for (int i = 0; i < MORE; i++)
	{
		snprintf(texts + 8 * i, 8, "%c%05d", 'a' + i * 7 % 26, i);
		tokens[N_SMALL + 3 + i] = texts + 8 * i;
		lens[N_SMALL + 3 + i] = 6;
	}
	s.spec.tokens = tokens;
	s.spec.token_lens = lens;
	s.spec.n_tokens = N_SMALL + 3 + MORE;
	for (n = 0; status == DBERT_E_CANCELLED && n < 1000; n++)
	{
		int			left = n + 1;
		DbertPoll	poll = {stop_at, &left};

		f.left = INT_MAX;
		status = dbert_tokenizer_compile(&s.spec, &a, &poll, &s.image, &s.size, &s.err);
		CHECK(status == DBERT_OK ? f.live == 1 : f.live == 0 && s.image == NULL);
	}
	CHECK_MSG(status == DBERT_OK && n > 20, "%d polls, %s", n, s.err.msg);
	free(s.image);
	free(texts);
	free(lens);
	free(tokens);
}

/* ---- lists, limits, words ---- */

static void
test_list_is_appended_to(void)
{
	Small		s;
	DbertTokenList list = {0};
	bool		truncated;

	small_spec(&s);
	CHECK(small_compile(&s) == DBERT_OK);
	CHECK(tokenize(&s.t, "abc words", 9, DBERT_NO_LIMIT, NULL, &list, &truncated, &s.err) ==
		  DBERT_OK);
	CHECK(list.count == 5 && !truncated);
	CHECK(list.items[0].special == 1 && list.items[0].word == -1 && list.items[1].special == 0);
	CHECK(list.items[3].word == 1 && list.items[3].start == 8 && list.items[3].end == 9);
	CHECK(dbert_tokenize(&s.t, "a", 1, "b", 1, 100, &dbert_malloc_allocator, NULL, &list,
						 &truncated, &s.err) == DBERT_OK);
	CHECK(list.count == 10 && list.items[8].type == 1 && list.items[9].type == 1 &&
		  list.items[9].id == 3);

	/* failures leave it as it was */
	CHECK(dbert_tokenize(&s.t, "a\xff", 2, NULL, 0, 100, &dbert_malloc_allocator, NULL, &list,
						 &truncated, &s.err) == DBERT_E_ENCODING);
	CHECK(dbert_tokenize(&s.t, "a", 1, "b\xff", 2, 100, &dbert_malloc_allocator, NULL, &list,
						 &truncated, &s.err) == DBERT_E_ENCODING);
	CHECK(dbert_tokenize(&s.t, "a", 1, NULL, 0, 2, &dbert_malloc_allocator, NULL, &list, &truncated,
						 &s.err) == DBERT_E_INVALID);
	CHECK(dbert_tokenize(&s.t, "a", 1, "b", 1, 3, &dbert_malloc_allocator, NULL, &list, &truncated,
						 &s.err) == DBERT_E_INVALID);
	CHECK(list.count == 10);
	dbert_token_list_free(&list, &dbert_malloc_allocator);
	free(s.image);
}

/*
 * A token that the vocabulary lacks is found whole, but words are not cut with
 * it.
 */
static void
test_added_tokens_are_no_pieces(void)
{
	Small		s;
	DbertTokenList list = {0};
	bool		truncated;

	small_spec(&s);
	CHECK(small_compile(&s) == DBERT_OK);
	CHECK(tokenize(&s.t, "foo fooa", 8, DBERT_NO_LIMIT, NULL, &list, &truncated, &s.err) ==
		  DBERT_OK);
	CHECK(list.count == 4 && list.items[1].id == N_SMALL + 1 && list.items[2].id == s.t.unk_id);
	dbert_token_list_free(&list, &dbert_malloc_allocator);
	free(s.image);
}

static void
test_truncation_is_a_prefix(void)
{
	static const char text[] =
		"abcabc [MASK] words, a zz b <q> \xe4\xb8\xad\xe4\xb8\xad unknown abca";
	Small		s;
	DbertTokenList all = {0},
				part = {0};
	bool		truncated;

	small_spec(&s);
	CHECK(small_compile(&s) == DBERT_OK);
	CHECK(tokenize(&s.t, text, sizeof(text) - 1, DBERT_NO_LIMIT, NULL, &all, &truncated, &s.err) ==
		  DBERT_OK);
	CHECK(all.count > 14 && !truncated);
	for (int32_t max = 3; max <= (int32_t) all.count + 2; max++)
	{
		size_t		want = (size_t) max < all.count ? (size_t) max : all.count;

		CHECK(tokenize(&s.t, text, sizeof(text) - 1, max, NULL, &part, &truncated, &s.err) ==
			  DBERT_OK);
		CHECK(part.count == want && truncated == (want < all.count));
		for (size_t i = 0; i + 1 < want; i++)
			CHECK(memcmp(&part.items[i], &all.items[i], offsetof(DbertToken, special) + 1) == 0);
		CHECK(part.items[want - 1].id == s.t.sep_id);
	}
	dbert_token_list_free(&all, &dbert_malloc_allocator);
	dbert_token_list_free(&part, &dbert_malloc_allocator);
	free(s.image);
}

/*
 * ---- amount of work, counted in polls (each at most 4096 characters or bytes
 * apart) ----
 */

typedef struct Polls
{
	int64_t		count;
	int64_t		stop_at;		/* -1: never */
} Polls;

static bool
count_poll(void *ctx)
{
	Polls	   *p = ctx;

	return p->count++ == p->stop_at;
}

/* Repeats unit up to about size bytes. */
static char *
repeat(const char *unit, size_t size, size_t *len)
{
	size_t		n = strlen(unit);
	char	   *text = malloc(size + n);

	for (*len = 0; *len < size; *len += n)
		memcpy(text + *len, unit, n);
	return text;
}

#define MB ((size_t) 1 << 20)

static void
test_work_is_linear(void)
{
	static const struct
	{
		const char *unit;
		size_t		tokens;		/* that a text of it has, 0: not looked at */
	} texts[] = { { "x", 3 },
				  { "word ", 0 },
				  { " ", 2 },
				  { "\xcc\x81", 2 },
				  { "\xcc\x81\xe3\x80\xae\xcc\x96", 3 },
				  { "\xe2\x80\x8d", 2 },
				  { "[MASK", 0 },
				  { "[[[[MASK]", 0 },
				  { "zz ", 0 },
				  { "<q> ", 0 },
				  { "<q", 0 },
				  { " zz", 0 },
				  { "\xe4\xb8\xad", 0 },
				  { "fooo", 3 },
				  { "\xc4\xb0", 3 } };
	Small		s;

	small_spec(&s);
	CHECK(small_compile(&s) == DBERT_OK);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		Polls		polls[2] = {{0, -1}, {0, -1}};
		int64_t		count = 0;
		size_t		size = i == 0 ? 10 * MB : MB;
		int64_t		pages = (int64_t) (size / 4096);

		for (int k = 0; k < 2; k++)
		{
			DbertPoll	poll = {count_poll, &polls[k]};
			size_t		len;
			char	   *text = repeat(texts[i].unit, (k ? size : size / 2), &len);

			CHECK(dbert_count_tokens(&s.t, text, len, &dbert_malloc_allocator, &poll, &count,
									 &s.err) == DBERT_OK);
			free(text);
		}
		CHECK_MSG(polls[1].count >= pages / 4, "\"%s\": only %lld polls", texts[i].unit,
				  (long long) polls[1].count);
		CHECK_MSG(polls[1].count <= pages * 8, "\"%s\": %lld polls", texts[i].unit,
				  (long long) polls[1].count);
		CHECK_MSG(polls[1].count <= polls[0].count * 2 + 8, "\"%s\": %lld, then %lld polls",
				  texts[i].unit, (long long) polls[0].count, (long long) polls[1].count);
		CHECK_MSG(texts[i].tokens == 0 || (size_t) count == texts[i].tokens, "\"%s\": %lld tokens",
				  texts[i].unit, (long long) count);
	}
	free(s.image);
}

static void
test_truncated_text_is_not_read_on(void)
{
	static const char *const units[] = {"word ", "a", "\xe4\xb8\xad", "[MASK]", "zz", "a\xcc\x81 "};
	Small		s;
	DbertTokenList list = {0};
	bool		truncated;

	small_spec(&s);
	CHECK(small_compile(&s) == DBERT_OK);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
	{
		Polls		polls = {0, -1};
		DbertPoll	poll = {count_poll, &polls};
		size_t		len;
		char	   *text = repeat(units[i], MB, &len);

		/*
		 * "a" repeated is one word: it must be read to know it is too long;
		 * after 30 tokens it need not
		 */
		if (strcmp(units[i], "a") == 0)
			memcpy(text, "a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a ", 60);
		text[len - 1] = (char) 0xff;
		CHECK(tokenize(&s.t, text, len, 32, &poll, &list, &truncated, &s.err) == DBERT_OK);
		CHECK(list.count == 32 && truncated);
		CHECK_MSG(polls.count <= 4, "\"%s\": %lld polls", units[i], (long long) polls.count);
		free(text);
	}
	dbert_token_list_free(&list, &dbert_malloc_allocator);
	free(s.image);
}

/* Of two long texts only as much is read as the shorter one has. */
static void
test_truncated_pair(void)
{
	Small		s;
	DbertTokenList list = {0};
	Polls		polls = {0, -1};
	DbertPoll	poll = {count_poll, &polls};
	bool		truncated;
	size_t		len,
				longer = 0;
	char	   *text = repeat("a ", MB, &len);

	small_spec(&s);
	CHECK(small_compile(&s) == DBERT_OK);
	for (int swap = 0; swap < 2; swap++)
	{
		const char *first = swap ? "a a a a a a a a a a" : text;
		const char *second = swap ? text : "a a a a a a a a a a";

		list.count = 0;
		polls.count = 0;
		CHECK(dbert_tokenize(&s.t, first, swap ? 19 : len, second, swap ? len : 19, 12,
							 &dbert_malloc_allocator, &poll, &list, &truncated,
							 &s.err) == DBERT_OK);
		CHECK(list.count == 12 && truncated && polls.count <= 4);
		longer = 0;
		for (size_t i = 1; list.items[i].id != s.t.sep_id; i++)
			longer++;
		CHECK(longer == (swap ? 4u : 5u));	/* 9 for two: the longer text has one more */
	}
	dbert_token_list_free(&list, &dbert_malloc_allocator);
	free(s.image);
	free(text);
}

static void
test_cancelling(void)
{
	static const char *const units[] = {"word ", "x", " ", "\xcc\x81", "<q> ", "zz "};
	Small		s;
	DbertTokenList list = {0};
	bool		truncated;
	int64_t		count;

	small_spec(&s);
	CHECK(small_compile(&s) == DBERT_OK);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
	{
		size_t		len;
		char	   *text = repeat(units[i], MB / 2, &len);

		for (int64_t at = 0; at < 40; at += 13)
		{
			Polls		polls = {0, at};
			DbertPoll	poll = {count_poll, &polls};

			CHECK(tokenize(&s.t, text, len, DBERT_NO_LIMIT, &poll, &list, &truncated, &s.err) ==
				  DBERT_E_CANCELLED);
			CHECK(polls.count == at + 1 && list.count == 0 && s.err.code == DBERT_E_CANCELLED);
			polls.count = 0;
			CHECK(dbert_count_tokens(&s.t, text, len, &dbert_malloc_allocator, &poll, &count,
									 &s.err) == DBERT_E_CANCELLED);
		}
		free(text);
	}
	dbert_token_list_free(&list, &dbert_malloc_allocator);
	free(s.image);
}

int
main(void)
{
	RUN(test_utf8_round_trip);
	RUN(test_utf8_validity);
	RUN(test_invalid_utf8_is_refused);
	RUN(test_characters);
	RUN(test_trie_finds_its_keys_only);
	RUN(test_image_depends_on_spec_alone);
	RUN(test_names_and_ids);
	RUN(test_damaged_images);
	RUN(test_wrong_specs);
	RUN(test_out_of_memory);
	RUN(test_compiling_can_be_stopped);
	RUN(test_list_is_appended_to);
	RUN(test_added_tokens_are_no_pieces);
	RUN(test_truncation_is_a_prefix);
	RUN(test_work_is_linear);
	RUN(test_truncated_text_is_not_read_on);
	RUN(test_truncated_pair);
	RUN(test_cancelling);
	return tests_end();
}
