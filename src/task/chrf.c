/* chrf.c -- see chrf.h. */
#include "task/chrf.h"

#include "task/textspaces.h"
#include "text/utf8.h"

/* Recall counts so many times as much as precision, squared. */
#define WEIGHT_OF_RECALL 4

#define CHARACTERS_PER_POLL 65536

/* The characters of a text that are no white space, into room for len. */
static DbertStatus
read_characters(const char *text, size_t len, uint32_t *characters, size_t *n,
				const DbertPoll *poll, DbertError *err)
{
	size_t		start,
				end = 0;

	*n = 0;
	while (dbert_next_word(text, len, &start, &end))
	{
		const uint8_t *p = (const uint8_t *) text + start,
				   *stop = (const uint8_t *) text + end;

		while (p < stop)
		{
			int			bytes = dbert_utf8_decode(p, stop, &characters[*n]);

			if (bytes == 0)
				return dbert_fail(err, DBERT_E_ENCODING, "text is not valid UTF-8");
			p += bytes;
			if (++*n % CHARACTERS_PER_POLL == 0 && dbert_stopped(poll))
				return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
		}
	}
	return DBERT_OK;
}

/* Both texts' characters, one text's behind the other's, into room. */
static DbertStatus
count_characters(DbertNgrams *counts, const char *said, size_t said_len, const char *reference,
				 size_t reference_len, uint32_t *room, const DbertAllocator *alloc,
				 const DbertPoll *poll, DbertError *err)
{
	size_t		n_said,
				n_reference;

	DBERT_TRY(read_characters(said, said_len, room, &n_said, poll, err));
	DBERT_TRY(read_characters(reference, reference_len, room + n_said, &n_reference, poll, err));
	return dbert_ngrams_add(room, n_said, room + n_said, n_reference, DBERT_CHRF_ORDER, counts,
							alloc, poll, err);
}

DbertStatus
dbert_chrf_add(DbertChrf *chrf, const char *said, size_t n_said, const char *reference,
			   size_t n_reference, const DbertAllocator *alloc, const DbertPoll *poll,
			   DbertError *err)
{
	DbertNgrams counts[DBERT_CHRF_ORDER] = {0};
	size_t		most;
	uint32_t   *room = dbert_add_size(n_said, n_reference, &most)
					   ? dbert_alloc_array(alloc, most, sizeof(*room)) : NULL;
	DbertStatus status;

	if (room == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	status = count_characters(counts, said, n_said, reference, n_reference, room, alloc, poll, err);
	dbert_free(alloc, room);
	for (int n = 0; status == DBERT_OK && n < DBERT_CHRF_ORDER; n++)
	{
		DbertNgrams *sum = &chrf->characters[n];

		/* what has nothing to be compared with is not counted */
		sum->said += counts[n].reference > 0 ? counts[n].said : 0;
		sum->reference += counts[n].reference;
		sum->shared += counts[n].shared;
	}
	return status;
}

double
dbert_chrf_score(const DbertChrf *chrf)
{
	double		precision = 0,
				recall = 0;
	int			orders = 0;

	for (int n = 0; n < DBERT_CHRF_ORDER; n++)
	{
		const DbertNgrams *c = &chrf->characters[n];

		if (c->said == 0 || c->reference == 0)
			continue;
		precision += (double) c->shared / (double) c->said;
		recall += (double) c->shared / (double) c->reference;
		orders++;
	}
	if (precision + recall == 0)
		return 0;
	precision /= orders;
	recall /= orders;
	return 100 * (1 + WEIGHT_OF_RECALL) * precision * recall /
		   (WEIGHT_OF_RECALL * precision + recall);
}
