/* json.c -- see json.h. */
#include "model/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BYTES_PER_POLL 65536

const char *
dbert_clip(const char *s, char out[DBERT_CLIP])
{
	size_t		n = strnlen(s, DBERT_CLIP - 4);
	bool		cut = s[n] != '\0';

	/* never leave half a character */
	if (cut)
		while (n > 0 && ((unsigned char) s[n] & 0xc0) == 0x80)
			n--;
	memcpy(out, s, n);
	strcpy(out + n, cut ? "..." : "");
	return out;
}

/*
 * jansson recurses up to 2048 levels, more stack than a backend should lend
 * to a file, so depth is checked beforehand.
 */
static bool
too_deep(const char *text, size_t len)
{
	int			depth = 0;
	bool		in_string = false;

	for (size_t i = 0; i < len; i++)
	{
		char		c = text[i];

		if (in_string)
		{
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		}
		else if (c == '"')
			in_string = true;
		else if ((c == '{' || c == '[') && ++depth > DBERT_JSON_DEPTH)
			return true;
		else if (c == '}' || c == ']')
			depth--;
	}
	return false;
}

/* Memory for the tree of a text, all that jansson can want of it. */
static DbertStatus
reserve(const char *text, size_t len, const char *name, DbertJsonPool *pool, DbertError *err)
{
	uint64_t	need = dbert_json_memory(text, len);

	if (need > DBERT_JSON_MEMORY_MAX)
		return dbert_fail(err, DBERT_E_LIMIT,
						  "%s: reading it may take %" PRIu64
						  " bytes of memory, the limit is %" PRIu64,
						  name, need, DBERT_JSON_MEMORY_MAX);
	if (!dbert_json_pool_reserve(pool, need))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory while reading \"%s\"", name);
	return DBERT_OK;
}

/* A text on its way to jansson, which asks for it piece by piece. */
typedef struct Feed
{
	const char *text;
	size_t		len,
				at,
				asked;			/* where the poll was asked last */
	const DbertPoll *poll;
	DbertJsonPool *pool;
	bool		stopped;
} Feed;

/* json_load_callback_t; the poll may end the process, so the pool is left. */
static size_t
feed(void *buffer, size_t room, void *ctx)
{
	Feed	   *f = ctx;
	size_t		n = f->len - f->at < room ? f->len - f->at : room;

	if (f->at - f->asked >= BYTES_PER_POLL)
	{
		f->asked = f->at;
		dbert_json_pool_leave(f->pool);
		f->stopped = dbert_stopped(f->poll);
		dbert_json_pool_enter(f->pool);
		if (f->stopped)
			return (size_t) -1;
	}
	if (n > 0)
		memcpy(buffer, f->text + f->at, n);
	f->at += n;
	return n;
}

DbertStatus
dbert_json_parse(const char *text, size_t len, const char *name, int flags,
				 const DbertAllocator *alloc, const DbertPoll *poll, DbertJsonTree *tree,
				 DbertError *err)
{
	json_error_t e;
	Feed		f = {.text = text,.len = len,.poll = poll,.pool = &tree->pool};
	size_t		options = JSON_REJECT_DUPLICATES;
	DbertStatus status = DBERT_OK;

	tree->root = NULL;
	dbert_json_pool_begin(&tree->pool, alloc);
	if (too_deep(text, len))
		return dbert_fail(err, DBERT_E_FORMAT, "%s: nested deeper than %d levels",
						  name, DBERT_JSON_DEPTH);
	if (dbert_stopped(poll))
		return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
	DBERT_TRY(reserve(text, len, name, &tree->pool, err));
	if (flags & DBERT_JSON_REALS)
		options |= JSON_DECODE_INT_AS_REAL;
	dbert_json_pool_enter(&tree->pool);
	tree->root = json_load_callback(feed, &f, options, &e);
	dbert_json_pool_leave(&tree->pool);
	/* what jansson says of a failed allocation may be anything */
	if (f.stopped)
		status = dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
	else if (tree->pool.failed)
		status = dbert_fail(err, DBERT_E_NOMEM, "out of memory while reading \"%s\"", name);
	else if (tree->root == NULL)
		status = dbert_fail(err, DBERT_E_FORMAT, "%s: line %d, column %d: %s", name, e.line,
							e.column, e.text);
	if (status != DBERT_OK)
		dbert_json_free(tree);
	return status;
}

void
dbert_json_free(DbertJsonTree *tree)
{
	tree->root = NULL;
	dbert_json_pool_end(&tree->pool);
}

DbertStatus
dbert_json_load(const DbertSource *source, const char *dir, const char *name,
				size_t max, int flags, bool optional,
				const DbertAllocator *alloc, const DbertPoll *poll,
				DbertJsonTree *tree, DbertJson *at, DbertError *err)
{
	char		path[DBERT_FILE_NAME_MAX];
	char	   *text = NULL;
	size_t		len = 0;
	bool		exists;
	DbertStatus status;

	tree->root = NULL;
	dbert_json_pool_begin(&tree->pool, alloc);
	at->value = NULL;
	DBERT_TRY(dbert_file_join(path, dir, name, err));
	DBERT_TRY(dbert_file_exists(source, dir, name, &exists, err));
	if (optional && !exists)
		return DBERT_OK;
	DBERT_TRY(dbert_file_load(source, path, max, alloc, poll, &text, &len, err));
	status = dbert_json_parse(text, len, path, flags, alloc, poll, tree, err);
	dbert_free(alloc, text);
	at->value = tree->root;
	snprintf(at->where, sizeof(at->where), "%s", path);
	return status;
}

static const char *
type_name(json_type type)
{
	switch (type)
	{
		case JSON_OBJECT:
			return "an object";
		case JSON_ARRAY:
			return "an array";
		case JSON_STRING:
			return "a string";
		case JSON_INTEGER:
			return "an integer";
		case JSON_REAL:
			return "a number";
		case JSON_TRUE:
		case JSON_FALSE:
			return "true or false";
		default:
			return "null";
	}
}

DbertStatus
dbert_json_expect(const DbertJson *at, json_type type, DbertError *err)
{
	if (json_typeof(at->value) != type)
		return dbert_fail(err, DBERT_E_FORMAT, "%s must be %s, found %s", at->where,
						  type_name(type), type_name(json_typeof(at->value)));
	return DBERT_OK;
}

/* NULL: absent or null */
static const json_t *
member(const DbertJson *object, const char *key)
{
	const json_t *v = json_object_get(object->value, key);

	return json_is_null(v) ? NULL : v;
}

static DbertStatus
wrong_type(const DbertJson *object, const char *key, const char *want, const json_t *v,
		   DbertError *err)
{
	return dbert_fail(err, DBERT_E_FORMAT, "%s: \"%s\" must be %s, found %s",
					  object->where, key, want, type_name(json_typeof(v)));
}

DbertStatus
dbert_json_child(const DbertJson *object, const char *key, json_type type,
				 DbertJson *at, DbertError *err)
{
	const json_t *v = member(object, key);

	if (v != NULL && json_typeof(v) != type)
		return wrong_type(object, key, type_name(type), v, err);
	at->value = v;
	snprintf(at->where, sizeof(at->where), "%.255s: %.60s", object->where, key);
	return DBERT_OK;
}

DbertStatus
dbert_json_int(const DbertJson *object, const char *key,
			   int64_t min, int64_t max, int64_t *out, DbertError *err)
{
	const json_t *v = member(object, key);

	if (v == NULL)
		return DBERT_OK;
	if (!json_is_integer(v))
		return wrong_type(object, key, "an integer", v, err);
	if (json_integer_value(v) < min || json_integer_value(v) > max)
		return dbert_fail(err, DBERT_E_FORMAT,
						  "%s: \"%s\" must be between %" PRId64 " and %" PRId64 ", found %" PRId64,
						  object->where, key, min, max, (int64_t) json_integer_value(v));
	*out = json_integer_value(v);
	return DBERT_OK;
}

DbertStatus
dbert_json_real(const DbertJson *object, const char *key,
				double min, double max, double *out, DbertError *err)
{
	const json_t *v = member(object, key);
	double		x;

	if (v == NULL)
		return DBERT_OK;
	if (!json_is_number(v))
		return wrong_type(object, key, "a number", v, err);
	x = json_number_value(v);
	if (!(x >= min && x <= max))
		return dbert_fail(err, DBERT_E_FORMAT, "%s: \"%s\" must be between %g and %g, found %g",
						  object->where, key, min, max, x);
	*out = x;
	return DBERT_OK;
}

DbertStatus
dbert_json_bool(const DbertJson *object, const char *key, bool *out, DbertError *err)
{
	const json_t *v = member(object, key);

	if (v == NULL)
		return DBERT_OK;
	if (!json_is_boolean(v))
		return wrong_type(object, key, "true or false", v, err);
	*out = json_is_true(v);
	return DBERT_OK;
}

DbertStatus
dbert_json_string(const DbertJson *object, const char *key, const char **out, DbertError *err)
{
	const json_t *v = member(object, key);

	if (v == NULL)
		return DBERT_OK;
	if (!json_is_string(v))
		return wrong_type(object, key, "a string", v, err);
	*out = json_string_value(v);
	return DBERT_OK;
}
