/*
 * pipedead.h -- pipelines whose source was dropped.
 */
#ifndef DISTILBERT_PG_PIPEDEAD_H
#define DISTILBERT_PG_PIPEDEAD_H

/*
 * Remove the rows of pipelines whose source is gone; tells whether there were
 * any.  The caller holds distil_pipeline_lock.
 */
extern bool distil_remove_dead_pipelines(void);

#endif
