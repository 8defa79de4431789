/*
 * guc.c -- the settings "distilbert.*" and what follows from an empty one.
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/guc.h"

#include "dbert.h"
#include "pg/bridge/guc.h"
#include "pg/run/modelcache.h"
#include "pg/run/resultcache.h"
#include "pg/bridge/threads.h"

char	   *distil_guc_model_path;
int			distil_guc_long_text;
int			distil_guc_on_error;
int			distil_guc_threads;
char	   *distil_guc_sentiment_model;
char	   *distil_guc_entities_model;
char	   *distil_guc_embed_model;
char	   *distil_guc_answer_model;
char	   *distil_guc_zero_shot_model;
char	   *distil_guc_rerank_model;
char	   *distil_guc_fill_mask_model;
char	   *distil_guc_force_isa;
int			distil_guc_batch_tokens;
int			distil_guc_max_memory;
int			distil_guc_cache_size;
int			distil_guc_shared_cache_size;

static const struct config_enum_entry long_text_options[] = {
	{"window", DBERT_LONG_WINDOW, false},
	{"truncate", DBERT_LONG_TRUNCATE, false},
	{"error", DBERT_LONG_ERROR, false},
	{NULL, 0, false}
};

static const struct config_enum_entry on_error_options[] = {
	{"error", DISTIL_ERROR_RAISE, false},
	{"null", DISTIL_ERROR_NULL, false},
	{NULL, 0, false}
};

static bool
check_model_path(char **newval, void **extra, GucSource source)
{
	if (**newval == '\0' || is_absolute_path(*newval))
		return true;
	GUC_check_errdetail("The folder must be given as an absolute path.");
	return false;
}

static bool
check_force_isa(char **newval, void **extra, GucSource source)
{
	const DbertKernels *kernels;
	DbertError	err;

	if (**newval == '\0' || dbert_kernels_choose(*newval, &kernels, &err) == DBERT_OK)
		return true;
	GUC_check_errdetail("There are no such kernels, or they cannot run on this machine.");
	return false;
}

static void
assign_force_isa(const char *newval, void *extra)
{
	distil_models_reopen();
}

static void
assign_threads(int newval, void *extra)
{
	if (newval != distil_guc_threads)
		distil_threads_end();
}

static void
assign_cache_size(int newval, void *extra)
{
	distil_cache_resize(newval);
}

/* Shared memory is had when the server starts, or never. */
static void
define_shared_settings(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	DefineCustomIntVariable("distilbert.shared_cache_size",
							"Memory for results that all sessions of a role share.",
							"0: each session keeps its own alone.",
							&distil_guc_shared_cache_size, 0, 0, MAX_KILOBYTES,
							PGC_POSTMASTER, GUC_UNIT_KB, NULL, NULL, NULL);
}

static void
define_default_model(const char *name, const char *what, char **variable, const char *value)
{
	DefineCustomStringVariable(name, what, NULL, variable, value,
							   PGC_USERSET, 0, NULL, NULL, NULL);
}

void
distil_guc_init(void)
{
	DefineCustomStringVariable(
		"distilbert.model_path", "Folder under which distil_load_model finds relative paths.",
		"Empty: only absolute paths, which need the rights of pg_read_server_files.",
		&distil_guc_model_path, "", PGC_SUSET, 0, check_model_path, NULL, NULL);

	DefineCustomEnumVariable("distilbert.long_text",
							 "What happens to a text longer than its model can take.",
							 NULL, &distil_guc_long_text, DBERT_LONG_WINDOW,
							 long_text_options, PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomEnumVariable("distilbert.on_error", "What happens when a text cannot be evaluated.",
							 "\"null\": the answer is NULL, and a warning tells why; errors of the "
							 "statement itself are raised.",
							 &distil_guc_on_error, DISTIL_ERROR_RAISE, on_error_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("distilbert.threads",
							"Threads that may share the work of one batch of texts.",
							"Parallel workers use one each, whatever is set.",
							&distil_guc_threads, 1, 1, DBERT_MAX_THREADS,
							PGC_USERSET, 0, NULL, assign_threads, NULL);

	define_default_model("distilbert.sentiment_model",
						 "Model of distil_sentiment when none is named.",
						 &distil_guc_sentiment_model, "sentiment-en-v1");
	define_default_model("distilbert.entities_model",
						 "Model of distil_entities when none is named.",
						 &distil_guc_entities_model, "entities-en-v1");
	define_default_model("distilbert.embed_model",
						 "Model of distil_embed when none is named.",
						 &distil_guc_embed_model, "embeddings-en-v1");
	define_default_model("distilbert.answer_model",
						 "Model of distil_answer and distil_answer_text when none is named.",
						 &distil_guc_answer_model, "");
	define_default_model("distilbert.zero_shot_model",
						 "Model of distil_zero_shot when none is named.",
						 &distil_guc_zero_shot_model, "");
	define_default_model("distilbert.rerank_model",
						 "Model of distil_rerank and distil_rerank_distance when none is named.",
						 &distil_guc_rerank_model, "");
	define_default_model("distilbert.fill_mask_model",
						 "Model of distil_fill_mask when none is named.",
						 &distil_guc_fill_mask_model, "fill-mask-en-v1");

	DefineCustomIntVariable("distilbert.batch_tokens",
							"Number of tokens that go through a model at a time.",
							NULL, &distil_guc_batch_tokens, 4096, 1, 1024 * 1024,
							PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);

	DefineCustomIntVariable(
		"distilbert.max_memory",
		"Memory that models may take in a session, shared weights excepted.",
		"Batches are made smaller to keep to it, texts that need more are errors; 0: no limit.",
		&distil_guc_max_memory, 0, 0, MAX_KILOBYTES, PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);

	DefineCustomIntVariable("distilbert.cache_size",
							"Memory for results of texts that a session computed before.",
							"Hashes and numbers are kept, no texts; 0: nothing is.",
							&distil_guc_cache_size, 4096, 0, MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_KB, NULL, assign_cache_size, NULL);
	define_shared_settings();

	DefineCustomStringVariable("distilbert.force_isa",
							   "Kernels that models are computed with, for tests.",
							   "\"avx512-vnni\", \"avx512\", \"avx2-vnni\", \"avx2\", \"openblas\" "
							   "or \"scalar\"; empty: the best that this machine can run.",
							   &distil_guc_force_isa, "", PGC_SUSET, 0, check_force_isa,
							   assign_force_isa, NULL);
}

const char *
distil_default_name(const char *task)
{
	if (strcmp(task, "sentiment") == 0)
		return distil_guc_sentiment_model;
	if (strcmp(task, "entities") == 0)
		return distil_guc_entities_model;
	if (strcmp(task, "embed") == 0)
		return distil_guc_embed_model;
	if (strcmp(task, "answer") == 0)
		return distil_guc_answer_model;
	if (strcmp(task, "zero_shot") == 0)
		return distil_guc_zero_shot_model;
	if (strcmp(task, "rerank") == 0)
		return distil_guc_rerank_model;
	if (strcmp(task, "fill_mask") == 0)
		return distil_guc_fill_mask_model;
	elog(ERROR, "task \"%s\" has no default model", task);
	return NULL;				/* keep compiler quiet */
}

const char *
distil_default_model(const char *task)
{
	const char *name = distil_default_name(task);

	if (name == NULL || name[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("no model is set for %s", task),
				 errhint("Name a model in the call, or load one with distil_load_model(name, path) "
						 "and set \"distilbert.%s_model\" to its name.",
						 task)));
	return name;
}
