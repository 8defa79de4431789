/*
 * test_tokenizer_pieces.c -- single normalizers and pre-tokenizers against
 * those of Hugging Face's tokenizers.
 *
 * A file of pieces has "normalizers" and "pre_tokenizers": name to {"json": the
 * step, "cases": [[text, result], ...]}, where the result of a normalizer is a
 * text, that of a pre-tokenizer [[piece, begin, end], ...].
 */
#include "model/tokenizerfiles.h"
#include "test/support/memsource.h"
#include "test/support/testhelp.h"
#include "text/bytechars.h"
#include "text/tokenizing.h"
#include "text/utf8.h"

#include <jansson.h>

/* Refused by name. */
static const char *const refused[] = {"UnicodeScripts"};

/* Compile a tokenizer that has this step alone. */
static void *
compile(const char *key, const json_t *step, DbertError *err)
{
	char	   *json = json_dumps(step, JSON_ENCODE_ANY);
	size_t		size = strlen(json) + 400;
	char	   *text = malloc(size);
	MemModel	m;
	DbertSource source;
	DbertArena	arena = {&dbert_malloc_allocator, NULL};
	DbertFileList used = {0};
	DbertTokenizerFiles files = {0};

	/* twice: of BERT's alone there is no step */
	snprintf(text, size,
			 "{\"%s\":{\"type\":\"Sequence\",\"%ss\":[%s%s%s]},"
			 "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}",
			 key, strcmp(key, "normalizer") == 0 ? key : "pretokenizer", json,
			 strstr(json, "BertPreTokenizer") ? "," : "", strstr(json, "BertPreTokenizer") ? json : "");
	memset(&m, 0, sizeof(m));
	mem_put(&m, "tokenizer.json", text);
	source = mem_source(&m);
	if (dbert_tokenizer_files_read(&source, "", "bert", 100, &dbert_malloc_allocator, &arena, NULL,
								   &files, &used, err) != DBERT_OK)
		files.image = NULL;
	dbert_arena_end(&arena);
	mem_free(&m);
	free(json);
	free(text);
	return files.image;
}

/* A text being put together. */
typedef struct Text
{
	char		bytes[8192];
	size_t		len;
} Text;

static void
add_char(Text *text, uint32_t cp)
{
	if (text->len + 4 <= sizeof(text->bytes))
		text->len += (size_t) dbert_utf8_encode(cp, (uint8_t *) text->bytes + text->len);
}

/* A character as byte-level tokens write it. */
static void
add_bytes(Text *text, uint32_t cp)
{
	uint8_t		bytes[4];
	int			n = dbert_utf8_encode(cp, bytes);

	for (int i = 0; i < n; i++)
		add_char(text, dbert_byte_char(bytes[i]));
}

static json_t *
normalized(const DbertTokenizer *t, const json_t *in)
{
	DbertTokenizing run;
	DbertError	err;
	DbertChar	ch;
	DbertAddedHit hit;
	Text		text = {.len = 0};

	dbert_tokenizing_open(&run, t->image, json_string_value(in), json_string_length(in),
						  &dbert_malloc_allocator, NULL, &err);
	while (dbert_text_next(&run.text, &ch, &hit) == DBERT_NEXT_CHAR)
		add_char(&text, ch.cp);
	dbert_tokenizing_close(&run);
	return json_stringn(text.bytes, text.len);
}

static json_t *
pieces(const DbertTokenizer *t, const json_t *in)
{
	const DbertTokImage *image = t->image;
	json_t	   *list = json_array();
	DbertTokenizing run;
	DbertError	err;
	DbertChar	ch;
	Text		text = {.len = 0};
	int			begin = 0,
				end = 0;
	bool		any = false;

	dbert_tokenizing_open(&run, image, json_string_value(in), json_string_length(in),
						  &dbert_malloc_allocator, NULL, &err);
	for (;;)
	{
		DbertAddedHit hit;
		DbertNext	next = run.splitters.n > 0 ? dbert_chain_next(&run.splitters, &ch)
											   : dbert_text_next(&run.text, &ch, &hit);

		if (any && (next != DBERT_NEXT_CHAR || ch.begins))
		{
			json_array_append_new(list, json_pack("[s#ii]", text.bytes, (int) text.len, begin, end));
			text.len = 0;
		}
		if (next != DBERT_NEXT_CHAR)
			break;
		begin = text.len == 0 ? ch.start : begin;
		end = ch.end;
		any = true;
		(image->kind == DBERT_KIND_BYTEBPE ? add_bytes : add_char) (&text, ch.cp);
	}
	dbert_tokenizing_close(&run);
	return list;
}

static void
check_step(const char *name, const char *key, const json_t *step, const json_t *cases)
{
	DbertError	err = {0};
	DbertTokenizer t;
	void	   *image = compile(key, step, &err);
	int			failed = 0;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (strcmp(name, refused[i]) == 0)
		{
			CHECK(image == NULL && err.code == DBERT_E_UNSUPPORTED);
			return;
		}
	CHECK_MSG(image != NULL && dbert_tokenizer_open(image, ((DbertTokImage *) image)->size, &t,
													&err) == DBERT_OK, "%s: %s", name, err.msg);
	for (size_t i = 0; image != NULL && i < json_array_size(cases); i++)
	{
		const json_t *text = json_array_get(json_array_get(cases, i), 0),
				   *want = json_array_get(json_array_get(cases, i), 1);
		json_t	   *got = json_is_string(want) ? normalized(&t, text) : pieces(&t, text);

		if (!json_equal((json_t *) want, got) && failed++ < 3)
		{
			char	   *w = json_dumps(want, JSON_ENCODE_ANY),
					   *g = json_dumps(got, JSON_ENCODE_ANY);

			printf("  %s: \"%.60s\"\n    want %.400s\n    got  %.400s\n", name,
				   json_string_value(text), w, g);
			free(w);
			free(g);
		}
		json_decref(got);
	}
	CHECK_MSG(failed == 0, "%s: %d of %zu cases", name, failed, json_array_size(cases));
	CHECK(json_array_size(cases) > 10);
	free(image);
}

static void
check_steps(const json_t *root, const char *list, const char *key, int at_least)
{
	const char *name;
	json_t	   *entry;
	int			n = 0;

	json_object_foreach(json_object_get(root, list), name, entry)
	{
		const json_t *step = json_object_get(entry, "json");

		if (json_is_object(step))
			check_step(name, key, step, json_object_get(entry, "cases"));
		n++;
	}
	CHECK(n >= at_least);
}

static void
check_file(const char *path, int normalizers, int splitters)
{
	json_t	   *root = json_load_file(path, JSON_ALLOW_NUL, NULL);

	CHECK_MSG(root != NULL, "%s", path);
	check_steps(root, "normalizers", "normalizer", normalizers);
	check_steps(root, "pre_tokenizers", "pre_tokenizer", splitters);
	json_decref(root);
}

static void
test_own(void)
{
	check_file("test/golden/tokenizer-pieces.json", 12, 20);
}

static void
test_shared(void)
{
	const char *shared = getenv("DBERT_SHARED");
	char		path[512];
	FILE	   *f;

	snprintf(path, sizeof(path), "%s/golden/tokenizer-pieces.json", shared ? shared : "../shared");
	f = fopen(path, "r");
	if (f == NULL)
		SKIP("../shared is absent");
	fclose(f);
	check_file(path, 16, 22);
}

int
main(void)
{
	RUN(test_own);
	RUN(test_shared);
	return tests_end();
}
