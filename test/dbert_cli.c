/*
 * dbert_cli.c -- the core as a filter, for comparisons (test/compare_hf.py).
 *
 *     dbert_cli DIR WHAT [KERNELS [PRECISION]]
 *
 * WHAT is embed, scores, translate or, for entities, none, simple, first,
 * average or max.  Reads one JSON string per line, all lines as one batch, and
 * prints one JSON value per line: the pooled vector, the scores by label, the
 * translation of the line as one sentence with its ids, or the entities as
 * [label, score, start, end].  KERNELS may be "best".
 */
#include "dbert.h"
#include "test/support/dirsource.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void __attribute__((noreturn))
die(const DbertError *err)
{
	fprintf(stderr, "%s: %s\n", dbert_status_text(err->code), err->msg);
	exit(1);
}

static DbertModel *
open_model(const char *dir, const char *kernels_name, const char *precision_name)
{
	const DbertAllocator *a = &dbert_malloc_allocator;
	DbertSource source = dir_source(dir);
	const DbertKernels *kernels;
	DbertPrecision precision;
	DbertPack  *pack;
	DbertModel *model;
	DbertError	err;
	void	   *image;

	if (kernels_name != NULL && strcmp(kernels_name, "best") == 0)
		kernels_name = NULL;
	if (!dbert_precision_parse(precision_name ? precision_name : "fp32", &precision))
		exit(2);
	if (dbert_kernels_choose(kernels_name, &kernels, &err) != DBERT_OK ||
		dbert_pack_begin(&source, NULL, precision, kernels, a, NULL, &pack, &err) != DBERT_OK)
		die(&err);
	if (posix_memalign(&image, 64, dbert_pack_size(pack)) != 0)
		abort();
	if (dbert_pack_write(pack, image, NULL, &err) != DBERT_OK ||
		dbert_model_open(image, dbert_pack_size(pack), kernels, a, &model, &err) != DBERT_OK)
		die(&err);
	dbert_pack_end(pack);
	return model;
}

static json_t *
numbers(const float *x, int n)
{
	json_t	   *list = json_array();

	for (int i = 0; i < n; i++)
		json_array_append_new(list, json_real(x[i]));
	return list;
}

static json_t *
answer(const DbertModel *model, const DbertBatch *batch, int i, const char *what)
{
	DbertAggregation how;
	DbertEntity *entities;
	DbertError	err;
	json_t	   *list;
	int			count;
	float		scores[1000];

	if (strcmp(what, "embed") == 0)
		return numbers(dbert_batch_embedding(batch, i), model->config.hidden);
	if (strcmp(what, "scores") == 0)
	{
		dbert_classify_scores(model, dbert_batch_logits(batch, i, &count), scores);
		return numbers(scores, model->config.n_labels);
	}
	list = json_array();
	if (!dbert_aggregation_parse(what, &how))
		how = DBERT_AGGREGATE_NONE;
	if (dbert_batch_entities(batch, i, how, 0, &entities, &count, &err) != DBERT_OK)
		die(&err);
	for (int e = 0; e < count; e++)
		json_array_append_new(list, json_pack("[s%,f,i,i]", entities[e].label,
											  entities[e].label_len, (double) entities[e].score,
											  (int) entities[e].start, (int) entities[e].end));
	dbert_free(&dbert_malloc_allocator, entities);
	return list;
}

/* ---- translations ---- */

#define MOST_LINES 4096

/* The lines as sentences; ids stay allocated. */
static int
read_sentences(const DbertModel *model, DbertSentenceIds *sentences)
{
	char	   *line = NULL;
	size_t		capacity = 0;
	int			n = 0;

	for (; n < MOST_LINES && getline(&line, &capacity, stdin) > 0; n++)
	{
		json_t	   *text = json_loads(line, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		DbertTokenList list = {0};
		DbertError	err;
		bool		truncated;
		int32_t    *ids;

		if (dbert_tokenize(&model->tokenizer, json_string_value(text), json_string_length(text),
						   NULL, 0, model->config.max_tokens, &dbert_malloc_allocator, NULL, &list,
						   &truncated, &err) != DBERT_OK)
			die(&err);
		ids = malloc(list.count * sizeof(*ids));
		for (size_t i = 0; i < list.count; i++)
			ids[i] = list.items[i].id;
		sentences[n] = (DbertSentenceIds) {ids, (int32_t) list.count};
		dbert_token_list_free(&list, &dbert_malloc_allocator);
		json_decref(text);
	}
	free(line);
	return n;
}

static json_t *
translated(const DbertModel *model, const DbertTranslated *t)
{
	json_t	   *ids = json_array();
	char	   *text;
	size_t		len;
	DbertError	err;

	for (int i = 0; i < t->count; i++)
		json_array_append_new(ids, json_integer(t->ids[i]));
	if (dbert_decode(&model->tokenizer, t->ids, t->count, true, &dbert_malloc_allocator, &text,
					 &len, &err) != DBERT_OK)
		die(&err);
	return json_pack("{s:s%,s:o}", "text", text, len, "ids", ids);
}

static int
translate(const DbertModel *model)
{
	static DbertSentenceIds sentences[MOST_LINES];
	static DbertTranslated out[MOST_LINES];
	int			n = read_sentences(model, sentences);
	int32_t    *room;
	DbertError	err;

	if (dbert_translate(model, &model->config.generation, sentences, n, DBERT_TRANSLATE_ROWS, NULL,
						&dbert_malloc_allocator, NULL, out, &room, &err) != DBERT_OK)
		die(&err);
	for (int i = 0; i < n; i++)
	{
		json_dumpf(translated(model, &out[i]), stdout, JSON_COMPACT);
		putchar('\n');
	}
	return 0;
}

int
main(int argc, char **argv)
{
	DbertModel *model;
	DbertBatch *batch;
	DbertError	err;
	char	   *line = NULL;
	size_t		capacity = 0;

	if (argc < 3)
		return 2;
	model = open_model(argv[1], argv[3], argc > 4 ? argv[4] : NULL);
	if (strcmp(argv[2], "translate") == 0)
		return translate(model);
	if (dbert_batch_create(model,
						   strcmp(argv[2], "embed") == 0 ? DBERT_WANT_EMBEDDING : DBERT_WANT_LOGITS,
						   &dbert_malloc_allocator, &batch, &err) != DBERT_OK)
		die(&err);
	while (getline(&line, &capacity, stdin) > 0)
	{
		json_t	   *text = json_loads(line, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

		if (dbert_batch_add(batch, json_string_value(text), json_string_length(text), NULL, 0,
							DBERT_LONG_WINDOW, NULL, &err) != DBERT_OK)
			die(&err);
		json_decref(text);
	}
	if (dbert_batch_run(batch, NULL, &err) != DBERT_OK)
		die(&err);
	for (int i = 0; i < dbert_batch_count(batch); i++)
	{
		json_t	   *value = answer(model, batch, i, argv[2]);

		json_dumpf(value, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(value);
	}
	dbert_batch_free(batch);
	free(line);
	return 0;
}
