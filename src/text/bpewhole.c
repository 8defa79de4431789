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

static inline uint32_t
bit_of_symbol(int32_t id)
{
	return (uint32_t) id * UINT32_C(0x9e3779b1) >> 27;
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

/*
 * Give the bits of dead to the bytes that most tokens are formed with at their
 * end.  bits[n_tokens] are 0, and so are ends[n_tokens], to count with.
 */
static void
choose_dead_bits(DbertBpeTable *table, const int32_t *bytes, uint8_t *bits, uint32_t *ends)
{
	const DbertBpeToken *tokens = dbert_bpe_tokens(table);
	const int32_t *formed = dbert_bpe_formed(table);

	for (uint64_t i = 0; i < table->n_formed; i++)
		ends[tokens[formed[i]].right]++;
	for (uint8_t bit = 1; bit < 32; bit++)
	{
		int32_t		most = -1;

		for (int i = 0; i < 256; i++)
			if (bytes[i] >= 0 && tokens[bytes[i]].formed == 0 && ends[bytes[i]] > 0 &&
				(most < 0 || ends[bytes[i]] > ends[bytes[most]]))
				most = i;
		if (most < 0)
			return;
		table->dead_bits[most] = bits[bytes[most]] = bit;
		ends[bytes[most]] = 0;
	}
}

/*
 * The sets, in the order of forming: what a part has in a set so far was formed
 * before the token that it is a part of.  A part at a token's end is a dead end
 * before a symbol that it is merged with before any token which begins with
 * that symbol is formed: the symbol has merged with nothing behind it then.
 * own[n_tokens] are 0.
 */
static void
fill_sets(DbertBpeTable *table, const uint8_t *bits, uint32_t *own)
{
	DbertBpeToken *tokens = tokens_of(table);
	const int32_t *formed = dbert_bpe_formed(table);

	for (uint64_t i = 0; i < table->n_formed; i++)
	{
		DbertBpeToken *t = &tokens[formed[i]],
				   *left = &tokens[t->left],
				   *right = &tokens[t->right];

		t->after_parts = t->disorder ? UINT32_MAX : right->after | right->after_parts;
		t->dead = t->disorder ? 0 : own[t->right] | right->dead;
		if (bits[t->right] > 0 && right->after == 0 && !t->disorder)
			own[t->left] |= UINT32_C(1) << bits[t->right];
		left->after |= UINT32_C(1) << right->first;
		right->before |= UINT32_C(1) << left->last;
		t->before_parts = t->disorder ? UINT32_MAX : left->before | left->before_parts;
	}
	for (uint64_t i = 0; i < table->n_tokens; i++)
		if (!tokens[i].disorder)
			tokens[i].dead |= own[i];
}

static DbertStatus
make_sets(DbertTokCompiler *c, DbertBpeTable *table, const int32_t *bytes)
{
	uint32_t   *work = dbert_alloc_zero(c->alloc, table->n_tokens, sizeof(uint32_t));
	uint8_t    *bits = dbert_alloc_zero(c->alloc, table->n_tokens, 1);

	if (work != NULL && bits != NULL)
	{
		choose_dead_bits(table, bytes, bits, work);
		memset(work, 0, table->n_tokens * sizeof(uint32_t));
		fill_sets(table, bits, work);
	}
	dbert_free(c->alloc, work);
	dbert_free(c->alloc, bits);
	return work != NULL && bits != NULL ? DBERT_OK
										: dbert_fail(c->err, DBERT_E_NOMEM, "out of memory");
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
dbert_bpe_end_whole(DbertTokCompiler *c, DbertBpeTable *table, const int32_t *bytes)
{
	const DbertTokenizerSpec *s = c->spec;

	if (s->n_merges > DBERT_BPE_FORMED_MAX)
		return DBERT_OK;
	for (int32_t i = 0; i < s->n_merges; i++)
		if (!same_text(s, &s->merges[i]))
			return DBERT_OK;
	DBERT_TRY(number_formed(c, table));
	for (int32_t i = 0; i < s->n_tokens; i++)
		if (!look_at(tokens_of(table), i))
			return DBERT_OK;
	DBERT_TRY(make_sets(c, table, bytes));
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
	for (int i = 0; i < 256; i++)
		if (table->dead_bits[i] > 31)
			return false;
	for (int32_t i = 0; i < h->n_tokens; i++)
		if (!valid_token(tokens, i, h))
			return false;
	for (uint64_t i = 0; i < table->n_formed; i++)
		if (formed[i] < 0 || formed[i] >= h->n_tokens)
			return false;
	for (uint64_t i = 0; i < table->n_ranks; i++)
	{
		uint32_t	number = dbert_bpe_number(ranks[i]);

		any_free |= ranks[i] == 0;
		if (number > table->n_formed || (number == 0 && ranks[i] != 0))
			return false;
	}
	return any_free;
}
