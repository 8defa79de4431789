/* sort.c -- see sort.h. */
#include "base/sort.h"

#include <string.h>

/* Items that are moved between two polls. */
#define ITEMS_PER_POLL 8192

typedef struct Sorting
{
	size_t		n,
				size;
	int			(*compare) (const void *, const void *);
	const DbertPoll *poll;
	size_t		moved;			/* since the poll was asked */
} Sorting;

/* to[lo .. hi) = from's, whose halves before and behind mid are sorted. */
static bool
merge_halves(Sorting *s, const char *from, char *to, size_t lo, size_t mid, size_t hi)
{
	const size_t size = s->size;
	size_t		i = lo,
				j = mid;

	for (size_t k = lo; k < hi; k++)
	{
		bool		left = i < mid &&
			(j >= hi || s->compare(from + i * size, from + j * size) <= 0);

		memcpy(to + k * size, from + (left ? i++ : j++) * size, size);
		if (++s->moved < ITEMS_PER_POLL)
			continue;
		s->moved = 0;
		if (dbert_stopped(s->poll))
			return false;
	}
	return true;
}

/* Merge all pairs of neighbours of so many items; false: stopped. */
static bool
merge_all(Sorting *s, const char *from, char *to, size_t width)
{
	for (size_t lo = 0; lo < s->n; lo += 2 * width)
	{
		size_t		left = s->n - lo;

		if (!merge_halves(s, from, to, lo, lo + (left < width ? left : width),
						  lo + (left < 2 * width ? left : 2 * width)))
			return false;
	}
	return true;
}

DbertStatus
dbert_sort(void *items, size_t n, size_t size, int (*compare) (const void *, const void *),
		   const DbertAllocator *alloc, const DbertPoll *poll, DbertError *err)
{
	Sorting		s = {.n = n,.size = size,.compare = compare,.poll = poll};
	char	   *spare = dbert_alloc_array(alloc, n, size),
			   *from = items,
			   *to = spare;
	bool		done = true;

	if (spare == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	for (size_t width = 1; width < n && done; width *= 2)
	{
		char	   *swap = from;

		done = merge_all(&s, from, to, width);
		from = to;
		to = swap;
	}
	if (done && from != items)
		memcpy(items, from, n * size);
	dbert_free(alloc, spare);
	return done ? DBERT_OK : dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
}
