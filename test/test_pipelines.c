/*
 * test_pipelines.c -- entities and answers as transformers' pipelines give
 * them, for every kind of tokenizer: entities of golden.json, and folders with
 * a pipelines.json.  What the pipeline fills up a list with, of score 0, is
 * none here.
 */
#include "dbert.h"
#include "test/support/dirsource.h"
#include "test/support/goldens.h"
#include "test/support/shareddata.h"
#include "test/support/testhelp.h"

#define TOLERANCE 1e-5

static const DbertAllocator *const heap = &dbert_malloc_allocator;
static int	n_seen;

static double
number(json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static const char *
string(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static DbertBatch *
run_text(const DbertModel *model, const char *text, const char *pair)
{
	DbertBatch *batch;
	DbertError	err = {0};

	CHECK(dbert_batch_create(model, DBERT_WANT_LOGITS, heap, &batch, &err) == DBERT_OK);
	CHECK_MSG(dbert_batch_add(batch, text, strlen(text), pair, pair != NULL ? strlen(pair) : 0,
							  pair != NULL ? DBERT_LONG_WINDOW : DBERT_LONG_TRUNCATE, NULL,
							  &err) == DBERT_OK,
			  "%s", err.msg);
	CHECK(dbert_batch_run(batch, NULL, &err) == DBERT_OK);
	return batch;
}

/* ---- entities ---- */

static const char *
label_of(json_t *entity)
{
	static const char *const keys[] = {"entity", "entity_group", "label"};

	for (int i = 0; i < 3; i++)
		if (json_object_get(entity, keys[i]) != NULL)
			return string(entity, keys[i]);
	return "";
}

/* all: the entities by strategy */
static void
check_strategy(const Golden *g, json_t *c, json_t *all, const DbertBatch *batch, const char *name)
{
	json_t	   *want = json_object_get(all, name);
	DbertAggregation how;
	DbertEntity *found;
	int			count;

	CHECK(dbert_aggregation_parse(name, &how));
	CHECK(dbert_batch_entities(batch, 0, how, 0, &found, &count, NULL) == DBERT_OK);
	CHECK_MSG(count == (int) json_array_size(want), "%s: %s: \"%s\": %d entities, want %d", g->dir,
			  name, string(c, "text"), count, (int) json_array_size(want));
	for (int i = 0; i < count && i < (int) json_array_size(want); i++)
	{
		json_t	   *w = json_array_get(want, i);
		const char *label = label_of(w);
		const DbertEntity *e = &found[i];

		CHECK_MSG(strlen(label) == e->label_len && memcmp(label, e->label, e->label_len) == 0 &&
					  fabs(e->score - number(w, "score")) < TOLERANCE &&
					  e->start == number(w, "start") && e->end == number(w, "end"),
				  "%s: %s: \"%s\": entity %d is %.*s %g %d..%d, want %s %g %g..%g", g->dir, name,
				  string(c, "text"), i, (int) e->label_len, e->label, e->score, e->start, e->end,
				  label, number(w, "score"), number(w, "start"), number(w, "end"));
	}
	dbert_free(heap, found);
}

static void
check_entities(const Golden *g, const DbertModel *model, json_t *c, json_t *all)
{
	static const char *const names[] = {"none", "simple", "first", "average", "max"};
	DbertBatch *batch = run_text(model, string(c, "text"), NULL);

	for (int i = 0; i < 5; i++)
		check_strategy(g, c, all, batch, names[i]);
	dbert_batch_free(batch);
}

/* ---- answers ---- */

static int
count_above_0(json_t *answers)
{
	int			n = 0;

	while (n < (int) json_array_size(answers) && number(json_array_get(answers, n), "score") > 0)
		n++;
	return n;
}

static void
check_answers(const Golden *g, const DbertModel *model, json_t *c, const char *key,
			  DbertAnswerOptions options)
{
	json_t	   *want = json_object_get(c, key);
	const char *context = string(c, "context");
	DbertBatch *batch = run_text(model, string(c, "question"), context);
	DbertAnswer *found;
	int			count,
				n = count_above_0(want);

	CHECK(dbert_batch_answers(batch, 0, context, strlen(context), &options, NULL, &found, &count,
							  NULL) == DBERT_OK);
	CHECK_MSG(count == n, "%s: \"%s\": %d answers, want %d", g->dir, string(c, "question"), count,
			  n);
	for (int i = 0; i < count && i < n; i++)
	{
		json_t	   *w = json_array_get(want, i);
		bool		none = strlen(string(w, "answer")) == 0;

		CHECK_MSG(fabs(found[i].score - number(w, "score")) < TOLERANCE &&
					  found[i].start == (none ? -1 : number(w, "start")) &&
					  found[i].end == (none ? -1 : number(w, "end")),
				  "%s: \"%s\": answer %d: %g %d..%d, want %g %g..%g \"%s\"", g->dir,
				  string(c, "question"), i, found[i].score, found[i].start, found[i].end,
				  number(w, "score"), number(w, "start"), number(w, "end"), string(w, "answer"));
	}
	dbert_free(heap, found);
	dbert_batch_free(batch);
}

/* ---- folders ---- */

static void
check_case(const Golden *g, const DbertModel *model, json_t *c)
{
	if (string(c, "text") != NULL)
		check_entities(g, model, c, c);
	if (json_object_get(c, "top3") != NULL)
	{
		check_answers(g, model, c, "top3", (DbertAnswerOptions) {3, false, 15});
		check_answers(g, model, c, "impossible", (DbertAnswerOptions) {2, true, 15});
	}
}

static void
check_pipelines(const Golden *g, const DbertModel *model)
{
	char		path[2100];
	json_t	   *root,
			   *c;
	size_t		i;

	snprintf(path, sizeof(path), "%s/pipelines.json", g->dir);
	root = json_load_file(path, JSON_ALLOW_NUL, NULL);
	CHECK_MSG(json_array_size(json_object_get(root, "cases")) > 0, "%s has no cases", path);
	json_array_foreach(json_object_get(root, "cases"), i, c)
		check_case(g, model, c);
	json_decref(root);
}

static void
check_folder(const Golden *g)
{
	DbertSource source = dir_source(g->dir);
	bool		pipelines = golden_has_file(g, "pipelines.json");
	json_t	   *first = json_array_get(g->cases, 0),
			   *c;
	size_t		i;
	Loaded		loaded;

	/* BIOES is test_task's */
	if (!pipelines && (json_object_get(first, "entities") == NULL ||
					   json_object_get(first, "entities_as_bio") != NULL))
		return;
	if (!golden_load(&loaded, g, &source, DBERT_PRECISION_FP32, &dbert_kernels_scalar))
		return;
	json_array_foreach(g->cases, i, c)
		if (json_object_get(c, "entities") != NULL)
			check_entities(g, loaded.model, c, json_object_get(c, "entities"));
	if (pipelines)
		check_pipelines(g, loaded.model);
	n_seen++;
	golden_unload(&loaded);
}

static void
test_fixtures(void)
{
	n_seen = 0;
	goldens_of_fixtures(check_folder);
	CHECK_MSG(n_seen >= 3, "%d folders with entities in test/fixtures", n_seen);
}

static void
test_shared_goldens(void)
{
	n_seen = 0;
	goldens_of_shared_data(check_folder);
	CHECK_MSG(shared_dir() == NULL || n_seen >= 1, "%d folders with entities or answers in %s",
			  n_seen, shared_dir());
}

int
main(void)
{
	RUN(test_fixtures);
	RUN(test_shared_goldens);
	return tests_end();
}
