/*
 * tokbytes.c -- tokens that stand for a byte, "<0xE2>": what SentencePiece's
 * models have for characters that are in no piece.
 */
#include "text/tokenkind.h"
#include "text/utf8.h"

#include <string.h>

#define TOKEN_BYTES 6			/* of "<0xE2>" */

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
dbert_tok_byte_of(const char *token, size_t len)
{
	if (len != TOKEN_BYTES || memcmp(token, "<0x", 3) != 0 || token[5] != '>' ||
		hex_value(token[3]) < 0 || hex_value(token[4]) < 0)
		return -1;
	return hex_value(token[3]) << 4 | hex_value(token[4]);
}

bool
dbert_tok_find_bytes(const DbertTokCompiler *c, int32_t ids[256])
{
	static const char hex[] = "0123456789ABCDEF";
	bool		all = true;

	for (int b = 0; b < 256; b++)
	{
		char		name[] = {'<', '0', 'x', hex[b >> 4], hex[b & 15], '>'};
		int32_t		node = dbert_trie_find(c->trie.units, c->head.words, name, sizeof(name));

		ids[b] = node >= 0 ? c->trie.units[node].value : -1;
		all = all && ids[b] >= 0;
	}
	return all;
}

void
dbert_decode_bytes(DbertDecoding *d)
{
	const uint8_t *end = (const uint8_t *) d->text + d->len,
			   *p = end - d->bytes;
	size_t		n = d->bytes;
	uint32_t	cp;
	int			len;

	d->bytes = 0;
	for (; p < end; p += len)
		if ((len = dbert_utf8_decode(p, end, &cp)) == 0)
			break;
	if (p == end)
		return;
	d->len -= n;
	for (size_t i = 0; i < n; i++, d->len += 3)
		memcpy(d->text + d->len, "\xef\xbf\xbd", 3);
}
