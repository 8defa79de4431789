/*
 * confighead.c -- which head a model has, and its labels.
 *
 * The head is the last part of the architecture's name
 * ("DistilBertForSequenceClassification").  A sequence head's scores follow
 * transformers' TextClassificationPipeline.postprocess.
 */
#include "model/configfile.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct
{
	const char *suffix;			/* after "Bert" or "DistilBert" */
	DbertHead	head;
}			heads[] = {
	{"Model", DBERT_HEAD_NONE},
	{"ForSequenceClassification", DBERT_HEAD_SEQUENCE},
	{"ForTokenClassification", DBERT_HEAD_TOKEN},
	{"ForQuestionAnswering", DBERT_HEAD_SPAN},
	{"ForMaskedLM", DBERT_HEAD_MASK},
	{"ForPreTraining", DBERT_HEAD_MASK},
};

#define N_HEADS ((int) (sizeof(heads) / sizeof(heads[0])))

static const struct
{
	const char *name;
	DbertTask	task;
	DbertHead	head;
}			tasks[] = {
	{"embed", DBERT_TASK_EMBED, DBERT_HEAD_NONE},
	{"classify", DBERT_TASK_CLASSIFY, DBERT_HEAD_SEQUENCE},
	{"entities", DBERT_TASK_ENTITIES, DBERT_HEAD_TOKEN},
	{"answer", DBERT_TASK_ANSWER, DBERT_HEAD_SPAN},
	{"fill_mask", DBERT_TASK_FILL_MASK, DBERT_HEAD_MASK},
};

#define N_TASKS ((int) (sizeof(tasks) / sizeof(tasks[0])))

DbertStatus
dbert_task_parse(const char *name, DbertTask *task, DbertError *err)
{
	char		clip[DBERT_CLIP];

	*task = DBERT_TASK_AUTO;
	if (name == NULL)
		return DBERT_OK;
	for (int i = 0; i < N_TASKS; i++)
	{
		if (strcmp(tasks[i].name, name) == 0)
		{
			*task = tasks[i].task;
			return DBERT_OK;
		}
	}
	return dbert_fail(
		err, DBERT_E_INVALID,
		"unknown task \"%s\", known are embed, classify, entities, answer and fill_mask",
		dbert_clip(name, clip));
}

static const char *
family_name(const DbertConfig *config)
{
	return config->family == DBERT_FAMILY_DISTILBERT ? "DistilBert" : "Bert";
}

/* The head of an architecture's name, -1 for one that is not known. */
static int
head_of_name(const char *name, const DbertConfig *config)
{
	const char *family = family_name(config);
	size_t		n = strlen(family);

	if (strncmp(name, family, n) == 0)
		for (int i = 0; i < N_HEADS; i++)
			if (strcmp(name + n, heads[i].suffix) == 0)
				return heads[i].head;
	return -1;
}

/* *name: the first of config.json's architectures, NULL when it names none. */
static DbertStatus
architecture_name(const DbertJson *root, const char **name, DbertError *err)
{
	DbertJson	list;
	const json_t *first;

	*name = NULL;
	DBERT_TRY(dbert_json_child(root, "architectures", JSON_ARRAY, &list, err));
	first = json_array_get(list.value, 0);
	if (first == NULL)
		return DBERT_OK;
	if (!json_is_string(first))
		return dbert_fail(err, DBERT_E_FORMAT, "%s: the first element is not a string", list.where);
	*name = json_string_value(first);
	return DBERT_OK;
}

static bool
has(const DbertTensorSet *tensors, const char *name)
{
	return dbert_tensors_find(tensors, name) != NULL;
}

/* The head that is there, for a config.json that does not say. */
static DbertHead
head_of_tensors(const DbertTensorSet *tensors, const DbertConfig *config)
{
	if (has(tensors, "qa_outputs.weight"))
		return DBERT_HEAD_SPAN;
	if (has(tensors, "vocab_transform.weight") ||
		has(tensors, "cls.predictions.transform.dense.weight"))
		return DBERT_HEAD_MASK;
	if (!has(tensors, "classifier.weight"))
		return DBERT_HEAD_NONE;
	/* a classifier of whole texts has one more layer below it */
	if (config->family == DBERT_FAMILY_DISTILBERT)
		return has(tensors, "pre_classifier.weight") ? DBERT_HEAD_SEQUENCE : DBERT_HEAD_TOKEN;
	return has(tensors, "bert.pooler.dense.weight") || has(tensors, "pooler.dense.weight") ?
		DBERT_HEAD_SEQUENCE : DBERT_HEAD_TOKEN;
}

DbertStatus
dbert_config_head(const DbertJson *root, DbertTask task, const DbertTensorSet *tensors,
				  DbertConfig *config, DbertError *err)
{
	const char *name;
	int			head;
	char		clip[DBERT_CLIP];

	DBERT_TRY(architecture_name(root, &name, err));
	if (name == NULL)
	{
		head = task == DBERT_TASK_AUTO ? head_of_tensors(tensors, config) : tasks[task - 1].head;
		snprintf(config->architecture, sizeof(config->architecture), "%s%s",
				 family_name(config), heads[head].suffix);
	}
	else
	{
		dbert_clip(name, config->architecture);
		head = head_of_name(name, config);
	}
	config->head = head;
	if (task == DBERT_TASK_EMBED)
		config->head = DBERT_HEAD_NONE;
	else if (head < 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: architecture \"%s\" is not supported",
						  root->where, dbert_clip(name, clip));
	else if (task != DBERT_TASK_AUTO && tasks[task - 1].head != (DbertHead) head)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "a %s has no head for the task \"%s\"",
						  config->architecture, tasks[task - 1].name);
	return DBERT_OK;
}

/* labels[n] from id2label; every key from "0" to n-1 must be there. */
static DbertStatus
named_labels(const DbertJson *id2label, int n, const char **labels, DbertArena *arena,
			 DbertError *err)
{
	for (int i = 0; i < n; i++)
	{
		char		key[16];
		const char *label = NULL;

		snprintf(key, sizeof(key), "%d", i);
		DBERT_TRY(dbert_json_string(id2label, key, &label, err));
		if (label == NULL)
			return dbert_fail(err, DBERT_E_FORMAT, "%s: has %d labels, but none for \"%d\"",
							  id2label->where, n, i);
		labels[i] = dbert_arena_strndup(arena, label, strlen(label));
		if (labels[i] == NULL)
			return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	}
	return DBERT_OK;
}

/* transformers' names for labels without a name */
static DbertStatus
numbered_labels(int n, const char **labels, DbertArena *arena, DbertError *err)
{
	for (int i = 0; i < n; i++)
	{
		char		name[32];

		snprintf(name, sizeof(name), "LABEL_%d", i);
		labels[i] = dbert_arena_strndup(arena, name, strlen(name));
		if (labels[i] == NULL)
			return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	}
	return DBERT_OK;
}

static DbertStatus
read_problem(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	const char *name = NULL;
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_string(root, "problem_type", &name, err));
	if (name != NULL && strcmp(name, "regression") != 0 &&
		strcmp(name, "multi_label_classification") != 0 &&
		strcmp(name, "single_label_classification") != 0)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: unknown \"problem_type\" \"%s\"",
						  root->where, dbert_clip(name, clip));
	if (name != NULL && strcmp(name, "regression") == 0)
		config->problem = DBERT_PROBLEM_REGRESSION;
	else if (config->n_labels == 1 ||
			 (name != NULL && strcmp(name, "multi_label_classification") == 0))
		config->problem = DBERT_PROBLEM_MULTI;
	else
		config->problem = DBERT_PROBLEM_SINGLE;
	return DBERT_OK;
}

/*
 * What sentence-transformers' CrossEncoder does with the one logit; older
 * versions wrote the name under another key.  The logistic function is the
 * default, also for names outside torch, which that library does not trust.
 */
static DbertStatus
read_activation(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	DbertJson	section;
	const char *name = NULL;
	char		clip[DBERT_CLIP];

	config->raw_scores = 0;
	DBERT_TRY(dbert_json_child(root, "sentence_transformers", JSON_OBJECT, &section, err));
	if (section.value != NULL)
		DBERT_TRY(dbert_json_string(&section, "activation_fn", &name, err));
	if (name == NULL)
		DBERT_TRY(dbert_json_string(root, "sbert_ce_default_activation_function", &name, err));
	if (name == NULL || strncmp(name, "torch.", 6) != 0 ||
		strcmp(strrchr(name, '.'), ".Sigmoid") == 0)
		return DBERT_OK;
	if (strcmp(strrchr(name, '.'), ".Identity") != 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: activation function \"%s\" of a cross-encoder is not supported",
						  root->where, dbert_clip(name, clip));
	config->raw_scores = 1;
	return DBERT_OK;
}

/* The label count against the rows of the layer that gives the logits. */
static DbertStatus
check_rows(const DbertTensorSet *tensors, const char *name, int64_t n, const char *said_by,
		   DbertError *err)
{
	const DbertTensor *weight = dbert_tensors_find(tensors, name);

	if (weight == NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s has no tensor \"%s\"", tensors->name, name);
	if (weight->rank != 2 || weight->shape[0] != n)
		return dbert_fail(err, DBERT_E_SHAPE,
						  "%s says %" PRId64 " labels, but tensor \"%s\" has %" PRId64 " rows",
						  said_by, n, name, weight->rank > 0 ? weight->shape[0] : 0);
	return DBERT_OK;
}

static DbertStatus
read_labels(const DbertJson *root, const DbertTensorSet *tensors, DbertArena *arena,
			DbertConfig *config, const char ***labels, DbertError *err)
{
	DbertJson	id2label;
	int64_t		n = 2;			/* transformers' default */

	DBERT_TRY(dbert_json_int(root, "num_labels", 1, DBERT_MAX_LABELS, &n, err));
	DBERT_TRY(dbert_json_child(root, "id2label", JSON_OBJECT, &id2label, err));
	if (id2label.value != NULL)
	{
		size_t		size = json_object_size(id2label.value);

		if (size < 1 || size > DBERT_MAX_LABELS)
			return dbert_fail(err, DBERT_E_FORMAT, "%s: %zu labels, 1 to %d are allowed",
							  id2label.where, size, DBERT_MAX_LABELS);
		n = (int64_t) size;
	}
	DBERT_TRY(check_rows(tensors, "classifier.weight", n,
						 id2label.value ? id2label.where : root->where, err));
	config->n_labels = (int32_t) n;
	*labels = dbert_arena_alloc(arena, (size_t) n, sizeof(**labels));
	if (*labels == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	if (id2label.value != NULL)
		return named_labels(&id2label, (int) n, *labels, arena, err);
	return numbered_labels((int) n, *labels, arena, err);
}

DbertStatus
dbert_config_labels(const DbertJson *root, const DbertTensorSet *tensors, DbertArena *arena,
					DbertConfig *config, const char ***labels, DbertError *err)
{
	*labels = NULL;
	config->n_labels = 0;
	config->problem = DBERT_PROBLEM_SINGLE;
	if (config->head == DBERT_HEAD_SEQUENCE || config->head == DBERT_HEAD_TOKEN)
	{
		DBERT_TRY(read_labels(root, tensors, arena, config, labels, err));
		if (config->head == DBERT_HEAD_SEQUENCE)
			DBERT_TRY(read_problem(root, config, err));
		if (config->head == DBERT_HEAD_SEQUENCE && config->n_labels == 1)
			DBERT_TRY(read_activation(root, config, err));
	}
	else if (config->head == DBERT_HEAD_SPAN)
	{
		*labels = dbert_arena_alloc(arena, 2, sizeof(**labels));
		if (*labels == NULL)
			return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
		(*labels)[0] = "start";
		(*labels)[1] = "end";
		config->n_labels = 2;
	}
	return DBERT_OK;
}
