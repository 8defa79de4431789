/*
 * labels.c -- see labels.h.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "pg/bridge/compat.h"
#include "pg/bridge/quoted.h"
#include "pg/func/entitylist.h"
#include "pg/func/labels.h"

/* So many labels are listed in a message. */
#define LABELS_SHOWN 20

/* ---- names ---- */

text *
distil_label_text(const char *label)
{
	return distil_text_from_utf8(label, strlen(label));
}

const char *
distil_label_list(const char *const *labels, int n)
{
	const char **names = palloc_array(const char *, Max(n, 1));

	for (int i = 0; i < Min(n, LABELS_SHOWN); i++)
		names[i] = text_to_cstring(distil_label_text(labels[i]));
	return distil_quoted_list(names, n, LABELS_SHOWN);
}

int
distil_model_labels(const DistilModel *model, const char **labels)
{
	const DbertModel *core = model->core;
	int			n = 0;

	for (int i = 0; i < core->config.n_labels; i++)
	{
		const char *label = core->config.head == DBERT_HEAD_TOKEN
								? distil_entity_label(core->labels[i])
								: core->labels[i];
		bool		known = label == NULL;

		for (int j = 0; j < n && !known; j++)
			known = strcmp(labels[j], label) == 0;
		if (!known)
			labels[n++] = label;
	}
	return n;
}

/* Is the server's text s the label, which is the core's? */
static bool
same_label(const char *label, const char *s, size_t len)
{
	text	   *t = distil_label_text(label);
	bool		same = VARSIZE_ANY_EXHDR(t) == len && memcmp(VARDATA_ANY(t), s, len) == 0;

	pfree(t);
	return same;
}

bool
distil_has_entity_label(const DistilModel *model, const char *label, size_t len)
{
	const char **labels = palloc_array(const char *, Max(model->core->config.n_labels, 1));
	int			n = distil_model_labels(model, labels);
	bool		found = false;

	for (int i = 0; i < n && !found; i++)
		found = same_label(labels[i], label, len);
	pfree(labels);
	return found;
}

void
distil_raise_no_label(const DistilModel *model, const char *label, size_t len)
{
	const char **labels = palloc_array(const char *, Max(model->core->config.n_labels, 1));
	int			n = distil_model_labels(model, labels);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("model \"%s\" has no label \"%.*s\"", model->name, (int) len, label),
			 errdetail("Its labels are %s.", distil_label_list(labels, n))));
}

int
distil_label_number(const DistilModel *model, const char *label, size_t len)
{
	const DbertModel *core = model->core;

	for (int i = 0; i < core->config.n_labels; i++)
	{
		if (same_label(core->labels[i], label, len))
			return i;
	}
	distil_raise_no_label(model, label, len);
}

/* ---- answers ---- */

int
distil_top_label(const DistilModel *model, const DbertBatch *batch, int i)
{
	int			rows;

	return dbert_classify_best(model->core, dbert_batch_logits(batch, i, &rows));
}

float *
distil_label_scores(const DistilModel *model, const DbertBatch *batch, int i)
{
	float	   *scores = palloc_array(float, model->core->config.n_labels);
	int			rows;

	dbert_classify_scores(model->core, dbert_batch_logits(batch, i, &rows), scores);
	return scores;
}

float
distil_label_score(const DistilModel *model, const DbertBatch *batch, int i, int label)
{
	float	   *scores = distil_label_scores(model, batch, i);
	float		score = scores[label];

	pfree(scores);
	return score;
}
