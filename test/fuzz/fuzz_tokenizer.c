/*
 * fuzz_tokenizer.c -- libFuzzer target: any text, any settings.
 *
 * The first two bytes choose the settings and the limit.  Checked: ids and
 * offsets in range and in order, the limit is kept, a truncated result is a
 * prefix of the whole, counting agrees.
 */
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#define REQUIRE(cond) do { if (!(cond)) abort(); } while (0)

static const char *const vocab[] = {
	"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##a", "##b", "ab", "##ab", "aba",
	"##bba", "\xc3\xa9",
	"e", "##e", ".", "\xe4\xb8\xad", "##\xcc\x81", "i", "\xe1\x84\x80", "##\xe1\x85\xa1",
	"##\xe3\x80\xae"
};

#define N_VOCAB ((int32_t) (sizeof(vocab) / sizeof(vocab[0])))

static void *
compile(uint8_t settings, size_t *size)
{
	const char *tokens[N_VOCAB + 3];
	size_t		lens[N_VOCAB + 3];
	DbertAddedToken added[] = {
		{ .text = "[MASK]", .len = 6, .id = 4, .special = true },
		{ .text = "<q>", .len = 3, .id = N_VOCAB, .lstrip = true, .rstrip = true },
		{ .text = "Ab", .len = 2, .id = N_VOCAB + 1, .normalized = true, .single_word = true },
		{ .text = "zz",
		  .len = 2,
		  .id = N_VOCAB + 2,
		  .normalized = true,
		  .lstrip = true,
		  .rstrip = true }
	};
	DbertTokenizerSpec spec = {
		.n_tokens = N_VOCAB + 3, .tokens = tokens, .token_lens = lens,
		.n_added = settings & 16 ? 4 : 1, .added = added,
		.prefix = "##", .max_word_chars = settings & 32 ? 3 : 100,
		.clean_text = settings & 1, .split_cjk = settings & 2, .lowercase = settings & 4,
		.strip_accents = settings & 8,
		.pad_id = 0, .unk_id = 1, .cls_id = 2, .sep_id = 3, .mask_id = 4
	};
	void	   *image;
	DbertError	err;

	memset(tokens, 0, sizeof(tokens));
	memset(lens, 0, sizeof(lens));
	for (int32_t i = 0; i < N_VOCAB; i++)
	{
		tokens[i] = vocab[i];
		lens[i] = strlen(vocab[i]);
	}
	REQUIRE(dbert_tokenizer_compile(&spec, &dbert_malloc_allocator, NULL, &image, size, &err) ==
			DBERT_OK);
	return image;
}

static void
check_tokens(const DbertTokenizer *t, const DbertTokenList *list, size_t chars)
{
	int32_t		end = 0,
				word = 0;

	for (size_t i = 0; i < list->count; i++)
	{
		const DbertToken *k = &list->items[i];

		REQUIRE(k->id >= 0 && k->id < t->n_tokens);
		if (k->special)
			continue;
		REQUIRE(k->start >= 0 && k->start < k->end && (size_t) k->end <= chars);
		REQUIRE(k->end >= end && k->word >= word);
		end = k->end;
		word = k->word;
	}
}

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	DbertTokenList all = {0},
				part = {0};
	DbertTokenizer t;
	DbertError	err;
	bool		truncated;
	int64_t		count;
	size_t		image_size;
	void	   *image;
	const char *text = (const char *) data + 2;
	int32_t		limit;

	if (size < 2)
		return 0;
	image = compile(data[0], &image_size);
	limit = 3 + data[1] % 32;
	REQUIRE(dbert_tokenizer_open(image, image_size, &t, &err) == DBERT_OK);
	if (dbert_tokenize(&t, text, size - 2, NULL, 0, DBERT_NO_LIMIT, &dbert_malloc_allocator, NULL,
					   &all, &truncated, &err) == DBERT_OK)
	{
		check_tokens(&t, &all, size - 2);
		REQUIRE(!truncated);
		REQUIRE(dbert_count_tokens(&t, text, size - 2, &dbert_malloc_allocator, NULL, &count,
								   &err) == DBERT_OK);
		REQUIRE(count == (int64_t) all.count);
		REQUIRE(dbert_tokenize(&t, text, size - 2, NULL, 0, limit, &dbert_malloc_allocator, NULL,
							   &part, &truncated, &err) == DBERT_OK);
		REQUIRE(truncated == (all.count > (size_t) limit));
		REQUIRE(part.count == (truncated ? (size_t) limit : all.count));
		for (size_t i = 0; i + 1 < part.count; i++)
			REQUIRE(part.items[i].id == all.items[i].id && part.items[i].end == all.items[i].end);
		part.count = 0;
		REQUIRE(dbert_tokenize(&t, text, size - 2, text, (size - 2) / 2, limit + 1,
							   &dbert_malloc_allocator, NULL, &part, &truncated,
							   &err) != DBERT_E_INTERNAL);
		REQUIRE(part.count <= (size_t) limit + 1);
	}
	dbert_token_list_free(&all, &dbert_malloc_allocator);
	dbert_token_list_free(&part, &dbert_malloc_allocator);
	free(image);
	return 0;
}
