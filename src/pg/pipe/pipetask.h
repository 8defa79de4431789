/*
 * pipetask.h -- what pipelines can compute: the one table of their tasks.
 *
 * Each stands on a task of func/, or on chunks or entities, whose functions
 * give rows.  A generation pins the model by the hash of its content, and every
 * option with the value that it had when the pipeline was made: no setting of a
 * role or a session changes what is stored.
 */
#ifndef DISTILBERT_PG_PIPETASK_H
#define DISTILBERT_PG_PIPETASK_H

#include "utils/jsonb.h"

#include "pg/bridge/sha256.h"
#include "pg/func/task.h"

typedef enum DistilPipeKind
{
	DISTIL_PIPE_VALUE,			/* one value a text: task answers */
	DISTIL_PIPE_CHUNKS,			/* chunks of the text, each with its embedding: task embeds */
	DISTIL_PIPE_ENTITIES		/* entities of the text */
} DistilPipeKind;

/*
 * Options of chunks and entities.  Those of a value's task come in the order of
 * the function's own.
 */
enum
{
	DISTIL_CHUNKS_NORMALIZED,	/* these two are the embedding's */
	DISTIL_CHUNKS_DIMENSIONS,
	DISTIL_CHUNKS_MAX_TOKENS,
	DISTIL_CHUNKS_OVERLAP
};
enum
{
	DISTIL_ENTITIES_AGGREGATION,
	DISTIL_ENTITIES_MIN_SCORE
};

typedef struct DistilPipeOption
{
	const char *name;
	Oid			type;			/* int4, float4, bool, text or text[] */
	const char *preset;			/* text form; NULL: NULL */
	bool		required;
} DistilPipeOption;

typedef struct DistilPipeTask
{
	const char *name;
	DistilPipeKind kind;
	const DistilTask *task;		/* NULL: entities */
	const char *column;			/* of a table: where the value goes */
	bool		any_length;		/* texts of any length are read: there is no option long_text */
	int			n_options;		/* else the last one is long_text, a text */
	DistilPipeOption options[DISTIL_MAX_OPTIONS];
} DistilPipeTask;

/* The task of this name; raises, listing those there are. */
extern const DistilPipeTask *distil_pipe_task(const char *name);

/*
 * The options of a task, [n_options], defaults where there are none.  Raises on
 * one that it does not know, or whose value is of another type.
 */
extern NullableDatum *distil_pipe_options(const DistilPipeTask *task, Jsonb *options);

/* All of them as jsonb, to be stored. */
extern Jsonb *distil_pipe_options_jsonb(const DistilPipeTask *task, const NullableDatum *options);

/* long_text of them, if there is one; errors are raised. */
extern DistilTextRules distil_pipe_rules(const DistilPipeTask *task, const NullableDatum *options);

/* Raise unless the task can be done by the model with these options. */
extern void distil_pipe_check_model(const DistilPipeTask *task, const DistilModel *model,
									const NullableDatum *options);

/* Floats of its embeddings; 0: there are none. */
extern int	distil_pipe_width(const DistilPipeTask *task, const DistilModel *model,
							  const NullableDatum *options);

/*
 * The model of this name, open as long as flinfo's context lives, and the hash
 * of its content (of an installed model, too: it is the same on every server).
 */
extern DistilModel *distil_pipe_model(FmgrInfo *flinfo, const char *name, uint8 *sha256);

#endif
