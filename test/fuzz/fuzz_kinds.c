/*
 * fuzz_kinds.c -- tokenizers of any kind and steps, whose files are damaged,
 * and any text.
 *
 * The input chooses a normalizer, two pre-tokenizers, a post-processor and a
 * model from lists; then come edits of the file that is made of them, or of the
 * compiled image, and then a text.  What is read must be usable: ids and places
 * are in range, a limit is kept, a truncated text has the beginning of the whole
 * one's tokens, counting agrees, and what is decoded is UTF-8.
 */
#include "model/tokenizerfiles.h"
#include "test/fuzz/fuzzhelp.h"

#include <stdio.h>
#include <string.h>

static const char *const normalizers[] = {
	"null", "{\"type\":\"NFC\"}", "{\"type\":\"NFD\"}", "{\"type\":\"NFKC\"}", "{\"type\":\"NFKD\"}",
	"{\"type\":\"Lowercase\"}", "{\"type\":\"StripAccents\"}", "{\"type\":\"Nmt\"}",
	"{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}",
	"{\"type\":\"Prepend\",\"prepend\":\"\xe2\x96\x81\"}",
	"{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\xe2\x96\x81\"}",
	"{\"type\":\"Replace\",\"pattern\":{\"String\":\"ab\"},\"content\":\"\"}",
	"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" \"}",
	"{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
	"\"strip_accents\":null,\"lowercase\":true}",
	"{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFD\"},{\"type\":\"StripAccents\"},"
	"{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":true},{\"type\":\"NFC\"}]}"
};

static const char *const splitters[] = {
	"{\"type\":\"BertPreTokenizer\"}", "{\"type\":\"Whitespace\"}", "{\"type\":\"WhitespaceSplit\"}",
	"{\"type\":\"Digits\",\"individual_digits\":false}",
	"{\"type\":\"Punctuation\",\"behavior\":\"MergedWithNext\"}",
	"{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"behavior\":\"MergedWithPrevious\","
	"\"invert\":false}",
	"{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":\"always\","
	"\"split\":true}",
	"{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":\"first\","
	"\"split\":false}",
	"{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"use_regex\":true}",
	"{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}",
	"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}"
	"\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|"
	"\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"Isolated\",\"invert\":false}"
};

#define VOCAB "{\"<u>\":0,\"<s>\":1,\"a\":2,\"b\":3,\"c\":4,\"\xc4\xa0\":5,\"ab\":6,\"abc\":7,\"aa\":8," \
	"\"\xe2\x96\x81\":9,\"\xe2\x96\x81" "a\":10,\"bc\":11,\"\xc3\x83\":12,\"\xc2\xa9\":13,\"##b\":14," \
	"\"e\":15,\"<0x41>\":16,\"aaaa\":17}"

static const char *const models[] = {
	"{\"type\":\"WordPiece\",\"unk_token\":\"<u>\",\"continuing_subword_prefix\":\"##\","
	"\"max_input_chars_per_word\":9,\"vocab\":" VOCAB "}",
	"{\"type\":\"BPE\",\"unk_token\":\"<u>\",\"fuse_unk\":true,\"byte_fallback\":true,\"vocab\":" VOCAB
	",\"merges\":[\"a b\",\"ab c\",[\"a\",\"a\"],\"aa aa\",\"b c\",\"\xe2\x96\x81 a\"]}",
	"{\"type\":\"BPE\",\"unk_token\":null,\"ignore_merges\":true,\"vocab\":" VOCAB
	",\"merges\":[[\"b\",\"c\"],[\"a\",\"b\"],[\"a\",\"bc\"]]}",
	"{\"type\":\"Unigram\",\"unk_id\":0,\"byte_fallback\":false,\"vocab\":[[\"<u>\",0],[\"<s>\",0],"
	"[\"a\",-1],[\"b\",-2],[\"ab\",-2.5],[\"\xe2\x96\x81\",-3],[\"\xe2\x96\x81" "a\",-3.5],[\"aaa\",-2],"
	"[\"c\",-4],[\"\xc3\xa9\",-9]]}"
};

static const char *const processors[] = {
	"null",
	"{\"type\":\"RobertaProcessing\",\"sep\":[\"<s>\",1],\"cls\":[\"<u>\",0],\"trim_offsets\":true,"
	"\"add_prefix_space\":true}",
	"{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"
	"{\"SpecialToken\":{\"id\":\"s\",\"type_id\":1}}],\"pair\":[{\"SpecialToken\":{\"id\":\"s\","
	"\"type_id\":1}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"Sequence\":{\"id\":\"B\","
	"\"type_id\":2}}],\"special_tokens\":{\"s\":{\"id\":\"s\",\"ids\":[1,2],\"tokens\":[\"<s>\",\"a\"]}}}"
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define PICK(list) (list)[take_byte(&in) % COUNT(list)]

/* ---- what must hold ---- */

static size_t
characters(const char *text, size_t len)
{
	return (size_t) dbert_utf8_count(text, len);
}

static bool
is_utf8(const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *) text;
	const uint8_t *end = p + len;
	uint32_t	cp;

	for (int n; p < end; p += n)
		if ((n = dbert_utf8_decode(p, end, &cp)) == 0)
			return false;
	return true;
}

static void
check_tokens(const DbertTokenizer *t, const DbertTokenList *list, const char *text, size_t len)
{
	int32_t		ids[64];
	size_t		n = 0,
				out_len,
				chars = characters(text, len);
	char	   *out;
	DbertError	err;

	for (size_t i = 0; i < list->count; i++)
	{
		const DbertToken *k = &list->items[i];

		REQUIRE(k->id >= 0 && k->id < t->n_tokens && k->text <= 1);
		REQUIRE(k->start >= 0 && k->start <= k->end && (size_t) k->end <= chars);
		if (n < COUNT(ids))
			ids[n++] = k->id;
	}
	REQUIRE(dbert_decode(t, ids, n, false, &dbert_malloc_allocator, &out, &out_len, &err) ==
			DBERT_OK);
	REQUIRE(is_utf8(out, out_len));
	free(out);
}

static void
check_text(const DbertTokenizer *t, const char *text, size_t len, int32_t room)
{
	int32_t		around = dbert_template_size(t->single);
	DbertTokenList all = {0},
				part = {0};
	bool		truncated;
	int64_t		count;
	DbertError	err;

	if (dbert_tokenize(t, text, len, NULL, 0, DBERT_NO_LIMIT, &dbert_malloc_allocator, NULL, &all,
					   &truncated, &err) != DBERT_OK)
	{
		REQUIRE(err.code == DBERT_E_ENCODING);
		dbert_token_list_free(&all, &dbert_malloc_allocator);
		return;
	}
	check_tokens(t, &all, text, len);
	REQUIRE(!truncated);
	REQUIRE(dbert_count_tokens(t, text, len, &dbert_malloc_allocator, NULL, &count, &err) ==
			DBERT_OK && count == (int64_t) all.count);
	REQUIRE(dbert_tokenize(t, text, len, NULL, 0, around + room, &dbert_malloc_allocator, NULL,
						   &part, &truncated, &err) == DBERT_OK);
	REQUIRE(truncated == (all.count > (size_t) (around + room)));
	REQUIRE(part.count == (truncated ? (size_t) (around + room) : all.count));
	for (size_t i = 0; i + (size_t) t->single->tail < part.count; i++)
		REQUIRE(memcmp(&part.items[i], &all.items[i], offsetof(DbertToken, text) + 1) == 0);
	part.count = 0;
	REQUIRE(dbert_tokenize(t, text, len, text, len / 2, dbert_template_size(t->pair) + room,
						   &dbert_malloc_allocator, NULL, &part, &truncated, &err) == DBERT_OK ||
			err.code == DBERT_E_ENCODING);
	REQUIRE(part.count <= (size_t) (dbert_template_size(t->pair) + room));
	dbert_token_list_free(&all, &dbert_malloc_allocator);
	dbert_token_list_free(&part, &dbert_malloc_allocator);
}

/* ---- reading ---- */

/* The image of a tokenizer.json, NULL: refused. */
static void *
read_json(const char *json, size_t len, size_t *size)
{
	MemModel	m;
	DbertSource source = mem_source(&m);
	DbertArena	arena = {&dbert_malloc_allocator, NULL};
	DbertTokenizerFiles files = {0};
	DbertFileList used = {0};
	DbertError	err;

	memset(&m, 0, sizeof(m));
	mem_put_bytes(&m, "tokenizer.json", json, len);
	if (dbert_tokenizer_files_read(&source, "", "bert", 64, &dbert_malloc_allocator, &arena, NULL,
								   &files, &used, &err) != DBERT_OK)
		files.image = NULL;
	*size = files.image_size;
	dbert_arena_end(&arena);
	mem_free(&m);
	return files.image;
}

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char json[8192];
	Bytes		in = {data, size};
	unsigned	flags = take_byte(&in);
	int			n = snprintf(json, sizeof(json),
							 "{\"added_tokens\":[{\"id\":1,\"content\":\"<s>\",\"special\":true,"
							 "\"normalized\":%s,\"lstrip\":%s,\"rstrip\":%s,\"single_word\":%s}],",
							 flags & 1 ? "true" : "false", flags & 2 ? "true" : "false",
							 flags & 4 ? "true" : "false", flags & 8 ? "true" : "false");
	DbertTokenizer t;
	DbertError	err;
	size_t		image_size;
	void	   *image;
	int32_t		room = 1 + (int32_t) (take_byte(&in) % 24);

	n += snprintf(json + n, sizeof(json) - (size_t) n, "\"normalizer\":%s,", PICK(normalizers));
	n += snprintf(json + n, sizeof(json) - (size_t) n,
				  "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[%s",
				  flags & 16 ? PICK(splitters) : "");
	n += snprintf(json + n, sizeof(json) - (size_t) n, "%s%s]},", flags & 16 && flags & 32 ? "," : "",
				  flags & 32 ? PICK(splitters) : "");
	n += snprintf(json + n, sizeof(json) - (size_t) n, "\"post_processor\":%s,", PICK(processors));
	n += snprintf(json + n, sizeof(json) - (size_t) n, "\"model\":%s}", PICK(models));
	if (flags & 64)
		while (take_byte(&in) % 4 != 0 && take_edit(&in, (uint8_t *) json, (size_t) n))
			continue;
	image = read_json(json, (size_t) n, &image_size);
	if (image == NULL)
		return 0;
	if (flags & 128)
		while (take_byte(&in) % 4 != 0 && take_edit(&in, image, image_size))
			continue;
	if (dbert_tokenizer_open(image, image_size, &t, &err) == DBERT_OK && !(flags & 128))
		check_text(&t, (const char *) in.at, in.left, room);
	else if (flags & 128 && dbert_tokenizer_open(image, image_size, &t, &err) == DBERT_OK)
	{
		DbertTokenList list = {0};
		bool		truncated;

		(void) dbert_tokenize(&t, (const char *) in.at, in.left, NULL, 0, DBERT_NO_LIMIT,
							  &dbert_malloc_allocator, NULL, &list, &truncated, &err);
		dbert_token_list_free(&list, &dbert_malloc_allocator);
	}
	else
		REQUIRE(flags & 128);
	free(image);
	return 0;
}
