/*
 * marks.c -- combining marks that belong to the character before them.
 *
 * A tokenizer that strips accents ends a token before the marks that follow
 * its last letter, so that "Jose" and U+0301 has an entity of four characters.
 */
#include "task/marks.h"

#include "text/chartype.h"
#include "text/utf8.h"

size_t
dbert_leading_marks(const char *text, size_t len)
{
	const uint8_t *begin = (const uint8_t *) text;
	const uint8_t *end = begin + len;
	const uint8_t *p = begin;
	uint32_t	cp;

	while (p < end)
	{
		int			bytes = dbert_utf8_decode(p, end, &cp);

		if (bytes == 0 || !dbert_char_is_mark(cp))
			break;
		p += bytes;
	}
	return p - begin;
}
