/* textspaces.c -- see textspaces.h. */
#include "task/textspaces.h"

#include "text/chartype.h"
#include "text/utf8.h"

static bool
is_space(uint32_t cp)
{
	return dbert_char_is_space(cp) || (cp >= 0x1c && cp <= 0x1f);
}

bool
dbert_next_word(const char *text, size_t len, size_t *start, size_t *end)
{
	const uint8_t *bytes = (const uint8_t *) text;
	size_t		at = *end;
	bool		inside = false;

	while (at < len)
	{
		uint32_t	cp = 0;
		int			n = dbert_utf8_decode(bytes + at, bytes + len, &cp);
		bool		space = n > 0 && is_space(cp);

		if (space && inside)
			break;
		if (!space && !inside)
			*start = at;
		inside |= !space;
		at += n > 0 ? (size_t) n : 1;
	}
	*end = at;
	return inside;
}

size_t
dbert_without_last_spaces(const char *text, size_t len)
{
	const uint8_t *bytes = (const uint8_t *) text;

	while (len > 0)
	{
		uint32_t	cp = 0;
		int			n = dbert_utf8_decode_before(bytes, bytes + len, &cp);

		if (n == 0 || !is_space(cp))
			break;
		len -= (size_t) n;
	}
	return len;
}
