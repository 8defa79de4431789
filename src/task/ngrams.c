/*
 * ngrams.c -- see ngrams.h.
 *
 * The places of both sequences are sorted by the symbols that begin there, up
 * to the largest order.  Then equal n-grams of every order are neighbours, and
 * no table of them is needed.
 */
#include "task/ngrams.h"

#include "base/sort.h"

#include <string.h>

/* Places that are walked over between two polls. */
#define PLACES_PER_POLL 65536

/* A place of one of the two sequences. */
typedef struct Place
{
	const uint32_t *symbols;
	int16_t		left;			/* symbols up to the sequence's end, at most the largest order */
	bool		reference;
} Place;

static int
compare_places(const void *x, const void *y)
{
	const Place *a = x,
			   *b = y;

	for (int i = 0; i < a->left && i < b->left; i++)
		if (a->symbols[i] != b->symbols[i])
			return a->symbols[i] < b->symbols[i] ? -1 : 1;
	return a->left - b->left;
}

static void
add_places(Place *places, const uint32_t *symbols, size_t n, int most, bool reference)
{
	for (size_t i = 0; i < n; i++)
		places[i] = (Place) {
			symbols + i, (int16_t) (n - i < (size_t) most ? n - i : (size_t) most), reference
		};
}

/* The places, sorted; NULL: there was an error. */
static Place *
sorted_places(const uint32_t *said, size_t n_said, const uint32_t *reference, size_t n_reference,
			  int most, const DbertAllocator *alloc, const DbertPoll *poll, DbertError *err)
{
	size_t		n;
	Place	   *places = dbert_add_size(n_said, n_reference, &n)
						 ? dbert_alloc_array(alloc, n, sizeof(*places)) : NULL;

	if (places == NULL)
	{
		dbert_fail(err, DBERT_E_NOMEM, "out of memory");
		return NULL;
	}
	add_places(places, said, n_said, most, false);
	add_places(places + n_said, reference, n_reference, most, true);
	if (dbert_sort(places, n, sizeof(*places), compare_places, alloc, poll, err) == DBERT_OK)
		return places;
	dbert_free(alloc, places);
	return NULL;
}

/* All n-grams of one order; false: stopped. */
static bool
count_order(const Place *places, size_t n_places, int n, DbertNgrams *sum, const DbertPoll *poll)
{
	for (size_t i = 0, polled = 0; i < n_places;)
	{
		const Place *first = &places[i];
		int64_t		said = 0,
					reference = 0;

		for (; i < n_places && places[i].left >= n &&
			   memcmp(places[i].symbols, first->symbols, (size_t) n * sizeof(uint32_t)) == 0; i++)
			places[i].reference ? reference++ : said++;
		if (said + reference == 0)
			i++;				/* too near to its end */
		sum->said += said;
		sum->reference += reference;
		sum->shared += said < reference ? said : reference;
		if (i - polled >= PLACES_PER_POLL)
		{
			polled = i;
			if (dbert_stopped(poll))
				return false;
		}
	}
	return true;
}

DbertStatus
dbert_ngrams_add(const uint32_t *said, size_t n_said, const uint32_t *reference,
				 size_t n_reference, int most, DbertNgrams *counts, const DbertAllocator *alloc,
				 const DbertPoll *poll, DbertError *err)
{
	DbertNgrams sums[DBERT_MOST_NGRAM] = {0};
	Place	   *places =
		sorted_places(said, n_said, reference, n_reference, most, alloc, poll, err);
	bool		done = places != NULL;

	if (places == NULL)
		return err->code;
	for (int n = 1; n <= most && done; n++)
		done = count_order(places, n_said + n_reference, n, &sums[n - 1], poll);
	dbert_free(alloc, places);
	if (!done)
		return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
	for (int n = 0; n < most; n++)
	{
		counts[n].said += sums[n].said;
		counts[n].reference += sums[n].reference;
		counts[n].shared += sums[n].shared;
	}
	return DBERT_OK;
}
