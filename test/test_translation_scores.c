/*
 * test_translation_scores.c -- BLEU and chrF beside sacrebleu's, of many odd
 * texts alone and together; what is cancelled, what memory ends in.
 */
#include "task/bleu.h"
#include "task/chrf.h"
#include "test/support/counting.h"
#include "test/support/testhelp.h"

#include <jansson.h>

static const DbertAllocator *const a = &dbert_malloc_allocator;

typedef struct Pair
{
	const char *said,
			   *reference;
	size_t		n_said,
				n_reference;
} Pair;

static Pair
pair_of(const json_t *texts, size_t i)
{
	const json_t *pair = json_array_get(texts, i),
			   *said = json_array_get(pair, 0),
			   *reference = json_array_get(pair, 1);

	return (Pair) {json_string_value(said), json_string_value(reference),
				   json_string_length(said), json_string_length(reference)};
}

static void
add(const Pair *p, DbertBleu *bleu, DbertChrf *chrf)
{
	DbertError	err = {0};

	CHECK_MSG(dbert_bleu_add(bleu, p->said, p->n_said, p->reference, p->n_reference, a, NULL,
							 &err) == DBERT_OK, "%s", err.msg);
	CHECK_MSG(dbert_chrf_add(chrf, p->said, p->n_said, p->reference, p->n_reference, a, NULL,
							 &err) == DBERT_OK, "%s", err.msg);
}

static void
check_corpus(const json_t *texts, const json_t *corpus)
{
	size_t		first = (size_t) json_integer_value(json_object_get(corpus, "first")),
				end = (size_t) json_integer_value(json_object_get(corpus, "end"));
	const json_t *scores = json_object_get(corpus, "scores");
	double		want_bleu = json_number_value(json_array_get(scores, 0)),
				want_chrf = json_number_value(json_array_get(scores, 1));
	DbertBleu	bleu = {0};
	DbertChrf	chrf = {0};

	for (size_t i = first; i < end; i++)
	{
		Pair		p = pair_of(texts, i);

		add(&p, &bleu, &chrf);
	}
	CHECK_MSG(fabs(dbert_bleu_score(&bleu) - want_bleu) < 1e-9, "texts %zu to %zu: BLEU %.12g, not %.12g",
			  first, end, dbert_bleu_score(&bleu), want_bleu);
	CHECK_MSG(fabs(dbert_chrf_score(&chrf) - want_chrf) < 1e-9, "texts %zu to %zu: chrF %.12g, not %.12g",
			  first, end, dbert_chrf_score(&chrf), want_chrf);
}

static void
test_scores(void)
{
	json_t	   *root = json_load_file("test/golden/translation-scores.json", 0, NULL);
	const json_t *texts = json_object_get(root, "texts"),
			   *corpora = json_object_get(root, "corpora");

	CHECK(json_array_size(texts) > 300 && json_array_size(corpora) > 300);
	for (size_t i = 0; i < json_array_size(corpora); i++)
		check_corpus(texts, json_array_get(corpora, i));
	json_decref(root);
}

static void
test_nothing(void)
{
	DbertBleu	bleu = {0};
	DbertChrf	chrf = {0};

	CHECK(dbert_bleu_score(&bleu) == 0);
	CHECK(dbert_chrf_score(&chrf) == 0);
}

static void
test_not_utf8(void)
{
	DbertBleu	bleu = {0};
	DbertChrf	chrf = {0},
				none = {0};
	DbertError	err;

	CHECK(dbert_bleu_add(&bleu, "a \xff b", 5, "a", 1, a, NULL, &err) == DBERT_OK);
	CHECK(dbert_chrf_add(&chrf, "a \xff b", 5, "a", 1, a, NULL, &err) == DBERT_E_ENCODING);
	CHECK(dbert_chrf_add(&chrf, "a", 1, "\xe5\x8c", 2, a, NULL, &err) == DBERT_E_ENCODING);
	CHECK(memcmp(&chrf, &none, sizeof(chrf)) == 0);
}

/* ---- long texts ---- */

static bool
stop_third(void *ctx)
{
	return ++*(int *) ctx == 3;
}

/* A long text is stopped, and leaves the counts as they were. */
static void
test_cancelled(void)
{
	size_t		len = 400000;
	char	   *text = malloc(len);
	int			asked = 0;
	DbertPoll	poll = {stop_third, &asked};
	DbertBleu	bleu = {0},
				no_words = {0};
	DbertChrf	chrf = {0},
				no_characters = {0};
	DbertError	err;

	for (size_t i = 0; i < len; i++)
		text[i] = i % 7 == 6 ? ' ' : (char) ('a' + i * i % 11);
	CHECK(dbert_bleu_add(&bleu, text, len, text, len, a, &poll, &err) == DBERT_E_CANCELLED);
	asked = 0;
	CHECK(dbert_chrf_add(&chrf, text, len, text, len, a, &poll, &err) == DBERT_E_CANCELLED);
	CHECK(memcmp(&bleu, &no_words, sizeof(bleu)) == 0);
	CHECK(memcmp(&chrf, &no_characters, sizeof(chrf)) == 0);
	CHECK(dbert_bleu_add(&bleu, text, len, text, len, a, NULL, &err) == DBERT_OK);
	CHECK(dbert_chrf_add(&chrf, text, len, text, len, a, NULL, &err) == DBERT_OK);
	CHECK(fabs(dbert_bleu_score(&bleu) - 100) < 1e-9);
	CHECK(fabs(dbert_chrf_score(&chrf) - 100) < 1e-9);
	free(text);
}

/* ---- memory ---- */

static void
test_no_memory(void)
{
	const char *said = "The cat, 1,000.5 of them, sat on the mat.",
			   *reference = "A cat (1,000.5 of them) sat on the mat...";
	DbertStatus status = DBERT_E_NOMEM;
	long		fail = 1;

	for (; status == DBERT_E_NOMEM && fail < 1000; fail++)
	{
		Counter		counter = {.fail_at = fail};
		DbertAllocator alloc = counting(&counter);
		DbertBleu	bleu = {0};
		DbertChrf	chrf = {0};
		DbertError	err;

		status = dbert_bleu_add(&bleu, said, strlen(said), reference, strlen(reference), &alloc,
								NULL, &err);
		if (status == DBERT_OK)
			status = dbert_chrf_add(&chrf, said, strlen(said), reference, strlen(reference),
									&alloc, NULL, &err);
		CHECK(status == DBERT_OK || status == DBERT_E_NOMEM);
		CHECK(counter.live == 0);
	}
	CHECK(status == DBERT_OK && fail > 8);
}

int
main(void)
{
	RUN(test_scores);
	RUN(test_nothing);
	RUN(test_not_utf8);
	RUN(test_cancelled);
	RUN(test_no_memory);
	return tests_end();
}
