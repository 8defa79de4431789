/*
 * normalize.c -- see normalize.h.
 *
 * A chain of pull steps: raw_next (decoding) -> cleaned_next (clean text, CJK)
 * -> unmarked_next (decomposition, removal of marks) -> dbert_norm_next (lower
 * case).  A step's state is a small value; copying it is remembering a place
 * in the text, and restoring it is going back there.
 *
 * Canonical ordering.  NFD sorts each run of characters with nonzero
 * combining class stably by class.  As nearly all of them are marks that are
 * then removed, a run is first looked through; only if something in it
 * survives is the order computed, by walking through the run once for each
 * class that occurs (there are 55 of them).  So no run is ever stored.
 *
 * The place of origin of a reordered character is not its own in Hugging Face's
 * tokenizers: the k-th output takes the place of the k-th input, counting only
 * the first part of each decomposition, and other parts take the place of the
 * output before them.  next_in_run() does the same.
 */
#include "text/normalize.h"

#include "text/utf8.h"

#include <string.h>

#define CHARS_PER_POLL 4096

DbertNext
dbert_norm_fail(DbertNormalizer *n, DbertStatus status, const char *msg)
{
	n->status = dbert_fail(n->err, status, "%s", msg);
	return DBERT_NEXT_FAILED;
}

DbertNext
dbert_norm_poll(DbertNormalizer *n)
{
	n->until_poll = CHARS_PER_POLL;
	if (dbert_stopped(n->poll))
		return dbert_norm_fail(n, DBERT_E_CANCELLED, "cancelled");
	return DBERT_NEXT_CHAR;
}

void
dbert_norm_begin(DbertNormalizer *n, DbertCursor at)
{
	memset(&n->at, 0, sizeof(n->at));
	n->at.in.in = at;
	n->run.class = 0;
	n->lower_pending = false;
}

/* ---- decoding ---- */

static DbertNext
raw_next(DbertNormalizer *n, DbertCursor *c, uint32_t *cp)
{
	int			len;

	while (c->pos >= n->fence)
	{
		if (n->closed)
			return DBERT_NEXT_END;
		if (n->extend(n->ctx) == DBERT_NEXT_FAILED)
			return DBERT_NEXT_FAILED;
	}
	if (--n->until_poll < 0 && dbert_norm_poll(n) == DBERT_NEXT_FAILED)
		return DBERT_NEXT_FAILED;
	if (c->index == INT32_MAX)
		return dbert_norm_fail(n, DBERT_E_LIMIT, "text has too many characters");
	len = dbert_utf8_decode(c->pos, n->end, cp);
	if (len == 0)
		return dbert_norm_fail(n, DBERT_E_ENCODING, "text is not valid UTF-8");
	c->pos += len;
	c->index++;
	return DBERT_NEXT_CHAR;
}

/* ---- clean text, CJK ---- */

static DbertNext
cleaned_next(DbertNormalizer *n, DbertCleaned *c, DbertChar *out)
{
	uint32_t	cp = 0;

	if (c->pending > 0)
	{
		*out = c->cjk;
		if (c->pending-- == 1)
			out->cp = ' ';
		return DBERT_NEXT_CHAR;
	}
	do
	{
		DbertNext	next = raw_next(n, &c->in, &cp);

		if (next != DBERT_NEXT_CHAR)
			return next;
	} while (n->rules.clean_text && dbert_char_is_removed(cp));

	if (n->rules.clean_text && dbert_char_is_space(cp))
		cp = ' ';
	*out = (DbertChar) {.cp = cp, .start = c->in.index - 1, .end = c->in.index};
	if (n->rules.split_cjk && dbert_char_is_cjk(cp))
	{
		c->cjk = *out;
		c->pending = 2;
		out->cp = ' ';
	}
	return DBERT_NEXT_CHAR;
}

/* ---- canonical decomposition, removal of nonspacing marks ---- */

/* Make parts[next] the part that is due. */
static DbertNext
load_part(DbertNormalizer *n, DbertDecomposed *d)
{
	DbertNext	next;

	if (d->next < d->n)
		return DBERT_NEXT_CHAR;
	next = cleaned_next(n, &d->in, &d->source);
	if (next == DBERT_NEXT_CHAR)
	{
		d->n = dbert_char_decompose(d->source.cp, d->parts);
		d->next = 0;
	}
	return next;
}

/*
 * The part due has a combining class.  Skip the run of such parts if it holds
 * nothing but marks; otherwise set up n->run.
 */
static DbertNext
begin_run(DbertNormalizer *n)
{
	DbertMarkRun *r = &n->run;
	bool		survivors = false;
	DbertDecomposed d = n->at;
	DbertNext	next;

	memset(r->classes, 0, sizeof(r->classes));
	r->length = 0;
	while ((next = load_part(n, &d)) == DBERT_NEXT_CHAR)
	{
		uint32_t	cp = d.parts[d.next];
		int			class = dbert_char_combining_class(cp) & 255;

		if (class == 0)
			break;
		survivors = survivors || !dbert_char_is_mark(cp);
		r->classes[class] = true;
		r->length++;
		d.next++;
	}
	if (next == DBERT_NEXT_FAILED)
		return next;
	if (survivors)
	{
		r->first = r->walk = n->at;
		r->source = n->at.in;
		r->source_is_first = (n->at.next == 0);
		r->align = n->at.source;
		r->walked = 0;
		r->class = 1;
	}
	n->at = d;
	return DBERT_NEXT_CHAR;
}

/* Give the next source character to the mark being output. */
static DbertNext
advance_source(DbertNormalizer *n)
{
	DbertMarkRun *r = &n->run;

	if (!r->source_is_first)
		return cleaned_next(n, &r->source, &r->align);
	r->align = r->first.source;
	r->source_is_first = false;
	return DBERT_NEXT_CHAR;
}

/* The next survivor of the run, END when there is none left. */
static DbertNext
next_in_run(DbertNormalizer *n, DbertChar *out)
{
	DbertMarkRun *r = &n->run;

	for (; r->class < 256; r->class++, r->walk = r->first, r->walked = 0)
	{
		while (r->classes[r->class] && r->walked < r->length)
		{
			bool		first_part;
			uint32_t	cp;

			if (load_part(n, &r->walk) != DBERT_NEXT_CHAR)
				return DBERT_NEXT_FAILED;
			first_part = (r->walk.next == 0);
			cp = r->walk.parts[r->walk.next++];
			r->walked++;
			if ((dbert_char_combining_class(cp) & 255) != r->class)
				continue;
			if (first_part && advance_source(n) != DBERT_NEXT_CHAR)
				return DBERT_NEXT_FAILED;
			if (dbert_char_is_mark(cp))
				continue;
			*out = r->align;
			out->cp = cp;
			return DBERT_NEXT_CHAR;
		}
	}
	r->class = 0;
	return DBERT_NEXT_END;
}

static DbertNext
unmarked_next(DbertNormalizer *n, DbertChar *out)
{
	if (!n->rules.strip_accents)
		return cleaned_next(n, &n->at.in, out);
	for (;;)
	{
		DbertNext	next;
		uint32_t	cp;

		if (n->run.class > 0 && (next = next_in_run(n, out)) != DBERT_NEXT_END)
			return next;
		next = load_part(n, &n->at);
		if (next != DBERT_NEXT_CHAR)
			return next;
		cp = n->at.parts[n->at.next];
		if (dbert_char_combining_class(cp) != 0)
		{
			if (begin_run(n) == DBERT_NEXT_FAILED)
				return DBERT_NEXT_FAILED;
			continue;
		}
		n->at.next++;
		if (dbert_char_is_mark(cp))
			continue;
		*out = n->at.source;
		out->cp = cp;
		return DBERT_NEXT_CHAR;
	}
}

/* ---- lower case ---- */

DbertNext
dbert_norm_next(DbertNormalizer *n, DbertChar *out)
{
	uint32_t	lower[2];
	DbertNext	next;

	if (n->lower_pending)
	{
		n->lower_pending = false;
		*out = n->lower;
		return DBERT_NEXT_CHAR;
	}
	next = unmarked_next(n, out);
	if (next != DBERT_NEXT_CHAR || !n->rules.lowercase)
		return next;
	if (dbert_char_lower(out->cp, lower) == 2)
	{
		n->lower_pending = true;
		n->lower = *out;
		n->lower.cp = lower[1];
	}
	out->cp = lower[0];
	return DBERT_NEXT_CHAR;
}
