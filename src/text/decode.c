/*
 * decode.c -- from tokens back to a text, as the decoder of the tokenizer's
 * kind makes it of them.
 */
#include "text/tokenkind.h"

static bool
is_added(const DbertTokImage *image, int32_t id, bool *special)
{
	const DbertImageAdded *added = dbert_image_added(image);

	for (int32_t i = 0; i < image->n_added; i++)
		if (added[i].id == id)
		{
			*special = added[i].special;
			return true;
		}
	*special = false;
	return false;
}

DbertStatus
dbert_decode(const DbertTokenizer *t, const int32_t *ids, size_t n, bool skip_special,
			 const DbertAllocator *alloc, char **text, size_t *len, DbertError *err)
{
	DbertDecoding d = {.image = t->image, .first = true};
	const DbertTokenKind *kind = dbert_token_kind(d.image->kind);
	size_t		room = 0,
				token_len;

	*text = NULL;
	*len = 0;
	for (size_t i = 0; i < n; i++)
	{
		(void) dbert_token_text(t, ids[i], &token_len);
		if (!dbert_add_size(room, 4 * token_len + 1, &room))
			return dbert_fail(err, DBERT_E_LIMIT, "text of %zu tokens is too long", n);
	}
	*text = d.text = dbert_alloc(alloc, room);
	if (d.text == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
	{
		const char *token = dbert_token_text(t, ids[i], &token_len);
		bool		special,
					added = is_added(d.image, ids[i], &special);

		if (token == NULL || (skip_special && special))
			continue;
		kind->put(&d, token, token_len, added);
		d.first = false;
	}
	*len = d.len;
	return DBERT_OK;
}
