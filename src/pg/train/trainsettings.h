/*
 * trainsettings.h -- the settings that trainings have.
 */
#ifndef DISTILBERT_PG_TRAINSETTINGS_H
#define DISTILBERT_PG_TRAINSETTINGS_H

extern int	distil_guc_train_memory;	/* MB that a training may take */
extern int	distil_guc_checkpoint_interval; /* ms between two checkpoints; 0: there are none */
extern int	distil_guc_checkpoint_space;	/* MB, superuser: of all checkpoints of the server */

/* distilbert.train_memory in bytes. */
extern int64 distil_train_memory_limit(void);

/* Called once, when the library is loaded. */
extern void distil_trainsettings_init(void);

#endif
