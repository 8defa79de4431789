/*
 * likeness.c -- see likeness.h.
 *
 * Translations are those of distil_translate, many at a time; beams and lengths
 * are as the model's files say.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/compat.h"
#include "pg/bridge/errors.h"
#include "pg/eval/likeness.h"
#include "pg/func/task.h"
#include "pg/func/translatefunc.h"

/* ---- counts ---- */

static void
add_counts(DbertNgrams *sums, const DbertNgrams *more, int orders, int64 times)
{
	for (int n = 0; n < orders; n++)
	{
		sums[n].said += times * more[n].said;
		sums[n].reference += times * more[n].reference;
		sums[n].shared += times * more[n].shared;
	}
}

void
distil_likeness_add(DistilLikeness *sum, const DistilLikeness *more, int64 times)
{
	add_counts(sum->bleu.words, more->bleu.words, DBERT_BLEU_ORDER, times);
	add_counts(sum->chrf.characters, more->chrf.characters, DBERT_CHRF_ORDER, times);
}

/* NULL: a text is not valid in the encoding, which the rules allow. */
static DistilLikeness *
compare(const DistilText *said, const DistilText *reference, DistilTextRules rules)
{
	DistilLikeness *likeness = palloc0_object(DistilLikeness);
	DbertAllocator alloc = distil_allocator(CurrentMemoryContext);
	DbertError	err;

	if (dbert_bleu_add(&likeness->bleu, said->data, said->len, reference->data, reference->len,
					   &alloc, distil_poll(), &err) == DBERT_OK &&
		dbert_chrf_add(&likeness->chrf, said->data, said->len, reference->data, reference->len,
					   &alloc, distil_poll(), &err) == DBERT_OK)
		return likeness;
	pfree(likeness);
	distil_answer_null(&err, rules);
	return NULL;
}

/* ---- translations ---- */

static const char *
language_of(const DistilExample *row)
{
	return row->n_labels > 0 ? row->labels[0] : NULL;
}

static bool
same_language(const DistilExample *a, const DistilExample *b)
{
	const char *x = language_of(a);
	const char *y = language_of(b);

	return x == NULL || y == NULL ? x == y : strcmp(x, y) == 0;
}

/* The answers to rows of one language. */
static NullableDatum *
translate_rows(DistilModel *model, const DistilExample *rows, int n, DistilTextRules rules)
{
	const DistilTask *task = &distil_task_translate;
	const char *language = language_of(rows);
	NullableDatum options[DISTIL_TRANSLATE_OPTIONS];
	NullableDatum *answers = palloc_array(NullableDatum, n);
	const DistilText **texts = palloc_array(const DistilText *, n);

	for (int i = 0; i < DISTIL_TRANSLATE_OPTIONS; i++)
		options[i] = (NullableDatum) {.isnull = true};
	if (language != NULL)
		options[DISTIL_TRANSLATE_LANGUAGE] =
			(NullableDatum) {.value = CStringGetTextDatum(language)};
	for (int i = 0; i < n; i++)
		texts[i] = &rows[i].texts[0];
	task->check(task, model, options);
	distil_usage_count(model->usage, &(DistilUsage) {.rows = n});
	(void) task->answer_all(task, model, options, texts, n, rules, false, answers);
	pfree(texts);
	return answers;
}

DistilLikeness **
distil_likenesses(DistilModel *model, const DistilExample *rows, int n)
{
	DistilTextRules rules = distil_session_rules();
	DistilLikeness **likenesses = palloc0_array(DistilLikeness *, n);

	for (int first = 0, end; first < n; first = end)
	{
		NullableDatum *answers;

		for (end = first + 1; end < n && same_language(&rows[first], &rows[end]);)
			end++;
		answers = translate_rows(model, &rows[first], end - first, rules);
		for (int i = first; i < end; i++)
		{
			DistilText	said;

			if (answers[i - first].isnull)
				continue;
			said = distil_text_get(answers[i - first].value, rules.on_error);
			likenesses[i] = compare(&said, &rows[i].texts[1], rules);
			distil_text_free(&said);
		}
		pfree(answers);
	}
	return likenesses;
}
