/*
 * test_pieces.c -- SentencePiece models, character maps, base64 and Unigram in
 * tokenizer.json: what is refused, and how.  (What good ones give:
 * test_tokenizer_kinds.c.)
 *
 * Models are protobufs, which are made here field by field.
 */
#include "model/base64.h"
#include "model/tokenizerfiles.h"
#include "test/support/memsource.h"
#include "test/support/testhelp.h"
#include "text/charsmap.h"
#include "text/tokenizer.h"

#include <math.h>

/* ---- protobufs ---- */

typedef struct Proto
{
	uint8_t		bytes[8192];
	size_t		len;
} Proto;

static void
put_varint(Proto *p, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		p->bytes[p->len++] = (uint8_t) (value | 0x80);
	p->bytes[p->len++] = (uint8_t) value;
}

static void
put_number(Proto *p, int field, uint64_t value)
{
	put_varint(p, (uint64_t) field << 3);
	put_varint(p, value);
}

static void
put_bytes(Proto *p, int field, const void *bytes, size_t len)
{
	put_varint(p, (uint64_t) field << 3 | 2);
	put_varint(p, len);
	memcpy(p->bytes + p->len, bytes, len);
	p->len += len;
}

static void
put_piece(Proto *p, const char *text, float score, int type)
{
	Proto		piece = {.len = 0};

	put_bytes(&piece, 1, text, strlen(text));
	put_varint(&piece, 2 << 3 | 5);
	memcpy(piece.bytes + piece.len, &score, 4);
	piece.len += 4;
	if (type != 1)
		put_number(&piece, 3, (uint64_t) type);
	put_bytes(p, 1, piece.bytes, piece.len);
}

static void
put_trainer(Proto *p, uint64_t model_type, uint64_t unk_id)
{
	Proto		trainer = {.len = 0};

	put_number(&trainer, 3, model_type);
	put_number(&trainer, 40, unk_id);
	put_bytes(p, 2, trainer.bytes, trainer.len);
}

static void
put_map(Proto *p, const uint8_t *map, size_t len)
{
	Proto		normalizer = {.len = 0};

	put_bytes(&normalizer, 2, map, len);
	put_bytes(p, 3, normalizer.bytes, normalizer.len);
}

/* ---- character maps ---- */

#define MAP_UNITS 512

typedef struct Map
{
	uint8_t		bytes[4 + 4 * MAP_UNITS + 64];
	size_t		len;
} Map;

static void
set_unit(Map *m, uint32_t i, uint32_t value)
{
	for (int b = 0; b < 4; b++)
		m->bytes[4 + 4 * i + b] = (uint8_t) (value >> 8 * b);
}

/* "A" becomes "bc", "x" nothing.  Units as darts-clone lays them out. */
static Map
good_map(void)
{
	static const char texts[] = "bc\0";
	Map			m = {.len = 4 + 4 * MAP_UNITS + sizeof(texts)};

	m.bytes[0] = (uint8_t) (4 * MAP_UNITS & 255);
	m.bytes[1] = (uint8_t) (4 * MAP_UNITS >> 8);
	for (uint32_t i = 0; i < MAP_UNITS; i++)
		set_unit(&m, i, 0x80000000u);
	set_unit(&m, 0, 256 << 10);						/* children at 256 ^ byte */
	set_unit(&m, 256 ^ 'A', (256 ^ 'A' ^ 1) << 10 | 0x100 | 'A');	/* its value at 1 */
	set_unit(&m, 1, 0x80000000u | 0);
	set_unit(&m, 256 ^ 'x', (256 ^ 'x' ^ 2) << 10 | 0x100 | 'x');
	set_unit(&m, 2, 0x80000000u | 2);
	memcpy(m.bytes + 4 + 4 * MAP_UNITS, texts, sizeof(texts));
	return m;
}

static DbertStatus
open_map(const Map *m, DbertCharsmap *out, DbertError *err)
{
	return dbert_charsmap_open(m->bytes, m->len, out, err);
}

static void
check_map(const Map *m, const char *want)
{
	DbertCharsmap out;
	DbertError	err = {0};

	CHECK(open_map(m, &out, &err) == DBERT_E_FORMAT);
	CHECK_MSG(strstr(err.msg, want) != NULL, "got \"%s\", want \"%s\"", err.msg, want);
}

static void
test_map(void)
{
	Map			m = good_map();
	DbertCharsmap map;
	DbertError	err = {0};

	CHECK_MSG(open_map(&m, &map, &err) == DBERT_OK, "%s", err.msg);
	CHECK_STR((const char *) dbert_charsmap_find(&map, (const uint8_t *) "AA", 2), "bc");
	CHECK_STR((const char *) dbert_charsmap_find(&map, (const uint8_t *) "x", 1), "");
	CHECK(dbert_charsmap_find(&map, (const uint8_t *) "y", 1) == NULL);
	CHECK(dbert_charsmap_find(&map, (const uint8_t *) "", 0) == NULL);
}

static void
test_bad_maps(void)
{
	Map			m = good_map();
	DbertCharsmap map;
	DbertError	err;

	set_unit(&m, 256 ^ 'y', 4096 << 10 | 'y');
	check_map(&m, "points outside its 512 units");
	m = good_map();
	set_unit(&m, 3, 0x1fffff << 10 | 0x200 | 7);
	check_map(&m, "unit 3 of the character map's trie points outside");
	m = good_map();
	set_unit(&m, 1, 0x80000000u | 4);
	check_map(&m, "names no replacement");
	m = good_map();
	m.bytes[m.len - 4] = 0xff;
	check_map(&m, "not valid UTF-8 at byte 0");
	m = good_map();
	m.bytes[1]++;
	check_map(&m, "must be a multiple of 1024");
	/* one that is cut off names replacements that are not there, or ends in the trie */
	m = good_map();
	for (size_t len = m.len; len-- > 0;)
		if (dbert_charsmap_open(m.bytes, len, &map, &err) == DBERT_OK)
			CHECK_MSG(len >= m.len - 1, "%zu bytes", len);
}

/* ---- base64 ---- */

static void
check_base64(const char *text, const char *want)
{
	DbertArena	arena = {&dbert_malloc_allocator, NULL};
	DbertError	err = {0};
	uint8_t    *bytes;
	size_t		size;
	DbertStatus status =
		dbert_base64_read(text, strlen(text), "f: k", &arena, &bytes, &size, &err);

	if (want != NULL)
		CHECK(status == DBERT_OK && size == strlen(want) && memcmp(bytes, want, size) == 0);
	else
		CHECK_MSG(status == DBERT_E_FORMAT && strncmp(err.msg, "f: k: ", 6) == 0, "%s", err.msg);
	dbert_arena_end(&arena);
}

static void
test_base64(void)
{
	check_base64("", "");
	check_base64("Zm9v", "foo");
	check_base64("Zm8=", "fo");
	check_base64("Zg==", "f");
	check_base64("Zm9vYmE=", "fooba");
	check_base64("//++", "\xff\xff\xbe");
	check_base64("Zm9", NULL);
	check_base64("Zm9v\n", NULL);
	check_base64("Zm=v", NULL);
	check_base64("Z===", NULL);
	check_base64("====", NULL);
	check_base64("Zm9-", NULL);
}

/* ---- SentencePiece models ---- */

/* Read file of class, with the model; err is the sentence. */
static DbertStatus
read_model(const char *class, const char *file, const void *bytes, size_t len, int32_t vocab,
		   DbertTokenizerFiles *out, DbertError *err)
{
	MemModel	m = {0};
	DbertArena	arena = {&dbert_malloc_allocator, NULL};
	DbertFileList list = {0};
	DbertSource source = mem_source(&m);
	char		config[128];
	DbertStatus status;

	snprintf(config, sizeof(config), "{\"tokenizer_class\":\"%sTokenizer\"}", class);
	mem_put(&m, "tokenizer_config.json", config);
	mem_put_bytes(&m, file, bytes, len);
	status = dbert_tokenizer_files_read(&source, "", "bert", vocab, &dbert_malloc_allocator,
										&arena, NULL, out, &list, err);
	dbert_arena_end(&arena);
	mem_free(&m);
	return status;
}

static void
check_refused(const Proto *p, const char *class, DbertStatus want, const char *words)
{
	DbertTokenizerFiles out = {0};
	DbertError	err = {0};
	DbertStatus status = read_model(class, "spm.model", p->bytes, p->len, 64, &out, &err);

	CHECK_MSG(status == want && strncmp(err.msg, "spm.model: ", 11) == 0 &&
			  strstr(err.msg, words) != NULL, "got %d, \"%s\"; want \"%s\"", status, err.msg, words);
	dbert_free(&dbert_malloc_allocator, out.image);
}

static void
put_common(Proto *p)
{
	put_piece(p, "[PAD]", 0, 3);
	put_piece(p, "[CLS]", 0, 3);
	put_piece(p, "[SEP]", 0, 3);
	put_piece(p, "[UNK]", 0, 2);
	put_piece(p, "\xe2\x96\x81", -1, 1);
	put_piece(p, "a", -2, 1);
	put_piece(p, "\xe2\x96\x81" "ab", -2.5, 1);
	put_piece(p, "bc", -3, 1);
}

static Proto
good_model(void)
{
	Proto		p = {.len = 0};
	Map			m = good_map();

	put_common(&p);
	put_trainer(&p, 1, 3);
	put_map(&p, m.bytes, m.len);
	put_number(&p, 77, 5);		/* a field that is not known */
	return p;
}

static void
check_ids(const DbertTokenizerFiles *files, const char *text, const char *want)
{
	DbertTokenizer t;
	DbertTokenList list = {0};
	DbertError	err = {0};
	bool		truncated;
	char		out[256] = "";
	size_t		n = 0;

	CHECK(dbert_tokenizer_open(files->image, files->image_size, &t, &err) == DBERT_OK);
	CHECK(dbert_tokenize(&t, text, strlen(text), NULL, 0, DBERT_NO_LIMIT, &dbert_malloc_allocator,
						 NULL, &list, &truncated, &err) == DBERT_OK);
	for (size_t i = 0; i < list.count; i++)
		n += (size_t) snprintf(out + n, sizeof(out) - n, "%s%d", i ? " " : "", list.items[i].id);
	CHECK_STR(out, want);
	dbert_token_list_free(&list, &dbert_malloc_allocator);
}

static void
test_model(void)
{
	Proto		p = good_model();
	DbertTokenizerFiles out = {0};
	DbertError	err = {0};

	CHECK_MSG(read_model("DebertaV2", "spm.model", p.bytes, p.len, 64, &out, &err) == DBERT_OK,
			  "%s", err.msg);
	check_ids(&out, "ab a", "1 6 4 5 2");
	check_ids(&out, "A x[MASK]?", "1 4 7 4 8 4 3 2");
	dbert_free(&dbert_malloc_allocator, out.image);

	/* without a row for it there is no mask */
	CHECK(read_model("DebertaV2", "spm.model", p.bytes, p.len, 8, &out, &err) == DBERT_OK);
	CHECK(!out.has_mask);
	dbert_free(&dbert_malloc_allocator, out.image);
	CHECK(read_model("DebertaV2", "spm.model", p.bytes, p.len, 7, &out, &err) == DBERT_E_SHAPE);
}

/* As older DeBERTas have it: added_tokens.json gives the mask its id and no more. */
static void
test_added_map(void)
{
	MemModel	m = {0};
	DbertArena	arena = {&dbert_malloc_allocator, NULL};
	DbertFileList list = {0};
	DbertSource source = mem_source(&m);
	DbertTokenizerFiles out = {0};
	DbertTokenizer t;
	DbertError	err = {0};
	Proto		p = good_model();
	int32_t		ids[] = {5, 8, 9};
	char	   *text;
	size_t		len;

	mem_put_bytes(&m, "spm.model", p.bytes, p.len);
	mem_put(&m, "added_tokens.json", "{\"[MASK]\": 8, \"[NEW]\": 9}");
	CHECK_MSG(dbert_tokenizer_files_read(&source, "", "deberta-v2", 64, &dbert_malloc_allocator,
										 &arena, NULL, &out, &list, &err) == DBERT_OK,
			  "%s", err.msg);
	check_ids(&out, "A x[MASK]? [NEW]", "1 4 7 4 8 4 3 4 9 2");
	/* the mask is special, the other is not */
	CHECK(dbert_tokenizer_open(out.image, out.image_size, &t, &err) == DBERT_OK);
	CHECK(t.mask_id == 8);
	CHECK(dbert_decode(&t, ids, 3, true, &dbert_malloc_allocator, &text, &len, &err) == DBERT_OK);
	CHECK(len == 6 && memcmp(text, "a[NEW]", 6) == 0);
	free(text);
	dbert_free(&dbert_malloc_allocator, out.image);
	dbert_arena_end(&arena);
	mem_free(&m);
}

/* Wherever it is cut off or damaged: an error that names the file, or a tokenizer. */
static void
try_model(const void *bytes, size_t len)
{
	DbertTokenizerFiles out = {0};
	DbertTokenizer t;
	DbertError	err = {0};
	DbertStatus status = read_model("DebertaV2", "spm.model", bytes, len, 64, &out, &err);

	if (status != DBERT_OK)
		CHECK_MSG(strncmp(err.msg, "spm.model: ", 11) == 0, "%s", err.msg);
	else
		CHECK(dbert_tokenizer_open(out.image, out.image_size, &t, &err) == DBERT_OK);
	dbert_free(&dbert_malloc_allocator, out.image);
}

static void
test_cut_model(void)
{
	Proto		p = good_model();

	for (size_t len = 0; len < p.len; len++)
	{
		/* exactly so many bytes, that a read behind them is seen */
		void	   *copy = malloc(len + 1);

		memcpy(copy, p.bytes, len);
		try_model(copy, len);
		free(copy);
	}
}

static void
test_damaged_model(void)
{
	static const uint8_t masks[] = {0x01, 0x80, 0xff};
	Proto		p = good_model();

	for (size_t i = 0; i < p.len; i += i > 400 ? 7 : 1)
		for (size_t k = 0; k < sizeof(masks); k++)
		{
			p.bytes[i] ^= masks[k];
			try_model(p.bytes, p.len);
			p.bytes[i] ^= masks[k];
		}
}

static void
test_bad_pieces(void)
{
	static const struct
	{
		const char *text;
		float		score;
		int			type;
		const char *words;
	}			cases[] = {
		{"new", NAN, 1, "the score of piece 8 (\"new\") is no number"},
		{"new", INFINITY, 1, "the score of piece 8 (\"new\") is no number"},
		{"bc", -3, 1, "\"bc\" is there twice"},
		{"n\xc3w", -3, 1, "piece 8 is not valid UTF-8"},
		{"new", -3, 9, "piece 8 (\"new\") has the unknown type"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Proto		p = {.len = 0};

		put_common(&p);
		put_piece(&p, cases[i].text, cases[i].score, cases[i].type);
		put_trainer(&p, 1, 3);
		check_refused(&p, "DebertaV2", DBERT_E_FORMAT, cases[i].words);
	}
}

static void
test_bad_messages(void)
{
	Proto		p = {.len = 0};
	Map			m = good_map();

	check_refused(&p, "DebertaV2", DBERT_E_FORMAT, "holds no piece");
	put_common(&p);
	put_trainer(&p, 1, 8);
	check_refused(&p, "DebertaV2", DBERT_E_FORMAT, "unk_id is 8, but there are 8 pieces");

	p.len = 0;
	put_common(&p);
	put_trainer(&p, 3, 3);
	check_refused(&p, "DebertaV2", DBERT_E_UNSUPPORTED, "model_type 3 is not supported");

	p = good_model();
	check_refused(&p, "NoSuch", DBERT_E_UNSUPPORTED, "class \"NoSuchTokenizer\" is not supported");

	p.len = 0;
	put_common(&p);
	set_unit(&m, 256 ^ 'y', 4096 << 10 | 'y');
	put_map(&p, m.bytes, m.len);
	put_trainer(&p, 1, 3);
	check_refused(&p, "DebertaV2", DBERT_E_FORMAT, "precompiled_charsmap: unit");
}

/* Bytes that are no protobuf, behind good pieces. */
static void
test_bad_fields(void)
{
	static const struct
	{
		const char *bytes;
		size_t		len;
		const char *words;
	}			cases[] = {
		{"\x0b", 1, "a field has an unknown type"},
		{"\x02\x00", 2, "no field has this number"},
		{"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "longer than what is left"},
		{"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11, "more than 64 bits"},
		{"\x0a\x05""abc", 5, "longer than what is left"},
		{"\x50\x80", 2, "a number is cut off"},
		{"\x51\x01\x02", 3, "longer than what is left"},
		{"\x08\x01", 2, "field 1 is of type 0, expected 2"},
		{"\x12\x02\x1d\x01", 4, "longer than what is left"},
		{"\x12\x05\x1d\x01\x00\x00\x00", 7, "field 3 is of type 5, expected 0"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Proto		p = {.len = 0};

		put_common(&p);
		put_trainer(&p, 1, 3);
		memcpy(p.bytes + p.len, cases[i].bytes, cases[i].len);
		p.len += cases[i].len;
		check_refused(&p, "DebertaV2", DBERT_E_FORMAT, cases[i].words);
	}
}

/* ---- Unigram in tokenizer.json ---- */

#define UNIGRAM_JSON \
	"{\"added_tokens\":[],\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"}," \
	"\"content\":\" \"},\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\"," \
	"\"prepend_scheme\":\"always\"},\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":" \
	"[[\"<unk>\",0],[\"\xe2\x96\x81\",-1.5],[\"a\",-2.0],[\"ab\",-3]]}}"

static DbertStatus
read_json_of(const char *model_type, const char *from, const char *to, DbertTokenizerFiles *out,
			 DbertError *err)
{
	MemModel	m = {0};
	DbertArena	arena = {&dbert_malloc_allocator, NULL};
	DbertFileList list = {0};
	DbertSource source = mem_source(&m);
	DbertStatus status;

	mem_put(&m, "tokenizer.json", UNIGRAM_JSON);
	mem_edit(&m, "tokenizer.json", from, to);
	status = dbert_tokenizer_files_read(&source, "", model_type, 16, &dbert_malloc_allocator,
										&arena, NULL, out, &list, err);
	dbert_arena_end(&arena);
	mem_free(&m);
	return status;
}

static DbertStatus
read_json(const char *from, const char *to, DbertTokenizerFiles *out, DbertError *err)
{
	return read_json_of("bert", from, to, out, err);
}

/* Where tokenizer_config.json names no token, the model's class does. */
static void
test_roles(void)
{
	static const struct
	{
		const char *model_type;
		bool		mask;
	}			cases[] = {{"xlm-roberta", true}, {"camembert", true}, {"roberta", true}, {"bert", false},
	{"albert", false}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		DbertTokenizerFiles out = {0};
		DbertError	err = {0};

		CHECK_MSG(read_json_of(cases[i].model_type, "-3]", "-3],[\"<mask>\",0]", &out, &err) ==
				  DBERT_OK, "%s", err.msg);
		CHECK_MSG(out.has_mask == cases[i].mask, "%s", cases[i].model_type);
		dbert_free(&dbert_malloc_allocator, out.image);
	}
}

static void
test_unigram_json(void)
{
	DbertTokenizerFiles out = {0};
	DbertError	err = {0};

	CHECK_MSG(read_json("-3]", "-3.25]", &out, &err) == DBERT_OK, "%s", err.msg);
	check_ids(&out, "ab aa?", "1 3 1 2 2 0");
	dbert_free(&dbert_malloc_allocator, out.image);
	/* a piece that is worse than two others */
	CHECK_MSG(read_json("-3]", "-3],[\"aa\",-5]", &out, &err) == DBERT_OK, "%s", err.msg);
	check_ids(&out, "aa", "1 2 2");
	dbert_free(&dbert_malloc_allocator, out.image);
	/* and one that is as good, and found before */
	CHECK_MSG(read_json("-3]", "-3],[\"aa\",-4]", &out, &err) == DBERT_OK, "%s", err.msg);
	check_ids(&out, "aa", "1 4");
	dbert_free(&dbert_malloc_allocator, out.image);
}

static void
test_bad_unigram_json(void)
{
	static const struct
	{
		const char *from,
				   *to;
		DbertStatus status;
		const char *words;
	}			cases[] = {
		{"\"ab\",-3", "\"a\",-3", DBERT_E_FORMAT, "piece 2, \"a\", is there a second time"},
		{"\"ab\",-3", "\"\",-3", DBERT_E_FORMAT, "model: vocab: item 3 is no piece with its score"},
		{"\"ab\",-3", "\"ab\",\"-3\"", DBERT_E_FORMAT, "vocab: item 3 is no piece"},
		{"\"ab\",-3", "\"ab\",NaN", DBERT_E_FORMAT, "tokenizer.json: line 1"},
		{"\"ab\",-3", "\"ab\",-1e999", DBERT_E_FORMAT, "tokenizer.json: line 1"},
		{"[\"ab\",-3]", "7", DBERT_E_FORMAT, "vocab: item 3 is no piece"},
		{"\"unk_id\":0", "\"unk_id\":4", DBERT_E_FORMAT, "model: \"unk_id\""},
		{"\"unk_id\":0", "\"unk_id\":null", DBERT_E_UNSUPPORTED, "model: no \"unk_id\""},
		{"\"vocab\":", "\"vocab\":[],\"x\":", DBERT_E_FORMAT, "model: \"vocab\" holds no piece"},
		{"\"vocab\":", "\"vocab\":{},\"x\":", DBERT_E_FORMAT, "model: \"vocab\" must be an array"},
		{" {2,}", " {3,}", DBERT_E_UNSUPPORTED, "normalizer: pattern: the regular expression"},
		{"\"Regex\":\" {2,}\"", "\"String\":\"\"", DBERT_E_UNSUPPORTED, "\"String\" is empty"},
		{",\"content\":\" \"", "", DBERT_E_FORMAT, "normalizer: no \"content\""},
		{"always", "often", DBERT_E_UNSUPPORTED, "the prepend_scheme \"often\" is not supported"},
		{"\"replacement\":\"\xe2\x96\x81\"", "\"replacement\":\"_\"", DBERT_E_UNSUPPORTED,
		"only the replacement U+2581"},
		{"\"Replace\"", "\"Precompiled\"", DBERT_E_FORMAT, "no \"precompiled_charsmap\""},
		{"\"Replace\"", "\"Precompiled\",\"precompiled_charsmap\":\"AA\"", DBERT_E_FORMAT,
		"normalizer: precompiled_charsmap: 2 characters are no base64"},
		{"\"Replace\"", "\"Precompiled\",\"precompiled_charsmap\":\"AAAAAAAA\"", DBERT_E_FORMAT,
		"normalizer: precompiled_charsmap: the character map has 6 bytes"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		DbertTokenizerFiles out = {0};
		DbertError	err = {0};
		DbertStatus status = read_json(cases[i].from, cases[i].to, &out, &err);

		CHECK_MSG(status == cases[i].status && strncmp(err.msg, "tokenizer.json: ", 16) == 0 &&
				  strstr(err.msg, cases[i].words) != NULL, "got %d, \"%s\"; want \"%s\"", status,
				  err.msg, cases[i].words);
		dbert_free(&dbert_malloc_allocator, out.image);
	}
}

int
main(void)
{
	RUN(test_map);
	RUN(test_bad_maps);
	RUN(test_base64);
	RUN(test_model);
	RUN(test_added_map);
	RUN(test_cut_model);
	RUN(test_damaged_model);
	RUN(test_bad_pieces);
	RUN(test_bad_messages);
	RUN(test_bad_fields);
	RUN(test_roles);
	RUN(test_unigram_json);
	RUN(test_bad_unigram_json);
	return tests_end();
}
