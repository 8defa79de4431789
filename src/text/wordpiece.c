/*
 * wordpiece.c -- WordPiece: the longest piece first.
 *
 * Words begin anywhere in the vocabulary, pieces that continue one begin below
 * the node of their prefix ("##").  A word that is too long, or that leaves a
 * rest which no piece begins, is a single unknown token.
 *
 * Source: Wu et al. 2016 (arXiv:1609.08144); Devlin et al. 2018
 * (arXiv:1810.04805).
 */
#include "text/tokenkind.h"
#include "text/utf8.h"

#include <string.h>

static DbertStatus
compile(DbertTokCompiler *c)
{
	const DbertTokenizerSpec *s = c->spec;

	if (s->max_word_chars < 0 || s->max_word_chars > DBERT_MAX_WORD_CHARS)
		return dbert_fail(c->err, DBERT_E_LIMIT,
						  "tokenizer: words of %d characters are not supported, only of 0 to %d",
						  (int) s->max_word_chars, DBERT_MAX_WORD_CHARS);
	DBERT_TRY(dbert_tok_check_id(s, "unknown", s->unk_id, true, c->err));
	c->head.max_word_chars = s->max_word_chars;
	c->head.pieces = dbert_trie_find(c->trie.units, c->head.words, s->prefix, strlen(s->prefix));
	return DBERT_OK;
}

static bool
valid(const DbertTokImage *h)
{
	return h->max_word_chars >= 0 && h->max_word_chars <= DBERT_MAX_WORD_CHARS && h->unk_id >= 0;
}

/*
 * The id of the longest key below node that begins word[at ...]; *end is set
 * to where it ends.  -1: none.
 */
static int32_t
longest_piece(const DbertTokenizing *t, int32_t node, size_t at, size_t *end)
{
	const DbertTrieUnit *units = dbert_image_units(t->image);
	int32_t		id = -1;

	for (; at < t->word_kept && node >= 0; at++)
	{
		uint8_t		bytes[4];
		int			len = dbert_utf8_encode(t->word[at].cp, bytes);

		for (int b = 0; b < len && node >= 0; b++)
			node = dbert_trie_step(units, node, bytes[b]);
		if (node >= 0 && units[node].value >= 0)
		{
			id = units[node].value;
			*end = at + 1;
		}
	}
	return id;
}

/* Cut the word into pieces; *whole says whether all of it was covered. */
static DbertStatus
emit_pieces(DbertTokenizing *t, bool *whole)
{
	int32_t		node = t->image->words;
	size_t		at = 0,
				end = 0;

	while (at < t->word_kept)
	{
		int32_t		id = longest_piece(t, node, at, &end);

		*whole = (id >= 0);
		if (!*whole)
			return DBERT_OK;
		DBERT_TRY(dbert_emit(t, id, t->word[at].start, t->word[end - 1].end));
		at = end;
		node = t->image->pieces;
	}
	return DBERT_OK;
}

static DbertStatus
cut(DbertTokenizing *t)
{
	int64_t		count = t->count;
	size_t		listed = t->list ? t->list->count : 0;
	bool		whole = false;

	if (t->word_chars <= t->image->max_word_chars)
		DBERT_TRY(emit_pieces(t, &whole));
	if (whole)
		return DBERT_OK;
	t->count = count;
	if (t->list)
		t->list->count = listed;
	return dbert_emit(t, t->image->unk_id, t->word[0].start, t->word_end);
}

/* ---- decoding ---- */

/* Tokens that begin like this take no space before them. */
static const char *const clinging[] = {".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"};

static bool
begins_with(const char *token, size_t len, const char *with)
{
	size_t		n = strlen(with);

	return len >= n && memcmp(token, with, n) == 0;
}

static bool
clings(const char *token, size_t len)
{
	for (size_t i = 0; i < sizeof(clinging) / sizeof(clinging[0]); i++)
		if (begins_with(token, len, clinging[i]))
			return true;
	return false;
}

/*
 * Words with one space between, pieces joined to what stands before them, and
 * no space before some marks and English endings.  The first token is left as
 * it is, even a piece.
 */
static void
put(DbertDecoding *d, const char *token, size_t len, bool added)
{
	(void) added;
	/* the prefix of pieces is not in the image, BERT's is this */
	if (!d->first && begins_with(token, len, "##"))
	{
		token += 2;
		len -= 2;
	}
	else if (!d->first && !clings(token, len))
		d->text[d->len++] = ' ';
	memcpy(d->text + d->len, token, len);
	d->len += len;
}

const DbertTokenKind dbert_kind_wordpiece = {
	.compile = compile,
	.valid = valid,
	.cut = cut,
	.continuing = "##",
	.put = put
};
