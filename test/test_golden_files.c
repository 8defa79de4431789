/*
 * test_golden_files.c -- the models of the goldens from other files.  Without
 * tokenizer.json, from vocab.txt, the ids are the same, and the other way
 * round.
 */
#include "dbert.h"
#include "test/support/dirsource.h"
#include "test/support/goldens.h"
#include "test/support/testhelp.h"

/* A source that hides one file. */
typedef struct HidingSource
{
	DbertSource base;
	const char *name;
} HidingSource;

static DbertStatus
hiding_size(void *ctx, const char *name, int64_t *size, DbertError *err)
{
	HidingSource *s = ctx;

	if (strcmp(name, s->name) != 0)
		return s->base.size(s->base.ctx, name, size, err);
	*size = -1;
	return DBERT_OK;
}

static DbertStatus
hiding_read(void *ctx, const char *name, uint64_t offset, void *buf, size_t len, DbertError *err)
{
	HidingSource *s = ctx;

	return s->base.read(s->base.ctx, name, offset, buf, len, err);
}

/*
 * MPNet's tokenizer.json finds "<unk>" in a text.  With vocab.txt alone what is
 * unknown is "[UNK]", and "<unk>" is three pieces, as transformers has it.
 */
static bool
spells_unknown(const Golden *g, int i)
{
	json_t	   *text = json_object_get(json_array_get(g->cases, i), "text");

	return json_is_string(text) && strstr(json_string_value(text), "<unk>") != NULL;
}

/* Each of the two tokenizer files alone gives the golden ids. */
static void
check_tokenizer_files(const Golden *g, const DbertKernels *kernels)
{
	static const char *const files[] = {"tokenizer.json", "vocab.txt"};

	if (!golden_has_file(g, files[0]) || !golden_has_file(g, files[1]))
		return;
	for (int f = 0; f < 2; f++)
	{
		HidingSource hiding = {dir_source(g->dir), files[f]};
		DbertSource source = {hiding_size, hiding_read, &hiding};
		Loaded		loaded;
		DbertBatch *batch;

		if (!golden_load(&loaded, g, &source, DBERT_PRECISION_FP32, kernels))
			continue;
		batch = golden_add(loaded.model, g, DBERT_WANT_EMBEDDING, 0, 1, g->n);
		for (int i = 0; i < g->n; i++)
			if (!spells_unknown(g, i))
				check_golden_tokens(g, i, batch);
		dbert_batch_free(batch);
		golden_unload(&loaded);
	}
}

/* Once, with the best table. */
static void
check_folder(const Golden *g)
{
	const DbertKernels *kernels;
	DbertError	err = {0};

	CHECK_MSG(dbert_kernels_choose(NULL, &kernels, &err) == DBERT_OK, "%s", err.msg);
	check_tokenizer_files(g, kernels);
}

static void
test_fixtures(void)
{
	goldens_of_fixtures(check_folder);
}

static void
test_shared_goldens(void)
{
	goldens_of_shared_data(check_folder);
}

int
main(void)
{
	RUN(test_fixtures);
	RUN(test_shared_goldens);
	return tests_end();
}
