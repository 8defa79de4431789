/*
 * bpespell.c -- see bpespell.h.
 *
 * Two tokens fit if both together are merged to just these two.  A sequence of
 * whole tokens in which all neighbours fit is what its text is merged to.  For
 * let the tokens of u be t1 ... tk, those of v s1 ... sl, and tk and s1 fit,
 * and suppose that in uv a merge crosses the border; take the first that does.
 * Until then both sides were merged as by themselves.  The pair has the lowest
 * rank of uv's, so of those within tk and s1, too; what was merged within
 * these two before was the lowest there at its time.  So tk and s1 together
 * would have come to this merge as well.  The other way round: what a text is
 * merged to is such a sequence, as nothing reaches into two neighbours from
 * outside.
 *
 * So there is one such sequence for every text.  It is looked for from the
 * left: the longest token that fits to the one before it; if none does, the
 * one before is given up for a shorter one.  As the text up to a place has one
 * sequence only, no place is come to twice: time is linear.
 *
 * Whether two tokens fit is mostly seen without merging them.  Ranks rise
 * while a word is merged, unless a pair has a lower rank than what one of the
 * two was merged from: a few tokens of a few vocabularies come about like
 * that, and with these it is tried.  So taking the two apart again, what was
 * formed last first, gives all symbols that ever stood at the border side by
 * side.  They would have been merged there if the pair has a lower rank than
 * what was formed next of either; or the same rank, if that was formed of the
 * right one, as the leftmost of equal pairs comes first.  Sets of the symbols
 * that can be merged with what a token has at its ends say of most neighbours
 * that there is no such pair.  And the longest token that begins at a place is
 * itself merged with nothing that follows, as both were a longer one.
 *
 * Most tokens that are given up need not be tried: what the next byte begins
 * never fits to them (DbertBpeToken.dead).  A token that is given up has its
 * node of the trie kept, from which the shorter ones are found upward.
 *
 * Of a word that goes on, tokens are decided up to a place where all whole
 * tokens that the text goes on with fit: one of them will follow.
 */
#include "text/bpespell.h"

/* Pairs of tokens that are tried between two polls. */
#define TRIES_PER_POLL 4096

/* A token that begins at a place. */
typedef struct Candidate
{
	int32_t		node;			/* its node of the trie, -1: there is none */
	uint32_t	len;
	bool		longest;		/* no longer one begins there */
} Candidate;

typedef struct Spelling
{
	DbertTokenizing *t;
	const DbertBpeTable *table;
	const DbertBpeToken *tokens;
	const DbertTrieUnit *units;
	const uint8_t *bytes;
	DbertBpeWork *w;
	size_t		tries;			/* pairs of tokens, since the last poll */
	DbertStatus status;			/* of merging pairs */
} Spelling;

/* Put the symbols of a token behind *n others. */
static bool
add_symbols(Spelling *s, int32_t id, size_t *n)
{
	DbertBpeWork *w = s->w;
	int32_t		symbols[DBERT_MAX_TOKEN_BYTES];
	size_t		count = dbert_bpe_symbols(s->tokens, id, DBERT_MAX_TOKEN_BYTES, symbols);

	if (!dbert_grow(s->t->alloc, &w->tokens, &w->tokens_capacity, *n, *n + count,
					sizeof(*w->tokens)))
		return false;
	for (size_t i = 0; i < count; i++)
		w->tokens[(*n)++] = (DbertSymbol) {symbols[i], 1, 1};
	return true;
}

/* Do they fit?  Merged to see. */
static bool
fit_if_merged(Spelling *s, int32_t left, int32_t right)
{
	size_t		n = 0;

	if (!add_symbols(s, left, &n) || !add_symbols(s, right, &n))
		s->status = dbert_fail(s->t->err, DBERT_E_NOMEM, "out of memory");
	s->tries += n;
	if (s->status == DBERT_OK)
		s->status = dbert_bpe_merge_token(s->table, s->w, s->w->tokens, &n, s->t->alloc,
										  s->t->err);
	return s->status == DBERT_OK && n == 2 && s->w->tokens[0].id == left &&
		s->w->tokens[1].id == right;
}

/* Do they fit?  Both are whole; longest: no longer token begins like both. */
static inline bool
fit(Spelling *s, int32_t left, bool longest, int32_t right)
{
	const DbertBpeToken *a = &s->tokens[left],
			   *b = &s->tokens[right];
	const uint32_t first = b->first,
				last = a->last;
	uint32_t	after = longest ? 0 : a->after,
				limit = DBERT_BPE_NEVER;	/* what is formed before is merged */

	s->tries++;
	if (!((after | a->after_parts) >> first & (b->before | b->before_parts) >> last & 1))
		return true;
	if (a->disorder | b->disorder)
		return fit_if_merged(s, left, right);
	for (;;)
	{
		if ((after >> first & b->before >> last & 1) &&
			dbert_bpe_pair_before(s->table, s->tokens, left, right, limit))
			return false;
		if (a->formed > b->formed && (a->after_parts >> first & 1))
		{
			limit = a->formed;
			left = a->right;
			a = &s->tokens[left];
			after = a->after;
		}
		else if (a->formed <= b->formed && (b->before_parts >> last & 1))
		{
			limit = b->formed + 1;
			right = b->left;
			b = &s->tokens[right];
		}
		else
			return true;
	}
}

/* The longest token of room bytes at most; false: room was short. */
static inline bool
find_longest(const Spelling *s, size_t at, size_t room, Candidate *c)
{
	const DbertTrieUnit *units = s->units;
	const uint8_t *bytes = s->bytes + at;
	size_t		stop = room < DBERT_MAX_TOKEN_BYTES ? room : DBERT_MAX_TOKEN_BYTES;
	int32_t		node = s->table->root;

	*c = (Candidate) {.node = -1, .longest = true};
	for (size_t i = 0; i < stop; i++)
	{
		node = dbert_trie_step(units, node, bytes[i]);
		if (node < 0)
			return true;
		if (units[node].value >= 0)
		{
			c->node = node;
			c->len = (uint32_t) i + 1;
		}
	}
	return room >= DBERT_MAX_TOKEN_BYTES;
}

/* The next shorter one. */
static inline void
shorten(const Spelling *s, Candidate *c)
{
	c->longest = false;
	while (--c->len > 0)
	{
		c->node = s->units[c->node].parent;
		if (s->units[c->node].value >= 0)
			return;
	}
	c->node = -1;
}

/* Does any token begin at a place?  Where one does its first symbol does. */
static bool
any_begins(const Spelling *s, size_t at, size_t len)
{
	int32_t		node = s->table->root;

	while (at < len && node >= 0 && s->units[node].value < 0)
		node = dbert_trie_step(s->units, node, s->bytes[at++]);
	return node >= 0 && s->units[node].value >= 0 &&
		s->tokens[s->units[node].value].formed == 0;
}

static inline bool
is_whole(const Spelling *s, int32_t id)
{
	return s->tokens[id].formed != DBERT_BPE_NEVER;
}

static inline bool
is_dead_end(const Spelling *s, int32_t id, uint8_t next)
{
	return s->tokens[id].dead >> s->table->dead_bits[next] & 1;
}

/* Does a token follow the last one? */
static inline bool
follows(Spelling *s, int32_t id)
{
	const DbertBpeWork *w = s->w;

	return w->n == 0 || fit(s, w->symbols[w->n - 1].id, w->symbols[w->n - 1].count & 1, id);
}

/* Leave out the longest ones until one follows. */
static inline void
find_following(Spelling *s, size_t at, size_t len, Candidate *c)
{
	for (; c->node >= 0; shorten(s, c))
	{
		int32_t		id = s->units[c->node].value;

		if ((at + c->len == len || !is_dead_end(s, id, s->bytes[at + c->len])) &&
			is_whole(s, id) && follows(s, id))
			return;
	}
}

/* Has all gone well? */
static inline DbertStatus
poll_tries(Spelling *s)
{
	if (s->tries < TRIES_PER_POLL || s->status != DBERT_OK)
		return s->status;
	s->tries = 0;
	return dbert_stopped(s->t->poll) ? dbert_fail(s->t->err, DBERT_E_CANCELLED, "cancelled")
									 : DBERT_OK;
}

/* Is what stands before a place decided, whatever comes behind len? */
static bool
is_decided(Spelling *s, size_t at, size_t len)
{
	Candidate	c;

	if (at == len || dbert_utf8_is_tail(s->bytes[at]) || !find_longest(s, at, len - at, &c))
		return false;
	for (; c.node >= 0; shorten(s, &c))
		if (is_whole(s, s->units[c.node].value) && !follows(s, s->units[c.node].value))
			return false;
	return true;
}

/* Add the token; its symbol's count says which candidate it was. */
static inline bool
take(Spelling *s, const Candidate *c, size_t *at)
{
	if (!dbert_bpe_add(s->w, s->t->alloc, s->units[c->node].value, c->len))
		return false;
	s->w->symbols[s->w->n - 1].count = (uint32_t) c->node << 1 | c->longest;
	*at += c->len;
	return true;
}

/* Give up the last token; what was tried where it begins. */
static inline Candidate
give_up(DbertBpeWork *w, size_t *at)
{
	DbertSymbol last = w->symbols[--w->n];

	*at -= last.len;
	return (Candidate) {.node = (int32_t) (last.count >> 1), .len = last.len};
}

/* Find the tokens up to len, or to *end where none begins. */
static DbertStatus
spell(Spelling *s, size_t len, size_t *end)
{
	DbertBpeWork *w = s->w;
	Candidate	c;
	bool		fresh = true;	/* nothing was tried at this place yet */

	*end = 0;
	for (size_t steps = 0; *end < len; steps++)
	{
		if (fresh)
			find_longest(s, *end, len - *end, &c);
		find_following(s, *end, len, &c);
		DBERT_TRY(poll_tries(s));
		if (c.node >= 0)
		{
			if (!take(s, &c, end))
				return dbert_fail(s->t->err, DBERT_E_NOMEM, "out of memory");
			fresh = true;
			continue;
		}
		if (fresh && !any_begins(s, *end, len))
			break;
		/* a damaged table could lead around for long */
		if (w->n == 0 || steps > 2 * len)
			return dbert_fail(s->t->err, DBERT_E_CORRUPT, "tokenizer image is damaged");
		c = give_up(w, end);
		shorten(s, &c);
		fresh = false;
	}
	return DBERT_OK;
}

DbertStatus
dbert_bpe_spell(DbertTokenizing *t, const DbertBpeTable *table, DbertBpeWork *w,
				const uint8_t *bytes, size_t len, bool more, size_t *end)
{
	Spelling	s = {t, table, dbert_bpe_tokens(table), dbert_image_units(t->image),
	bytes, w, 0, DBERT_OK};

	w->n = 0;
	DBERT_TRY(spell(&s, len, end));
	if (!more || *end < len)
		return DBERT_OK;
	while (w->n > 0 && !is_decided(&s, *end, len))
	{
		give_up(w, end);
		DBERT_TRY(poll_tries(&s));
	}
	return s.status;
}
