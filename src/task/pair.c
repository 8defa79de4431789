/*
 * pair.c -- from the logits of pairs of texts to scores.
 *
 * Zero-shot classification by natural language inference (Yin, Hay and Roth
 * 2019, arXiv:1909.00161), as transformers' ZeroShotClassificationPipeline:
 * each label is a hypothesis about the text, its score the model's belief that
 * the text entails it.
 *
 * The same by a model of embeddings: the softmax of the cosines, as in the loss
 * that such models are trained by (Radford et al. 2021, arXiv:2103.00020, do so
 * with pictures).
 *
 * Reranking by a cross-encoder, as sentence-transformers' CrossEncoder: the one
 * logit through the activation that the model's configuration names, the
 * logistic function where it names none.
 */
#include "task/pair.h"

#include "base/numbers.h"
#include "task/ascii.h"

/* The first label that begins with "entail", in any case. */
int
dbert_entailment_label(const DbertModel *model)
{
	if (model->config.head != DBERT_HEAD_SEQUENCE || model->config.n_labels < 2)
		return -1;
	for (int i = 0; i < model->config.n_labels; i++)
	{
		const char *label = model->labels[i];
		const char *entail = "entail";

		while (*entail != '\0' && dbert_ascii_lower(*label) == *entail)
		{
			label++;
			entail++;
		}
		if (*entail == '\0')
			return i;
	}
	return -1;
}

/*
 * The pipeline's rule: the first label, or the last if the first is the other
 * one.
 */
static int
contradiction_label(const DbertModel *model)
{
	return dbert_entailment_label(model) == 0 ? model->config.n_labels - 1 : 0;
}

void
dbert_zero_shot_scores(const DbertModel *model, const float *logits, int n, bool multi_label,
					   float *scores)
{
	size_t		columns = model->config.n_labels;
	const float *entails = logits + dbert_entailment_label(model),
			   *contradicts = logits + contradiction_label(model);

	if (multi_label || n == 1)
	{
		/* the second of two logits' softmax */
		for (int i = 0; i < n; i++)
			scores[i] = (float) dbert_logistic((double) entails[i * columns] -
											   contradicts[i * columns]);
		return;
	}
	for (int i = 0; i < n; i++)
		scores[i] = entails[i * columns];
	dbert_softmax(scores, n, scores);
}

/*
 * What cosines are multiplied by before the softmax: the scale that
 * sentence-transformers trains with.
 */
#define COSINE_SCALE 20

void
dbert_zero_shot_by_cosines(const float *cosines, int n, float *scores)
{
	for (int i = 0; i < n; i++)
		scores[i] = COSINE_SCALE * cosines[i];
	dbert_softmax(scores, n, scores);
}

float
dbert_rerank_score(const DbertModel *model, const float *logits)
{
	return model->config.raw_scores ? logits[0] : (float) dbert_logistic(logits[0]);
}

/* 1 - score, but exact where the score is almost 1. */
float
dbert_rerank_distance(const DbertModel *model, const float *logits)
{
	return model->config.raw_scores ? 1 - logits[0] : (float) dbert_logistic(-(double) logits[0]);
}
