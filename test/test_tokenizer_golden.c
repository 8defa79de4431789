/*
 * test_tokenizer_golden.c -- token ids, offsets and word numbers against
 * those of Hugging Face's tokenizers.
 *
 * test/golden/tokenizer.json is the project's own (made by
 * make_tokenizer_golden.py); the larger goldens in ../shared are run where
 * they are.  With arguments it runs a file of cases for a vocabulary.
 */
#include "test/support/testhelp.h"
#include "test/support/vocabfile.h"

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

	if (dbert_tokenizer_compile(spec, &dbert_malloc_allocator, NULL, &tok->image, &tok->size, &err) !=
			DBERT_OK ||
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
			case 'f':
				json_array_append_new(a, json_integer(k->start));
				json_array_append_new(a, json_integer(k->end));
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

/*
 * Compare one list with what the case says; a key that it lacks is not
 * compared.
 */
static void
check_list(const json_t *c, const DbertTokenList *list)
{
	static const struct
	{
		const char *key;
		char		what;
	}			keys[] = {{"ids", 'i'}, {"input_ids", 'i'}, {"offsets", 'o'}, {"flat_offsets", 'f'},
	{"type_ids", 't'}, {"words", 'w'}};

	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
	{
		json_t	   *want = json_object_get(c, keys[k].key);
		json_t	   *got;

		if (want == NULL)
			continue;
		got = int_array(list, keys[k].what);
		if (!json_equal(got, want))
		{
			char *text =
				json_dumps(json_object_get(c, "text"), JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
			char	   *g = json_dumps(got, JSON_COMPACT);
			char	   *w = json_dumps(want, JSON_COMPACT);

			CHECK_MSG(false, "%.100s: %s\n    got  %.300s\n    want %.300s", text, keys[k].key, g,
					  w);
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
								   json_is_string(pair) ? json_string_value(pair) : NULL,
								   json_string_length(pair),
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

/* ---- the project's own ---- */

#define MAX_ADDED 32

/* Compile what one element of "tokenizers" describes and run its cases. */
static void
check_own(const json_t *setting, const char *const *tokens, const size_t *lens, int32_t n_vocab)
{
	DbertAddedToken added[MAX_ADDED];
	const json_t *list = json_object_get(setting, "added");
	const json_t *max_word = json_object_get(setting, "max_word_chars");
	const json_t *cases = json_object_get(setting, "cases");
	int32_t		n_added = (int32_t) json_array_size(list);
	DbertTokenizerSpec spec = {
		.n_tokens = n_vocab,
		.tokens = tokens,
		.token_lens = lens,
		.n_added = n_added,
		.added = added,
		.prefix = "##",
		.max_word_chars = max_word ? (int32_t) json_integer_value(max_word) : 100,
		.clean_text = json_is_true(json_object_get(setting, "clean_text")),
		.split_cjk = json_is_true(json_object_get(setting, "handle_chinese_chars")),
		.lowercase = json_is_true(json_object_get(setting, "lowercase")),
		.strip_accents = json_is_true(json_object_get(setting, "strip_accents")),
		.pad_id = 0,
		.unk_id = 1,
		.cls_id = 2,
		.sep_id = 3,
		.mask_id = 4
	};
	Tok			tok;
	int			before = checks_failed;

	CHECK(n_added >= 5 && n_added <= MAX_ADDED);
	for (int32_t i = 0; i < n_added && i < MAX_ADDED; i++)
	{
		const json_t *a = json_array_get(list, (size_t) i);
		const json_t *content = json_object_get(a, "content");

		added[i] = (DbertAddedToken)
		{
			.text = json_string_value(content), .len = json_string_length(content),
			.id = (int32_t) json_integer_value(json_object_get(a, "id")),
			.special = json_is_true(json_object_get(a, "special")),
			.single_word = json_is_true(json_object_get(a, "single_word")),
			.lstrip = json_is_true(json_object_get(a, "lstrip")),
			.rstrip = json_is_true(json_object_get(a, "rstrip")),
			.normalized = json_is_true(json_object_get(a, "normalized"))
		};
		if (added[i].id >= spec.n_tokens)
			spec.n_tokens = added[i].id + 1;
	}
	CHECK(json_array_size(cases) > 100);
	CHECK(tok_open(&tok, &spec));
	for (size_t i = 0; i < json_array_size(cases); i++)
		check_case(&tok.t, json_array_get(cases, i), DBERT_NO_LIMIT);
	if (checks_failed > before)
		printf("  (settings \"%s\")\n", json_string_value(json_object_get(setting, "name")));
	free(tok.image);
}

static void
test_own(void)
{
	json_error_t error;
	json_t	   *root = json_load_file("test/golden/tokenizer.json", JSON_ALLOW_NUL, &error);
	json_t	   *vocab = json_object_get(root, "vocab");
	json_t	   *settings = json_object_get(root, "tokenizers");
	size_t		n = json_array_size(vocab);
	const char **tokens = calloc(n + MAX_ADDED, sizeof(char *));
	size_t	   *lens = calloc(n + MAX_ADDED, sizeof(size_t));

	CHECK_MSG(root != NULL, "%s", error.text);
	for (size_t i = 0; i < n; i++)
	{
		tokens[i] = json_string_value(json_array_get(vocab, i));
		lens[i] = json_string_length(json_array_get(vocab, i));
	}
	CHECK(json_array_size(settings) == 6);
	for (size_t i = 0; i < json_array_size(settings); i++)
		check_own(json_array_get(settings, i), tokens, lens, (int32_t) n);
	free(tokens);
	free(lens);
	json_decref(root);
}

/* ---- ../shared ---- */

static void
check_shared(const char *vocab, bool uncased, const char *cases, int32_t limit, size_t at_least)
{
	VocabFile	v;
	Tok			tok;
	size_t		n;

	if (!vocab_load(&v, shared_path(vocab), uncased))
		SKIP("../shared is absent");
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
	check_shared("golden/distilbert-base/vocab.txt", true, "golden/tokenizer-uncased.json",
				 DBERT_NO_LIMIT, 755);
}

static void
test_shared_cased_rules(void)
{
	check_shared("golden/distilbert-base/vocab.txt", false, "golden/tokenizer-cased-rules.json",
				 DBERT_NO_LIMIT, 515);
}

static void
test_shared_models(void)
{
	static const char *const models[] = {
		"distilbert-base", "distilbert-sentiment", "distilbert-ner",        "distilbert-qa",
		"distilbert-nli",  "distilbert-mlm",       "distilbert-multilabel", "bert-base",
		"bert-ner",        "bert-sentiment"
	};

	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
	{
		char		vocab[256],
					cases[256];

		snprintf(vocab, sizeof(vocab), "golden/%s/vocab.txt", models[i]);
		snprintf(cases, sizeof(cases), "golden/%s/golden.json", models[i]);
		check_shared(vocab, true, cases, 512, 5);
	}
}

/* One case a line; which vocabulary it is for follows from the model's name. */
static void
test_shared_vectors(void)
{
	static const struct
	{
		const char *in_name;
		const char *vocab;
		bool		uncased;
		int			cases;
	}			kinds[] = {
		{"multilingual", "data/tokenizer/bert-base-multilingual-cased.vocab.txt", false, 13},
		{"-uncased", "data/tokenizer/bert-base-uncased.vocab.txt", true, 12},
		{"-cased", "data/tokenizer/bert-base-cased.vocab.txt", false, 25},
	};
	size_t		size;
	char *lines = read_whole_file(shared_path("data/tokenizer/distilbert_vectors.jsonl"), &size);

	if (lines == NULL)
		SKIP("../shared is absent");
	for (size_t k = 0; k < 3; k++)
	{
		VocabFile	v;
		Tok			tok;
		int			n = 0;
		char	   *end;

		if (!vocab_load(&v, shared_path(kinds[k].vocab), kinds[k].uncased) ||
			!tok_open(&tok, &v.spec))
		{
			CHECK(false);
			break;
		}
		for (char *at = lines; (end = strchr(at, '\n')) != NULL; at = end + 1)
		{
			json_t	   *c = json_loadb(at, (size_t) (end - at), JSON_ALLOW_NUL, NULL);
			const char *model = json_string_value(json_object_get(c, "model"));
			size_t		kind = 0;

			while (kind < 3 && strstr(model, kinds[kind].in_name) == NULL)
				kind++;
			if (kind == k)
			{
				check_case(&tok.t, c, DBERT_NO_LIMIT);
				n++;
			}
			json_decref(c);
		}
		CHECK_MSG(n == kinds[k].cases, "%s: %d cases", kinds[k].vocab, n);
		free(tok.image);
		vocab_free(&v);
	}
	free(lines);
}

/* VOCAB cased|uncased CASES: of test/compare_tokenizer.py */
static int
run_file(char **args)
{
	VocabFile	v;
	Tok			tok;

	CHECK(vocab_load(&v, args[1], strcmp(args[2], "uncased") == 0) && tok_open(&tok, &v.spec));
	if (checks_failed == 0)
		printf("# %zu cases\n", check_cases(&tok.t, args[3], DBERT_NO_LIMIT));
	return checks_failed > 0;
}

int
main(int argc, char **argv)
{
	if (argc == 4)
		return run_file(argv);
	RUN(test_own);
	RUN(test_shared_uncased);
	RUN(test_shared_cased_rules);
	RUN(test_shared_models);
	RUN(test_shared_vectors);
	return tests_end();
}
