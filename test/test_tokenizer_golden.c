/*
 * test_tokenizer_golden.c -- token ids, offsets and word numbers against
 * those of Hugging Face's tokenizers.
 *
 * test/golden/tokenizer.json is the project's own (made by
 * make_tokenizer_golden.py); the larger goldens in ../shared are run where
 * they are.
 */
#include "test/testhelp.h"
#include "test/vocabfile.h"

#include <jansson.h>

static char *
shared_path(const char *name)
{
	static char path[1024];
	const char *shared = getenv("DBERT_SHARED");

	snprintf(path, sizeof(path), "%s/%s", shared ? shared : "../shared", name);
	return path;
}

/* A compiled and opened tokenizer. */
typedef struct Tok
{
	void	   *image;
	size_t		size;
	DbertTokenizer t;
} Tok;

static bool
tok_open(Tok *tok, const DbertTokenizerSpec *spec)
{
	DbertError	err;

	if (dbert_tokenizer_compile(spec, &dbert_malloc_allocator, &tok->image, &tok->size, &err) != DBERT_OK ||
		dbert_tokenizer_open(tok->image, tok->size, &tok->t, &err) != DBERT_OK)
	{
		printf("  %s\n", err.msg);
		return false;
	}
	return true;
}

static json_t *
int_array(const DbertTokenList *list, char what)
{
	json_t	   *a = json_array();

	for (size_t i = 0; i < list->count; i++)
	{
		const DbertToken *k = &list->items[i];

		switch (what)
		{
			case 'i':
				json_array_append_new(a, json_integer(k->id));
				break;
			case 'o':
				json_array_append_new(a, json_pack("[ii]", k->start, k->end));
				break;
			case 't':
				json_array_append_new(a, json_integer(k->type));
				break;
			case 'w':
				json_array_append_new(a, k->word < 0 ? json_null() : json_integer(k->word));
				break;
		}
	}
	return a;
}

/* Compare one list with what the case says; a key that it lacks is not compared. */
static void
check_list(const json_t *c, const DbertTokenList *list)
{
	static const struct
	{
		const char *key;
		char		what;
	}			keys[] = {{"ids", 'i'}, {"input_ids", 'i'}, {"offsets", 'o'}, {"type_ids", 't'}, {"words", 'w'}};

	for (size_t k = 0; k < 5; k++)
	{
		json_t	   *want = json_object_get(c, keys[k].key);
		json_t	   *got;

		if (want == NULL)
			continue;
		got = int_array(list, keys[k].what);
		if (!json_equal(got, want))
		{
			char	   *text = json_dumps(json_object_get(c, "text"), JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
			char	   *g = json_dumps(got, JSON_COMPACT);
			char	   *w = json_dumps(want, JSON_COMPACT);

			CHECK_MSG(false, "%.100s: %s\n    got  %.300s\n    want %.300s", text, keys[k].key, g, w);
			free(text);
			free(g);
			free(w);
		}
		json_decref(got);
	}
}

/* limit: max_tokens for a case that names none */
static void
check_case(const DbertTokenizer *t, const json_t *c, int32_t limit)
{
	const json_t *text = json_object_get(c, "text");
	const json_t *pair = json_object_get(c, "pair");
	const json_t *max_tokens = json_object_get(c, "max_tokens");
	DbertTokenList list = {0};
	DbertError	err;
	bool		truncated;
	int64_t		count;
	DbertStatus s = dbert_tokenize(t, json_string_value(text), json_string_length(text),
								   json_is_string(pair) ? json_string_value(pair) : NULL, json_string_length(pair),
								   max_tokens ? (int32_t) json_integer_value(max_tokens) : limit,
								   &dbert_malloc_allocator, NULL, &list, &truncated, &err);

	CHECK_MSG(s == DBERT_OK, "%s", err.msg);
	check_list(c, &list);
	if (max_tokens)
		CHECK(truncated == json_is_true(json_object_get(c, "truncated")));
	if (!json_is_string(pair) && !truncated)
	{
		s = dbert_count_tokens(t, json_string_value(text), json_string_length(text),
							   &dbert_malloc_allocator, NULL, &count, &err);
		CHECK(s == DBERT_OK && count == (int64_t) list.count);
	}
	dbert_token_list_free(&list, &dbert_malloc_allocator);
}

/* All cases of a file, an array or an object with "cases". */
static size_t
check_cases(const DbertTokenizer *t, const char *path, int32_t limit)
{
	json_error_t error;
	json_t	   *root = json_load_file(path, JSON_ALLOW_NUL, &error);
	json_t	   *cases = json_is_object(root) ? json_object_get(root, "cases") : root;
	size_t		n = json_array_size(cases);

	CHECK_MSG(root != NULL, "%s: %s", path, error.text);
	for (size_t i = 0; i < n; i++)
		check_case(t, json_array_get(cases, i), limit);
	json_decref(root);
	return n;
}

static void
check_shared(const char *vocab, bool uncased, const char *cases, int32_t limit, size_t at_least)
{
	VocabFile	v;
	Tok			tok;
	size_t		n;

	if (!vocab_load(&v, shared_path(vocab), uncased))
	{
		printf("# skipped: ../shared is absent\n");
		return;
	}
	if (tok_open(&tok, &v.spec))
	{
		n = check_cases(&tok.t, shared_path(cases), limit);
		CHECK_MSG(n >= at_least, "%s: %zu cases", cases, n);
		free(tok.image);
	}
	vocab_free(&v);
}

static void
test_shared_uncased(void)
{
	check_shared("golden/distilbert-base/vocab.txt", true, "golden/tokenizer-uncased.json", DBERT_NO_LIMIT, 755);
}

static void
test_shared_cased_rules(void)
{
	check_shared("golden/distilbert-base/vocab.txt", false, "golden/tokenizer-cased-rules.json", DBERT_NO_LIMIT, 515);
}

static void
test_shared_models(void)
{
	static const char *const models[] = {"distilbert-base", "distilbert-sentiment", "distilbert-ner",
		"distilbert-qa", "distilbert-nli", "distilbert-mlm", "distilbert-multilabel", "bert-base",
	"bert-ner", "bert-sentiment"};

	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
	{
		char		vocab[256],
					cases[256];

		snprintf(vocab, sizeof(vocab), "golden/%s/vocab.txt", models[i]);
		snprintf(cases, sizeof(cases), "golden/%s/golden.json", models[i]);
		check_shared(vocab, true, cases, 512, 5);
	}
}

int
main(void)
{
	RUN(test_shared_uncased);
	RUN(test_shared_cased_rules);
	RUN(test_shared_models);
	return tests_end();
}
