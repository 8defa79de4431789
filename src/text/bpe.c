/*
 * bpe.c -- see bpe.h.
 *
 * Words of some dozens of symbols are searched through for each merge; longer
 * ones keep the ranks of their pairs in a heap, whose entry (rank, place) is
 * stale when this is no longer the rank of the pair at the place.
 *
 * Long words are merged in short windows.  This is exact by the following.  If
 * u becomes the tokens t1 ... tk, and v becomes s1 ... sl, and tk and s1
 * together become just these two, then uv becomes t1 ... tk s1 ... sl.  For
 * suppose that in uv a merge crosses the border, and take the first that does.
 * Until then both sides were merged as by themselves.  The pair has the lowest
 * rank of uv's, so of those within tk and s1, too; what was merged within these
 * two before was the lowest there at its time.  So tk and s1 together would
 * have come to this merge as well.
 *
 * So a window's last tokens are given up, because what follows may change them,
 * and the next window begins with the last one of the others.  If its first
 * token is that one again, no merge crossed the border between them, and so
 * none does in these two alone.  Where it is another, some tokens more are
 * given up and the window is made longer.
 */
#include "text/bpe.h"

#include <string.h>

/* Words of so many symbols are searched through for each merge. */
#define SMALL 64

/* Symbols of a window, to begin with. */
#define WINDOW 32

/* Merges between two polls. */
#define MERGES_PER_POLL 4096

/* The ranks, and what else all need. */
typedef struct Merging
{
	DbertBpePairs pairs;
	DbertBpeWork *work;
	const DbertAllocator *alloc;
	const DbertPoll *poll;
	DbertError *err;
} Merging;

/* A symbol of a longer word. */
typedef struct BpeNode
{
	DbertSymbol symbol;
	int32_t		prev,
				next;			/* -1: none */
	uint32_t	rank;			/* of the pair with the next one */
	int32_t		merged;			/* what that pair becomes */
} BpeNode;

/* The rank of a pair, and what it becomes; NO_RANK: it is none. */
static inline uint32_t
rank_of(const Merging *g, int32_t left, int32_t right, int32_t *merged)
{
	const DbertBpeSlot *slot = dbert_bpe_pair(&g->pairs, left, right);

	if (slot == NULL)
		return DBERT_BPE_NO_RANK;
	*merged = slot->merged;
	return slot->rank;
}

/* ---- small words ---- */

/*
 * Where the lowest rank is, the first of equal ones; -1: there is none.  There
 * is room for a rank more.
 */
static inline int
lowest_of(uint32_t *ranks, size_t n)
{
	uint64_t	even = UINT64_MAX,
				odd = UINT64_MAX;	/* two, so that neither waits for the other */

	ranks[n] = DBERT_BPE_NO_RANK;
	for (size_t i = 0; i < n; i += 2)
	{
		uint64_t	a = (uint64_t) ranks[i] << 32 | i,
					b = (uint64_t) ranks[i + 1] << 32 | (i + 1);

		even = a < even ? a : even;
		odd = b < odd ? b : odd;
	}
	even = odd < even ? odd : even;
	return even >> 32 == DBERT_BPE_NO_RANK ? -1 : (int) (uint32_t) even;
}

/*
 * Merge in[n], 0 < n <= SMALL; how many tokens are in out.  A symbol that was
 * merged into the one before it is passed over, and has no rank.
 */
static size_t
merge_small(const Merging *g, const DbertSymbol *in, size_t n, DbertSymbol *out)
{
	uint32_t	ranks[SMALL + 1];	/* of the pairs with the next one */
	int32_t		merged[SMALL];
	uint8_t		next[SMALL],
				prev[SMALL + 1];
	size_t		m = 0;
	int			at;

	memmove(out, in, n * sizeof(*out));
	for (size_t i = 0; i < n; i++)
	{
		next[i] = (uint8_t) (i + 1);
		prev[i + 1] = (uint8_t) i;
		ranks[i] = DBERT_BPE_NO_RANK;
		if (i + 1 < n)
			ranks[i] = rank_of(g, out[i].id, out[i + 1].id, &merged[i]);
	}
	while ((at = lowest_of(ranks, n)) >= 0)
	{
		int			gone = next[at];

		g->work->last = (DbertBpeToken) {.left = out[at].id, .right = out[gone].id,
		.formed = ranks[at] + 1};
		out[at] = (DbertSymbol) {merged[at], out[at].len + out[gone].len,
		out[at].count + out[gone].count};
		next[at] = next[gone];
		prev[next[at]] = (uint8_t) at;
		ranks[at] = ranks[gone] = DBERT_BPE_NO_RANK;
		if (next[at] < n)
			ranks[at] = rank_of(g, out[at].id, out[next[at]].id, &merged[at]);
		if (at > 0)
			ranks[prev[at]] = rank_of(g, out[prev[at]].id, out[at].id, &merged[prev[at]]);
	}
	for (size_t i = 0; i < n; i = next[i])
		out[m++] = out[i];
	return m;
}

/* ---- larger words ---- */

/* Look up the pair of a node and the next one. */
static inline void
rank_pair(const Merging *g, BpeNode *nodes, int32_t at)
{
	BpeNode    *s = &nodes[at];

	s->rank = DBERT_BPE_NO_RANK;
	if (s->next >= 0)
		s->rank = rank_of(g, s->symbol.id, nodes[s->next].symbol.id, &s->merged);
}

/* Merge a node with the next one, whose place is dead then. */
static inline void
merge_at(const Merging *g, BpeNode *nodes, int32_t at)
{
	BpeNode    *s = &nodes[at],
			   *right = &nodes[s->next];

	g->work->last = (DbertBpeToken) {.left = s->symbol.id, .right = right->symbol.id,
	.formed = s->rank + 1};
	s->symbol.id = s->merged;
	s->symbol.len += right->symbol.len;
	s->symbol.count += right->symbol.count;
	s->next = right->next;
	if (s->next >= 0)
		nodes[s->next].prev = at;
	right->rank = DBERT_BPE_NO_RANK;
	rank_pair(g, nodes, at);
	if (s->prev >= 0)
		rank_pair(g, nodes, s->prev);
}

static bool
push_heap(const Merging *g, int32_t at)
{
	DbertBpeWork *w = g->work;
	uint64_t	key = (uint64_t) w->nodes[at].rank << 32 | (uint32_t) at;
	size_t		i = w->heap_count;

	if (w->nodes[at].rank == DBERT_BPE_NO_RANK)
		return true;
	if (i == w->heap_capacity &&
		!dbert_grow(g->alloc, &w->heap, &w->heap_capacity, i, i + 1, sizeof(uint64_t)))
		return false;
	w->heap_count++;
	for (; i > 0 && w->heap[(i - 1) / 2] > key; i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = key;
	return true;
}

static uint64_t
pop_heap(DbertBpeWork *w)
{
	uint64_t	top = w->heap[0],
				last = w->heap[--w->heap_count];
	size_t		i = 0,
				n = w->heap_count;

	for (size_t child; (child = 2 * i + 1) < n; i = child)
	{
		if (child + 1 < n && w->heap[child + 1] < w->heap[child])
			child++;
		if (w->heap[child] >= last)
			break;
		w->heap[i] = w->heap[child];
	}
	w->heap[i] = last;
	return top;
}

/* The nodes of in[n], with the ranks of their pairs in the heap. */
static DbertStatus
load_nodes(const Merging *g, const DbertSymbol *in, size_t n)
{
	DbertBpeWork *w = g->work;
	bool		room = dbert_grow(g->alloc, &w->nodes, &w->nodes_capacity, 0, n, sizeof(BpeNode));

	w->heap_count = 0;
	for (size_t i = 0; i < n && room; i++)
	{
		w->nodes[i].symbol = in[i];
		w->nodes[i].prev = (int32_t) i - 1;
		w->nodes[i].next = i + 1 < n ? (int32_t) i + 1 : -1;
	}
	for (size_t i = 0; i < n && room; i++)
	{
		if (i % MERGES_PER_POLL == MERGES_PER_POLL - 1 && dbert_stopped(g->poll))
			return dbert_fail(g->err, DBERT_E_CANCELLED, "cancelled");
		rank_pair(g, w->nodes, (int32_t) i);
		room = push_heap(g, (int32_t) i);
	}
	return room ? DBERT_OK : dbert_fail(g->err, DBERT_E_NOMEM, "out of memory");
}

/* Merge in[n]; *m tokens are in out. */
static DbertStatus
merge_large(const Merging *g, const DbertSymbol *in, size_t n, DbertSymbol *out, size_t *m)
{
	DbertBpeWork *w = g->work;
	bool		room = true;

	DBERT_TRY(load_nodes(g, in, n));
	for (size_t merges = 1; w->heap_count > 0 && room; merges++)
	{
		uint64_t	top = pop_heap(w);
		int32_t		at = (int32_t) (uint32_t) top;

		if (merges % MERGES_PER_POLL == 0 && dbert_stopped(g->poll))
			return dbert_fail(g->err, DBERT_E_CANCELLED, "cancelled");
		if (w->nodes[at].rank != top >> 32)
			continue;
		merge_at(g, w->nodes, at);
		room = push_heap(g, at) && (w->nodes[at].prev < 0 || push_heap(g, w->nodes[at].prev));
	}
	*m = 0;
	for (int32_t i = 0; i >= 0; i = w->nodes[i].next)
		out[(*m)++] = w->nodes[i].symbol;
	return room ? DBERT_OK : dbert_fail(g->err, DBERT_E_NOMEM, "out of memory");
}

static DbertStatus
merge_window(const Merging *g, const DbertSymbol *in, size_t n, DbertSymbol *out, size_t *m)
{
	if (n > SMALL)
		return merge_large(g, in, n, out, m);
	*m = merge_small(g, in, n, out);
	return DBERT_OK;
}

/* ---- windows ---- */

/* What was found last: texts that repeat a few characters ask it again. */
typedef struct BpeBefore
{
	size_t		at,				/* a window of n symbols */
				n,
				m;
	DbertSymbol tokens[SMALL];	/* [m] */
} BpeBefore;

/* Were both windows' symbols the same? */
static bool
same_symbols(const DbertSymbol *a, const DbertSymbol *b, size_t n)
{
	return memcmp(a, b, n * sizeof(*a)) == 0;
}

/* The tokens of the window at at. */
static DbertStatus
window_tokens(const Merging *g, BpeBefore *last, size_t at, size_t n, DbertSymbol *out,
			  size_t *m)
{
	const DbertSymbol *symbols = g->work->symbols;

	if (n <= SMALL && n == last->n && same_symbols(symbols + at, symbols + last->at, n))
	{
		memcpy(out, last->tokens, last->m * sizeof(*out));
		*m = last->m;
		return DBERT_OK;
	}
	DBERT_TRY(merge_window(g, symbols + at, n, out, m));
	last->at = at;
	last->n = n <= SMALL ? n : 0;
	last->m = n <= SMALL ? *m : 0;
	memcpy(last->tokens, out, last->m * sizeof(*out));
	return DBERT_OK;
}

/* Tokens of a window that what follows it will hardly change. */
static size_t
sure_tokens(const DbertSymbol *tokens, size_t m, size_t window)
{
	size_t		left_out = 0;

	while (m > 0 && left_out < window / 6)
		left_out += tokens[--m].count;
	return m;
}

/* Give up tokens of so many symbols: the last one, and some before it. */
static void
give_up(DbertBpeWork *w, size_t symbols, size_t *at)
{
	for (size_t back = 0, count; w->n_tokens > 0 && back < symbols; back += count)
	{
		count = w->tokens[--w->n_tokens].count;
		*at -= count;
	}
}

/*
 * One window, which begins with the last token again: if this is its first one
 * then, too, what follows fits to it.  *at moves on, or back if it must.
 */
static DbertStatus
take_window(const Merging *g, BpeBefore *last, size_t *at, size_t *window)
{
	DbertBpeWork *w = g->work;
	size_t		before = w->n_tokens > 0 ? w->tokens[w->n_tokens - 1].count : 0,
				n = before + (w->n - *at < *window ? w->n - *at : *window),
				kept = w->n_tokens - (before > 0),
				m = 0;
	DbertSymbol first = {0},
			   *out;
	bool		fits;

	if (!dbert_grow(g->alloc, &w->tokens, &w->tokens_capacity, w->n_tokens, kept + n,
					sizeof(*w->tokens)))
		return dbert_fail(g->err, DBERT_E_NOMEM, "out of memory");
	out = w->tokens + kept;
	if (before > 0)
		first = out[0];
	DBERT_TRY(window_tokens(g, last, *at - before, n, out, &m));
	fits = before == 0 || out[0].count == before;
	if (*at - before + n < w->n)
		m = sure_tokens(out, m, n);
	if (fits && m > (before > 0))
	{
		w->n_tokens = kept + m;
		for (size_t i = before > 0; i < m; i++)
			*at += out[i].count;
		*window = *window / 2 > WINDOW ? *window / 2 : WINDOW;
		return DBERT_OK;
	}
	out[0] = first;
	if (!fits)
		give_up(w, *window, at);
	*window *= 2;
	return DBERT_OK;
}

static DbertStatus
merge_windows(const Merging *g)
{
	DbertBpeWork *w = g->work;
	DbertSymbol *symbols = w->symbols;
	size_t		capacity = w->capacity,
				window = WINDOW;
	BpeBefore	last = {.n = 0};

	w->n_tokens = 0;
	for (size_t at = 0, n = 1; at < w->n; n++)
	{
		if (n % (MERGES_PER_POLL / WINDOW) == 0 && dbert_stopped(g->poll))
			return dbert_fail(g->err, DBERT_E_CANCELLED, "cancelled");
		DBERT_TRY(take_window(g, &last, &at, &window));
	}
	w->symbols = w->tokens;
	w->capacity = w->tokens_capacity;
	w->n = w->n_tokens;
	w->tokens = symbols;
	w->tokens_capacity = capacity;
	return DBERT_OK;
}

DbertStatus
dbert_bpe_merge(const DbertBpeTable *table, DbertBpeWork *w, const DbertAllocator *alloc,
				const DbertPoll *poll, DbertError *err)
{
	Merging		g = {dbert_bpe_pairs(table), w, alloc, poll, err};

	if (w->n > INT32_MAX)
		return dbert_fail(err, DBERT_E_LIMIT, "word has more than %d characters", INT32_MAX);
	if (w->n > SMALL)
		return merge_windows(&g);
	if (w->n > 1)
		w->n = merge_small(&g, w->symbols, w->n, w->symbols);
	return DBERT_OK;
}

DbertStatus
dbert_bpe_merge_token(const DbertBpeTable *table, DbertBpeWork *w, DbertSymbol *symbols, size_t *n,
					  const DbertAllocator *alloc, DbertError *err)
{
	Merging		g = {dbert_bpe_pairs(table), w, alloc, NULL, err};

	w->last = (DbertBpeToken) {0};
	return *n > 1 ? merge_window(&g, symbols, *n, symbols, n) : DBERT_OK;
}

void
dbert_bpe_free(DbertBpeWork *w, const DbertAllocator *alloc)
{
	dbert_free(alloc, w->symbols);
	dbert_free(alloc, w->bytes);
	dbert_free(alloc, w->tokens);
	dbert_free(alloc, w->nodes);
	dbert_free(alloc, w->heap);
	memset(w, 0, sizeof(*w));
}

/* ---- a kind's state ---- */

DbertBpeWork *
dbert_bpe_open(DbertTokenizing *t)
{
	if (t->state == NULL)
		t->state = dbert_alloc_zero(t->alloc, 1, sizeof(DbertBpeWork));
	return t->state;
}

DbertStatus
dbert_bpe_load_bytes(DbertTokenizing *t, DbertBpeWork **work, size_t *len)
{
	DbertBpeWork *w = dbert_bpe_open(t);
	uint8_t    *end;

	*work = w;
	if (w == NULL ||
		!dbert_grow(t->alloc, &w->bytes, &w->bytes_capacity, 0, 4 * t->word_kept, 1))
		return dbert_fail(t->err, DBERT_E_NOMEM, "out of memory");
	end = w->bytes;
	for (size_t i = 0; i < t->word_kept; i++)
		end += dbert_utf8_encode(t->word[i].cp, end);
	*len = (size_t) (end - w->bytes);
	w->single = *len == t->word_kept;
	return DBERT_OK;
}

void
dbert_bpe_close(DbertTokenizing *t)
{
	dbert_bpe_free(t->state, t->alloc);
	dbert_free(t->alloc, t->state);
}
