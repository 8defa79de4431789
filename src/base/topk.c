/*
 * topk.c -- the k largest of many numbers.
 *
 * A heap of k whose top is the worst of those kept: n log k comparisons, and
 * few of those, as most numbers lose against the worst at once.  Emptying the
 * heap gives the order.
 */
#include "base/topk.h"

/* Does a come before b?  Of equal scores the lower index does. */
static bool
better(const float *scores, int a, int b)
{
	return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
}

/* Put index at the heap's top and let it sink below all that are worse. */
static void
sink(const float *scores, int *heap, int n, int index)
{
	int			at = 0;

	for (int child = 1; child < n; child = 2 * at + 1)
	{
		if (child + 1 < n && better(scores, heap[child], heap[child + 1]))
			child++;
		if (!better(scores, index, heap[child]))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = index;
}

static void
rise(const float *scores, int *heap, int at, int index)
{
	for (; at > 0 && better(scores, heap[(at - 1) / 2], index); at = (at - 1) / 2)
		heap[at] = heap[(at - 1) / 2];
	heap[at] = index;
}

int
dbert_top_k(const float *scores, int n, int k, int *top)
{
	int			kept = 0;

	for (int i = 0; i < n; i++)
	{
		if (kept < k)
			rise(scores, top, kept++, i);
		else if (k > 0 && better(scores, i, top[0]))
			sink(scores, top, k, i);
	}
	for (int left = kept - 1; left > 0; left--)
	{
		int			worst = top[0];

		sink(scores, top, left, top[left]);
		top[left] = worst;
	}
	return kept;
}
