/*
 * stepunicode.c -- the normalization forms NFD, NFKD, NFC and NFKC.
 *
 * Characters are decomposed, marks behind a starter are put into the order of
 * their combining classes, and for the C forms pairs are composed again.  A
 * segment is what is handled together: a character and the marks behind it.
 *
 * Places.  Hugging Face's tokenizers counts: the first part of each
 * decomposition stands for the source character, other parts are insertions,
 * and a composition takes away as many characters as it swallowed.  What stands
 * for k source characters has the place of the next one not yet counted, and
 * passes the others by; an insertion has the place of the last one counted.
 * So source characters stay in the queue until they are counted.
 *
 * Source: Unicode Standard Annex 15.
 */
#include "text/steps.h"

#include <string.h>

/* Marks in a row that are put into order by insertion; more are counted. */
#define FEW_MARKS 32

/* A character that comes out. */
typedef struct Part
{
	uint32_t	cp;
	int32_t		change;			/* 1: inserted; 0, -1, ...: for 1 - change source characters */
	int32_t		class;
} Part;

/* What a DbertLink keeps of a piece. */
typedef struct Segments
{
	DbertChar	placed;			/* the source character counted last */
	Part		starter;		/* of the C forms: may be composed with what comes */
	bool		has_starter;
	uint32_t	ahead;			/* source characters in the queue that were decomposed */
} Segments;

_Static_assert(sizeof(Segments) <= sizeof(((DbertLink *) NULL)->state), "room for Segments");

static inline Segments *
segments_of(DbertLink *l)
{
	return (Segments *) l->state;
}

static inline bool
composes(const DbertLink *l)
{
	return l->step->kind == DBERT_STEP_NFC || l->step->kind == DBERT_STEP_NFKC;
}

/* Put a part at its place. */
static DbertNext
emit(DbertLink *l, Part part)
{
	Segments   *s = segments_of(l);
	DbertChar	ch = s->placed;

	for (int32_t i = part.change; i <= 0; i++)
	{
		if (dbert_step_peek(l, 0, &s->placed) != DBERT_NEXT_CHAR)
			break;
		if (i == part.change)
			ch = s->placed;
		dbert_step_take(l, 1);
		s->ahead--;
	}
	ch.cp = part.cp;
	return dbert_step_put(l, ch);
}

/* ---- decomposition ---- */

static int
decompose(const DbertLink *l, uint32_t cp, Part parts[DBERT_MAX_COMPAT])
{
	bool		compat = l->step->kind == DBERT_STEP_NFKD || l->step->kind == DBERT_STEP_NFKC;
	uint32_t	cps[DBERT_MAX_COMPAT];
	int			n = compat ? dbert_char_decompose_compat(cp, cps) : dbert_char_decompose(cp, cps);

	for (int i = 0; i < n; i++)
		parts[i] = (Part) {cps[i], i > 0, dbert_char_combining_class(cps[i])};
	return n;
}

/* Make room for n parts, twice where they are sorted by counting. */
static DbertNext
make_room(DbertLink *l, size_t used, size_t n)
{
	if (!dbert_grow(l->chain->alloc, &l->room, &l->room_capacity, used, 2 * n, sizeof(Part)))
		return dbert_norm_fail(l->chain->norm, DBERT_E_NOMEM, "out of memory");
	return DBERT_NEXT_CHAR;
}

/* Decompose the next segment into the link's room: *n parts. */
static DbertNext
read_segment(DbertLink *l, size_t *n)
{
	Segments   *s = segments_of(l);

	for (*n = 0;;)
	{
		Part		parts[DBERT_MAX_COMPAT];
		DbertChar	ch;
		DbertNext	next = dbert_step_peek(l, s->ahead, &ch);
		int			count;

		if (next != DBERT_NEXT_CHAR)
			return next == DBERT_NEXT_END && *n > 0 ? DBERT_NEXT_CHAR : next;
		count = decompose(l, ch.cp, parts);
		if (*n > 0 && parts[0].class == 0)
			return DBERT_NEXT_CHAR;
		if (make_room(l, *n, *n + (size_t) count) == DBERT_NEXT_FAILED)
			return DBERT_NEXT_FAILED;
		memcpy((Part *) l->room + *n, parts, (size_t) count * sizeof(Part));
		*n += (size_t) count;
		s->ahead++;
	}
}

/* Sort marks by their class; the order of equal ones stays. */
static void
sort_marks(Part *marks, size_t n, Part *spare)
{
	size_t		ends[256] = {0};

	if (n <= FEW_MARKS)
	{
		for (size_t i = 1; i < n; i++)
		{
			Part		mark = marks[i];
			size_t		at = i;

			for (; at > 0 && marks[at - 1].class > mark.class; at--)
				marks[at] = marks[at - 1];
			marks[at] = mark;
		}
		return;
	}
	memcpy(spare, marks, n * sizeof(Part));
	for (size_t i = 0; i < n; i++)
		ends[marks[i].class & 255]++;
	for (int c = 1; c < 256; c++)
		ends[c] += ends[c - 1];
	for (size_t i = n; i-- > 0;)
		marks[--ends[spare[i].class & 255]] = spare[i];
}

static void
sort_segment(Part *parts, size_t n, Part *spare)
{
	for (size_t from = 0, to; from < n; from = to + 1)
	{
		for (to = from; to < n && parts[to].class != 0; to++)
			;
		sort_marks(parts + from, to - from, spare);
	}
}

/* ---- composition ---- */

/*
 * Compose what can be composed.  Marks that are blocked or have no composition
 * follow their starter; a starter that nothing stands behind is kept, as the
 * next segment may begin with its other half.
 */
static DbertNext
compose_segment(DbertLink *l, Part *parts, size_t n)
{
	Segments   *s = segments_of(l);
	size_t		kept = 0;		/* parts[0 .. kept) follow the starter */

	for (size_t i = 0; i < n; i++)
	{
		Part		p = parts[i];
		bool		blocked = kept > 0 && parts[kept - 1].class >= p.class;
		uint32_t	whole = s->has_starter && !blocked ? dbert_char_compose(s->starter.cp, p.cp)
													   : 0;

		if (whole != 0)
		{
			s->starter.cp = whole;
			s->starter.change += p.change - 1;
			continue;
		}
		if (p.class != 0)
		{
			parts[kept++] = p;
			continue;
		}
		if (s->has_starter && emit(l, s->starter) == DBERT_NEXT_FAILED)
			return DBERT_NEXT_FAILED;
		for (size_t k = 0; k < kept; k++)
			if (emit(l, parts[k]) == DBERT_NEXT_FAILED)
				return DBERT_NEXT_FAILED;
		kept = 0;
		s->starter = p;
		s->has_starter = true;
	}
	if (kept > 0 && s->has_starter)
	{
		s->has_starter = false;
		if (emit(l, s->starter) == DBERT_NEXT_FAILED)
			return DBERT_NEXT_FAILED;
	}
	for (size_t k = 0; k < kept; k++)
		if (emit(l, parts[k]) == DBERT_NEXT_FAILED)
			return DBERT_NEXT_FAILED;
	return DBERT_NEXT_CHAR;
}

/* ---- the step ---- */

/* Nothing happens to cp if ASCII, or one like it, comes behind. */
static inline bool
is_plain(uint32_t cp)
{
	return cp < 0xa0;
}

static inline DbertNext
unicode_one(DbertLink *l)
{
	Segments   *s = segments_of(l);
	DbertChar	ch,
				behind;
	DbertNext	next = dbert_step_peek(l, 0, &ch);
	size_t		n;
	Part	   *parts;

	if (next == DBERT_NEXT_CHAR && s->ahead == 0 && !s->has_starter && is_plain(ch.cp))
	{
		next = dbert_step_peek(l, 1, &behind);
		if (next == DBERT_NEXT_FAILED)
			return next;
		if (next == DBERT_NEXT_END || is_plain(behind.cp))
		{
			dbert_step_take(l, 1);
			s->placed = ch;
			return dbert_step_put(l, ch);
		}
	}
	next = read_segment(l, &n);
	if (next == DBERT_NEXT_END && s->has_starter)
	{
		s->has_starter = false;
		return emit(l, s->starter);
	}
	if (next != DBERT_NEXT_CHAR)
		return next;
	parts = l->room;
	sort_segment(parts, n, parts + n);
	if (composes(l))
		return compose_segment(l, parts, n);
	for (size_t i = 0; i < n; i++)
		if (emit(l, parts[i]) == DBERT_NEXT_FAILED)
			return DBERT_NEXT_FAILED;
	return DBERT_NEXT_CHAR;
}

DBERT_STEP(dbert_step_unicode, unicode_one)

/* StripAccents: marks of any kind are dropped. */
static inline DbertNext
strip_accents_one(DbertLink *l)
{
	DbertChar	ch;
	DbertNext	next = dbert_step_peek(l, 0, &ch);

	if (next != DBERT_NEXT_CHAR)
		return next;
	dbert_step_take(l, 1);
	return dbert_char_is_combining(ch.cp) ? DBERT_NEXT_CHAR : dbert_step_put(l, ch);
}

DBERT_STEP(dbert_step_strip_accents, strip_accents_one)
