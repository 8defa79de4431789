/* jsonpool.c -- see jsonpool.h. */
#include "model/jsonpool.h"

#include <pthread.h>
#include <stdlib.h>

/* Of everything in a tree. */
#define ALIGN 8

/* Beyond what was reserved, a block at a time. */
#define BLOCK ((size_t) 16 << 10)

typedef struct DbertJsonBlock
{
	struct DbertJsonBlock *next;
	size_t		size;			/* of data */
	uint64_t	data[];
} DbertJsonBlock;

/*
 * The pool that is served, and the thread that entered it.  (A variable of each
 * thread would be no better: its first use in a thread allocates.)
 */
static DbertJsonPool *served;
static pthread_t server;

/* NULL: another user of jansson asks, in a thread of its own. */
static DbertJsonPool *
own_pool(void)
{
	return served != NULL && pthread_equal(server, pthread_self()) ? served : NULL;
}

/* ---- how much ---- */

/*
 * What jansson 2.x takes on a machine of 64 bits, rounded up.  Its arrays
 * and tables double and nothing is given back, so that all their sizes are
 * counted together: the last is less than twice what is needed, those before it
 * less than the last.
 */
enum
{
	FIXED = 1024,				/* the buffer of a token, and a block's head */
	PER_OBJECT = 80 + 128,		/* the object, 8 buckets of 16 */
	PER_ARRAY = 48 + 64,		/* the array, room for 8 */
	PER_ELEMENT = 32 + 32,		/* a number; its places in arrays, 8 bytes times 4 */
	PER_KEY = 64,				/* its buckets, 16 bytes times 4 */
	PER_STRING = 16 + 80,		/* the token, and the pair of a key or a string's object */
	TIMES_STRING = 2,			/* copies of its bytes: token and key */
	TIMES_TOKEN = 4				/* the longest token in its doubling buffer */
};

typedef struct Count
{
	uint64_t	objects,
				arrays,
				commas,
				keys,
				strings,
				string_bytes,
				longest;		/* token */
} Count;

/* Counts a character outside strings. */
static void
count_mark(Count *n, char c)
{
	n->objects += c == '{';
	n->arrays += c == '[';
	n->commas += c == ',';
	n->keys += c == ':';
	n->strings += c == '"';
}

static void
count_token(Count *n, size_t len)
{
	if (len > n->longest)
		n->longest = len;
}

/* The end of a string that begins at i, its closing quote, or len. */
static size_t
string_end(const char *text, size_t len, size_t i)
{
	for (i++; i < len && text[i] != '"'; i++)
		if (text[i] == '\\')
			i++;
	return i < len ? i : len;
}

uint64_t
dbert_json_memory(const char *text, size_t len)
{
	Count		n = {0};
	size_t		begin = 0;		/* of what may be a token */

	for (size_t i = 0; i < len; i++)
	{
		char		c = text[i];

		count_mark(&n, c);
		if (c == '"')
		{
			begin = i;
			i = string_end(text, len, i);
			n.string_bytes += i - begin;
			count_token(&n, i + 1 - begin);
			begin = i + 1;
		}
		else if (c == '{' || c == '}' || c == '[' || c == ']' || c == ',' || c == ':' || c == ' ' ||
				 c == '\n' || c == '\t' || c == '\r')
			begin = i + 1;
		else
			count_token(&n, i + 1 - begin);
	}
	return FIXED + PER_OBJECT * n.objects + PER_ARRAY * n.arrays +
		   PER_ELEMENT * (n.commas + n.objects + n.arrays) + PER_KEY * n.keys +
		   PER_STRING * n.strings + TIMES_STRING * n.string_bytes + TIMES_TOKEN * (n.longest + 1);
}

/* ---- memory ---- */

bool
dbert_json_pool_reserve(DbertJsonPool *pool, uint64_t size)
{
	DbertJsonBlock *block;

	if (size <= SIZE_MAX - sizeof(*block) - ALIGN)
		block = dbert_alloc(pool->alloc, sizeof(*block) + (size_t) size);
	else
		block = NULL;
	if (block == NULL)
	{
		pool->failed = true;
		return false;
	}
	block->next = pool->blocks;
	block->size = (size_t) size;
	pool->blocks = block;
	pool->next = (char *) block->data;
	pool->left = block->size;
	return true;
}

static void *
pool_malloc(size_t size)
{
	DbertJsonPool *pool = own_pool();
	size_t		whole = (size + ALIGN - 1) / ALIGN * ALIGN;
	void	   *p;

	if (pool == NULL)
		return malloc(size);
	if (whole < size)
	{
		pool->failed = true;
		return NULL;
	}
	if (whole > pool->left && !dbert_json_pool_reserve(pool, whole > BLOCK ? whole : BLOCK))
		return NULL;
	p = pool->next;
	pool->next += whole;
	pool->left -= whole;
	return p;
}

static void
pool_free(void *p)
{
	if (own_pool() == NULL)
		free(p);
}

void
dbert_json_pool_begin(DbertJsonPool *pool, const DbertAllocator *alloc)
{
	*pool = (DbertJsonPool) {.alloc = alloc};
}

void
dbert_json_pool_enter(DbertJsonPool *pool)
{
	pool->outer = served;
	json_get_alloc_funcs(&pool->outer_malloc, &pool->outer_free);
	server = pthread_self();
	served = pool;
	json_set_alloc_funcs(pool_malloc, pool_free);
}

void
dbert_json_pool_leave(DbertJsonPool *pool)
{
	json_set_alloc_funcs(pool->outer_malloc, pool->outer_free);
	served = pool->outer;
}

void
dbert_json_pool_end(DbertJsonPool *pool)
{
	while (pool->blocks != NULL)
	{
		DbertJsonBlock *block = pool->blocks;

		pool->blocks = block->next;
		dbert_free(pool->alloc, block);
	}
	dbert_json_pool_begin(pool, pool->alloc);
}
