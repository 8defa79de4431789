/*
 * bpewhole.c -- see bpewhole.h.
 */
#include "text/bpewhole.h"

#include "text/tokenkind.h"

#include <string.h>

size_t
dbert_bpe_symbols(const DbertBpeToken *tokens, int32_t id, size_t room, int32_t *symbols)
{
	int32_t		rest[DBERT_MAX_TOKEN_BYTES + 1];
	size_t		n = 0,
				found = 0;

	for (rest[n++] = id; n > 0 && found <= room;)
	{
		const DbertBpeToken *t = &tokens[rest[--n]];

		if (dbert_bpe_is_formed(t))
		{
			rest[n++] = t->right;
			rest[n++] = t->left;
		}
		else if (found++ < room)
			symbols[found - 1] = rest[n];
	}
	return found;
}

/* ---- compiling ---- */

/* Tokens by what they are formed of, their left or their right part. */
typedef struct Groups
{
	int32_t    *starts;			/* [n_tokens + 1], of members */
	int32_t    *members;		/* [n_formed], of each group in the order of forming */
} Groups;

static inline DbertBpeToken *
tokens_of(DbertBpeTable *table)
{
	return (DbertBpeToken *) dbert_bpe_tokens(table);
}

bool
dbert_bpe_reserve_whole(DbertBpeTable *table, size_t *total, const DbertTokenizerSpec *spec)
{
	size_t		n = 16;

	while (n < 2 * (size_t) spec->n_tokens)
		n *= 2;
	table->n_tokens = (uint64_t) spec->n_tokens;
	table->n_ranks = n;
	return dbert_tok_reserve(&table->tokens_at, total, (size_t) spec->n_tokens,
							 sizeof(DbertBpeToken)) &&
		dbert_tok_reserve(&table->formed_at, total, (size_t) spec->n_tokens, sizeof(int32_t)) &&
		dbert_tok_reserve(&table->ranks_at, total, n, sizeof(uint32_t));
}

void
dbert_bpe_begin_whole(DbertBpeTable *table)
{
	for (uint64_t i = 0; i < table->n_tokens; i++)
		tokens_of(table)[i] = (DbertBpeToken) {.formed = DBERT_BPE_NEVER};
}

void
dbert_bpe_add_whole(DbertBpeTable *table, int32_t id, DbertBpeToken last)
{
	DbertBpeToken *t = &tokens_of(table)[id];

	t->left = last.left;
	t->right = last.right;
	t->formed = last.formed;
}

/* Is what is merged the text of both? */
static bool
same_text(const DbertTokenizerSpec *s, const DbertMerge *m)
{
	size_t		left = s->token_lens[m->left],
				right = s->token_lens[m->right];

	if (s->tokens[m->left] == NULL || s->tokens[m->right] == NULL || s->tokens[m->merged] == NULL)
		return false;
	return left > 0 && right > 0 && s->token_lens[m->merged] == left + right &&
		memcmp(s->tokens[m->merged], s->tokens[m->left], left) == 0 &&
		memcmp(s->tokens[m->merged] + left, s->tokens[m->right], right) == 0;
}

/* Number the tokens by their rank. */
static DbertStatus
number_formed(DbertTokCompiler *c, DbertBpeTable *table)
{
	DbertBpeToken *tokens = tokens_of(table);
	int32_t    *formed = (int32_t *) dbert_bpe_formed(table),
			   *of_rank = dbert_alloc_array(c->alloc, (size_t) c->spec->n_merges + 1,
											sizeof(int32_t));

	if (of_rank == NULL)
		return dbert_fail(c->err, DBERT_E_NOMEM, "out of memory");
	for (int32_t i = 0; i < c->spec->n_merges; i++)
		of_rank[i] = -1;
	for (int32_t i = 0; i < c->spec->n_tokens; i++)
		if (dbert_bpe_is_formed(&tokens[i]))
			of_rank[tokens[i].formed - 1] = i;
	for (int32_t i = 0; i < c->spec->n_merges; i++)
		if (of_rank[i] >= 0)
		{
			formed[table->n_formed] = of_rank[i];
			tokens[of_rank[i]].formed = (uint32_t) ++table->n_formed;
		}
	dbert_free(c->alloc, of_rank);
	return DBERT_OK;
}

/* Has a token, or one that it is merged from, a lower rank than its parts? */
static bool
in_disorder(const DbertBpeToken *tokens, int32_t id)
{
	int32_t		rest[DBERT_MAX_TOKEN_BYTES + 1];
	size_t		n = 0;

	for (rest[n++] = id; n > 0;)
	{
		const DbertBpeToken *t = &tokens[rest[--n]];

		if (!dbert_bpe_is_formed(t))
			continue;
		if (tokens[t->left].formed > t->formed || tokens[t->right].formed > t->formed)
			return true;
		rest[n++] = t->right;
		rest[n++] = t->left;
	}
	return false;
}

static inline uint8_t
bit_of_symbol(int32_t id)
{
	return (uint8_t) ((uint32_t) id * UINT32_C(0x9e3779b1) >> 27);
}

/* A token's first and last symbol; false: it is in disorder, and too long. */
static bool
look_at(DbertBpeToken *tokens, int32_t id)
{
	DbertBpeToken *t = &tokens[id];
	int32_t		symbols[DBERT_BPE_DISORDER_MAX],
				first = id,
				last = id;

	if (t->formed == DBERT_BPE_NEVER)
		return true;
	while (tokens[first].formed > 0)
		first = tokens[first].left;
	while (tokens[last].formed > 0)
		last = tokens[last].right;
	t->first = bit_of_symbol(first);
	t->last = bit_of_symbol(last);
	t->disorder = in_disorder(tokens, id);
	return !t->disorder || dbert_bpe_symbols(tokens, id, DBERT_BPE_DISORDER_MAX, symbols) <=
		   DBERT_BPE_DISORDER_MAX;
}

static void
group_by(const DbertBpeTable *table, bool by_right, Groups *g)
{
	const DbertBpeToken *tokens = dbert_bpe_tokens(table);
	const int32_t *formed = dbert_bpe_formed(table);
	int32_t    *starts = g->starts;

	memset(starts, 0, (table->n_tokens + 1) * sizeof(int32_t));
	for (uint64_t i = 0; i < table->n_formed; i++)
		starts[by_right ? tokens[formed[i]].right : tokens[formed[i]].left]++;
	for (uint64_t i = 0, sum = 0; i <= table->n_tokens; i++)
	{
		sum += (uint64_t) starts[i];
		starts[i] = (int32_t) sum;
	}
	/* from the last one on, so that starts come to the beginnings */
	for (uint64_t i = table->n_formed; i-- > 0;)
		g->members[--starts[by_right ? tokens[formed[i]].right : tokens[formed[i]].left]] =
			formed[i];
}

/* The set of what a token is merged with to those formed before limit. */
static uint32_t
set_of(const DbertBpeToken *tokens, const Groups *g, bool by_right, int32_t id, uint32_t limit)
{
	uint32_t	set = 0;

	for (int32_t i = g->starts[id]; i < g->starts[id + 1] && set != UINT32_MAX; i++)
	{
		const DbertBpeToken *t = &tokens[g->members[i]];

		if (t->formed >= limit)
			break;
		set |= UINT32_C(1) << (by_right ? tokens[t->left].last : tokens[t->right].first);
	}
	return set;
}

static void
fill_sets(DbertBpeTable *table, Groups *g)
{
	DbertBpeToken *tokens = tokens_of(table);
	const int32_t *formed = dbert_bpe_formed(table);

	group_by(table, false, g);
	for (uint64_t i = 0; i < table->n_tokens; i++)
		tokens[i].after = set_of(tokens, g, false, (int32_t) i, UINT32_MAX);
	for (uint64_t i = 0; i < table->n_formed; i++)
	{
		DbertBpeToken *t = &tokens[formed[i]];

		t->after_parts = t->disorder ? UINT32_MAX : tokens[t->right].after_parts |
			set_of(tokens, g, false, t->right, t->formed);
	}
	group_by(table, true, g);
	for (uint64_t i = 0; i < table->n_tokens; i++)
		tokens[i].before = set_of(tokens, g, true, (int32_t) i, UINT32_MAX);
	for (uint64_t i = 0; i < table->n_formed; i++)
	{
		DbertBpeToken *t = &tokens[formed[i]];

		t->before_parts = t->disorder ? UINT32_MAX : tokens[t->left].before_parts |
			set_of(tokens, g, true, t->left, t->formed + 1);
	}
}

static void
fill_ranks(DbertBpeTable *table)
{
	const DbertBpeToken *tokens = dbert_bpe_tokens(table);
	const int32_t *formed = dbert_bpe_formed(table);
	uint32_t   *ranks = (uint32_t *) dbert_bpe_ranks(table);
	size_t		mask = (size_t) table->n_ranks - 1;

	for (uint64_t i = 0; i < table->n_formed; i++)
	{
		const DbertBpeToken *t = &tokens[formed[i]];
		uint64_t	hash = dbert_bpe_hash(t->left, t->right) >> 12;
		size_t		at = (size_t) (hash >> 20) & mask;

		while (ranks[at] != 0)
			at = (at + 1) & mask;
		ranks[at] = t->formed | dbert_bpe_print(hash);
	}
}

DbertStatus
dbert_bpe_end_whole(DbertTokCompiler *c, DbertBpeTable *table)
{
	const DbertTokenizerSpec *s = c->spec;
	Groups		g;

	for (int32_t i = 0; i < s->n_merges; i++)
		if (!same_text(s, &s->merges[i]))
			return DBERT_OK;
	DBERT_TRY(number_formed(c, table));
	if (table->n_formed > DBERT_BPE_FORMED_MAX)
		return DBERT_OK;
	for (int32_t i = 0; i < s->n_tokens; i++)
		if (!look_at(tokens_of(table), i))
			return DBERT_OK;
	g.starts = dbert_alloc_array(c->alloc, (size_t) s->n_tokens + 1, sizeof(int32_t));
	g.members = dbert_alloc_array(c->alloc, (size_t) s->n_tokens, sizeof(int32_t));
	if (g.starts != NULL && g.members != NULL)
		fill_sets(table, &g);
	dbert_free(c->alloc, g.starts);
	dbert_free(c->alloc, g.members);
	if (g.starts == NULL || g.members == NULL)
		return dbert_fail(c->err, DBERT_E_NOMEM, "out of memory");
	fill_ranks(table);
	table->spells = true;
	return DBERT_OK;
}

/* ---- opening ---- */

/* Are a token's parts whole, and is its text made up of theirs? */
static bool
valid_token(const DbertBpeToken *tokens, int32_t id, const DbertTokImage *h)
{
	const DbertBpeToken *t = &tokens[id];
	const uint32_t *ends = dbert_image_at(h, h->ends_at);
	uint32_t	left,
				right;

	if (t->first > 31 || t->last > 31)
		return false;
	if (!dbert_bpe_is_formed(t))
		return true;
	if (t->left < 0 || t->left >= h->n_tokens || t->right < 0 || t->right >= h->n_tokens ||
		tokens[t->left].formed == DBERT_BPE_NEVER || tokens[t->right].formed == DBERT_BPE_NEVER)
		return false;
	left = dbert_image_text_len(ends, t->left);
	right = dbert_image_text_len(ends, t->right);
	return left > 0 && left <= DBERT_MAX_TOKEN_BYTES && right > 0 &&
		right <= DBERT_MAX_TOKEN_BYTES && left + right <= DBERT_MAX_TOKEN_BYTES &&
		left + right == dbert_image_text_len(ends, id);
}

bool
dbert_bpe_valid_whole(const DbertBpeTable *table, const DbertTokImage *h)
{
	const DbertBpeToken *tokens = dbert_bpe_tokens(table);
	const int32_t *formed = dbert_bpe_formed(table);
	const uint32_t *ranks = dbert_bpe_ranks(table);
	bool		any_free = false;

	if (!dbert_block_has(h, sizeof(*table), table->tokens_at, table->n_tokens,
						 sizeof(DbertBpeToken)) ||
		table->n_tokens != (uint64_t) h->n_tokens)
		return false;
	if (!table->spells)
		return true;
	if (table->root < 0 || table->root >= h->n_units || table->n_ranks < 1 ||
		(table->n_ranks & (table->n_ranks - 1)) != 0 ||
		!dbert_block_has(h, sizeof(*table), table->formed_at, table->n_formed, sizeof(int32_t)) ||
		!dbert_block_has(h, sizeof(*table), table->ranks_at, table->n_ranks, sizeof(uint32_t)))
		return false;
	for (int32_t i = 0; i < h->n_tokens; i++)
		if (!valid_token(tokens, i, h))
			return false;
	for (uint64_t i = 0; i < table->n_formed; i++)
		if (formed[i] < 0 || formed[i] >= h->n_tokens)
			return false;
	for (uint64_t i = 0; i < table->n_ranks; i++)
	{
		uint32_t	number = ranks[i] & DBERT_BPE_FORMED_MAX;

		any_free |= ranks[i] == 0;
		if (number > table->n_formed || (number == 0 && ranks[i] != 0))
			return false;
	}
	return any_free;
}
