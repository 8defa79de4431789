/*
 * fuzz_pieces.c -- any bytes as a SentencePiece model, or as a character map.
 *
 * The first byte chooses: the class that reads the model, or that the bytes are
 * a map, as they are or in base64.  What can be read tokenises a text; offsets
 * must be in it, counting must agree, and what was cut off is a prefix.
 */
#include "model/base64.h"
#include "model/tokenizerfiles.h"
#include "test/support/memsource.h"
#include "text/charsmap.h"
#include "text/tokenizer.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#define REQUIRE(cond) do { if (!(cond)) abort(); } while (0)

#define VOCAB 2048
#define N_CLASSES 5

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
	"\x01 A\xcc\x88\xcc\x81 \xef\xac\x81 the film \xe2\x85\xa7, 23, 1, \xf0\x9f\x98\x80\xe2\x96\x81 [MASK] "
	"<mask>  ab\xef\xbd\xb6\xef\xbe\x9e\n";

static void
check_tokens(const DbertTokenizer *t)
{
	DbertTokenList all = {0},
				part = {0};
	DbertError	err;
	bool		truncated;
	int64_t		count;
	char	   *decoded;
	size_t		len,
				n_ids = 0;
	int32_t		ids[2 * sizeof(text)];

	REQUIRE(dbert_tokenize(t, text, sizeof(text) - 1, NULL, 0, DBERT_NO_LIMIT,
						   &dbert_malloc_allocator, NULL, &all, &truncated, &err) == DBERT_OK);
	REQUIRE(dbert_count_tokens(t, text, sizeof(text) - 1, &dbert_malloc_allocator, NULL, &count,
							   &err) == DBERT_OK);
	REQUIRE(count == (int64_t) all.count);
	for (size_t i = 0; i < all.count; i++)
	{
		const DbertToken *k = &all.items[i];

		REQUIRE(k->id >= 0 && k->id < t->n_tokens && k->start <= k->end);
		REQUIRE(k->start >= 0 && (size_t) k->end < sizeof(text));
		if (n_ids < sizeof(ids) / sizeof(ids[0]))
			ids[n_ids++] = k->id;
	}
	REQUIRE(dbert_tokenize(t, text, sizeof(text) - 1, NULL, 0, 8, &dbert_malloc_allocator, NULL,
						   &part, &truncated, &err) == DBERT_OK);
	REQUIRE(truncated == (all.count > 8));
	for (size_t i = 0; i + 1 < part.count && i + 1 < all.count; i++)
		REQUIRE(part.items[i].id == all.items[i].id);
	REQUIRE(dbert_decode(t, ids, n_ids, false, &dbert_malloc_allocator, &decoded, &len, &err) ==
			DBERT_OK);
	free(decoded);
	dbert_token_list_free(&all, &dbert_malloc_allocator);
	dbert_token_list_free(&part, &dbert_malloc_allocator);
}

static void
try_model(unsigned which, const uint8_t *data, size_t size)
{
	static const char *const classes[N_CLASSES][2] = {
		{"DebertaV2", "spm.model"}, {"XLMRoberta", "sentencepiece.bpe.model"},
		{"Camembert", "sentencepiece.bpe.model"}, {"Albert", "spiece.model"},
		{"Llama", "tokenizer.model"}
	};
	MemModel	m = {0};
	DbertSource source = mem_source(&m);
	DbertArena	arena = {&dbert_malloc_allocator, NULL};
	DbertTokenizerFiles files = {0};
	DbertFileList list = {0};
	DbertTokenizer t;
	DbertError	err;
	char		config[128];

	snprintf(config, sizeof(config), "{\"tokenizer_class\":\"%sTokenizer\"}", classes[which][0]);
	mem_put(&m, "tokenizer_config.json", config);
	mem_put_bytes(&m, classes[which][1], data, size);
	if (dbert_tokenizer_files_read(&source, "", "bert", VOCAB, &dbert_malloc_allocator, &arena,
								   NULL, &files, &list, &err) == DBERT_OK)
	{
		REQUIRE(dbert_tokenizer_open(files.image, files.image_size, &t, &err) == DBERT_OK);
		check_tokens(&t);
	}
	dbert_free(&dbert_malloc_allocator, files.image);
	dbert_arena_end(&arena);
	mem_free(&m);
}

/* A tokenizer of one piece with this map. */
static void
try_map(const uint8_t *bytes, size_t size)
{
	static const char *const tokens[] = {"<unk>", "\xe2\x96\x81"};
	static const size_t lens[] = {5, 3};
	static const double scores[] = {0, -1};
	static const DbertTemplate none = {.text_types = {0, 0}};
	DbertStepSpec step = {.kind = DBERT_STEP_CHARSMAP, .text = (const char *) bytes, .len = size};
	DbertTokenizerSpec spec = {
		.kind = DBERT_KIND_UNIGRAM, .n_tokens = 2, .tokens = tokens, .token_lens = lens,
		.scores = scores, .normalizers = &step, .n_normalizers = 1, .split_by_steps = true,
		.single = &none, .pair = &none, .unk_id = 0, .cls_id = -1, .sep_id = -1, .pad_id = -1,
		.mask_id = -1, .unknown_id = -1
	};
	DbertCharsmap map;
	DbertTokenizer t;
	DbertError	err;
	void	   *image;
	size_t		image_size;
	bool		good = dbert_charsmap_open(bytes, size, &map, &err) == DBERT_OK;

	REQUIRE((dbert_tokenizer_compile(&spec, &dbert_malloc_allocator, NULL, &image, &image_size,
									&err) ==
			 DBERT_OK) == good);
	if (!good)
		return;
	REQUIRE(dbert_tokenizer_open(image, image_size, &t, &err) == DBERT_OK);
	check_tokens(&t);
	free(image);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	DbertArena	arena = {&dbert_malloc_allocator, NULL};
	DbertError	err;
	uint8_t    *bytes;
	size_t		n;
	unsigned	which;

	if (size == 0)
		return 0;
	which = data[0] % (N_CLASSES + 2);
	if (which < N_CLASSES)
		try_model(which, data + 1, size - 1);
	else if (which == N_CLASSES)
		try_map(data + 1, size - 1);
	else if (dbert_base64_read((const char *) data + 1, size - 1, "map", &arena, &bytes, &n,
							   &err) == DBERT_OK)
		try_map(bytes, n);
	dbert_arena_end(&arena);
	return 0;
}
