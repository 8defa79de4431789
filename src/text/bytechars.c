/* bytechars.c -- see bytechars.h. */
#include "text/bytechars.h"

#include "text/utf8.h"

/* Is the character a byte that stands for itself? */
static bool
is_seen(uint32_t cp)
{
	return (cp >= 0x21 && cp <= 0x7e) || (cp >= 0xa1 && cp <= 0xac) || (cp >= 0xae && cp <= 0xff);
}

/* The bytes that do not, in order: 00 .. 20, 7f .. a0, ad. */
static uint32_t
unseen_number(uint8_t byte)
{
	return byte <= 0x20 ? byte : byte <= 0xa0 ? 0x21u + byte - 0x7f : 0x43u;
}

uint32_t
dbert_byte_char(uint8_t byte)
{
	return is_seen(byte) ? byte : 0x100 + unseen_number(byte);
}

static bool
read_char(uint32_t cp, uint8_t *byte)
{
	if (is_seen(cp))
		*byte = (uint8_t) cp;
	else if (cp >= 0x100 && cp <= 0x120)
		*byte = (uint8_t) (cp - 0x100);
	else if (cp >= 0x121 && cp <= 0x142)
		*byte = (uint8_t) (cp - 0x121 + 0x7f);
	else if (cp == 0x143)
		*byte = 0xad;
	else
		return false;
	return true;
}

bool
dbert_byte_chars_read(const char *text, size_t len, uint8_t *bytes, size_t *n)
{
	const uint8_t *p = (const uint8_t *) text;
	const uint8_t *end = p + len;
	uint32_t	cp;

	*n = 0;
	for (int chars; p < end; p += chars)
	{
		chars = dbert_utf8_decode(p, end, &cp);
		if (chars == 0 || !read_char(cp, &bytes[*n]))
			return false;
		(*n)++;
	}
	return true;
}
