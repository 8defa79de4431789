/*
 * entitylist.c -- see entitylist.h.
 *
 * A label of entities is what stands behind the first dash of a tag, as in
 * distil_entities: "PER" of "B-PER".  The tag "O" is none.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "pg/bridge/compat.h"
#include "pg/func/entitylist.h"
#include "pg/bridge/errors.h"
#include "pg/func/task.h"

/*
 * What the core allocates lives as long as the batch, so nothing may raise
 * before it is freed.
 */
DbertEntity *
distil_find_entities(const DbertBatch *batch, int i, DbertAggregation aggregation,
					 float min_score, int *count)
{
	int			n_tokens;
	DbertEntity *result;
	DbertEntity *found;
	DbertError	err;

	(void) dbert_batch_text_tokens(batch, i, &n_tokens);
	result = palloc(n_tokens * sizeof(DbertEntity));	/* no more than tokens */
	if (dbert_batch_entities(batch, i, aggregation, min_score,
							 &found, count, &err) != DBERT_OK)
		distil_raise(&err, NULL);
	memcpy(result, found, *count * sizeof(DbertEntity));
	pfree(found);				/* distil_allocator's memory is palloc's */
	return result;
}

const char *
distil_entity_label(const char *tag)
{
	const char *dash = strchr(tag, '-');

	if (strcmp(tag, "O") == 0)
		return NULL;
	return dash != NULL ? dash + 1 : tag;
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

bool
distil_same_label(const char *label, const char *s, size_t len)
{
	text	   *t = distil_text_from_utf8(label, strlen(label));
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
		found = distil_same_label(labels[i], label, len);
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
