/* base64.c -- see base64.h. */
#include "model/base64.h"

static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

DbertStatus
dbert_base64_read(const char *text, size_t len, const char *what, DbertArena *arena,
				  uint8_t **bytes, size_t *size, DbertError *err)
{
	size_t		padding = 0;
	uint32_t	bits = 0;

	while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
		padding++;
	if (len % 4 != 0)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: %zu characters are no base64", what, len);
	*size = len / 4 * 3 - padding;
	*bytes = dbert_arena_alloc(arena, len / 4 * 3 + 1, 1);
	if (*bytes == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	for (size_t i = 0; i < len; i++)
	{
		int			value = i < len - padding ? value_of(text[i]) : 0;

		if (value < 0)
			return dbert_fail(err, DBERT_E_FORMAT, "%s: character %zu is no base64", what, i);
		bits = bits << 6 | (uint32_t) value;
		if (i % 4 != 3)
			continue;
		(*bytes)[i / 4 * 3] = (uint8_t) (bits >> 16);
		(*bytes)[i / 4 * 3 + 1] = (uint8_t) (bits >> 8);
		(*bytes)[i / 4 * 3 + 2] = (uint8_t) bits;
	}
	return DBERT_OK;
}
