/*
 * generation.h -- a generation's model, and arguments that pipelines share.
 */
#ifndef DISTILBERT_PG_GENERATION_H
#define DISTILBERT_PG_GENERATION_H

#include "pg/pipe/pipeline.h"

/*
 * A new generation's model, by its name: check that it fits the task and the
 * generation's options, note its hash, and see to it that nobody drops it
 * before the transaction ends.  Returns the width of its embeddings; 0: there
 * are none.
 */
extern int	distil_generation_pin(FmgrInfo *flinfo, const DistilPipeline *pipeline,
								  DistilGeneration *g);

/*
 * A generation's model, open as long as flinfo's context lives.  Raises where
 * it is gone, or another one has its name.
 */
extern DistilModel *distil_generation_model(FmgrInfo *flinfo, const DistilPipeline *pipeline,
											const DistilGeneration *g);

/* Is it the first of two words?  Raises where it is neither. */
extern bool distil_is_first_word(const char *word, const char *what, const char *first,
								 const char *second);

/* Raise unless the pipeline is whole. */
extern void distil_pipeline_check_whole(const DistilPipeline *pipeline);

/* Raise unless the pipeline is whole and the current user owns its source. */
extern void distil_pipeline_check_usable(const DistilPipeline *pipeline);

#endif
