/*
 * trainjson.h -- batches of training as lines of JSON, for train_cli.c and
 * test_train_golden.c; train_cli.c says what a line holds.
 */
#ifndef DBERT_TEST_TRAINJSON_H
#define DBERT_TEST_TRAINJSON_H

#include "dbert.h"

#include <jansson.h>

/* One batch with its memory. */
typedef struct TrainJson
{
	DbertTrainBatch batch;
	int32_t    *cu;
	int32_t    *ids;
	int32_t    *classes;
	int32_t    *masked;
	float	   *targets;
} TrainJson;

/* head: sequence, token or mask; problem: single, multi or regression. */
extern DbertTrainOptions train_json_options(const char *head, const char *problem, int n_labels,
											const char *const *labels);

/* The batch that a line, or an object, describes; freed by train_json_free. */
extern TrainJson train_json_read(const char *line, const DbertTrainOptions *o);
extern TrainJson train_json_of(const json_t *root, const DbertTrainOptions *o);
extern void train_json_free(TrainJson *b);

#endif
