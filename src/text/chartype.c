/*
 * chartype.c -- see chartype.h.
 *
 * Categories are looked up by binary search in generated tables of ranges;
 * the hot paths ask only beyond ASCII.  Decompositions, combining classes and
 * lower case come from libutf8proc, except where its Unicode is younger or
 * older than the one Hugging Face's tokenizers has for that step.
 */
#include "text/chartype.h"

#include <stddef.h>
#include <utf8proc.h>

typedef struct CharRange
{
	uint32_t	first,
				last;
} CharRange;

#include "text/chartable.h"
#include "text/classtable.h"

#define LENGTH(table) (sizeof(table) / sizeof((table)[0]))
#define IN_TABLE(cp, table) in_ranges(cp, table, LENGTH(table))

static bool
in_ranges(uint32_t cp, const CharRange *table, size_t n)
{
	size_t		lo = 0;

	while (n > 0)
	{
		size_t		half = n / 2;

		if (table[lo + half].last < cp)
		{
			lo += half + 1;
			n -= half + 1;
		}
		else if (table[lo + half].first > cp)
			n = half;
		else
			return true;
	}
	return false;
}

bool
dbert_char_is_space(uint32_t cp)
{
	if (cp < 0x80)
		return cp == ' ' || (cp >= '\t' && cp <= '\r');
	return cp == 0x85 || cp == 0xa0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) ||
		cp == 0x2028 || cp == 0x2029 || cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

bool
dbert_char_is_punct(uint32_t cp)
{
	if (cp < 0x80)
		return (cp >= '!' && cp <= '/') || (cp >= ':' && cp <= '@') ||
			(cp >= '[' && cp <= '`') || (cp >= '{' && cp <= '~');
	return IN_TABLE(cp, punct_table);
}

bool
dbert_char_is_removed(uint32_t cp)
{
	if (cp < 0x80)
		return (cp < ' ' && cp != '\t' && cp != '\n' && cp != '\r') || cp == 0x7f;
	return IN_TABLE(cp, removed_table);
}

bool
dbert_char_is_mark(uint32_t cp)
{
	return cp >= 0x300 && IN_TABLE(cp, mark_table);
}

bool
dbert_char_is_cjk(uint32_t cp)
{
	if (cp < 0x3400)
		return false;
	return cp <= 0x4dbf || (cp >= 0x4e00 && cp <= 0x9fff) || (cp >= 0xf900 && cp <= 0xfaff) ||
		(cp >= 0x20000 && cp <= 0x2a6df) || (cp >= 0x2a700 && cp <= 0x2b81f) ||
		(cp >= 0x2b920 && cp <= 0x2ceaf) || (cp >= 0x2f800 && cp <= 0x2fa1f);
}

bool
dbert_char_is_word(uint32_t cp)
{
	switch (utf8proc_category((utf8proc_int32_t) cp))
	{
		case UTF8PROC_CATEGORY_LU:
		case UTF8PROC_CATEGORY_LL:
		case UTF8PROC_CATEGORY_LT:
		case UTF8PROC_CATEGORY_LM:
		case UTF8PROC_CATEGORY_LO:
		case UTF8PROC_CATEGORY_MN:
		case UTF8PROC_CATEGORY_MC:
		case UTF8PROC_CATEGORY_ME:
		case UTF8PROC_CATEGORY_ND:
		case UTF8PROC_CATEGORY_NL:
		case UTF8PROC_CATEGORY_PC:
			return true;
		default:
			/* the joiners, and symbols with the property Other_Alphabetic */
			return cp == 0x200c || cp == 0x200d || (cp >= 0x24b6 && cp <= 0x24e9) ||
				(cp >= 0x1f130 && cp <= 0x1f149) || (cp >= 0x1f150 && cp <= 0x1f169) ||
				(cp >= 0x1f170 && cp <= 0x1f189) || IN_TABLE(cp, word_table);
	}
}

DbertCharClass
dbert_char_class(uint32_t cp)
{
	const uint8_t *block;

	if (cp >= CLASS_END)
		return DBERT_CLASS_OTHER;
	block = class_blocks + class_index[cp / CLASS_BLOCK] * (CLASS_BLOCK / 4);
	return (DbertCharClass) (block[cp % CLASS_BLOCK / 4] >> cp % 4 * 2 & 3);
}

bool
dbert_char_is_number(uint32_t cp)
{
	return dbert_char_class(cp) == DBERT_CLASS_NUMBER || (cp >= 0x11de0 && cp <= 0x11de9) ||
		(cp >= 0x16ff4 && cp <= 0x16ff6);
}

int
dbert_char_combining_class(uint32_t cp)
{
	if (cp < 0x300 || IN_TABLE(cp, unordered_table))
		return 0;
	return utf8proc_get_property((utf8proc_int32_t) cp)->combining_class;
}

int
dbert_char_decompose(uint32_t cp, uint32_t out[DBERT_MAX_DECOMPOSED])
{
	utf8proc_int32_t buf[DBERT_MAX_DECOMPOSED];
	int			boundclass = 0;
	utf8proc_ssize_t n = 1;

	out[0] = cp;
	if (cp < 0xc0 || IN_TABLE(cp, unordered_table))
		return 1;
	n = utf8proc_decompose_char((utf8proc_int32_t) cp, buf, DBERT_MAX_DECOMPOSED,
								UTF8PROC_DECOMPOSE, &boundclass);
	if (n < 1 || n > DBERT_MAX_DECOMPOSED)
		return 1;
	for (int i = 0; i < n; i++)
		out[i] = (uint32_t) buf[i];
	return (int) n;
}

int
dbert_char_decompose_compat(uint32_t cp, uint32_t out[DBERT_MAX_COMPAT])
{
	utf8proc_int32_t buf[DBERT_MAX_COMPAT];
	int			boundclass = 0;
	utf8proc_ssize_t n;

	out[0] = cp;
	if (cp < 0xa0 || IN_TABLE(cp, unordered_table) || IN_TABLE(cp, plain_table))
		return 1;
	n = utf8proc_decompose_char((utf8proc_int32_t) cp, buf, DBERT_MAX_COMPAT,
								UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &boundclass);
	if (n < 1 || n > DBERT_MAX_COMPAT)
		return 1;
	for (int i = 0; i < n; i++)
		out[i] = (uint32_t) buf[i];
	return (int) n;
}

uint32_t
dbert_char_compose(uint32_t a, uint32_t b)
{
	utf8proc_int32_t pair[2] = {(utf8proc_int32_t) a, (utf8proc_int32_t) b};

	/* the second characters of compositions are all above */
	if (b < 0x300 || utf8proc_normalize_utf32(pair, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE) != 1)
		return 0;
	return IN_TABLE((uint32_t) pair[0], unordered_table) ? 0 : (uint32_t) pair[0];
}

bool
dbert_char_is_combining(uint32_t cp)
{
	return cp >= 0x300 && IN_TABLE(cp, combining_table);
}

/* Capitals that libutf8proc 2.8 (Unicode 15.0) does not know. */
static const struct
{
	uint32_t	first,
				last,
				lower;			/* of first */
}			young_capitals[] = {
	{0x1c89, 0x1c89, 0x1c8a}, {0xa7cb, 0xa7cb, 0x264}, {0xa7cc, 0xa7cc, 0xa7cd},
	{0xa7ce, 0xa7ce, 0xa7cf}, {0xa7d2, 0xa7d2, 0xa7d3}, {0xa7d4, 0xa7d4, 0xa7d5},
	{0xa7da, 0xa7da, 0xa7db}, {0xa7dc, 0xa7dc, 0x19b}, {0x10d50, 0x10d65, 0x10d70},
	{0x16ea0, 0x16eb8, 0x16ebb}
};

int
dbert_char_lower(uint32_t cp, uint32_t out[2])
{
	if (cp < 0x80)
	{
		out[0] = cp >= 'A' && cp <= 'Z' ? cp | 0x20 : cp;
		return 1;
	}
	if (cp == 0x130)			/* the only full mapping that differs from the simple one */
	{
		out[0] = 'i';
		out[1] = 0x307;
		return 2;
	}
	out[0] = (uint32_t) utf8proc_tolower((utf8proc_int32_t) cp);
	if (out[0] == cp && cp >= 0x1c89)
		for (size_t i = 0; i < LENGTH(young_capitals); i++)
			if (cp >= young_capitals[i].first && cp <= young_capitals[i].last)
				out[0] = cp - young_capitals[i].first + young_capitals[i].lower;
	return 1;
}
