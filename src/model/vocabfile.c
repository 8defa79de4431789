/*
 * vocabfile.c -- vocab.txt: one token a line, the line's number is its id.
 *
 * As tokenizers' WordPiece reads it: lines end in \n or \r\n, white space at
 * their end is no part of the token, and of equal lines the last one counts.
 */
#include "model/tokenspec.h"

#include <string.h>

/*
 * Length of a line without the white space (Unicode's White_Space) at its end.
 * A character is looked at from its last byte backwards.
 */
static size_t
trimmed(const unsigned char *s, size_t n)
{
	for (;;)
	{
		unsigned char last = n > 0 ? s[n - 1] : 0;

		if (last == ' ' || (last >= '\t' && last <= '\r'))
			n -= 1;
		else if (n >= 2 && s[n - 2] == 0xc2 && (last == 0x85 || last == 0xa0))
			n -= 2;				/* U+0085, U+00A0 */
		else if (n >= 3 && s[n - 3] == 0xe1 && s[n - 2] == 0x9a && last == 0x80)
			n -= 3;				/* U+1680 */
		else if (n >= 3 && s[n - 3] == 0xe2 && s[n - 2] == 0x80 &&
				 ((last >= 0x80 && last <= 0x8a) || last == 0xa8 || last == 0xa9 || last == 0xaf))
			n -= 3;				/* U+2000 to U+200A, U+2028, U+2029, U+202F */
		else if (n >= 3 && s[n - 3] == 0xe2 && s[n - 2] == 0x81 && last == 0x9f)
			n -= 3;				/* U+205F */
		else if (n >= 3 && s[n - 3] == 0xe3 && s[n - 2] == 0x80 && last == 0x80)
			n -= 3;				/* U+3000 */
		else
			return n;
	}
}

DbertStatus
dbert_vocab_file_read(char *text, size_t len, DbertTokenSpec *t, DbertError *err)
{
	char	   *end = text + len;
	int64_t		id = 0;

	if (memchr(text, '\0', len) != NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: holds a zero byte", t->file);
	for (char *line = text; line < end; id++)
	{
		char	   *stop = memchr(line, '\n', (size_t) (end - line));
		size_t		n;

		if (stop == NULL)
			stop = end;
		n = trimmed((const unsigned char *) line, (size_t) (stop - line));
		line[n] = '\0';			/* the text has a byte after its end */
		if (n > 0)
			DBERT_TRY(dbert_token_spec_put(t, id, line, n, err));
		line = stop + 1;
	}
	if (t->spec.n_tokens == 0)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: holds no token", t->file);
	return dbert_token_spec_index(t, err);
}
