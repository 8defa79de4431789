/*
 * test_translate.c -- translation, without a server: tokens, ids and texts of
 * tiny Marian models beside those of transformers' generate; company, threads,
 * kernels, 8 bits.
 */
#include "nn/translate.h"
#include "test/support/counting.h"
#include "test/support/dirsource.h"
#include "test/support/goldens.h"
#include "test/support/kerneltables.h"
#include "test/support/testhelp.h"

#define MOST 32

static const char *const folders[] = {
	"test/fixtures/marian-one", "test/fixtures/marian-many", "test/fixtures/marian-nfkc"
};

#define N_FOLDERS (sizeof(folders) / sizeof(folders[0]))

static const DbertAllocator *const a = &dbert_malloc_allocator;

/* A folder, its model, and its sentences as the model reads them. */
typedef struct Fixture
{
	DbertSource source;
	Golden		golden;
	Loaded		loaded;
	const DbertModel *model;
	DbertTokenList tokens[MOST];
	int32_t		ids[MOST][256];
	DbertSentenceIds sentences[MOST];
	int			n;
} Fixture;

static json_t *
case_of(const Fixture *f, int i)
{
	return json_array_get(f->golden.cases, i);
}

/* Language and text, as ids. */
static void
read_sentence(Fixture *f, int i)
{
	json_t	   *c = case_of(f, i);
	const char *language = json_string_value(json_object_get(c, "language")),
			   *text = json_string_value(json_object_get(c, "text"));
	char		mark[32];
	int			n = 0;
	bool		truncated;
	DbertError	err = {0};

	if (language != NULL)
	{
		snprintf(mark, sizeof(mark), ">>%s<<", language);
		f->ids[i][n++] = dbert_token_id(&f->model->tokenizer, mark, strlen(mark));
	}
	CHECK_MSG(dbert_tokenize(&f->model->tokenizer, text, strlen(text), NULL, 0, 200, a, NULL,
							 &f->tokens[i], &truncated, &err) == DBERT_OK, "%s", err.msg);
	for (size_t t = 0; t < f->tokens[i].count; t++)
		f->ids[i][n++] = f->tokens[i].items[t].id;
	f->sentences[i] = (DbertSentenceIds) {f->ids[i], n};
}

static bool
open_fixture(Fixture *f, const char *dir, DbertPrecision precision, const DbertKernels *kernels)
{
	char		path[256];

	memset(f, 0, sizeof(*f));
	f->source = dir_source(dir);
	snprintf(path, sizeof(path), "%s/translations.json", dir);
	f->golden.dir = dir;
	f->golden.root = json_load_file(path, 0, NULL);
	f->golden.cases = json_object_get(f->golden.root, "cases");
	f->n = (int) json_array_size(f->golden.cases);
	CHECK_MSG(f->n > 0 && f->n <= MOST, "%s has %d sentences", path, f->n);
	if (!golden_load(&f->loaded, &f->golden, &f->source, precision, kernels))
		return false;
	f->model = f->loaded.model;
	for (int i = 0; i < f->n; i++)
		read_sentence(f, i);
	return true;
}

static void
close_fixture(Fixture *f)
{
	for (int i = 0; i < f->n; i++)
		dbert_token_list_free(&f->tokens[i], a);
	golden_unload(&f->loaded);
	json_decref(f->golden.root);
}

static DbertGeneration
with_beams(const DbertModel *model, int beams)
{
	DbertGeneration how = model->config.generation;

	how.beams = beams;
	return how;
}

/* The ids that generate gave, without start and end. */
static bool
same_ids(const DbertTranslated *t, const json_t *want, const DbertGeneration *how)
{
	int			n = (int) json_array_size(want);

	if (n > 1 && json_integer_value(json_array_get(want, n - 1)) == how->end)
		n--;
	if (t->count != n - 1)
		return false;
	for (int i = 1; i < n; i++)
		if (t->ids[i - 1] != json_integer_value(json_array_get(want, i)))
			return false;
	return true;
}

static void
check_text(const Fixture *f, const DbertTranslated *t, const char *want)
{
	char	   *text = NULL;
	size_t		len;
	DbertError	err = {0};

	CHECK(dbert_decode(&f->model->tokenizer, t->ids, t->count, true, a, &text, &len, &err) ==
		  DBERT_OK);
	while (len > 0 && text[len - 1] == ' ')
		len--;
	CHECK_MSG(len == strlen(want) && memcmp(text, want, len) == 0, "\"%.*s\", want \"%s\"",
			  (int) len, text, want);
	dbert_free(a, text);
}

/* All sentences at once. */
static void
check_beams(const Fixture *f, int beams)
{
	DbertGeneration how = with_beams(f->model, beams);
	DbertTranslated out[MOST];
	int32_t    *room;
	char		key[16];
	DbertError	err = {0};

	snprintf(key, sizeof(key), "beams%d", beams);
	CHECK_MSG(dbert_translate(f->model, &how, f->sentences, f->n, 24, NULL, a, NULL, out, &room,
							  &err) == DBERT_OK, "%s", err.msg);
	for (int i = 0; room != NULL && i < f->n; i++)
	{
		json_t	   *want = json_object_get(case_of(f, i), key);
		bool		same = same_ids(&out[i], json_object_get(want, "ids"), &how);

		CHECK_MSG(same, "%s, %s, sentence %d: other ids, %d", f->golden.dir, key, i,
				  out[i].count);
		if (same)
			check_text(f, &out[i], json_string_value(json_object_get(want, "text")));
	}
	dbert_free(a, room);
}

static void
test_tokens(void)
{
	for (size_t d = 0; d < N_FOLDERS; d++)
	{
		Fixture		f;

		if (open_fixture(&f, folders[d], DBERT_PRECISION_FP32, &dbert_kernels_scalar))
			for (int i = 0; i < f.n; i++)
			{
				json_t	   *ids = json_object_get(case_of(&f, i), "ids");
				bool		same = (int) json_array_size(ids) == f.sentences[i].count;

				for (int t = 0; same && t < f.sentences[i].count; t++)
					same = f.ids[i][t] == json_integer_value(json_array_get(ids, t));
				CHECK_MSG(same, "%s, sentence %d: other tokens, %d", f.golden.dir, i,
						  f.sentences[i].count);
			}
		close_fixture(&f);
	}
}

static void
check_tables(const DbertKernels *kernels)
{
	for (size_t d = 0; d < N_FOLDERS; d++)
	{
		Fixture		f;

		if (open_fixture(&f, folders[d], DBERT_PRECISION_FP32, kernels))
		{
			check_beams(&f, 1);
			check_beams(&f, 4);
			check_beams(&f, 6);
		}
		close_fixture(&f);
	}
}

static void
test_generate(void)
{
	const DbertKernels *kernels;

	for (int i = 0; (kernels = dbert_kernels_at(i)) != NULL; i++)
		if (dbert_kernels_choose(kernels->name, &kernels, NULL) == DBERT_OK)
			check_tables(kernels);
}

/* Each sentence alone and by threads, as among all. */
static void
check_company(const Fixture *f, int beams, DbertThreads *pool)
{
	DbertGeneration how = with_beams(f->model, beams);
	DbertTranslated all[MOST],
				one;
	int32_t    *room,
			   *alone;
	DbertError	err = {0};

	CHECK(dbert_translate(f->model, &how, f->sentences, f->n, 24, pool, a, NULL, all, &room, &err) ==
		  DBERT_OK);
	for (int i = 0; i < f->n; i++)
	{
		CHECK(dbert_translate(f->model, &how, &f->sentences[i], 1, 24, NULL, a, NULL, &one, &alone,
							  &err) == DBERT_OK);
		CHECK_MSG(one.count == all[i].count && one.ended == all[i].ended &&
				  memcmp(one.ids, all[i].ids, one.count * sizeof(int32_t)) == 0,
				  "%s: sentence %d differs", f->golden.dir, i);
		dbert_free(a, alone);
	}
	dbert_free(a, room);
}

static void
test_company(void)
{
	const DbertKernels *best;
	DbertThreads *pool;
	DbertError	err = {0};

	CHECK(dbert_kernels_choose(NULL, &best, &err) == DBERT_OK);
	CHECK(dbert_threads_create(3, a, &pool, &err) == DBERT_OK);
	for (size_t d = 0; d < N_FOLDERS; d++)
		for (int p = 0; p < DBERT_PRECISIONS; p++)
		{
			Fixture		f;

			if (open_fixture(&f, folders[d], p, best))
			{
				check_company(&f, 1, NULL);
				check_company(&f, 4, NULL);
				check_company(&f, 4, pool);
			}
			close_fixture(&f);
		}
	dbert_threads_free(pool);
}

/* A limit ends what does not end by itself. */
static void
test_limit(void)
{
	Fixture		f;
	DbertTranslated out[MOST];
	DbertGeneration how;
	int32_t    *room;
	int			limited = 0;
	DbertError	err = {0};

	if (open_fixture(&f, folders[0], DBERT_PRECISION_FP32, &dbert_kernels_scalar))
	{
		how = with_beams(f.model, 4);
		how.max_length = 6;
		CHECK(dbert_translate(f.model, &how, f.sentences, f.n, 24, NULL, a, NULL, out, &room, &err) ==
			  DBERT_OK);
		for (int i = 0; i < f.n; i++)
		{
			CHECK_MSG(out[i].count <= 5, "%d tokens", out[i].count);
			limited += !out[i].ended;
		}
		CHECK_MSG(limited > 6, "%d were ended by the limit", limited);
		dbert_free(a, room);
	}
	close_fixture(&f);
}

/*
 * What a run takes is what was reckoned, if no sentence ends before the limit;
 * never more.  so many rows: sentences go in one group or in several.
 */
static void
check_memory(const Fixture *f, int beams, int rows, bool endless)
{
	DbertGeneration how = with_beams(f->model, beams);
	Counter		counter = {0};
	const DbertAllocator counted = counting(&counter);
	DbertTranslated out[MOST];
	int32_t    *room;
	size_t		reckoned;
	DbertError	err = {0};

	if (endless)
		how.forbidden[how.n_forbidden++] = how.end;
	how.max_length = 33;
	CHECK(dbert_translate_memory(f->model, &how, f->sentences, f->n, rows, 1, &reckoned));
	CHECK_MSG(dbert_translate(f->model, &how, f->sentences, f->n, rows, NULL, &counted, NULL, out,
							  &room, &err) == DBERT_OK, "%s", err.msg);
	CHECK_MSG(counter.peak <= reckoned &&
			  (!endless || (double) reckoned <= 1.1 * (double) counter.peak),
			  "%s, %d beams, %d rows: %zu bytes reckoned, %zu taken", f->golden.dir, beams, rows,
			  reckoned, counter.peak);
	dbert_free(&counted, room);
	CHECK(counter.live == 0);
}

static void
test_memory(void)
{
	for (size_t d = 0; d < N_FOLDERS; d++)
		for (int p = 0; p < DBERT_PRECISIONS; p++)
		{
			Fixture		f;

			if (open_fixture(&f, folders[d], p, &dbert_kernels_scalar))
				for (int beams = 1; beams <= 5; beams += 2)
				{
					check_memory(&f, beams, DBERT_TRANSLATE_ROWS, true);
					check_memory(&f, beams, 5, true);
					check_memory(&f, beams, DBERT_TRANSLATE_ROWS, false);
				}
			close_fixture(&f);
		}
}

static bool
stop_soon(void *ctx)
{
	return --*(int *) ctx < 0;
}

/* Cancelled wherever the poll is asked: nothing leaks, nothing is answered. */
static void
test_cancel(void)
{
	Fixture		f;
	DbertTranslated out[MOST];
	DbertStatus status = DBERT_E_CANCELLED;
	int			left,
				n = 0;
	int32_t    *room;
	DbertPoll	poll = {stop_soon, &left};
	DbertError	err = {0};

	if (open_fixture(&f, folders[0], DBERT_PRECISION_FP32, &dbert_kernels_scalar))
	{
		DbertGeneration how = with_beams(f.model, 2);

		for (; status == DBERT_E_CANCELLED; n += 1 + n / 4)
		{
			left = n;
			status = dbert_translate(f.model, &how, f.sentences, 3, 24, NULL, a, &poll, out, &room,
									 &err);
			CHECK((status == DBERT_OK) == (room != NULL));
			dbert_free(a, room);
		}
		CHECK_MSG(status == DBERT_OK && n > 100, "%d: %s", n, err.msg);
	}
	close_fixture(&f);
}

/* A vocabulary of another size, missing files, what has no code. */
static void
test_no_decoder(void)
{
	DbertModel	model = {.config.head = DBERT_HEAD_NONE};
	DbertGeneration how = {.beams = 1};
	DbertTranslated out;
	int32_t    *room;
	DbertError	err = {0};

	CHECK(dbert_translate(&model, &how, NULL, 0, 24, NULL, a, NULL, &out, &room, &err) ==
		  DBERT_E_UNSUPPORTED);
	CHECK_STR(err.msg, "the model has no decoder");
}

int
main(void)
{
	RUN(test_tokens);
	RUN(test_generate);
	RUN(test_company);
	RUN(test_limit);
	RUN(test_memory);
	RUN(test_cancel);
	RUN(test_no_decoder);
	return tests_end();
}
