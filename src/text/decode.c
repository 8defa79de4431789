/*
 * decode.c -- from tokens back to a text.
 *
 * What Hugging Face's WordPiece decoder makes of them: words with one space
 * between, pieces joined to what stands before them, and no space before some
 * marks and English endings.  The first token is left as it is, even a piece.
 */
#include "text/tokimage.h"

#include <string.h>

/* Tokens that begin like this take no space before them. */
static const char *const clinging[] = {".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"};

static bool
begins_with(const char *token, size_t len, const char *with)
{
	size_t		n = strlen(with);

	return len >= n && memcmp(token, with, n) == 0;
}

static bool
clings(const char *token, size_t len)
{
	for (size_t i = 0; i < sizeof(clinging) / sizeof(clinging[0]); i++)
		if (begins_with(token, len, clinging[i]))
			return true;
	return false;
}

static bool
is_special(const DbertTokImage *image, int32_t id)
{
	const DbertImageAdded *added = dbert_image_added(image);

	for (int32_t i = 0; i < image->n_added; i++)
		if (added[i].id == id && added[i].special)
			return true;
	return false;
}

/* Append one token to out[*n]; out has room. */
static void
put_token(char *out, size_t *n, const char *token, size_t len, bool first)
{
	/* the prefix of pieces is not in the image, BERT's is this */
	if (!first && begins_with(token, len, "##"))
	{
		token += 2;
		len -= 2;
	}
	else if (!first && !clings(token, len))
		out[(*n)++] = ' ';
	memcpy(out + *n, token, len);
	*n += len;
}

DbertStatus
dbert_decode(const DbertTokenizer *t, const int32_t *ids, size_t n, bool skip_special,
			 const DbertAllocator *alloc, char **text, size_t *len, DbertError *err)
{
	size_t		room = 0,
				token_len;
	bool		first = true;

	for (size_t i = 0; i < n; i++)
	{
		token_len = 0;
		(void) dbert_token_text(t, ids[i], &token_len);
		if (!dbert_add_size(room, token_len + 1, &room))
			return dbert_fail(err, DBERT_E_LIMIT, "text of %zu tokens is too long", n);
	}
	*text = dbert_alloc(alloc, room);
	*len = 0;
	if (*text == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
	{
		const char *token = dbert_token_text(t, ids[i], &token_len);

		if (token == NULL || (skip_special && is_special(t->image, ids[i])))
			continue;
		put_token(*text, len, token, token_len, first);
		first = false;
	}
	return DBERT_OK;
}
