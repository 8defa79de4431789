/*
 * picklebuild.c -- the names that a pickle may use, and what becomes of them.
 *
 * Three can be called: a dict that keeps its order, a tensor of a storage, a
 * parameter, which is its tensor.  A class of storages stands in a persistent
 * id: ("storage", class, key, device, number of elements), and before torch 1.6
 * None, for a view of another one.
 */
#include "model/picklevalue.h"

#include "model/json.h"

#include <stdio.h>
#include <string.h>

#define FIRST_STORAGE 3

static const struct
{
	const char *module;
	const char *name;
	const char *dtype;			/* of a class of storages */
}			names[] = {
	{"collections", "OrderedDict", NULL},
	{"torch._utils", "_rebuild_tensor_v2", NULL},
	{"torch._utils", "_rebuild_parameter", NULL},
	{"torch", "FloatStorage", "F32"},
	{"torch", "HalfStorage", "F16"},
	{"torch", "BFloat16Storage", "BF16"},
	{"torch", "DoubleStorage", "F64"},
	{"torch", "LongStorage", "I64"},
	{"torch", "IntStorage", "I32"},
	{"torch", "ShortStorage", "I16"},
	{"torch", "CharStorage", "I8"},
	{"torch", "ByteStorage", "U8"},
	{"torch", "BoolStorage", "BOOL"},
};

/* The first three, in their order. */
enum
{
	NAME_DICT,
	NAME_TENSOR,
	NAME_PARAMETER
};

#define N_NAMES ((int) (sizeof(names) / sizeof(names[0])))

static bool
equals(const unsigned char *text, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(text, word, len) == 0;
}

static bool
is_printable(unsigned char c)
{
	return c >= 0x20 && c < 0x7f;
}

/* Its beginning for a message; what is not printable becomes '?'. */
static const char *
show(const unsigned char *text, size_t len, char out[DBERT_CLIP])
{
	size_t		n = len < DBERT_CLIP - 4 ? len : DBERT_CLIP - 4;

	for (size_t i = 0; i < n; i++)
		out[i] = is_printable(text[i]) ? (char) text[i] : '?';
	strcpy(out + n, n < len ? "..." : "");
	return out;
}

DbertStatus
dbert_pickle_name(DbertPickle *p, const unsigned char *module, size_t module_len,
				  const unsigned char *name, size_t name_len, int *place)
{
	char		clip[2][DBERT_CLIP];

	for (*place = 0; *place < N_NAMES; (*place)++)
		if (equals(module, module_len, names[*place].module) &&
			equals(name, name_len, names[*place].name))
			return DBERT_OK;
	return dbert_fail(p->err, DBERT_E_UNSUPPORTED,
					  "%s: byte %zu: the pickle uses \"%s.%s\", which no dict of tensors needs",
					  p->file, p->opcode, show(module, module_len, clip[0]),
					  show(name, name_len, clip[1]));
}

/* Element i of a tuple, if it is of this kind; else NULL. */
static const DbertPickleValue *
element(const DbertPickleValue *tuple, size_t i, DbertPickleKind kind)
{
	if (tuple->kind != DBERT_PICKLE_TUPLE || i >= tuple->count || tuple->at.items[i]->kind != kind)
		return NULL;
	return tuple->at.items[i];
}

/* A tuple of integers that are not negative, at most RANK_MAX of them. */
static bool
read_sizes(const DbertPickleValue *tuple, int64_t *out)
{
	if (tuple == NULL || tuple->count > DBERT_PICKLE_RANK_MAX)
		return false;
	for (size_t i = 0; i < tuple->count; i++)
	{
		const DbertPickleValue *v = element(tuple, i, DBERT_PICKLE_INT);

		if (v == NULL || v->at.number < 0)
			return false;
		out[i] = v->at.number;
	}
	return true;
}

DbertStatus
dbert_pickle_storage(DbertPickle *p, const DbertPickleValue *id, DbertPickleValue **result)
{
	const DbertPickleValue *word = element(id, 0, DBERT_PICKLE_TEXT),
			   *class = element(id, 1, DBERT_PICKLE_NAME),
			   *key = element(id, 2, DBERT_PICKLE_TEXT),
			   *count = element(id, 4, DBERT_PICKLE_INT);
	bool		whole = id->count == 5 || (id->count == 6 && element(id, 5, DBERT_PICKLE_OTHER));
	DbertPickleTensor *storage;

	if (word == NULL || class == NULL || key == NULL || count == NULL || !whole ||
		!equals(word->at.text, word->count, "storage") || class->name < FIRST_STORAGE ||
		count->at.number < 0 || key->count > DBERT_CLIP)
		return dbert_pickle_damaged(p, "a persistent id is not that of a storage");
	storage = dbert_arena_alloc(p->arena, 1, sizeof(*storage));
	*result = dbert_pickle_value(p, DBERT_PICKLE_STORAGE);
	if (storage == NULL || *result == NULL)
		return dbert_pickle_no_memory(p);
	storage->storage = (const char *) key->at.text;
	storage->storage_len = (int) key->count;
	storage->dtype = names[class->name].dtype;
	storage->storage_count = count->at.number;
	(*result)->at.tensor = storage;
	return DBERT_OK;
}

/*
 * _rebuild_tensor_v2(storage, first, size, stride, requires_grad, hooks), and
 * perhaps metadata.
 */
static DbertStatus
rebuild_tensor(DbertPickle *p, const DbertPickleValue *args, DbertPickleValue **result)
{
	const DbertPickleValue *storage = element(args, 0, DBERT_PICKLE_STORAGE),
			   *first = element(args, 1, DBERT_PICKLE_INT),
			   *size = element(args, 2, DBERT_PICKLE_TUPLE),
			   *stride = element(args, 3, DBERT_PICKLE_TUPLE);
	DbertPickleTensor *t = dbert_arena_alloc(p->arena, 1, sizeof(*t));

	*result = dbert_pickle_value(p, DBERT_PICKLE_TENSOR);
	if (t == NULL || *result == NULL)
		return dbert_pickle_no_memory(p);
	if (storage == NULL || first == NULL || first->at.number < 0 || !read_sizes(size, t->shape) ||
		!read_sizes(stride, t->stride) || size->count != stride->count)
		return dbert_pickle_damaged(p, "a tensor has impossible arguments");
	t->storage = storage->at.tensor->storage;
	t->storage_len = storage->at.tensor->storage_len;
	t->dtype = storage->at.tensor->dtype;
	t->storage_count = storage->at.tensor->storage_count;
	t->first = first->at.number;
	t->rank = (int) size->count;
	(*result)->at.tensor = t;
	return DBERT_OK;
}

DbertStatus
dbert_pickle_call(DbertPickle *p, const DbertPickleValue *callable, const DbertPickleValue *args,
				  DbertPickleValue **result)
{
	const DbertPickleValue *tensor = element(args, 0, DBERT_PICKLE_TENSOR);

	if (callable->kind != DBERT_PICKLE_NAME || callable->name >= FIRST_STORAGE ||
		args->kind != DBERT_PICKLE_TUPLE)
		return dbert_pickle_damaged(p, "what is called is not to be called");
	switch (callable->name)
	{
		case NAME_DICT:
			if (args->count > 0)
				return dbert_pickle_damaged(p, "a dict has arguments");
			*result = dbert_pickle_value(p, DBERT_PICKLE_DICT);
			return DBERT_OK;
		case NAME_TENSOR:
			return rebuild_tensor(p, args, result);
		default:
			if (tensor == NULL)
				return dbert_pickle_damaged(p, "a parameter has no tensor");
			*result = dbert_pickle_value(p, DBERT_PICKLE_TENSOR);
			if (*result != NULL)
				(*result)->at.tensor = tensor->at.tensor;
			return DBERT_OK;
	}
}

/* A tensor of the result, by the name that the dict gives it. */
static DbertStatus
read_pair(DbertPickle *p, const DbertPicklePair *pair, DbertPickleTensor *out)
{
	const DbertPickleValue *key = pair->key;
	char		clip[DBERT_CLIP],
			   *name;

	if (key->kind != DBERT_PICKLE_TEXT)
		return dbert_fail(p->err, DBERT_E_FORMAT, "%s: a key is not a string", p->file);
	for (size_t i = 0; i < key->count; i++)
		if (!is_printable(key->at.text[i]))
			return dbert_fail(p->err, DBERT_E_FORMAT, "%s: key \"%s\" is not a tensor's name",
							  p->file, show(key->at.text, key->count, clip));
	if (pair->value->kind != DBERT_PICKLE_TENSOR)
		return dbert_fail(p->err, DBERT_E_UNSUPPORTED, "%s: \"%s\" is not a tensor", p->file,
						  show(key->at.text, key->count, clip));
	name = dbert_arena_strndup(p->arena, (const char *) key->at.text, key->count);
	if (name == NULL)
		return dbert_pickle_no_memory(p);
	*out = *pair->value->at.tensor;
	out->name = name;
	return DBERT_OK;
}

DbertStatus
dbert_pickle_result(DbertPickle *p, const DbertPickleValue *dict, DbertPickleTensor **items,
					size_t *count)
{
	size_t		i = dict->count;

	if (dict->kind != DBERT_PICKLE_DICT)
		return dbert_fail(p->err, DBERT_E_UNSUPPORTED,
						  "%s: it holds no dict of tensors (state_dict)", p->file);
	*count = dict->count;
	*items = dbert_arena_alloc(p->arena, dict->count, sizeof(**items));
	if (*items == NULL)
		return dbert_pickle_no_memory(p);
	for (const DbertPicklePair *pair = dict->at.last; pair != NULL; pair = pair->before)
		DBERT_TRY(read_pair(p, pair, &(*items)[--i]));
	return DBERT_OK;
}

DbertStatus
dbert_pickle_strings(DbertPickle *p, const DbertPickleValue *list, DbertPickleText **items,
					 size_t *count)
{
	size_t		i = list->count;

	if (list->kind != DBERT_PICKLE_LIST)
		return dbert_pickle_damaged(p, "there is no list");
	*count = list->count;
	*items = dbert_arena_alloc(p->arena, list->count, sizeof(**items));
	if (*items == NULL)
		return dbert_pickle_no_memory(p);
	for (const DbertPicklePair *pair = list->at.last; pair != NULL; pair = pair->before)
	{
		if (pair->key->kind != DBERT_PICKLE_TEXT)
			return dbert_pickle_damaged(p, "a list holds something else than strings");
		(*items)[--i] = (DbertPickleText) {pair->key->at.text, pair->key->count};
	}
	return DBERT_OK;
}
