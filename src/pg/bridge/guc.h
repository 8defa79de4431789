/*
 * guc.h -- the settings "distilbert.*".
 */
#ifndef DISTILBERT_PG_GUC_H
#define DISTILBERT_PG_GUC_H

extern char *distil_guc_model_path;		/* superuser: folder of relative load paths */
extern int	distil_guc_threads;		/* of a batch, 1 .. DBERT_MAX_THREADS */

extern bool distil_guc_enable_batching;

extern int	distil_guc_train_memory;	/* MB that distil_train may take */
extern int	distil_guc_checkpoint_interval; /* ms between checkpoints of a training; 0: none */
extern int	distil_guc_checkpoint_space;	/* MB, superuser: of all checkpoints of the server */
extern int	distil_guc_cache_size;	/* kB of this process's result cache; 0: none */
extern int	distil_guc_shared_cache_size;	/* kB of the server's; 0: none */

extern void distil_guc_init(void);

#endif
