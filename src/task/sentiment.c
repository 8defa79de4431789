/*
 * sentiment.c -- one number from -1 to 1 out of a classifier's scores.
 *
 * Each label gets a value: -1, 0, 1 for negative, neutral, positive, and -1,
 * -1/2, 0, 1/2, 1 for one to five stars.  The sentiment is the mean of the
 * values weighted by the scores.  Labels that say nothing ("LABEL_0") have no
 * value, and a model with such labels has no sentiment: guessing which of two
 * is the positive one would be worse than an error.
 */
#include "task/sentiment.h"

#include "task/ascii.h"
#include "task/classify.h"

/* What labels can mean; the order of the table below. */
enum
{
	NEGATIVE,
	NEUTRAL,
	POSITIVE,
	STARS_1,
	STARS_5 = STARS_1 + 4,
	N_MEANINGS,
	NO_MEANING = -1
};

static const struct
{
	const char *names[3];		/* lower case */
	float		value;
}			meanings[N_MEANINGS] = {
	{{"negative", "neg"}, -1},
	{{"neutral", "neu"}, 0},
	{{"positive", "pos"}, 1},
	{{"1 star", "1 stars"}, -1},
	{{"2 stars", "2 star"}, -0.5f},
	{{"3 stars", "3 star"}, 0},
	{{"4 stars", "4 star"}, 0.5f},
	{{"5 stars", "5 star"}, 1},
};

static int
meaning_of(const char *label)
{
	for (int m = 0; m < N_MEANINGS; m++)
		for (const char *const *name = meanings[m].names; *name != NULL; name++)
			if (dbert_ascii_equal(label, *name))
				return m;
	return NO_MEANING;
}

/*
 * Every label has a meaning, no meaning comes twice, and they are all of one
 * scale.
 */
bool
dbert_labels_have_sentiment(const char *const *labels, int n_labels)
{
	unsigned	seen = 0;
	const unsigned poles = 1u << NEGATIVE | 1u << POSITIVE;
	const unsigned stars = 0x1fu << STARS_1;

	for (int i = 0; i < n_labels; i++)
	{
		int			m = meaning_of(labels[i]);

		if (m == NO_MEANING || (seen & 1u << m))
			return false;
		seen |= 1u << m;
	}
	return seen == poles || seen == (poles | 1u << NEUTRAL) || seen == stars;
}

bool
dbert_model_has_sentiment(const DbertModel *model)
{
	return model->config.head == DBERT_HEAD_SEQUENCE &&
		model->config.problem == DBERT_PROBLEM_SINGLE &&
		dbert_labels_have_sentiment(model->labels, model->config.n_labels);
}

float
dbert_sentiment(const DbertModel *model, const float *logits)
{
	float		scores[STARS_5 - STARS_1 + 1] = {0};
	float		sentiment = 0;

	if (!dbert_model_has_sentiment(model))
		return 0;
	dbert_classify_scores(model, logits, scores);
	for (int i = 0; i < model->config.n_labels; i++)
		sentiment += scores[i] * meanings[meaning_of(model->labels[i])].value;
	return sentiment > 1 ? 1 : sentiment < -1 ? -1 : sentiment;
}
