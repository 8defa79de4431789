/*
 * goldens.c -- folders with a model and a golden.json.
 */
#include "test/support/goldens.h"

#include "nn/logits.h"
#include "test/support/dirsource.h"
#include "test/support/shareddata.h"
#include "test/support/testhelp.h"

#include <dirent.h>

/* ---- models ---- */

static DbertStatus
load_from(Loaded *out, const DbertSource *source, DbertPrecision precision,
		  const DbertKernels *kernels, DbertError *err)
{
	const DbertAllocator *a = &dbert_malloc_allocator;
	DbertPack  *pack = NULL;
	DbertStatus status;

	memset(out, 0, sizeof(*out));
	status = dbert_pack_begin(source, NULL, precision, kernels, a, NULL, &pack, err);
	if (status != DBERT_OK)
		return status;
	if (posix_memalign(&out->image, 64, dbert_pack_size(pack)) != 0)
		abort();
	status = dbert_pack_write(pack, out->image, NULL, err);
	if (status == DBERT_OK)
		status = dbert_model_open(out->image, dbert_pack_size(pack), kernels, a, &out->model, err);
	dbert_pack_end(pack);
	return status;
}

void
golden_unload(Loaded *loaded)
{
	if (loaded->model != NULL)
		dbert_model_close(loaded->model);
	free(loaded->image);
}

bool
golden_load(Loaded *out, const Golden *g, const DbertSource *source, DbertPrecision precision,
			const DbertKernels *kernels)
{
	DbertError	err = {0};

	if (load_from(out, source, precision, kernels, &err) == DBERT_OK)
		return true;
	CHECK_MSG(false, "%s: %s: %s", g->dir, dbert_status_text(err.code), err.msg);
	golden_unload(out);
	return false;
}

/* ---- batches ---- */

DbertBatch *
golden_add(const DbertModel *model, const Golden *g, int want, int from, int step, int count)
{
	DbertBatch *batch = NULL;
	DbertError	err = {0};

	CHECK(dbert_batch_create(model, want, &dbert_malloc_allocator, &batch, &err) == DBERT_OK);
	for (int i = 0; i < count; i++)
	{
		json_t	   *c = json_array_get(g->cases, from + i * step);
		json_t	   *text = json_object_get(c, "text"),
				   *pair = json_object_get(c, "pair");

		CHECK_MSG(dbert_batch_add(batch, json_string_value(text), json_string_length(text),
								  json_string_value(pair), json_string_length(pair), true,
								  NULL, &err) == DBERT_OK, "%s: %s", g->dir, err.msg);
	}
	return batch;
}

DbertBatch *
golden_run(const DbertModel *model, const Golden *g, int from, int step, int count)
{
	int want =
		DBERT_WANT_EMBEDDING | (model->config.head == DBERT_HEAD_NONE ? 0 : DBERT_WANT_LOGITS);
	DbertBatch *batch = golden_add(model, g, want, from, step, count);
	DbertError	err = {0};

	CHECK_MSG(dbert_batch_run(batch, NULL, &err) == DBERT_OK, "%s: %s", g->dir, err.msg);
	return batch;
}

void
check_golden_tokens(const Golden *g, int i, const DbertBatch *batch)
{
	json_t	   *c = json_array_get(g->cases, i);
	json_t	   *ids = json_object_get(c, "input_ids"),
			   *offsets = json_object_get(c, "offsets"),
			   *types = json_object_get(c, "type_ids");
	int			count,
				want = (int) json_array_size(ids);
	const DbertToken *tokens = dbert_batch_text_tokens(batch, i, &count);

	CHECK_MSG(count == want, "%s case %d: %d tokens, want %d", g->dir, i, count, want);
	for (int j = 0; j < count && j < want; j++)
	{
		json_t	   *offset = json_array_get(offsets, j);
		bool		same = tokens[j].id == json_integer_value(json_array_get(ids, j)) &&
			tokens[j].start == json_integer_value(json_array_get(offset, 0)) &&
			tokens[j].end == json_integer_value(json_array_get(offset, 1)) &&
			(types == NULL || tokens[j].type == json_integer_value(json_array_get(types, j)));

		CHECK_MSG(same, "%s case %d: token %d is %d at %d..%d", g->dir, i, j,
				  tokens[j].id, tokens[j].start, tokens[j].end);
		if (!same)
			return;
	}
}

bool
same_results(const DbertModel *model, const DbertBatch *a, int i, const DbertBatch *b, int j)
{
	int			rows_a,
				rows_b;
	const float *logits_a = dbert_batch_logits(a, i, &rows_a),
			   *logits_b = dbert_batch_logits(b, j, &rows_b);
	size_t		bytes = sizeof(float) * rows_a * dbert_head_columns(model);

	return rows_a == rows_b && (bytes == 0 || memcmp(logits_a, logits_b, bytes) == 0) &&
		memcmp(dbert_batch_embedding(a, i), dbert_batch_embedding(b, j),
			   sizeof(float) * model->config.embedding) == 0;
}

/* ---- folders ---- */

bool
golden_has_file(const Golden *g, const char *name)
{
	DbertSource source = dir_source(g->dir);
	int64_t		size;

	return source.size(source.ctx, name, &size, NULL) == DBERT_OK && size >= 0;
}

/* A model of a family that is still to come? */
static bool
is_to_come(const char *dir)
{
	DbertSource source = dir_source(dir);
	DbertError	err = {0};
	Loaded		loaded;
	bool		refused = load_from(&loaded, &source, DBERT_PRECISION_FP32, &dbert_kernels_scalar,
									&err) != DBERT_OK && may_be_refused(dir, &err);

	golden_unload(&loaded);
	if (refused)
		printf("skipped - to come: %s: %s\n", dir, err.msg);
	return refused;
}

static void
check_folder(const char *dir, void (*check) (const Golden *g))
{
	Golden		g = {.dir = dir};
	char		path[4096];
	json_error_t why;

	snprintf(path, sizeof(path), "%s/golden.json", dir);
	g.root = json_load_file(path, JSON_ALLOW_NUL, &why);
	CHECK_MSG(g.root != NULL, "%s: %s", path, why.text);
	g.cases = json_object_get(g.root, "cases");
	g.n = (int) json_array_size(g.cases);
	CHECK_MSG(g.n > 0, "%s has no cases", path);
	/* static embeddings' goldens are test_static.c's */
	if (json_object_get(json_array_get(g.cases, 0), "input_ids") != NULL)
		check(&g);
	json_decref(g.root);
}

/* Every model below parent with a golden.json; returns how many. */
static int
walk(const char *parent, void (*check) (const Golden *g))
{
	struct dirent **entries;
	int			n = scandir(parent, &entries, NULL, alphasort),
				seen = 0;

	for (int i = 0; i < n; i++)
	{
		char		dir[2048];
		Golden		g = {.dir = dir};

		snprintf(dir, sizeof(dir), "%s/%s", parent, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.' && golden_has_file(&g, "golden.json") &&
			golden_has_file(&g, "config.json") && !is_to_come(dir))
		{
			check_folder(dir, check);
			seen++;
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return seen;
}

void
goldens_of_fixtures(void (*check) (const Golden *g))
{
	CHECK_MSG(walk("test/fixtures", check) > 10, "no models with golden.json in test/fixtures");
}

void
goldens_of_shared_data(void (*check) (const Golden *g))
{
	char		parent[2048];

	if (shared_dir() == NULL)
		SKIP("../shared is absent");
	snprintf(parent, sizeof(parent), "%s/golden", shared_dir());
	CHECK_MSG(walk(parent, check) >= 10, "few models in %s", parent);
}
