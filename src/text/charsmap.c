/*
 * charsmap.c -- see charsmap.h.
 *
 * The way to use a map is that of Hugging Face's tokenizers, not that of
 * SentencePiece: a text is cut into extended grapheme clusters (UAX 29).  A
 * cluster of fewer than six bytes is looked up, and the shortest key that
 * begins it decides: its replacement stands for the whole cluster.  Otherwise
 * each character is looked up in the same way, and stays where there is no key.
 *
 * SentencePiece's own way is a step of its own: at each place the longest key
 * that begins there is replaced.
 *
 * Places.  Of a replacement of n characters by m, the first min(n, m) have the
 * places of their originals, further ones that of the last original.  What is
 * removed leaves no trace, with two exceptions that follow from that library's
 * way of counting: an inserted character takes the place of what is removed
 * behind it; and after characters that are removed at the very beginning of a
 * piece, all its characters take the place of the one so many before.
 */
#include "text/charsmap.h"

#include "base/bytes.h"
#include "text/steps.h"
#include "text/utf8.h"

#include <string.h>
#include <utf8proc.h>

/* ---- the map ---- */

/* A cluster of so many bytes is looked up character by character. */
#define CLUSTER_BYTES 6

#define UNIT_IS_LEAF	0x80000000u
#define UNIT_HAS_LEAF	0x100u

static inline uint32_t
unit_at(const DbertCharsmap *map, uint32_t i)
{
	return dbert_load_u32(map->units + (size_t) 4 * i);
}

static inline uint32_t
unit_offset(uint32_t unit)
{
	return unit >> 10 << ((unit & 0x200) >> 6);
}

/* A replacement begins at text + at, and is not too long. */
static bool
is_text(const DbertCharsmap *map, uint32_t at)
{
	size_t		room = map->texts_size - at;

	if (at >= map->texts_size || dbert_utf8_is_tail(map->texts[at]))
		return false;
	return memchr(map->texts + at, '\0',
				  room < DBERT_CHARSMAP_TEXT_MAX ? room : DBERT_CHARSMAP_TEXT_MAX) != NULL;
}

static DbertStatus
check_texts(const DbertCharsmap *map, DbertError *err)
{
	const uint8_t *p = map->texts,
			   *end = p + map->texts_size;
	uint32_t	cp;
	int			len;

	for (; p < end; p += len)
		if ((len = dbert_utf8_decode(p, end, &cp)) == 0)
			return dbert_fail(err, DBERT_E_FORMAT,
							  "the character map's replacements are not valid UTF-8 at byte %zu",
							  (size_t) (p - map->texts));
	return DBERT_OK;
}

static DbertStatus
check_units(const DbertCharsmap *map, DbertError *err)
{
	for (uint32_t i = 0; i < map->n_units; i++)
	{
		uint32_t	unit = unit_at(map, i);
		uint32_t	base = i ^ unit_offset(unit);

		/* unit 0 is the root, whatever it says */
		if ((unit & UNIT_IS_LEAF) && i > 0)
			continue;
		if ((base | 255) >= map->n_units)
			return dbert_fail(err, DBERT_E_FORMAT,
							  "unit %u of the character map's trie points outside its %u units",
							  (unsigned) i, (unsigned) map->n_units);
		if ((unit & UNIT_HAS_LEAF) && !is_text(map, unit_at(map, base) & ~UNIT_IS_LEAF))
			return dbert_fail(err, DBERT_E_FORMAT,
							  "unit %u of the character map's trie names no replacement",
							  (unsigned) i);
	}
	return DBERT_OK;
}

DbertStatus
dbert_charsmap_open(const void *bytes, size_t size, DbertCharsmap *map, DbertError *err)
{
	const uint8_t *p = bytes;
	uint32_t	trie;

	if (size < 4)
		return dbert_fail(err, DBERT_E_FORMAT, "the character map has %zu bytes", size);
	trie = dbert_load_u32(p);
	if (size - 4 > INT32_MAX || trie > size - 4 || trie % 1024 != 0 || trie == 0)
		return dbert_fail(err, DBERT_E_FORMAT,
						  "the character map has %zu bytes, its trie %u, which must be a multiple "
						  "of 1024", size, (unsigned) trie);
	map->units = p + 4;
	map->n_units = trie / 4;
	map->texts = p + 4 + trie;
	map->texts_size = (uint32_t) (size - 4 - trie);
	DBERT_TRY(check_texts(map, err));
	return check_units(map, err);
}

/* A walk through the trie from its root, byte by byte. */
typedef struct Walk
{
	uint32_t	at;
	const uint8_t *text;		/* of the key that ends here; NULL: none does */
} Walk;

static Walk
begin_walk(const DbertCharsmap *map)
{
	return (Walk) {.at = unit_offset(unit_at(map, 0))};
}

/* false: no key goes on so */
static bool
walk(const DbertCharsmap *map, Walk *w, uint8_t byte)
{
	uint32_t	unit = unit_at(map, w->at ^= byte);

	w->text = NULL;
	if (byte == 0 || (unit & (UNIT_IS_LEAF | 255)) != byte)
		return false;
	w->at ^= unit_offset(unit);
	if (unit & UNIT_HAS_LEAF)
		w->text = map->texts + (unit_at(map, w->at) & ~UNIT_IS_LEAF);
	return true;
}

const uint8_t *
dbert_charsmap_find(const DbertCharsmap *map, const uint8_t *key, size_t len)
{
	Walk		w = begin_walk(map);

	for (size_t i = 0; i < len && walk(map, &w, key[i]);)
	{
		if (w.text != NULL)
			return w.text;
		i++;
	}
	return NULL;
}

/* ---- the step ---- */

/* What a DbertLink keeps of a piece. */
typedef struct Mapping
{
	DbertChar	held;			/* put next: its place may yet change */
	DbertChar	placed;			/* the place given last */
	int32_t		break_state;	/* libutf8proc's */
	uint32_t	lag,			/* places that are behind: a ring in the link's room */
				lag_next;
	bool		any;			/* held is there */
	bool		inserted;		/* held has no source character of its own */
	uint32_t	inside;			/* characters not taken yet that are in a cluster's middle, */
	bool		open;			/* and it may go on behind them */
} Mapping;

_Static_assert(sizeof(Mapping) <= sizeof(((DbertLink *) NULL)->state), "room for a Mapping");

static inline Mapping *
mapping_of(DbertLink *l)
{
	return (Mapping *) l->state;
}

static inline DbertCharsmap
map_of(const DbertLink *l)
{
	const uint8_t *bytes = dbert_step_text(l->step, l->chain->data);
	uint32_t	trie = dbert_load_u32(bytes);

	return (DbertCharsmap) {bytes + 4, trie / 4, bytes + 4 + trie, l->step->len - 4 - trie};
}

/* ---- clusters ---- */

/*
 * What is younger than libutf8proc 2.8 (Unicode 15.0), for tokenizers 0.23:
 * these join the character before them, ...
 */
static const struct
{
	uint32_t	first,
				last;
}			young_marks[] = {
	{0x1acf, 0x1add}, {0x1ae0, 0x1aeb}, {0x10d69, 0x10d6d}, {0x10efa, 0x10efc},
	{0x113b8, 0x113c0}, {0x113c2, 0x113c2}, {0x113c5, 0x113c5}, {0x113c7, 0x113ca},
	{0x113cc, 0x113d0}, {0x113d2, 0x113d2}, {0x113e1, 0x113e2}, {0x11b60, 0x11b67},
	{0x11f5a, 0x11f5a}, {0x1611e, 0x1612f}, {0x1e5ee, 0x1e5ef}, {0x1e6e3, 0x1e6e3},
	{0x1e6e6, 0x1e6e6}, {0x1e6ee, 0x1e6ef}, {0x1e6f5, 0x1e6f5}
};

/* A character that libutf8proc knows, and that joins as cp does. */
static utf8proc_int32_t
as_known(uint32_t cp)
{
	if (cp == 0x113d1)			/* ... this one the character behind it, ... */
		return 0x600;
	if (cp == 0x11a3a)			/* ... this one no longer, ... */
		return 'a';
	if (cp == 0x2065 || (cp >= 0xfff0 && cp <= 0xfff8)) /* ... these none */
		return 0x1;
	for (size_t i = 0; cp >= 0x1acf && i < sizeof(young_marks) / sizeof(young_marks[0]); i++)
		if (cp <= young_marks[i].last)
			return cp >= young_marks[i].first ? 0x301 : (utf8proc_int32_t) cp;
	return (utf8proc_int32_t) cp;
}

/* No cluster has a border between a and b. */
static bool
joined(Mapping *m, uint32_t a, uint32_t b)
{
	/* below U+0300 nothing joins but CR and LF */
	if (a < 0x300 && b < 0x300)
		return a == '\r' && b == '\n';
	return !utf8proc_grapheme_break_stateful(as_known(a), as_known(b), &m->break_state);
}

/*
 * The next cluster, as far as CLUSTER_BYTES: chars[*n], and in UTF-8 key[*len].
 */
static DbertNext
next_cluster(DbertLink *l, DbertChar *chars, uint32_t *n, uint8_t *key, size_t *len)
{
	Mapping    *m = mapping_of(l);
	DbertChar	ch;
	DbertNext	next = dbert_step_peek(l, 0, &ch);

	m->break_state = 0;
	m->open = (next == DBERT_NEXT_CHAR);
	for (*n = 0, *len = 0; m->open;)
	{
		chars[(*n)++] = ch;
		*len += (size_t) dbert_utf8_encode(ch.cp, key + *len);
		if (*len >= CLUSTER_BYTES)
			break;
		next = dbert_step_peek(l, *n, &ch);
		m->open = next == DBERT_NEXT_CHAR && joined(m, chars[*n - 1].cp, ch.cp);
	}
	return next != DBERT_NEXT_FAILED && *n > 0 ? DBERT_NEXT_CHAR : next;
}

/*
 * The next characters that are replaced together, chars[*n], and by what; NULL:
 * one character, which stays.
 */
static DbertNext
next_part(DbertLink *l, DbertChar *chars, uint32_t *n, const uint8_t **text)
{
	Mapping    *m = mapping_of(l);
	DbertCharsmap map = map_of(l);
	uint8_t		key[2 * CLUSTER_BYTES];
	size_t		len;
	DbertNext	next;

	if (m->inside == 0)
	{
		next = next_cluster(l, chars, n, key, &len);
		if (next != DBERT_NEXT_CHAR)
			return next;
		*text = m->open || len >= CLUSTER_BYTES ? NULL : dbert_charsmap_find(&map, key, len);
		if (*text != NULL || (*n == 1 && !m->open))
			return DBERT_NEXT_CHAR;
		m->inside = *n;
	}
	*n = 1;
	next = dbert_step_peek(l, 0, &chars[0]);
	if (--m->inside == 0 && m->open && next == DBERT_NEXT_CHAR)
	{
		next = dbert_step_peek(l, 1, &chars[1]);
		m->open = next == DBERT_NEXT_CHAR && joined(m, chars[0].cp, chars[1].cp);
		m->inside = m->open;
	}
	len = (size_t) dbert_utf8_encode(chars[0].cp, key);
	*text = dbert_charsmap_find(&map, key, len);
	return next == DBERT_NEXT_FAILED ? next : DBERT_NEXT_CHAR;
}

/* ---- places ---- */

/* The place for a source character: its own, or that of one so many before. */
static DbertChar
place_of(DbertLink *l, DbertChar source)
{
	Mapping    *m = mapping_of(l);
	DbertChar  *ring = l->room;

	m->placed = source;
	if (m->lag > 0)
	{
		m->placed = ring[m->lag_next];
		ring[m->lag_next] = source;
		m->lag_next = (m->lag_next + 1) % m->lag;
	}
	return m->placed;
}

/* chars[n] are removed. */
static DbertNext
remove_chars(DbertLink *l, const DbertChar *chars, uint32_t n)
{
	Mapping    *m = mapping_of(l);

	for (uint32_t i = 0; i < n; i++)
	{
		DbertChar	place;

		if (!m->any)
		{
			if (!dbert_grow(l->chain->alloc, &l->room, &l->room_capacity, m->lag, m->lag + 1,
							sizeof(DbertChar)))
				return dbert_norm_fail(l->chain->norm, DBERT_E_NOMEM, "out of memory");
			((DbertChar *) l->room)[m->lag++] = chars[i];
			continue;
		}
		place = place_of(l, chars[i]);
		if (m->inserted)
		{
			m->held.start = place.start;
			m->held.end = place.end;
			m->inserted = false;
		}
	}
	return DBERT_NEXT_CHAR;
}

/* cp comes out in place of *source; NULL: inserted. */
static DbertNext
hold(DbertLink *l, uint32_t cp, const DbertChar *source)
{
	Mapping    *m = mapping_of(l);

	if (m->any && dbert_step_put(l, m->held) == DBERT_NEXT_FAILED)
		return DBERT_NEXT_FAILED;
	m->any = true;
	m->inserted = (source == NULL);
	m->held = m->inserted ? m->placed : place_of(l, *source);
	m->held.cp = cp;
	return DBERT_NEXT_CHAR;
}

static DbertNext
replace(DbertLink *l, const DbertChar *chars, uint32_t n, const uint8_t *text)
{
	uint32_t	cp = 0,
				done = 0;

	for (; *text != '\0'; done += done < n)
	{
		/* checked as UTF-8, ended by a zero */
		text += dbert_utf8_decode(text, text + 4, &cp);
		if (hold(l, cp, done < n ? &chars[done] : NULL) == DBERT_NEXT_FAILED)
			return DBERT_NEXT_FAILED;
	}
	return remove_chars(l, chars + done, n - done);
}

static inline DbertNext
charsmap_one(DbertLink *l)
{
	Mapping    *m = mapping_of(l);
	DbertChar	chars[CLUSTER_BYTES];
	const uint8_t *text;
	uint32_t	n;
	DbertNext	next = next_part(l, chars, &n, &text);

	if (next == DBERT_NEXT_END && m->any)
	{
		m->any = false;
		return dbert_step_put(l, m->held);
	}
	if (next != DBERT_NEXT_CHAR)
		return next;
	dbert_step_take(l, n);
	return text == NULL ? hold(l, chars[0].cp, &chars[0]) : replace(l, chars, n, text);
}

DBERT_STEP(dbert_step_charsmap, charsmap_one)

/* ---- SentencePiece's own way ---- */

/* No map has a key of more characters. */
#define LONGEST_KEY 32

/*
 * The longest key that begins with the next character: *n, the characters that
 * go, one if there is no such key; *text, what comes instead, or NULL.
 */
static DbertNext
longest_key(DbertLink *l, size_t *n, const uint8_t **text)
{
	DbertCharsmap map = map_of(l);
	Walk		w = begin_walk(&map);
	DbertNext	next = DBERT_NEXT_CHAR;
	bool		goes_on = true;

	*n = 1;
	*text = NULL;
	for (size_t i = 0; goes_on && i < LONGEST_KEY; i++)
	{
		uint8_t		bytes[4];
		DbertChar	ch;
		int			len;

		next = dbert_step_peek(l, i, &ch);
		if (next != DBERT_NEXT_CHAR)
			return next == DBERT_NEXT_END && i > 0 ? DBERT_NEXT_CHAR : next;
		len = dbert_utf8_encode(ch.cp, bytes);
		for (int b = 0; goes_on && b < len; b++)
			goes_on = walk(&map, &w, bytes[b]);
		if (goes_on && w.text != NULL)
		{
			*n = i + 1;
			*text = w.text;
		}
	}
	return next;
}

/* What is put has the place of the first character that goes. */
static inline DbertNext
longest_map_one(DbertLink *l)
{
	const uint8_t *text;
	size_t		n;
	DbertChar	first = {0};
	DbertNext	next = longest_key(l, &n, &text);

	if (next != DBERT_NEXT_CHAR)
		return next;
	(void) dbert_step_peek(l, 0, &first);
	dbert_step_take(l, n);
	if (text == NULL)
		return dbert_step_put(l, first);
	while (*text != '\0')
	{
		text += dbert_utf8_decode(text, text + 4, &first.cp);
		if (dbert_step_put(l, first) == DBERT_NEXT_FAILED)
			return DBERT_NEXT_FAILED;
	}
	return DBERT_NEXT_CHAR;
}

DBERT_STEP(dbert_step_longest_map, longest_map_one)

bool
dbert_step_charsmap_valid(const DbertImageStep *step, const void *data)
{
	DbertCharsmap map;

	return dbert_charsmap_open(dbert_step_text(step, data), step->len, &map, NULL) == DBERT_OK;
}
