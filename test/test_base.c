/*
 * test_base.c -- layouts of memory and functions of many numbers.
 */
#include "base/checksum.h"
#include "base/layout.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "base/sort.h"
#include "test/support/counting.h"
#include "test/support/testhelp.h"

#include <stdint.h>

/* ---- layouts ---- */

typedef struct Arrays
{
	float	   *a;
	double	   *b;
	char	   *none;
	char	   *c;
} Arrays;

static void
place(DbertLayout *l, Arrays *arrays)
{
	arrays->a = dbert_layout_floats(l, 3, 5);
	arrays->b = dbert_layout_place(l, 2, 8, sizeof(double));
	arrays->none = dbert_layout_place(l, 0, 100, 1);
	arrays->c = dbert_layout_place(l, 1, 1, 1);
}

static void
test_layout(void)
{
	DbertLayout l = {0};
	Arrays		first,
				arrays;
	size_t		bytes;
	void	   *memory;

	place(&l, &first);
	CHECK(first.a == NULL && first.c == NULL && l.total == 64 + 128 + 64);
	CHECK(dbert_layout_bytes(&l, &bytes) && bytes == l.total + 63);
	memory = malloc(bytes);
	l = dbert_layout_in(memory);
	CHECK((uintptr_t) l.base % 64 == 0 && l.base >= (char *) memory && l.total == 0);
	place(&l, &arrays);
	CHECK((char *) arrays.a == l.base && (char *) arrays.b == l.base + 64);
	CHECK(arrays.none == arrays.c && arrays.c == l.base + 192);
	CHECK(arrays.c < (char *) memory + bytes);
	free(memory);
}

static void
test_layout_overflow(void)
{
	DbertLayout l = {0};
	size_t		bytes;

	(void) dbert_layout_place(&l, SIZE_MAX / 2, 3, 1);
	CHECK(l.overflow && !dbert_layout_bytes(&l, &bytes));
	l = (DbertLayout) {0};
	(void) dbert_layout_place(&l, SIZE_MAX / 64, 1, 64);
	(void) dbert_layout_place(&l, 1, 1, 64);
	CHECK(l.overflow);
	l = (DbertLayout) {.total = SIZE_MAX - 63};
	CHECK(!l.overflow && dbert_layout_bytes(&l, &bytes) && bytes == SIZE_MAX);
	l.total++;
	CHECK(!dbert_layout_bytes(&l, &bytes));
}

/* ---- numbers ---- */

static void
test_softmax(void)
{
	const float x[] = {1, -2, 300, 299, -1e30f};
	float		out[5];
	double		sum = 0,
				e = exp(-1);

	dbert_softmax(x, 5, out);
	for (int i = 0; i < 5; i++)
		sum += out[i];
	CHECK_NEAR(sum, 1, 1e-7);
	CHECK_NEAR(out[2], 1 / (1 + e), 1e-7);
	CHECK_NEAR(out[3], e / (1 + e), 1e-7);
	CHECK(out[0] == (float) (exp(-299) / (1 + exp(-299) + exp(-302) + e)) && out[4] == 0);
	memcpy(out, x, sizeof(x));
	dbert_softmax(out, 5, out);
	CHECK_NEAR(out[2], 1 / (1 + e), 1e-7);
	CHECK_NEAR(dbert_log_sum_exp(x, 5), 300 + log(1 + e), 1e-12);
	CHECK_NEAR(dbert_log_sum_exp(x, 1), 1, 1e-12);
	CHECK(dbert_logistic(0) == 0.5 && dbert_logistic(1000) == 1 && dbert_logistic(-1000) == 0);
	CHECK_NEAR(dbert_logistic(1), 1 / (1 + e), 1e-15);
}

static void
test_best(void)
{
	const float x[] = {1, 9, 3, 8, 3, 7, 2, 7};

	CHECK(dbert_best_of(x, 1, 1) == 0);
	CHECK(dbert_best_of(x, 8, 1) == 1);
	CHECK(dbert_best_of(x, 4, 2) == 1);	/* the first of 1, 3, 3, 2 */
	CHECK(dbert_best_of(x + 1, 4, 2) == 0);
}

static void
test_normalize(void)
{
	float		x[] = {3, -4},
				zeros[] = {0, 0, 0};

	dbert_normalize(x, 2);
	CHECK_NEAR(x[0], 0.6, 1e-7);
	CHECK_NEAR(x[1], -0.8, 1e-7);
	dbert_normalize(zeros, 3);
	CHECK(zeros[0] == 0 && zeros[1] == 0 && zeros[2] == 0);
}

/* In one part or in many; a change of any bit, or of the length, changes it. */
static void
test_checksum(void)
{
	unsigned char bytes[1024 + 17];
	DbertChecksum sum;
	uint64_t	whole;
	int			missed = 0;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char) (i * 167 >> 3);
	dbert_checksum_begin(&sum, 7);
	dbert_checksum_add(&sum, bytes, sizeof(bytes));
	whole = dbert_checksum_end(&sum);
	dbert_checksum_begin(&sum, 7);
	for (size_t at = 0; at < sizeof(bytes); at += 96)
		dbert_checksum_add(&sum, bytes + at, sizeof(bytes) - at < 96 ? sizeof(bytes) - at : 96);
	CHECK(dbert_checksum_end(&sum) == whole);
	for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++)
	{
		bytes[bit / 8] ^= (unsigned char) (1 << bit % 8);
		dbert_checksum_begin(&sum, 7);
		dbert_checksum_add(&sum, bytes, sizeof(bytes));
		missed += dbert_checksum_end(&sum) == whole;
		bytes[bit / 8] ^= (unsigned char) (1 << bit % 8);
	}
	CHECK_MSG(missed == 0, "%d changed bits were not noticed", missed);
	bytes[sizeof(bytes) - 1] = 0;
	dbert_checksum_begin(&sum, 7);
	dbert_checksum_add(&sum, bytes, sizeof(bytes));
	whole = dbert_checksum_end(&sum);
	dbert_checksum_begin(&sum, 7);
	dbert_checksum_add(&sum, bytes, sizeof(bytes) - 1);
	CHECK(dbert_checksum_end(&sum) != whole);
	dbert_checksum_begin(&sum, 8);
	dbert_checksum_add(&sum, bytes, sizeof(bytes));
	CHECK(dbert_checksum_end(&sum) != whole);
}

/* ---- sorting ---- */

typedef struct Item
{
	int			key;
	int			number;			/* where it stood at first */
} Item;

static int
compare_items(const void *a, const void *b)
{
	return ((const Item *) a)->key - ((const Item *) b)->key;
}

static void
fill_items(Item *items, int n)
{
	for (int i = 0; i < n; i++)
		items[i] = (Item) {(int) ((unsigned) i * 2654435761u >> 8) % (n / 3 + 1), i};
}

static bool
stop_at(void *ctx)
{
	return --*(int *) ctx == 0;
}

/* In order, equal ones as they stood; stopped at any poll nothing is left. */
static void
test_sort(void)
{
	static const int counts[] = {0, 1, 2, 3, 17, 1000, 30000};
	static Item items[30000];
	Counter		counter = {0};
	const DbertAllocator alloc = counting(&counter);
	DbertStatus status = DBERT_E_CANCELLED;
	DbertError	err;
	int			polls;

	for (int c = 0; c < (int) (sizeof(counts) / sizeof(counts[0])); c++)
	{
		int			n = counts[c];

		fill_items(items, n);
		CHECK(dbert_sort(items, n, sizeof(Item), compare_items, &alloc, NULL, &err) == DBERT_OK);
		for (int i = 1; i < n; i++)
			CHECK(items[i - 1].key < items[i].key ||
				  (items[i - 1].key == items[i].key && items[i - 1].number < items[i].number));
	}
	for (polls = 0; status == DBERT_E_CANCELLED && polls < 1000; polls++)
	{
		int			left = polls + 1;
		DbertPoll	poll = {stop_at, &left};

		fill_items(items, 30000);
		status = dbert_sort(items, 30000, sizeof(Item), compare_items, &alloc, &poll, &err);
		CHECK(status == DBERT_OK || status == DBERT_E_CANCELLED);
	}
	CHECK(status == DBERT_OK && polls > 20);
	counter.fail_at = counter.calls + 1;
	CHECK(dbert_sort(items, 9, sizeof(Item), compare_items, &alloc, NULL, &err) == DBERT_E_NOMEM);
	CHECK(counter.live == 0);
}

int
main(void)
{
	RUN(test_checksum);
	RUN(test_layout);
	RUN(test_layout_overflow);
	RUN(test_softmax);
	RUN(test_best);
	RUN(test_normalize);
	RUN(test_sort);
	return tests_end();
}
