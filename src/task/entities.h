/*
 * entities.h -- named entities from the logits of tokens.
 */
#ifndef DBERT_TASK_ENTITIES_H
#define DBERT_TASK_ENTITIES_H

#include "nn/batch.h"

typedef enum DbertAggregation
{
	DBERT_AGGREGATE_NONE,		/* every token that is not "O", as it is */
	DBERT_AGGREGATE_SIMPLE,
	DBERT_AGGREGATE_FIRST,
	DBERT_AGGREGATE_AVERAGE,
	DBERT_AGGREGATE_MAX
} DbertAggregation;

/* false: no such name */
extern bool dbert_aggregation_parse(const char *name, DbertAggregation *out);

typedef struct DbertEntity
{
	const char *label; /* without its B-/I-/E-/S- prefix, except for NONE; label_len bytes */
	size_t		label_len;
	float		score;
	int32_t		start;			/* characters of the text, 0-based */
	int32_t		end;			/* exclusive */
} DbertEntity;

/*
 * The entities of text i, in order of appearance, as transformers'
 * TokenClassificationPipeline gives them.  *entities is allocated from the
 * batch's allocator, the caller frees it with dbert_free; labels point into
 * the model.
 */
extern DbertStatus dbert_batch_entities(const DbertBatch *batch, int i,
										DbertAggregation aggregation, float min_score,
										DbertEntity **entities, int *count, DbertError *err);

#endif
