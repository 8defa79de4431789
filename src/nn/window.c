/*
 * window.c -- where windows begin and end.
 */
#include "nn/window.h"

int32_t
dbert_windows_count(const DbertWindowCut *cut, int32_t n)
{
	int32_t		body = n - cut->head - cut->tail;
	int32_t		step = cut->capacity - cut->overlap;

	return body <= cut->capacity ? 1 : 1 + (body - cut->capacity + step - 1) / step;
}

static bool
begins_word(const DbertToken *tokens, int32_t i)
{
	return tokens[i].word != tokens[i - 1].word;
}

/* The first word's beginning in from .. limit; or from, if there is none. */
static int32_t
forward_to_word(const DbertToken *tokens, int32_t from, int32_t limit)
{
	for (int32_t i = from; i <= limit; i++)
		if (begins_word(tokens, i))
			return i;
	return from;
}

/* The last one in limit .. to; or to. */
static int32_t
back_to_word(const DbertToken *tokens, int32_t to, int32_t limit)
{
	for (int32_t i = to; i >= limit; i--)
		if (begins_word(tokens, i))
			return i;
	return to;
}

static void
cut_fixed(const DbertWindowCut *cut, int32_t end, int32_t count, DbertBatchWindow *windows)
{
	for (int32_t w = 0; w < count; w++)
	{
		windows[w].from = cut->head + w * (cut->capacity - cut->overlap);
		windows[w].to = w == count - 1 ? end : windows[w].from + cut->capacity;
	}
}

/*
 * The shortest length that will do; beginnings at equal distances.  Slices only
 * shrink on their way to the borders of words, so that they still fit.
 */
static void
cut_evenly(const DbertWindowCut *cut, const DbertToken *tokens, int32_t end, int32_t count,
		   DbertBatchWindow *windows)
{
	int64_t		body = end - cut->head;
	int64_t		length = (body + (int64_t) (count - 1) * cut->overlap + count - 1) / count;
	int32_t		slack = cut->overlap / 8;

	for (int32_t w = 0; w < count; w++)
	{
		windows[w].from = cut->head + (int32_t) (w * (body - length) / (count - 1));
		windows[w].to = windows[w].from + (int32_t) length;
		if (w > 0)
			windows[w].from = forward_to_word(tokens, windows[w].from, windows[w].from + slack);
		if (w < count - 1)
			windows[w].to = back_to_word(tokens, windows[w].to, windows[w].to - slack);
	}
}

/* Overlaps are shared out, at the beginning of a word if one is near. */
static void
share_tokens(const DbertToken *tokens, int32_t n, int32_t count, DbertBatchWindow *windows)
{
	windows[0].own_from = 0;
	windows[count - 1].own_to = n;
	for (int32_t w = 1; w < count; w++)
	{
		int32_t		first = windows[w].from;
		int32_t		middle = first + (windows[w - 1].to - first) / 2;

		if (middle > first)
			middle = back_to_word(tokens, middle, first + (middle - first) / 2 + 1);
		windows[w - 1].own_to = windows[w].own_from = middle;
	}
}

void
dbert_windows_cut(const DbertWindowCut *cut, const DbertToken *tokens, int32_t n,
				  DbertBatchWindow *windows)
{
	int32_t		count = dbert_windows_count(cut, n);
	int32_t		end = n - cut->tail;

	if (count == 1 || cut->fixed)
		cut_fixed(cut, end, count, windows);
	else
		cut_evenly(cut, tokens, end, count, windows);
	share_tokens(tokens, n, count, windows);
}
