/*
 * bleu.c -- see bleu.h.
 *
 * Words are made as mteval-v13a.pl makes them: the line is rewritten several
 * times, each time as a whole, and then cut at white space.  All that the
 * rewriting looks for is ASCII, so it works on bytes; only white space is
 * looked for as characters.
 *
 * Then each word gets a number, its place among all different ones, so that
 * n-grams are compared by numbers.
 */
#include "task/bleu.h"

#include "base/sort.h"
#include "task/textspaces.h"

#include <math.h>
#include <string.h>

/* ---- lines ---- */

/* Bytes that are written between two polls. */
#define BYTES_PER_POLL 65536

/* A line, and the room that it is written into anew. */
typedef struct Line
{
	const DbertAllocator *alloc;
	const DbertPoll *poll;
	char	   *text;
	size_t		len,
				capacity;
	char	   *old;
	size_t		old_len,
				old_capacity;
	DbertStatus status;			/* once it is not DBERT_OK, nothing is written */
} Line;

static void
put(Line *l, const char *s, size_t n)
{
	size_t		want;

	if (l->status != DBERT_OK || n == 0)
		return;
	if (!dbert_add_size(l->len, n, &want) ||
		!dbert_grow(l->alloc, &l->text, &l->capacity, l->len, want, 1))
		l->status = DBERT_E_NOMEM;
	else if (want / BYTES_PER_POLL > l->len / BYTES_PER_POLL && dbert_stopped(l->poll))
		l->status = DBERT_E_CANCELLED;
	else
	{
		memcpy(l->text + l->len, s, n);
		l->len = want;
	}
}

static void
put_char(Line *l, char c)
{
	put(l, &c, 1);
}

/* What was written is old now, and is to be written anew. */
static void
begin_again(Line *l)
{
	char	   *text = l->old;
	size_t		capacity = l->old_capacity;

	l->old = l->text;
	l->old_len = l->len;
	l->old_capacity = l->capacity;
	l->text = text;
	l->len = 0;
	l->capacity = capacity;
}

static void
end_line(Line *l)
{
	dbert_free(l->alloc, l->text);
	dbert_free(l->alloc, l->old);
}

/* ---- rewriting ---- */

static void
replace(Line *l, const char *what, const char *with)
{
	size_t		n = strlen(what);

	begin_again(l);
	for (size_t i = 0; i < l->old_len;)
	{
		if (l->old_len - i < n || memcmp(l->old + i, what, n) != 0)
			put_char(l, l->old[i++]);
		else
		{
			put(l, with, strlen(with));
			i += n;
		}
	}
}

/* ASCII's printing characters but letters, digits, and ' , - . */
static bool
stands_alone(char c)
{
	return (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') || c == '/' ||
		   (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

static void
set_apart(Line *l)
{
	begin_again(l);
	for (size_t i = 0; i < l->old_len; i++)
	{
		bool		alone = stands_alone(l->old[i]);

		if (alone)
			put_char(l, ' ');
		put_char(l, l->old[i]);
		if (alone)
			put_char(l, ' ');
	}
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_no_digit(char c)
{
	return !is_digit(c);
}

static bool
is_point(char c)
{
	return c == '.' || c == ',';
}

static bool
is_dash(char c)
{
	return c == '-';
}

/*
 * Put spaces between the two characters of each such pair and, as before says,
 * before or behind it.
 */
static void
split_pairs(Line *l, bool (*first) (char), bool (*second) (char), bool before)
{
	begin_again(l);
	for (size_t i = 0; i < l->old_len; i++)
	{
		if (i + 1 == l->old_len || !first(l->old[i]) || !second(l->old[i + 1]))
		{
			put_char(l, l->old[i]);
			continue;
		}
		if (before)
			put_char(l, ' ');
		put_char(l, l->old[i++]);
		put_char(l, ' ');
		put_char(l, l->old[i]);
		if (!before)
			put_char(l, ' ');
	}
}

static DbertStatus
write_line(Line *l, const char *text, size_t len, DbertError *err)
{
	len = dbert_without_last_spaces(text, len);
	put_char(l, ' ');
	put(l, text, len);
	replace(l, "<skipped>", "");
	replace(l, "-\n", "");
	replace(l, "\n", " ");
	replace(l, "&quot;", "\"");
	replace(l, "&amp;", "&");
	replace(l, "&lt;", "<");
	replace(l, "&gt;", ">");
	put_char(l, ' ');
	set_apart(l);
	split_pairs(l, is_no_digit, is_point, false);
	split_pairs(l, is_point, is_no_digit, true);
	split_pairs(l, is_digit, is_dash, false);
	if (l->status == DBERT_E_CANCELLED)
		return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
	return l->status == DBERT_OK ? DBERT_OK : dbert_fail(err, DBERT_E_NOMEM, "out of memory");
}

/* ---- words ---- */

typedef struct Word
{
	const char *text;
	size_t		len;
	size_t		place;			/* among the words of both texts */
} Word;

typedef struct Words
{
	const DbertAllocator *alloc;
	Word	   *words;
	size_t		n,
				capacity;
} Words;

static DbertStatus
cut_line(Words *w, const Line *l, DbertError *err)
{
	size_t		start,
				end = 0;

	while (dbert_next_word(l->text, l->len, &start, &end))
	{
		if (!dbert_grow(w->alloc, &w->words, &w->capacity, w->n, w->n + 1, sizeof(Word)))
			return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
		w->words[w->n] = (Word) {l->text + start, end - start, w->n};
		w->n++;
	}
	return DBERT_OK;
}

static int
compare_words(const void *x, const void *y)
{
	const Word *a = x,
			   *b = y;
	int			order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);

	return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

/* numbers[n]: equal words have equal ones. */
static DbertStatus
number_words(Words *w, uint32_t *numbers, const DbertPoll *poll, DbertError *err)
{
	uint32_t	number = 0;

	if (w->n > UINT32_MAX)
		return dbert_fail(err, DBERT_E_LIMIT, "text has too many words");
	DBERT_TRY(dbert_sort(w->words, w->n, sizeof(Word), compare_words, w->alloc, poll, err));
	for (size_t i = 0; i < w->n; i++)
	{
		number += i > 0 && compare_words(&w->words[i - 1], &w->words[i]) != 0;
		numbers[w->words[i].place] = number;
	}
	return DBERT_OK;
}

/* The words of both, the first n_said of which are the first text's. */
static DbertStatus
count_words(DbertBleu *bleu, Words *w, size_t n_said, const DbertPoll *poll, DbertError *err)
{
	uint32_t   *numbers = dbert_alloc_array(w->alloc, w->n, sizeof(*numbers));
	DbertStatus status;

	if (numbers == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	status = number_words(w, numbers, poll, err);
	if (status == DBERT_OK)
		status = dbert_ngrams_add(numbers, n_said, numbers + n_said, w->n - n_said,
								  DBERT_BLEU_ORDER, bleu->words, w->alloc, poll, err);
	dbert_free(w->alloc, numbers);
	return status;
}

DbertStatus
dbert_bleu_add(DbertBleu *bleu, const char *said, size_t n_said, const char *reference,
			   size_t n_reference, const DbertAllocator *alloc, const DbertPoll *poll,
			   DbertError *err)
{
	Line		lines[2] = {{.alloc = alloc, .poll = poll}, {.alloc = alloc, .poll = poll}};
	Words		words = {.alloc = alloc};
	size_t		first = 0;
	DbertStatus status = write_line(&lines[0], said, n_said, err);

	if (status == DBERT_OK)
		status = write_line(&lines[1], reference, n_reference, err);
	if (status == DBERT_OK)
		status = cut_line(&words, &lines[0], err);
	first = words.n;
	if (status == DBERT_OK)
		status = cut_line(&words, &lines[1], err);
	if (status == DBERT_OK)
		status = count_words(bleu, &words, first, poll, err);
	dbert_free(alloc, words.words);
	end_line(&lines[0]);
	end_line(&lines[1]);
	return status;
}

/* ---- the score ---- */

static double
brevity_penalty(const DbertNgrams *words)
{
	if (words->said >= words->reference)
		return 1;
	return words->said == 0 ? 0 : exp(1 - (double) words->reference / (double) words->said);
}

double
dbert_bleu_score(const DbertBleu *bleu)
{
	double		smooth = 1,
				logs = 0;
	int64_t		shared = 0;

	for (int n = 0; n < DBERT_BLEU_ORDER; n++)
	{
		const DbertNgrams *c = &bleu->words[n];

		if (c->said == 0)
			return 0;
		if (c->shared == 0)
			smooth *= 2;
		logs += log(100 * (c->shared > 0 ? (double) c->shared : 1 / smooth) / (double) c->said);
		shared += c->shared;
	}
	return shared == 0 ? 0 : brevity_penalty(&bleu->words[0]) * exp(logs / DBERT_BLEU_ORDER);
}
