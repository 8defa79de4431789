/*
 * trimchoose.c -- which tokens of a vocabulary stay (trim.h).
 *
 * What stays in any case is marked first; then tokens come by how often they
 * were seen, until there are enough.
 *
 * WordPiece takes the longest piece, Unigram the likeliest path: either finds
 * the same tokens again while these stay.  Of Unigram the least likely piece
 * stays, too: what an unknown character costs is measured from it.
 *
 * BPE reaches a token by merges, so what it is merged of must stay before it
 * does.  A token's parts count as seen when it is; a part is then never rarer
 * than the whole, and of equal counts the lower rank goes first.  As long as a
 * word's tokens stay, all its merges do, and no other merge comes between.
 */
#include "text/tokimage.h"
#include "text/tokenkind.h"
#include "text/utf8.h"
#include "train/trimplan.h"

#include <stdlib.h>
#include <string.h>

#define CODE_POINTS 0x110000


typedef struct Candidate
{
	int64_t		count;
	int32_t		rank;			/* of equal counts the lower one goes first */
	int32_t		id;
} Candidate;

static void
need(DbertTrimPlan *p, int32_t id)
{
	if (id >= 0 && id < p->n)
		p->needed[id] = true;
}

/* ---- roles and added tokens ---- */

static void
need_template(DbertTrimPlan *p, const DbertTemplate *t)
{
	for (int32_t i = 0; i < dbert_template_size(t); i++)
		need(p, t->ids[i]);
}

static void
need_roles(DbertTrimPlan *p)
{
	const DbertTokenizer *t = &p->tokenizer;
	const DbertTokImage *image = t->image;

	need(p, t->unk_id);
	need(p, t->cls_id);
	need(p, t->sep_id);
	need(p, t->pad_id);
	need(p, t->mask_id);
	need_template(p, t->single);
	need_template(p, t->pair);
	for (int32_t i = 0; i < image->n_added; i++)
		need(p, dbert_image_added(image)[i].id);
}

/* ---- characters ---- */

/* The text of a token without "##", which *inner then tells. */
static const char *
text_of(const DbertTrimPlan *p, int32_t id, size_t *len, bool *inner)
{
	const char *text = dbert_token_text(&p->tokenizer, id, len);

	*inner = text != NULL && p->kind == DBERT_TRIM_WORDPIECE && *len > 2 &&
		memcmp(text, "##", 2) == 0;
	if (*inner)
	{
		text += 2;
		*len -= 2;
	}
	return text;
}

/* A character of WordPiece's inside of a word has another token. */
static int32_t
atom_of(const DbertTrimPlan *p, const char *text, int n, bool inner)
{
	char		name[8] = "##";

	memcpy(name + (inner ? 2 : 0), text, (size_t) n);
	return dbert_token_id(&p->tokenizer, name, (size_t) n + (inner ? 2 : 0));
}

/* A set of code points. */
static bool
has(const uint8_t *set, uint32_t cp)
{
	return cp < 128 || (set[cp / 8] >> cp % 8 & 1) != 0;
}

/*
 * A token that was seen: its characters are needed, wherever they stand in a
 * word.  If the vocabulary lacks one of them, the token itself is.
 */
static void
need_characters(DbertTrimPlan *p, uint8_t *set, int32_t id)
{
	size_t		len = 0;
	bool		inner;
	const char *text = text_of(p, id, &len, &inner),
			   *end = text != NULL ? text + len : NULL;
	uint32_t	cp;

	for (int n; text < end; text += n)
	{
		n = dbert_utf8_decode((const uint8_t *) text, (const uint8_t *) end, &cp);
		if (n <= 0)
			return;
		set[cp / 8] |= (uint8_t) (1 << cp % 8);
		if (atom_of(p, text, n, inner) < 0)
			p->needed[id] = true;
		inner = p->kind == DBERT_TRIM_WORDPIECE;
	}
}

/* Is it one that words can always be cut into? */
static bool
is_atom(const DbertTrimPlan *p, const uint8_t *set, int32_t id)
{
	const DbertTokImage *image = p->tokenizer.image;
	size_t		len = 0;
	bool		inner;
	const char *text = text_of(p, id, &len, &inner);
	uint32_t	cp;
	int			n;

	if (text == NULL)
		return false;
	n = dbert_utf8_decode((const uint8_t *) text, (const uint8_t *) text + len, &cp);
	if (n > 0 && (size_t) n == len)
		return image->kind == DBERT_KIND_BYTEBPE || has(set, cp);
	return p->kind != DBERT_TRIM_WORDPIECE && dbert_tok_byte_of(text, len) >= 0;
}

/* Characters of tokens that were seen, ASCII, and tokens that are bytes. */
static DbertStatus
need_atoms(DbertTrimPlan *p, const int64_t *counts, DbertError *err)
{
	uint8_t    *set = dbert_alloc_zero(p->alloc, CODE_POINTS / 8, 1);

	if (set == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	for (int32_t id = 0; id < p->n; id++)
		if (counts[id] > 0)
			need_characters(p, set, id);
	for (int32_t id = 0; id < p->n; id++)
		if (is_atom(p, set, id))
			p->needed[id] = true;
	dbert_free(p->alloc, set);
	return DBERT_OK;
}

/* ---- merges ---- */

/* Parts are seen, and needed, where what they become is; and their ranks. */
static void
share_with_parts(DbertTrimPlan *p, Candidate *all)
{
	for (int32_t i = p->n_merges - 1; i >= 0; i--)
	{
		const DbertMerge *m = &p->merges[i];

		if (m->left < 0)
			continue;
		all[m->merged].rank = i + 1;
		for (int part = 0; part < 2; part++)
		{
			int32_t		id = part == 0 ? m->left : m->right;

			if (all[id].count <= INT64_MAX - all[m->merged].count)
				all[id].count += all[m->merged].count;
			p->needed[id] |= p->needed[m->merged];
		}
	}
}

/* ---- the choice ---- */

static int
compare_candidates(const void *a, const void *b)
{
	const Candidate *x = a,
			   *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int32_t
count_needed(const DbertTrimPlan *p)
{
	int32_t		n = 0;

	for (int32_t id = 0; id < p->n; id++)
		n += p->needed[id];
	return n;
}

/* to and from of the tokens that are needed. */
static DbertStatus
number_tokens(DbertTrimPlan *p, DbertError *err)
{
	p->kept = 0;
	p->from = dbert_alloc_array(p->alloc, (size_t) p->n, sizeof(*p->from));
	if (p->from == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	for (int32_t id = 0; id < p->n; id++)
	{
		p->to[id] = p->needed[id] ? p->kept : -1;
		if (p->needed[id])
			p->from[p->kept++] = id;
	}
	return DBERT_OK;
}

/* Those of the highest counts are needed, too. */
static DbertStatus
choose(DbertTrimPlan *p, Candidate *all, const int64_t *counts, int32_t most, DbertTrimmed *out,
	   DbertError *err)
{
	for (int32_t id = 0; id < p->n; id++)
		all[id] = (Candidate) {.count = counts[id], .rank = 0, .id = id};
	share_with_parts(p, all);
	out->least = count_needed(p);
	if (out->least > most)
		return dbert_fail(err, DBERT_E_INVALID,
						  "a vocabulary of %d tokens is too small, %d stay in any case",
						  (int) most, (int) out->least);
	qsort(all, (size_t) p->n, sizeof(*all), compare_candidates);
	for (int32_t i = 0, n = out->least; i < p->n && n < most && all[i].count > 0; i++)
	{
		n += !p->needed[all[i].id];
		p->needed[all[i].id] = true;
	}
	return number_tokens(p, err);
}

static void
measure(const DbertTrimPlan *p, const int64_t *counts, DbertTrimmed *out)
{
	out->kept = p->kept;
	out->seen = out->covered = 0;
	for (int32_t id = 0; id < p->n; id++)
	{
		out->seen += counts[id];
		out->covered += p->to[id] >= 0 ? counts[id] : 0;
	}
}

DbertStatus
dbert_trim_plan_choose(DbertTrimPlan *p, const int64_t *counts, int32_t most,
					   const DbertPoll *poll, DbertTrimmed *out, DbertError *err)
{
	Candidate  *all = dbert_alloc_array(p->alloc, (size_t) p->n, sizeof(*all));
	DbertStatus status = DBERT_OK;

	*out = (DbertTrimmed) {0};
	if (all == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	need_roles(p);
	status = need_atoms(p, counts, err);
	if (status == DBERT_OK && dbert_stopped(poll))
		status = dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
	if (status == DBERT_OK)
		status = choose(p, all, counts, most, out, err);
	if (status == DBERT_OK)
		measure(p, counts, out);
	dbert_free(p->alloc, all);
	return status;
}
