/*
 * utf8.h -- one code point at a time, strictly (RFC 3629, Unicode table 3-7):
 * no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef DBERT_TEXT_UTF8_H
#define DBERT_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool
dbert_utf8_is_tail(uint8_t b)
{
	return (b & 0xc0) == 0x80;
}

/* Characters of a text, its bytes that are no tails. */
static inline int32_t
dbert_utf8_count(const char *text, size_t len)
{
	int32_t		n = 0;

	for (size_t i = 0; i < len; i++)
		n += !dbert_utf8_is_tail((uint8_t) text[i]);
	return n;
}

/* A place in a text, and how many characters stand before it. */
typedef struct DbertTextPlace
{
	const uint8_t *begin,
			   *end,
			   *at;
	int32_t		chars;
} DbertTextPlace;

static inline DbertTextPlace
dbert_text_begin(const char *text, size_t len)
{
	const uint8_t *begin = (const uint8_t *) text;

	return (DbertTextPlace) {begin, begin + len, begin, 0};
}

/* Go to the character of that number, or to the text's end. */
static inline const uint8_t *
dbert_text_go(DbertTextPlace *p, int32_t target)
{
	for (; p->chars < target && p->at < p->end; p->chars++)
		do
			p->at++;
		while (p->at < p->end && dbert_utf8_is_tail(*p->at));
	for (; p->chars > target && p->at > p->begin; p->chars--)
		do
			p->at--;
		while (p->at > p->begin && dbert_utf8_is_tail(*p->at));
	return p->at;
}

/* Reads the code point at p < end; its length in bytes, 0 if there is none. */
static inline int
dbert_utf8_decode(const uint8_t *p, const uint8_t *end, uint32_t *cp)
{
	uint32_t	b = p[0];
	ptrdiff_t	room = end - p;

	if (b < 0x80)
	{
		*cp = b;
		return 1;
	}
	if (b < 0xc2 || b > 0xf4 || room < 2 || !dbert_utf8_is_tail(p[1]))
		return 0;
	if (b < 0xe0)
	{
		*cp = (b & 0x1f) << 6 | (p[1] & 0x3f);
		return 2;
	}
	if (room < 3 || !dbert_utf8_is_tail(p[2]))
		return 0;
	if (b < 0xf0)
	{
		*cp = (b & 0x0f) << 12 | (uint32_t) (p[1] & 0x3f) << 6 | (p[2] & 0x3f);
		return *cp >= 0x800 && (*cp < 0xd800 || *cp > 0xdfff) ? 3 : 0;
	}
	if (room < 4 || !dbert_utf8_is_tail(p[3]))
		return 0;
	*cp = (b & 0x07) << 18 | (uint32_t) (p[1] & 0x3f) << 12 | (uint32_t) (p[2] & 0x3f) << 6 |
		  (p[3] & 0x3f);
	return *cp >= 0x10000 && *cp <= 0x10ffff ? 4 : 0;
}

/*
 * Reads the code point that ends at p > start; its length, 0 if there is none.
 */
static inline int
dbert_utf8_decode_before(const uint8_t *start, const uint8_t *p, uint32_t *cp)
{
	const uint8_t *q = p - 1;

	while (q > start && p - q < 4 && dbert_utf8_is_tail(*q))
		q--;
	return dbert_utf8_decode(q, p, cp) == p - q ? (int) (p - q) : 0;
}

/* How many bytes a valid code point takes. */
static inline int
dbert_utf8_length(uint32_t cp)
{
	return 1 + (cp >= 0x80) + (cp >= 0x800) + (cp >= 0x10000);
}

/* Writes a valid code point to out[4]; its length. */
static inline int
dbert_utf8_encode(uint32_t cp, uint8_t *out)
{
	if (cp < 0x80)
	{
		out[0] = (uint8_t) cp;
		return 1;
	}
	if (cp < 0x800)
	{
		out[0] = (uint8_t) (0xc0 | cp >> 6);
		out[1] = (uint8_t) (0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000)
	{
		out[0] = (uint8_t) (0xe0 | cp >> 12);
		out[1] = (uint8_t) (0x80 | (cp >> 6 & 0x3f));
		out[2] = (uint8_t) (0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (uint8_t) (0xf0 | cp >> 18);
	out[1] = (uint8_t) (0x80 | (cp >> 12 & 0x3f));
	out[2] = (uint8_t) (0x80 | (cp >> 6 & 0x3f));
	out[3] = (uint8_t) (0x80 | (cp & 0x3f));
	return 4;
}

#endif
