/*
 * picklevalue.h -- the values of a pickle, shared by pickle.c, which runs the
 * opcodes, and picklebuild.c, which makes what they call for.
 */
#ifndef DBERT_MODEL_PICKLEVALUE_H
#define DBERT_MODEL_PICKLEVALUE_H

#include "model/pickle.h"

typedef enum DbertPickleKind
{
	DBERT_PICKLE_OTHER,			/* None, a boolean, a float: nothing is asked of it */
	DBERT_PICKLE_MARK,
	DBERT_PICKLE_INT,
	DBERT_PICKLE_TEXT,
	DBERT_PICKLE_TUPLE,
	DBERT_PICKLE_LIST,			/* pairs without values */
	DBERT_PICKLE_DICT,
	DBERT_PICKLE_NAME,			/* of something that may be called, or a class of storages */
	DBERT_PICKLE_STORAGE,
	DBERT_PICKLE_TENSOR
} DbertPickleKind;

typedef struct DbertPickleValue DbertPickleValue;

/* An entry of a dict, or of a list, in a chain whose last comes first. */
typedef struct DbertPicklePair
{
	struct DbertPicklePair *before;
	const DbertPickleValue *key;
	const DbertPickleValue *value;
} DbertPicklePair;

struct DbertPickleValue
{
	DbertPickleKind kind;
	int			name;			/* of a NAME: its place in the table of names */
	size_t		count;			/* bytes, elements, pairs */
	union
	{
		int64_t		number;
		const unsigned char *text;	/* not terminated, in the pickle's bytes */
		const DbertPickleValue **items;
		DbertPicklePair *last;
		DbertPickleTensor *tensor;	/* of a STORAGE, too: one without a shape */
	}			at;
};

typedef struct DbertPickle
{
	const unsigned char *bytes;
	size_t		len;
	size_t		next;			/* of the byte to be read */
	size_t		opcode;			/* where the opcode stands that is being run */
	const char *file;
	DbertArena *arena;			/* of values */
	DbertError *err;
	DbertPickleValue **stack;
	size_t		depth,
				stack_capacity;
	DbertPickleValue **memo;	/* NULL where nothing was put */
	size_t		memo_count,
				memo_capacity;
} DbertPickle;

/* NULL: out of memory. */
extern DbertPickleValue *dbert_pickle_value(DbertPickle *p, DbertPickleKind kind);

/* E_FORMAT with the place in the file. */
extern DbertStatus dbert_pickle_damaged(const DbertPickle *p, const char *what);
extern DbertStatus dbert_pickle_no_memory(const DbertPickle *p);

/* ---- picklebuild.c ---- */

/* The place of "module name" in the table of names; E_UNSUPPORTED. */
extern DbertStatus dbert_pickle_name(DbertPickle *p, const unsigned char *module,
									 size_t module_len, const unsigned char *name,
									 size_t name_len, int *place);

/* What callable(*args) gives. */
extern DbertStatus dbert_pickle_call(DbertPickle *p, const DbertPickleValue *callable,
									 const DbertPickleValue *args, DbertPickleValue **result);

/* The storage of a persistent id. */
extern DbertStatus dbert_pickle_storage(DbertPickle *p, const DbertPickleValue *id,
										DbertPickleValue **result);

/* The tensors of a whole dict. */
extern DbertStatus dbert_pickle_result(DbertPickle *p, const DbertPickleValue *dict,
									   DbertPickleTensor **items, size_t *count);

/* The strings of a list. */
extern DbertStatus dbert_pickle_strings(DbertPickle *p, const DbertPickleValue *list,
										DbertPickleText **items, size_t *count);

#endif
