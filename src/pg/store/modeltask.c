/*
 * modeltask.c -- see modeltask.h.
 *
 * There are more tasks than heads.  Sentiment is classification whose labels
 * can be put on a scale from negative to positive.  Zero-shot classification
 * and reranking use classifiers of pairs, or a model of embeddings: each has a
 * default model, but models are loaded as classifiers or for embeddings.
 */
#include "postgres.h"

#include "pg/bridge/quoted.h"
#include "pg/store/modeltask.h"

#define INSTALLED_EMBEDDINGS "embeddings-en-v1"

const DistilModelTask distil_model_tasks[DISTIL_MODEL_TASKS] =
{
	{
		.name = "sentiment",
		.head = DBERT_HEAD_SEQUENCE,
		.loadable = true,
		.setting = "Model of distil_sentiment when none is named.",
		.preset = "sentiment-en-v1"
	},
	{
		.name = "classify",
		.head = DBERT_HEAD_SEQUENCE,
		.functions = "distil_classify, distil_scores or distil_pair_scores",
		.loadable = true
	},
	{
		.name = "entities",
		.head = DBERT_HEAD_TOKEN,
		.functions = "distil_entities",
		.loadable = true,
		.setting = "Model of distil_entities when none is named.",
		.preset = "entities-en-v1"
	},
	{
		.name = "answer",
		.head = DBERT_HEAD_SPAN,
		.functions = "distil_answer or distil_answer_text",
		.loadable = true,
		.setting = "Model of distil_answer and distil_answer_text when none is named.",
		.preset = ""
	},
	{
		.name = "fill_mask",
		.head = DBERT_HEAD_MASK,
		.functions = "distil_fill_mask",
		.loadable = true,
		.setting = "Model of distil_fill_mask when none is named.",
		.preset = "fill-mask-en-v1"
	},
	{
		.name = "embed",
		.head = DBERT_HEAD_NONE,
		.functions = "distil_embed",
		.loadable = true,
		.setting = "Model of distil_embed when none is named.",
		.preset = INSTALLED_EMBEDDINGS
	},
	{
		.name = "translate",
		.head = DBERT_HEAD_TRANSLATE,
		.functions = "distil_translate",
		.loadable = true
	},
	{
		.name = "zero_shot",
		.head = DBERT_HEAD_SEQUENCE,
		.setting = "Model of distil_zero_shot when none is named.",
		.preset = INSTALLED_EMBEDDINGS
	},
	{
		.name = "rerank",
		.head = DBERT_HEAD_SEQUENCE,
		.setting = "Model of distil_rerank and distil_rerank_distance when none is named.",
		.preset = INSTALLED_EMBEDDINGS
	},
};

const DistilModelTask *
distil_task_of_head(DbertHead head)
{
	for (int i = 0; i < DISTIL_MODEL_TASKS; i++)
	{
		if (distil_model_tasks[i].head == head && distil_model_tasks[i].functions != NULL)
			return &distil_model_tasks[i];
	}
	elog(ERROR, "models with head %d have no task", head);
	return NULL;				/* keep compiler quiet */
}

const DistilModelTask *
distil_loadable_task(const char *name)
{
	for (int i = 0; i < DISTIL_MODEL_TASKS; i++)
	{
		if (distil_model_tasks[i].loadable && strcmp(distil_model_tasks[i].name, name) == 0)
			return &distil_model_tasks[i];
	}
	return NULL;
}

/* "sentiment, classify, ... and embed" */
static const char *
list_loadable(void)
{
	const char *names[DISTIL_MODEL_TASKS];
	int			n = 0;

	for (int i = 0; i < DISTIL_MODEL_TASKS; i++)
	{
		if (distil_model_tasks[i].loadable)
			names[n++] = distil_model_tasks[i].name;
	}
	return distil_joined_list(names, n);
}

void
distil_check_task(const char *name)
{
	if (distil_loadable_task(name) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown task \"%s\"", name),
				 errhint("Tasks are %s.", list_loadable())));
}
