/*
 * guc.h -- the settings "distilbert.*".
 */
#ifndef DISTILBERT_PG_GUC_H
#define DISTILBERT_PG_GUC_H


extern bool distil_guc_enable_batching;

extern int	distil_guc_train_memory;	/* MB that distil_train may take */
extern int	distil_guc_checkpoint_interval; /* ms between checkpoints of a training; 0: none */
extern int	distil_guc_checkpoint_space;	/* MB, superuser: of all checkpoints of the server */

extern void distil_guc_init(void);

#endif
