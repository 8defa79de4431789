/*
 * guc.h -- the settings "distilbert.*".
 */
#ifndef DISTILBERT_PG_GUC_H
#define DISTILBERT_PG_GUC_H

typedef enum DistilOnError
{
	DISTIL_ERROR_RAISE,
	DISTIL_ERROR_NULL
} DistilOnError;

extern char *distil_guc_model_path;		/* superuser: folder of relative load paths */
extern int	distil_guc_long_text;		/* DbertLongText */
extern int	distil_guc_on_error;	/* DistilOnError */
extern int	distil_guc_threads;		/* of a batch, 1 .. DBERT_MAX_THREADS */
extern char *distil_guc_sentiment_model;	/* default models of the tasks, "" for none */
extern char *distil_guc_entities_model;
extern char *distil_guc_embed_model;
extern char *distil_guc_answer_model;
extern char *distil_guc_zero_shot_model;
extern char *distil_guc_rerank_model;
extern char *distil_guc_fill_mask_model;
extern char *distil_guc_force_isa;		/* superuser: name of a table of kernels, "" for the best */

extern int	distil_guc_batch_tokens;	/* of one pass through a model */

extern int	distil_guc_max_memory;	/* kB, superuser: of models in a process; 0: no limit */
extern int	distil_guc_cache_size;	/* kB of this process's result cache; 0: none */
extern int	distil_guc_shared_cache_size;	/* kB of the server's; 0: none */

extern void distil_guc_init(void);

/*
 * The default model of a task ("sentiment", "answer", ...); raises, with
 * a hint that tells how to load one and which setting names it, when the
 * setting is empty.
 */
extern const char *distil_default_model(const char *task);

/* The setting itself, which may be empty. */
extern const char *distil_default_name(const char *task);

#endif
