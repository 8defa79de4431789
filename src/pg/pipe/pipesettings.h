/*
 * pipesettings.h -- the settings of pipelines' workers.
 */
#ifndef DISTILBERT_PG_PIPESETTINGS_H
#define DISTILBERT_PG_PIPESETTINGS_H

extern bool distil_pipelines;	/* may workers run? */
extern int	distil_pipeline_workers;	/* of a database at a time */
extern int	distil_pipeline_naptime;	/* ms between two looks at the queue */
extern int	distil_pipeline_load;	/* percent of the time that a worker works */
extern int	distil_pipeline_idle_exit;	/* s without work, after which it ends */

/* Called once by _PG_init. */
extern void distil_pipesettings_init(void);

#endif
