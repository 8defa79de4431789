/*
 * json.h -- strict JSON: a thin layer over jansson.
 *
 * A text is one object or array, without duplicate keys, lone surrogates,
 * zero characters in strings, bytes after its end, or nesting deeper than
 * DBERT_JSON_DEPTH.  The getters take an absent key and a null alike: the
 * value is left as the caller preset it.  Every error names file and key.
 */
#ifndef DBERT_MODEL_JSON_H
#define DBERT_MODEL_JSON_H

#include "model/jsonpool.h"
#include "model/modelfiles.h"

#define DBERT_JSON_DEPTH 64

/* Numbers as doubles, which lets integers of any size pass (1e30 is a common
 * model_max_length). */
#define DBERT_JSON_REALS 0x01

/* A value and the words that name it in an error. */
typedef struct DbertJson
{
	const json_t *value;
	char		where[DBERT_FILE_NAME_MAX + 64];	/* "config.json", "tokenizer.json: model" */
} DbertJson;

/*
 * What a text says, and the memory it lies in: never released by json_decref.
 * One that is cleared, or whose reading failed, may be freed, too.
 */
typedef struct DbertJsonTree
{
	json_t	   *root;
	DbertJsonPool pool;
} DbertJsonTree;

/*
 * E_FORMAT for anything that is not a JSON object or array, E_LIMIT where its
 * tree would take more than DBERT_JSON_MEMORY_MAX.
 */
extern DbertStatus dbert_json_parse(const char *text, size_t len, const char *name, int flags,
									const DbertAllocator *alloc, const DbertPoll *poll,
									DbertJsonTree *tree, DbertError *err);

extern void dbert_json_free(DbertJsonTree *tree);

/*
 * Parse the file dir/name; at names the root.  A missing file is E_FORMAT, or,
 * when optional, tree->root = at->value = NULL.
 */
extern DbertStatus dbert_json_load(const DbertSource *source, const char *dir, const char *name,
								   size_t max, int flags, bool optional,
								   const DbertAllocator *alloc, const DbertPoll *poll,
								   DbertJsonTree *tree, DbertJson *at, DbertError *err);

/*
 * at = the value of key, which must be of that type when it is there; at->value
 * NULL otherwise.
 */
extern DbertStatus dbert_json_child(const DbertJson *object, const char *key, json_type type,
									DbertJson *at, DbertError *err);

/* The root must be an object (or whatever type). */
extern DbertStatus dbert_json_expect(const DbertJson *at, json_type type, DbertError *err);

extern DbertStatus dbert_json_int(const DbertJson *object, const char *key,
								  int64_t min, int64_t max, int64_t *out, DbertError *err);
extern DbertStatus dbert_json_real(const DbertJson *object, const char *key,
								   double min, double max, double *out, DbertError *err);
extern DbertStatus dbert_json_bool(const DbertJson *object, const char *key,
								   bool *out, DbertError *err);

/* *out belongs to the JSON root. */
extern DbertStatus dbert_json_string(const DbertJson *object, const char *key,
									 const char **out, DbertError *err);

/*
 * Copy the beginning of a UTF-8 string of unknown length, for an error message.
 */
#define DBERT_CLIP 64
extern const char *dbert_clip(const char *s, char out[DBERT_CLIP]);

#endif
