/*
 * pickle.c -- the opcodes of a pickle: a stack, a memo, and values of a few
 * kinds.  (picklebuild.c: what names, calls and storages make of them.)
 *
 * Every opcode reads forward and pushes one value at most, so a pickle ends,
 * and its memory is some forty bytes for each of its own at most.
 */
#include "model/picklevalue.h"

#include "base/bytes.h"

#include <inttypes.h>
#include <string.h>

DbertStatus
dbert_pickle_damaged(const DbertPickle *p, const char *what)
{
	return dbert_fail(p->err, DBERT_E_FORMAT, "%s: byte %zu: %s", p->file, p->opcode, what);
}

DbertStatus
dbert_pickle_no_memory(const DbertPickle *p)
{
	return dbert_fail(p->err, DBERT_E_NOMEM, "out of memory while reading \"%s\"", p->file);
}

DbertPickleValue *
dbert_pickle_value(DbertPickle *p, DbertPickleKind kind)
{
	DbertPickleValue *v = dbert_arena_alloc(p->arena, 1, sizeof(*v));

	if (v != NULL)
		v->kind = kind;
	return v;
}

/* ---- stack and memo ---- */

static DbertStatus
push(DbertPickle *p, DbertPickleValue *v)
{
	if (v == NULL || !dbert_grow(p->arena->alloc, &p->stack, &p->stack_capacity, p->depth,
								 p->depth + 1, sizeof(*p->stack)))
		return dbert_pickle_no_memory(p);
	p->stack[p->depth++] = v;
	return DBERT_OK;
}

static DbertStatus
push_kind(DbertPickle *p, DbertPickleKind kind)
{
	return push(p, dbert_pickle_value(p, kind));
}

static DbertStatus
push_int(DbertPickle *p, int64_t number)
{
	DbertPickleValue *v = dbert_pickle_value(p, DBERT_PICKLE_INT);

	if (v != NULL)
		v->at.number = number;
	return push(p, v);
}

/* A value that is there, and is no mark. */
static DbertStatus
pop(DbertPickle *p, DbertPickleValue **v)
{
	*v = NULL;
	if (p->depth == 0 || p->stack[p->depth - 1]->kind == DBERT_PICKLE_MARK)
		return dbert_pickle_damaged(p, "the stack is empty");
	*v = p->stack[--p->depth];
	return DBERT_OK;
}

/* *first = the place of the first value above the last mark. */
static DbertStatus
find_mark(const DbertPickle *p, size_t *first)
{
	for (size_t i = p->depth; i > 0; i--)
	{
		*first = i;
		if (p->stack[i - 1]->kind == DBERT_PICKLE_MARK)
			return DBERT_OK;
	}
	return dbert_pickle_damaged(p, "there is no mark");
}

/* The value below those from first on; depth becomes what is below it. */
static DbertStatus
owner_below(const DbertPickle *p, size_t first, DbertPickleKind kind, DbertPickleValue **owner)
{
	*owner = NULL;
	if (first == 0 || p->stack[first - 1]->kind != kind)
		return dbert_pickle_damaged(p, kind == DBERT_PICKLE_DICT ? "there is no dict"
																   : "there is no list");
	*owner = p->stack[first - 1];
	return DBERT_OK;
}

static DbertStatus
put_memo(DbertPickle *p, size_t place)
{
	if (p->depth == 0 || p->stack[p->depth - 1]->kind == DBERT_PICKLE_MARK)
		return dbert_pickle_damaged(p, "the stack is empty");
	if (place >= p->len)
		return dbert_pickle_damaged(p, "a place of the memo is out of range");
	if (!dbert_grow(p->arena->alloc, &p->memo, &p->memo_capacity, p->memo_count, place + 1,
					sizeof(*p->memo)))
		return dbert_pickle_no_memory(p);
	for (; p->memo_count <= place; p->memo_count++)
		p->memo[p->memo_count] = NULL;
	p->memo[place] = p->stack[p->depth - 1];
	return DBERT_OK;
}

static DbertStatus
get_memo(DbertPickle *p, size_t place)
{
	if (place >= p->memo_count || p->memo[place] == NULL)
		return dbert_pickle_damaged(p, "nothing was put into this place of the memo");
	return push(p, p->memo[place]);
}

/* ---- arguments in the bytes ---- */

static DbertStatus
take(DbertPickle *p, size_t len, const unsigned char **at)
{
	if (len > p->len - p->next)
		return dbert_pickle_damaged(p, "the pickle is cut off");
	*at = p->bytes + p->next;
	p->next += len;
	return DBERT_OK;
}

/* A line; *len without its end. */
static DbertStatus
take_line(DbertPickle *p, const unsigned char **line, size_t *len)
{
	const unsigned char *end = memchr(p->bytes + p->next, '\n', p->len - p->next);

	if (end == NULL)
		return dbert_pickle_damaged(p, "the pickle is cut off");
	*line = p->bytes + p->next;
	*len = (size_t) (end - *line);
	p->next += *len + 1;
	return DBERT_OK;
}

static DbertStatus
take_number(DbertPickle *p, int bytes, uint64_t *number)
{
	const unsigned char *at = NULL;

	DBERT_TRY(take(p, (size_t) bytes, &at));
	*number = 0;
	for (int i = bytes - 1; i >= 0; i--)
		*number = *number << 8 | at[i];
	return DBERT_OK;
}

/* ---- opcodes ---- */

/* Text whose length stands before it in so many bytes. */
static DbertStatus
run_text(DbertPickle *p, int bytes)
{
	DbertPickleValue *v = dbert_pickle_value(p, DBERT_PICKLE_TEXT);
	uint64_t	len;

	if (v == NULL)
		return dbert_pickle_no_memory(p);
	DBERT_TRY(take_number(p, bytes, &len));
	v->count = (size_t) len;
	DBERT_TRY(take(p, v->count, &v->at.text));
	return push(p, v);
}

static DbertStatus
run_int(DbertPickle *p, int bytes)
{
	uint64_t	number;

	DBERT_TRY(take_number(p, bytes, &number));
	return push_int(p, bytes == 4 ? (int32_t) number : (int64_t) number);
}

/* LONG1: an integer of so many bytes as the next one says, with a sign. */
static DbertStatus
run_long(DbertPickle *p)
{
	uint64_t	len,
				number;

	DBERT_TRY(take_number(p, 1, &len));
	if (len > 8)
		return dbert_pickle_damaged(p, "an integer has more than 64 bits");
	DBERT_TRY(take_number(p, (int) len, &number));
	if (len > 0 && len < 8 && number >> (8 * len - 1) & 1)
		number |= UINT64_MAX << 8 * len;
	return push_int(p, (int64_t) number);
}

/* BINFLOAT: no number of a tensor's description is one. */
static DbertStatus
run_float(DbertPickle *p)
{
	const unsigned char *at = NULL;

	DBERT_TRY(take(p, 8, &at));
	return push_kind(p, DBERT_PICKLE_OTHER);
}

/* The n values on top become one tuple. */
static DbertStatus
run_tuple(DbertPickle *p, size_t n)
{
	DbertPickleValue *v = dbert_pickle_value(p, DBERT_PICKLE_TUPLE);

	if (v == NULL)
		return dbert_pickle_no_memory(p);
	v->at.items = dbert_arena_alloc(p->arena, n, sizeof(*v->at.items));
	if (v->at.items == NULL)
		return dbert_pickle_no_memory(p);
	for (v->count = n; n > 0; n--)
	{
		DbertPickleValue *item;

		DBERT_TRY(pop(p, &item));
		v->at.items[n - 1] = item;
	}
	return push(p, v);
}

static DbertStatus
run_marked_tuple(DbertPickle *p)
{
	size_t		first = 0;
	DbertPickleValue *tuple;

	DBERT_TRY(find_mark(p, &first));
	DBERT_TRY(run_tuple(p, p->depth - first));
	DBERT_TRY(pop(p, &tuple));
	p->depth--;					/* the mark */
	return push(p, tuple);
}

static DbertStatus
add_pair(DbertPickle *p, DbertPickleValue *owner, const DbertPickleValue *key,
		 const DbertPickleValue *value)
{
	DbertPicklePair *pair = dbert_arena_alloc(p->arena, 1, sizeof(*pair));

	if (pair == NULL)
		return dbert_pickle_no_memory(p);
	*pair = (DbertPicklePair) {owner->at.last, key, value};
	owner->at.last = pair;
	owner->count++;
	return DBERT_OK;
}

/* The values from first on, by turns keys and values, go to the dict below. */
static DbertStatus
set_items(DbertPickle *p, size_t first, size_t below)
{
	DbertPickleValue *dict;

	DBERT_TRY(owner_below(p, below, DBERT_PICKLE_DICT, &dict));
	if ((p->depth - first) % 2 != 0)
		return dbert_pickle_damaged(p, "a key has no value");
	for (size_t i = first; i < p->depth; i += 2)
		DBERT_TRY(add_pair(p, dict, p->stack[i], p->stack[i + 1]));
	p->depth = below;
	return DBERT_OK;
}

static DbertStatus
run_set_item(DbertPickle *p)
{
	if (p->depth < 3 || p->stack[p->depth - 1]->kind == DBERT_PICKLE_MARK ||
		p->stack[p->depth - 2]->kind == DBERT_PICKLE_MARK)
		return dbert_pickle_damaged(p, "the stack is empty");
	return set_items(p, p->depth - 2, p->depth - 2);
}

static DbertStatus
run_set_items(DbertPickle *p)
{
	size_t		first = 0;

	DBERT_TRY(find_mark(p, &first));
	return set_items(p, first, first - 1);
}

/* The values from first on go to the list below. */
static DbertStatus
append_items(DbertPickle *p, size_t first, size_t below)
{
	DbertPickleValue *list;

	DBERT_TRY(owner_below(p, below, DBERT_PICKLE_LIST, &list));
	for (size_t i = first; i < p->depth; i++)
		DBERT_TRY(add_pair(p, list, p->stack[i], NULL));
	p->depth = below;
	return DBERT_OK;
}

static DbertStatus
run_append(DbertPickle *p)
{
	if (p->depth < 2 || p->stack[p->depth - 1]->kind == DBERT_PICKLE_MARK)
		return dbert_pickle_damaged(p, "the stack is empty");
	return append_items(p, p->depth - 1, p->depth - 1);
}

static DbertStatus
run_appends(DbertPickle *p)
{
	size_t		first = 0;

	DBERT_TRY(find_mark(p, &first));
	return append_items(p, first, first - 1);
}

static DbertStatus
run_global(DbertPickle *p)
{
	DbertPickleValue *v = dbert_pickle_value(p, DBERT_PICKLE_NAME);
	const unsigned char *module = NULL,
			   *name = NULL;
	size_t		module_len = 0,
				name_len = 0;

	if (v == NULL)
		return dbert_pickle_no_memory(p);
	DBERT_TRY(take_line(p, &module, &module_len));
	DBERT_TRY(take_line(p, &name, &name_len));
	DBERT_TRY(dbert_pickle_name(p, module, module_len, name, name_len, &v->name));
	return push(p, v);
}

static DbertStatus
run_reduce(DbertPickle *p)
{
	DbertPickleValue *args,
			   *callable,
			   *result = NULL;

	DBERT_TRY(pop(p, &args));
	DBERT_TRY(pop(p, &callable));
	DBERT_TRY(dbert_pickle_call(p, callable, args, &result));
	return push(p, result);
}

static DbertStatus
run_persistent_id(DbertPickle *p)
{
	DbertPickleValue *id,
			   *storage = NULL;

	DBERT_TRY(pop(p, &id));
	DBERT_TRY(dbert_pickle_storage(p, id, &storage));
	return push(p, storage);
}

/* Attributes of a dict, such as _metadata: versions of torch's modules. */
static DbertStatus
run_build(DbertPickle *p)
{
	DbertPickleValue *state,
			   *dict;

	DBERT_TRY(pop(p, &state));
	return owner_below(p, p->depth, DBERT_PICKLE_DICT, &dict);
}

/* What a pickle of another protocol, or of something else, has. */
static DbertStatus
refuse_opcode(const DbertPickle *p, int opcode)
{
	static const struct
	{
		int			opcode;
		const char *name;
	}			others[] = {
		{'i', "INST"}, {'o', "OBJ"}, {0x81, "NEWOBJ"}, {0x92, "NEWOBJ_EX"},
		{0x93, "STACK_GLOBAL"}, {0x95, "FRAME"}, {0x94, "MEMOIZE"}, {0x8c, "SHORT_BINUNICODE"},
		{0x8d, "BINUNICODE8"}, {0x8f, "EMPTY_SET"}, {'C', "SHORT_BINBYTES"}, {'B', "BINBYTES"},
		{0x82, "EXT1"}, {0x83, "EXT2"}, {0x84, "EXT4"}, {'P', "PERSID"}, {'0', "POP"},
		{'1', "POP_MARK"}, {'2', "DUP"}, {'d', "DICT"}, {'l', "LIST"}, {0x8b, "LONG4"}
	};
	const char *name = "unknown";

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i].opcode == opcode)
			name = others[i].name;
	return dbert_fail(p->err, DBERT_E_UNSUPPORTED,
					  "%s: byte %zu: opcode 0x%02x (%s) of the pickle is not supported",
					  p->file, p->opcode, opcode, name);
}

/* Opcodes that push what stands behind them. */
static DbertStatus
run_constant(DbertPickle *p, int opcode)
{
	switch (opcode)
	{
		case 'N':				/* NONE, NEWTRUE, NEWFALSE */
		case 0x88:
		case 0x89:
			return push_kind(p, DBERT_PICKLE_OTHER);
		case '(':
			return push_kind(p, DBERT_PICKLE_MARK);
		case '}':				/* EMPTY_DICT, _LIST, _TUPLE */
			return push_kind(p, DBERT_PICKLE_DICT);
		case ']':
			return push_kind(p, DBERT_PICKLE_LIST);
		case ')':
			return push_kind(p, DBERT_PICKLE_TUPLE);
		case 'J':				/* BININT, BININT1, BININT2, LONG1, BINFLOAT */
			return run_int(p, 4);
		case 'K':
			return run_int(p, 1);
		case 'M':
			return run_int(p, 2);
		case 0x8a:
			return run_long(p);
		case 'G':
			return run_float(p);
		case 'X':				/* BINUNICODE, BINSTRING, SHORT_BINSTRING */
		case 'T':
			return run_text(p, 4);
		case 'U':
			return run_text(p, 1);
		default:
			return refuse_opcode(p, opcode);
	}
}

/* Opcodes that do something with the stack. */
static DbertStatus
run_opcode(DbertPickle *p, int opcode)
{
	uint64_t	number;

	switch (opcode)
	{
		case 'q':				/* BINPUT, LONG_BINPUT, BINGET, LONG_BINGET */
		case 'r':
			DBERT_TRY(take_number(p, opcode == 'q' ? 1 : 4, &number));
			return put_memo(p, (size_t) number);
		case 'h':
		case 'j':
			DBERT_TRY(take_number(p, opcode == 'h' ? 1 : 4, &number));
			return get_memo(p, (size_t) number);
		case 't':				/* TUPLE, TUPLE1, TUPLE2, TUPLE3 */
			return run_marked_tuple(p);
		case 0x85:
		case 0x86:
		case 0x87:
			return run_tuple(p, (size_t) opcode - 0x84);
		case 's':				/* SETITEM, SETITEMS, APPEND, APPENDS */
			return run_set_item(p);
		case 'u':
			return run_set_items(p);
		case 'a':
			return run_append(p);
		case 'e':
			return run_appends(p);
		case 'c':				/* GLOBAL, REDUCE, BINPERSID, BUILD */
			return run_global(p);
		case 'R':
			return run_reduce(p);
		case 'Q':
			return run_persistent_id(p);
		case 'b':
			return run_build(p);
		default:
			return run_constant(p, opcode);
	}
}

/*
 * All opcodes up to STOP, which leaves one value: *result.  used: as of
 * dbert_pickle_tensors.
 */
static DbertStatus
run(DbertPickle *p, const DbertPoll *poll, DbertPickleValue **result, size_t *used)
{
	const unsigned char *at = NULL;
	uint64_t	protocol;

	DBERT_TRY(take(p, 1, &at));
	if (*at != 0x80)
		return dbert_pickle_damaged(p, "it does not begin as a pickle does");
	DBERT_TRY(take_number(p, 1, &protocol));
	if (protocol != 2)
		return dbert_fail(p->err, DBERT_E_UNSUPPORTED,
						  "%s: a pickle of protocol %d is not supported, torch.save writes 2",
						  p->file, (int) protocol);
	for (size_t n = 0;; n++)
	{
		p->opcode = p->next;
		if (n % 4096 == 4095 && dbert_stopped(poll))
			return dbert_fail(p->err, DBERT_E_CANCELLED, "cancelled while reading \"%s\"",
							  p->file);
		DBERT_TRY(take(p, 1, &at));
		if (*at == '.')
			break;
		DBERT_TRY(run_opcode(p, *at));
	}
	DBERT_TRY(pop(p, result));
	if (p->depth > 0 || (used == NULL && p->next < p->len))
		return dbert_pickle_damaged(p, "something is left over behind the end");
	if (used != NULL)
		*used = p->next;
	return DBERT_OK;
}

/* ---- whole pickles ---- */

static DbertPickle
begin(DbertPickleBytes b, DbertArena *arena, DbertError *err)
{
	return (DbertPickle) {
		.bytes = b.bytes, .len = b.len, .file = b.file, .arena = arena, .err = err
	};
}

static void
end(DbertPickle *p)
{
	dbert_free(p->arena->alloc, p->stack);
	dbert_free(p->arena->alloc, p->memo);
}

DbertStatus
dbert_pickle_tensors(DbertPickleBytes bytes, DbertArena *arena, const DbertPoll *poll,
					 DbertPickleTensor **items, size_t *count, size_t *used, DbertError *err)
{
	DbertPickle p = begin(bytes, arena, err);
	DbertPickleValue *dict = NULL;
	DbertStatus status = run(&p, poll, &dict, used);

	if (status == DBERT_OK)
		status = dbert_pickle_result(&p, dict, items, count);
	end(&p);
	return status;
}

DbertStatus
dbert_pickle_texts(DbertPickleBytes bytes, DbertArena *arena, const DbertPoll *poll,
				   DbertPickleText **items, size_t *count, size_t *used, DbertError *err)
{
	DbertPickle p = begin(bytes, arena, err);
	DbertPickleValue *list = NULL;
	DbertStatus status = run(&p, poll, &list, used);

	if (status == DBERT_OK)
		status = dbert_pickle_strings(&p, list, items, count);
	end(&p);
	return status;
}

DbertStatus
dbert_pickle_skip(DbertPickleBytes bytes, DbertArena *arena, const DbertPoll *poll, size_t *used,
				  DbertError *err)
{
	DbertPickle p = begin(bytes, arena, err);
	DbertPickleValue *value = NULL;
	DbertStatus status = run(&p, poll, &value, used);

	end(&p);
	return status;
}
