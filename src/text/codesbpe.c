/*
 * codesbpe.c -- BPE by fastBPE's codes: BERTweet's and PhoBERT's.
 *
 * Symbols are not tokens here: they are the texts that the codes merge, and
 * those of a word's end are others ("er</w>") than those inside ("er").  What a
 * word is merged to becomes tokens at last: inside they have "@@" behind them.
 * The block says which symbols a character is, and which token a symbol is.
 *
 * Source: Sennrich et al. 2016 (arXiv:1508.07909); Nguyen et al. 2020
 * (arXiv:2005.10200), BERTweet; transformers' BertweetTokenizer.
 */
#include "text/bpe.h"
#include "text/tokenkind.h"

#include <string.h>

/* What a token has behind it whose word goes on. */
#define UNFINISHED "@@"

/* The kind's block; places count from its beginning, are multiples of 8. */
typedef struct CodesBlock
{
	DbertBpeTable table;
	uint64_t	chars_at,		/* DbertCodesChar[n_chars], ascending */
				ids_at;			/* int32_t[n_symbols + 1], the last one's is unknown */
	int32_t		n_chars,
				n_symbols;
} CodesBlock;

/* ---- compiling ---- */

static DbertStatus
compile(DbertTokCompiler *c)
{
	const DbertTokenizerSpec *s = c->spec;
	CodesBlock	b = {.n_chars = s->n_chars, .n_symbols = s->n_symbols};
	size_t		total = sizeof(b);
	char	   *at;

	DBERT_TRY(dbert_tok_check_id(s, "unknown", s->unk_id, true, c->err));
	if (!dbert_bpe_reserve(&b.table, &total, s) ||
		!dbert_tok_reserve(&b.chars_at, &total, (size_t) s->n_chars, sizeof(DbertCodesChar)) ||
		!dbert_tok_reserve(&b.ids_at, &total, (size_t) s->n_symbols + 1, sizeof(int32_t)))
		return dbert_fail(c->err, DBERT_E_LIMIT, "vocabulary is too large");
	DBERT_TRY(dbert_tok_make_block(c, &b, sizeof(b), total));
	at = c->model;
	dbert_bpe_fill(&((CodesBlock *) c->model)->table, s);
	if (s->n_chars > 0)
		memcpy(at + b.chars_at, s->chars, (size_t) s->n_chars * sizeof(DbertCodesChar));
	for (int32_t i = 0; i <= s->n_symbols; i++)
		((int32_t *) (at + b.ids_at))[i] =
			i < s->n_symbols && s->symbol_ids[i] >= 0 ? s->symbol_ids[i] : s->unk_id;
	return DBERT_OK;
}

static bool
valid(const DbertTokImage *h)
{
	const CodesBlock *b = dbert_image_model(h);
	const DbertCodesChar *chars;
	const int32_t *ids;

	if (h->model_size < sizeof(*b) || b->n_chars < 0 || b->n_symbols < 0 ||
		b->n_symbols == INT32_MAX ||
		!dbert_block_has(h, sizeof(*b), b->chars_at, (uint64_t) b->n_chars,
						 sizeof(DbertCodesChar)) ||
		!dbert_block_has(h, sizeof(*b), b->ids_at, (uint64_t) b->n_symbols + 1, sizeof(int32_t)) ||
		!dbert_bpe_valid(&b->table, h->model_size, b->n_symbols + 1))
		return false;
	chars = dbert_in_block(b, b->chars_at);
	ids = dbert_in_block(b, b->ids_at);
	for (int32_t i = 0; i < b->n_chars; i++)
		if (chars[i].inner < -1 || chars[i].inner >= b->n_symbols || chars[i].last < -1 ||
			chars[i].last >= b->n_symbols)
			return false;
	for (int32_t i = 0; i <= b->n_symbols; i++)
		if (ids[i] < 0 || ids[i] >= h->n_tokens)
			return false;
	return true;
}

/* ---- cutting ---- */

/* The symbol of a character, the unknown one if it has none. */
static int32_t
symbol_of(const CodesBlock *b, uint32_t cp, bool last)
{
	const DbertCodesChar *chars = dbert_in_block(b, b->chars_at);
	int32_t		low = 0,
				high = b->n_chars,
				symbol = -1;

	while (low < high)
	{
		int32_t		middle = low + (high - low) / 2;

		if (chars[middle].cp < cp)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < b->n_chars && chars[low].cp == cp)
		symbol = last ? chars[low].last : chars[low].inner;
	return symbol >= 0 ? symbol : b->n_symbols;
}

static DbertStatus
cut(DbertTokenizing *t)
{
	const CodesBlock *b = dbert_image_model(t->image);
	const int32_t *ids = dbert_in_block(b, b->ids_at);
	DbertBpeWork *w = dbert_bpe_open(t);
	size_t		at = 0;

	if (w == NULL)
		return dbert_fail(t->err, DBERT_E_NOMEM, "out of memory");
	w->n = 0;
	for (size_t i = 0; i < t->word_kept; i++)
		if (!dbert_bpe_add(w, t->alloc, symbol_of(b, t->word[i].cp, i + 1 == t->word_kept), 1))
			return dbert_fail(t->err, DBERT_E_NOMEM, "out of memory");
	DBERT_TRY(dbert_bpe_merge(&b->table, w, t->alloc, t->poll, t->err));
	for (size_t i = 0; i < w->n; at += w->symbols[i++].len)
		DBERT_TRY(dbert_emit(t, ids[w->symbols[i].id], t->word[at].start,
							 t->word[at + w->symbols[i].len - 1].end));
	return DBERT_OK;
}

/* ---- decoding ---- */

/* Tokens with a space between, but behind "@@", which is left out. */
static void
put(DbertDecoding *d, const char *token, size_t len, bool added)
{
	(void) added;
	if (!d->first && !d->joins)
		d->text[d->len++] = ' ';
	d->joins = len > 2 && memcmp(token + len - 2, UNFINISHED, 2) == 0;
	len -= d->joins ? 2 : 0;
	memcpy(d->text + d->len, token, len);
	d->len += len;
}

const DbertTokenKind dbert_kind_codesbpe = {
	.compile = compile,
	.valid = valid,
	.cut = cut,
	.close = dbert_bpe_close,
	.unfinished = UNFINISHED,
	.put = put
};
