/* head.c -- see head.h. */
#include "model/head.h"

#include "model/json.h"

#include <stdio.h>
#include <string.h>

static const DbertHeadTraits traits[DBERT_HEADS] = {
	[DBERT_HEAD_NONE] = {
		.task = "embed",
		.suffix = "Model",
		.rows = DBERT_ROWS_NONE,
		.columns = DBERT_COLUMNS_NONE
	},
	[DBERT_HEAD_SEQUENCE] = {
		.task = "classify",
		.suffix = "ForSequenceClassification",
		.rows = DBERT_ROWS_FIRST,
		.columns = DBERT_COLUMNS_LABELS,
		.has_problem = true,
		.cacheable = true
	},
	[DBERT_HEAD_TOKEN] = {
		.task = "entities",
		.suffix = "ForTokenClassification",
		.rows = DBERT_ROWS_ALL,
		.columns = DBERT_COLUMNS_LABELS
	},
	[DBERT_HEAD_SPAN] = {
		.task = "answer",
		.suffix = "ForQuestionAnswering",
		.rows = DBERT_ROWS_ALL,
		.columns = DBERT_COLUMNS_TWO,
		.windows_apart = true
	},
	[DBERT_HEAD_MASK] = {
		.task = "fill_mask",
		.suffix = "ForMaskedLM",
		.rows = DBERT_ROWS_MASKED,
		.columns = DBERT_COLUMNS_VOCAB
	},
	[DBERT_HEAD_TRANSLATE] = {
		.task = "translate",
		.suffix = "MTModel",
		.rows = DBERT_ROWS_NONE,
		.columns = DBERT_COLUMNS_VOCAB
	},
};

const DbertHeadTraits *
dbert_head_traits(int head)
{
	return &traits[head];
}

/* "embed, classify and fill_mask" */
static void
list_tasks(char *out, size_t size)
{
	size_t		n = 0;

	for (int i = 0; i < DBERT_HEADS && n < size; i++)
		n += (size_t) snprintf(out + n, size - n, "%s%s",
							   i == 0 ? "" : i == DBERT_HEADS - 1 ? " and " : ", ", traits[i].task);
}

DbertStatus
dbert_head_parse(const char *task, int *head, DbertError *err)
{
	char		clip[DBERT_CLIP],
				known[DBERT_HEADS * 32];

	*head = DBERT_HEAD_AUTO;
	if (task == NULL)
		return DBERT_OK;
	for (int i = 0; i < DBERT_HEADS; i++)
	{
		if (strcmp(traits[i].task, task) == 0)
		{
			*head = i;
			return DBERT_OK;
		}
	}
	list_tasks(known, sizeof(known));
	return dbert_fail(err, DBERT_E_INVALID, "unknown task \"%s\", known are %s",
					  dbert_clip(task, clip), known);
}
