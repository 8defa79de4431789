/*
 * decode.c -- from tokens back to a text, as the decoder of the tokenizer's
 * kind makes it of them.
 */
#include "text/tokenkind.h"
#include "text/utf8.h"

#include <string.h>

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

/* Bytes of p that are, or begin, a character; *whole tells which. */
static int
character_at(const uint8_t *p, const uint8_t *end, bool *whole)
{
	uint32_t	cp;
	int			len = dbert_utf8_decode(p, end, &cp);
	uint8_t		ahead[4] = {p[0], 0x80, 0x80, 0x80};

	*whole = len > 0;
	if (len > 0)
		return len;
	/* the longest beginning that some bytes would make a character */
	for (len = 1; len < 3 && p + len < end && dbert_utf8_is_tail(p[len]); len++)
	{
		ahead[len] = p[len];
		if (len == 1 && (p[0] == 0xe0 || p[0] == 0xf0) && p[1] < (p[0] == 0xe0 ? 0xa0 : 0x90))
			break;
		if (dbert_utf8_decode(ahead, ahead + 4, &cp) <= len)
			break;
	}
	return len;
}

/*
 * Make the text valid UTF-8: what is none becomes U+FFFD, as Rust's
 * from_utf8_lossy does it.
 */
static DbertStatus
replace_broken(DbertDecoding *d, const DbertAllocator *alloc, DbertError *err)
{
	const uint8_t *end = (const uint8_t *) d->text + d->len;
	bool		whole = true;
	char	   *out;
	size_t		n = 0;

	for (const uint8_t *p = (const uint8_t *) d->text; p < end && whole;)
		p += character_at(p, end, &whole);
	if (whole)
		return DBERT_OK;
	out = dbert_alloc_array(alloc, d->len, 3);
	if (out == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	for (const uint8_t *p = (const uint8_t *) d->text; p < end;)
	{
		int			len = character_at(p, end, &whole);

		memcpy(out + n, whole ? (const char *) p : "\xef\xbf\xbd", whole ? (size_t) len : 3);
		n += whole ? (size_t) len : 3;
		p += len;
	}
	dbert_free(alloc, d->text);
	d->text = out;
	d->len = n;
	return DBERT_OK;
}

DbertStatus
dbert_decode(const DbertTokenizer *t, const int32_t *ids, size_t n, bool skip_special,
			 const DbertAllocator *alloc, char **text, size_t *len, DbertError *err)
{
	DbertDecoding d = {.image = t->image, .first = true};
	const DbertTokenKind *kind = dbert_token_kind(d.image->kind);
	size_t		room = 0,
				token_len;
	DbertStatus status;

	*text = NULL;
	*len = 0;
	for (size_t i = 0; i < n; i++)
	{
		(void) dbert_token_text(t, ids[i], &token_len);
		if (!dbert_add_size(room, 4 * token_len + 1, &room))
			return dbert_fail(err, DBERT_E_LIMIT, "text of %zu tokens is too long", n);
	}
	d.text = dbert_alloc(alloc, room);
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
	if (kind->end != NULL)
		kind->end(&d);
	status = replace_broken(&d, alloc, err);
	if (status != DBERT_OK)
	{
		dbert_free(alloc, d.text);
		return status;
	}
	*text = d.text;
	*len = d.len;
	return DBERT_OK;
}
