/*
 * trainjson.c -- batches of training as lines of JSON.
 */
#include "test/support/trainjson.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

DbertTrainOptions
train_json_options(const char *head, const char *problem, int n_labels, const char *const *labels)
{
	DbertTrainOptions o = {
		.head = strcmp(head, "token") == 0 ? DBERT_HEAD_TOKEN :
		strcmp(head, "mask") == 0 ? DBERT_HEAD_MASK : DBERT_HEAD_SEQUENCE,
		.problem = strcmp(problem, "multi") == 0 ? DBERT_PROBLEM_MULTI :
		strcmp(problem, "regression") == 0 ? DBERT_PROBLEM_REGRESSION : DBERT_PROBLEM_SINGLE,
		.n_labels = n_labels,.labels = labels,.max_grad_norm = 1,
		.max_texts = 64,.max_batch_tokens = 2048,.max_text_tokens = 64,.threads = 1
	};

	return o;
}

TrainJson
train_json_of(const json_t *root, const DbertTrainOptions *o)
{
	const json_t *texts = json_object_get(root, "ids"),
			   *y = json_object_get(root, "y");
	int			n_texts = (int) json_array_size(texts),
				n = 0,
				n_masked = 0;
	TrainJson b = { .cu = calloc(n_texts + 1, sizeof(int32_t)),
					.ids = calloc(o->max_batch_tokens, sizeof(int32_t)),
					.classes = calloc(o->max_batch_tokens, sizeof(int32_t)),
					.masked = calloc(o->max_batch_tokens, sizeof(int32_t)),
					.targets = calloc((size_t) n_texts * o->n_labels + 1, sizeof(float)) };

	for (int i = 0; i < n_texts; i++)
	{
		const json_t *text = json_array_get(texts, i),
				   *want = json_array_get(y, i);

		for (size_t j = 0; j < json_array_size(text); j++, n++)
		{
			b.ids[n] = (int32_t) json_integer_value(json_array_get(text, j));
			if (o->head == DBERT_HEAD_TOKEN)
				b.classes[n] = (int32_t) json_integer_value(json_array_get(want, j));
			if (o->head == DBERT_HEAD_MASK && json_integer_value(json_array_get(want, j)) >= 0)
			{
				b.masked[n_masked] = n;
				b.classes[n_masked++] = (int32_t) json_integer_value(json_array_get(want, j));
			}
		}
		b.cu[i + 1] = n;
		if (o->head != DBERT_HEAD_SEQUENCE)
			continue;
		if (o->problem == DBERT_PROBLEM_SINGLE)
			b.classes[i] = (int32_t) json_integer_value(want);
		for (int j = 0; o->problem != DBERT_PROBLEM_SINGLE && j < o->n_labels; j++)
			b.targets[i * o->n_labels + j] = (float) json_number_value(json_array_get(want, j));
	}
	b.batch = (DbertTrainBatch)
	{
		.n_texts = n_texts,.cu = b.cu,.ids = b.ids,.classes = b.classes,.targets = b.targets,
			.masked = b.masked,.n_masked = n_masked
	};
	return b;
}

TrainJson
train_json_read(const char *line, const DbertTrainOptions *o)
{
	json_t	   *root = json_loads(line, 0, NULL);
	TrainJson	b = train_json_of(root, o);

	json_decref(root);
	return b;
}

void
train_json_free(TrainJson *b)
{
	free(b->cu);
	free(b->ids);
	free(b->classes);
	free(b->masked);
	free(b->targets);
}
