/*
 * sentiment.c -- one number from -1 to 1 out of a classifier's scores.
 *
 * A label is a step of a scale: a pole with a word before it or without one
 * ("very negative", "neutral", "Slightly_Positive"), or so many stars.  The
 * steps that a model has are put on the scale evenly, from -1 to 1: three are
 * -1, 0, 1, five are -1, -1/2, 0, 1/2, 1.  The sentiment is the mean of these
 * values weighted by the scores.  Labels that say nothing ("LABEL_0") are no
 * steps, and a model with such labels has no sentiment: guessing which of two
 * is the positive one would be worse than an error.
 */
#include "task/sentiment.h"

#include "task/ascii.h"
#include "task/classify.h"

/* The steps in order: of words, and from STARS_1 on of stars. */
enum
{
	NO_STEP = -1,
	NEUTRAL = 3,
	N_WORDED = 7,
	STARS_1 = N_WORDED,
	STARS_5 = STARS_1 + 4,
	N_STEPS
};

/* Words before a pole, in lower case, and how far out they put it. */
static const struct
{
	const char *word;
	int			distance;		/* from neutral, 1 .. 3 */
}			degrees[] = {
	{"very", 3},
	{"extremely", 3},
	{"highly", 3},
	{"strongly", 3},
	{"strong", 3},
	{"", 2},
	{"slightly", 1},
	{"somewhat", 1},
	{"mildly", 1},
	{"mild", 1},
	{"weakly", 1},
	{"weak", 1},
	{"moderately", 1},
};

static const struct
{
	const char *name;			/* lower case */
	int			sign;
}			poles[] = {
	{"negative", -1},
	{"neg", -1},
	{"positive", 1},
	{"pos", 1},
};

/* What follows a word in lower case at the start of s, or NULL. */
static const char *
after_word(const char *s, const char *word)
{
	for (; *word != '\0'; s++, word++)
		if (dbert_ascii_lower(*s) != *word)
			return NULL;
	return s;
}

/* Between two words stands a blank, '_', '-' or nothing. */
static const char *
after_gap(const char *s)
{
	return *s == ' ' || *s == '_' || *s == '-' ? s + 1 : s;
}

/* "1 star" .. "5 stars" */
static int
step_of_stars(const char *label)
{
	const char *unit;

	if (*label < '1' || *label > '5')
		return NO_STEP;
	unit = after_gap(label + 1);
	if (!dbert_ascii_equal(unit, "star") && !dbert_ascii_equal(unit, "stars"))
		return NO_STEP;
	return STARS_1 + *label - '1';
}

static int
step_of(const char *label)
{
	if (dbert_ascii_equal(label, "neutral") || dbert_ascii_equal(label, "neu"))
		return NEUTRAL;
	for (size_t d = 0; d < sizeof(degrees) / sizeof(degrees[0]); d++)
	{
		const char *pole = after_word(label, degrees[d].word);

		if (pole != NULL && pole != label)
			pole = after_gap(pole);
		for (size_t p = 0; pole != NULL && p < sizeof(poles) / sizeof(poles[0]); p++)
			if (dbert_ascii_equal(pole, poles[p].name))
				return NEUTRAL + poles[p].sign * degrees[d].distance;
	}
	return step_of_stars(label);
}

/*
 * Which steps there are, a bit for each; 0 if a label is none, or one comes
 * twice.
 */
static unsigned
steps_of(const char *const *labels, int n_labels)
{
	unsigned	seen = 0;

	for (int i = 0; i < n_labels; i++)
	{
		int			step = step_of(labels[i]);

		if (step == NO_STEP || (seen & 1u << step))
			return 0;
		seen |= 1u << step;
	}
	return seen;
}

/*
 * Five stars; or steps in words that are on the one side of neutral what they
 * are on the other.
 */
static bool
is_scale(unsigned seen)
{
	const unsigned stars = 0x1fu << STARS_1;

	if (seen == stars)
		return true;
	for (int step = 0; step < NEUTRAL; step++)
		if ((seen >> step & 1) != (seen >> (N_WORDED - 1 - step) & 1))
			return false;
	return (seen & ~(1u << NEUTRAL)) != 0 && seen < 1u << N_WORDED;
}

bool
dbert_labels_have_sentiment(const char *const *labels, int n_labels)
{
	return is_scale(steps_of(labels, n_labels));
}

/* The steps of the model's labels; 0: it has no sentiment. */
static unsigned
scale_of(const DbertModel *model)
{
	unsigned	seen;

	if (model->config.head != DBERT_HEAD_SEQUENCE || model->config.problem != DBERT_PROBLEM_SINGLE)
		return 0;
	seen = steps_of(model->labels, model->config.n_labels);
	return is_scale(seen) ? seen : 0;
}

bool
dbert_model_has_sentiment(const DbertModel *model)
{
	return scale_of(model) != 0;
}

/* The value of a step among n that are seen. */
static float
value_of(int step, unsigned seen, int n)
{
	int			below = 0;

	for (int i = 0; i < step; i++)
		below += seen >> i & 1;
	return 2.0f * (float) below / (float) (n - 1) - 1;
}

float
dbert_sentiment(const DbertModel *model, const float *logits)
{
	float		scores[N_WORDED] = {0};
	float		sentiment = 0;
	int			n = model->config.n_labels;
	unsigned	seen = scale_of(model);

	if (seen == 0)
		return 0;
	dbert_classify_scores(model, logits, scores);
	for (int i = 0; i < n; i++)
		sentiment += scores[i] * value_of(step_of(model->labels[i]), seen, n);
	return sentiment > 1 ? 1 : sentiment < -1 ? -1 : sentiment;
}
