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
#include <stdlib.h>
#include <string.h>

/* Room for a label that is a number. */
#define LABEL_NUMBER 40

/* The head of an architecture's name, -1 for one that is not known. */
static int
head_of_name(const char *name, const DbertFamily *family)
{
	size_t		n = strlen(family->architecture);

	if (strncmp(name, family->architecture, n) != 0)
		return -1;
	for (int head = 0; head < DBERT_HEADS; head++)
	{
		const char *other = family->heads[head].other_suffix;

		if (!dbert_family_has_head(family, head))
			continue;
		if (strcmp(name + n, dbert_head_traits(head)->suffix) == 0 ||
			(other != NULL && strcmp(name + n, other) == 0))
			return head;
	}
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

/* Is there a module of this name, perhaps below the prefix? */
static bool
has_module(const DbertTensorSet *tensors, const char *prefix, const char *module)
{
	char		name[DBERT_TENSOR_NAME_MAX + 1];

	snprintf(name, sizeof(name), "%s.weight", module);
	if (dbert_tensors_find(tensors, name) != NULL)
		return true;
	snprintf(name, sizeof(name), "%s%s.weight", prefix, module);
	return prefix[0] != '\0' && dbert_tensors_find(tensors, name) != NULL;
}

/* A decoder may be the word embedding, so that it need not be there. */
static bool
has_head(const DbertTensorSet *tensors, const DbertFamily *family, int head)
{
	const DbertHeadNames *names = &family->heads[head];
	const char *prefix = names->dense_in_encoder ? family->prefix : "",
			   *other = names->dense_in_encoder && family->other_prefix != NULL
		? family->other_prefix
		: "";
	bool		decodes = dbert_head_traits(head)->columns == DBERT_COLUMNS_VOCAB;

	if (names->out == NULL ||
		(names->dense != NULL && !has_module(tensors, prefix, names->dense) &&
		 !has_module(tensors, other, names->dense)))
		return false;
	return decodes || has_module(tensors, "", names->out);
}

/* The head that is there, for a config.json that does not say. */
static int
head_of_tensors(const DbertTensorSet *tensors, const DbertFamily *family)
{
	/*
	 * classifiers of texts come before those of tokens, whose names theirs may
	 * be: they have a layer more
	 */
	for (int head = DBERT_HEAD_NONE + 1; head < DBERT_HEADS; head++)
		if (has_head(tensors, family, head))
			return head;
	return DBERT_HEAD_NONE;
}

static DbertStatus
fail_no_head(const DbertJson *root, const DbertConfig *config, int asked, DbertError *err)
{
	return dbert_fail(err, DBERT_E_UNSUPPORTED,
					  "%s: architecture \"%s\" has no head for the task \"%s\"", root->where,
					  config->architecture, dbert_head_traits(asked)->task);
}

/* For a config.json that names no architecture. */
static DbertStatus
guess_head(const DbertJson *root, int asked, const DbertTensorSet *tensors, DbertConfig *config,
		   DbertError *err)
{
	const DbertFamily *family = dbert_family_of(config);

	config->head = asked == DBERT_HEAD_AUTO ? head_of_tensors(tensors, family) : asked;
	dbert_family_name_architecture(config, config->head);
	return dbert_family_has_head(family, config->head) ? DBERT_OK
													   : fail_no_head(root, config, asked, err);
}

DbertStatus
dbert_config_head(const DbertJson *root, int asked, const DbertTensorSet *tensors,
				  DbertConfig *config, DbertError *err)
{
	const char *name;
	int			head;
	char		clip[DBERT_CLIP];

	DBERT_TRY(architecture_name(root, &name, err));
	if (name == NULL)
		return guess_head(root, asked, tensors, config, err);
	dbert_clip(name, config->architecture);
	head = head_of_name(name, dbert_family_of(config));
	config->head = asked == DBERT_HEAD_AUTO ? head : asked;
	if (asked == DBERT_HEAD_NONE)
		return DBERT_OK;
	if (head < 0 && asked == DBERT_HEAD_AUTO)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: architecture \"%s\" is not supported, unless its task is named",
						  root->where, dbert_clip(name, clip));
	/* someone's own class: the tensors will tell whether it is of that kind */
	if (head < 0)
		return dbert_family_has_head(dbert_family_of(config), asked)
			? DBERT_OK
			: fail_no_head(root, config, asked, err);
	return asked == DBERT_HEAD_AUTO || asked == head ? DBERT_OK
													 : fail_no_head(root, config, asked, err);
}

/* A number as Python writes it: the fewest digits that tell it, and a point. */
static void
write_real(double x, char out[LABEL_NUMBER])
{
	int			digits = 1;

	do
		snprintf(out, LABEL_NUMBER - 2, "%.*g", digits, x);
	while (strtod(out, NULL) != x && ++digits <= 17);
	if (strpbrk(out, ".en") == NULL)
		strcat(out, ".0");
}

/*
 * Labels are strings, but nobody stops a model from having numbers or truth
 * values: they are called as the file writes them.  NULL: it is none of these.
 */
static const char *
label_text(const json_t *value, char buf[LABEL_NUMBER])
{
	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_integer(value))
		snprintf(buf, LABEL_NUMBER, "%lld", (long long) json_integer_value(value));
	else if (json_is_real(value))
		write_real(json_real_value(value), buf);
	else if (json_is_boolean(value))
		strcpy(buf, json_is_true(value) ? "true" : "false");
	else
		return NULL;
	return buf;
}

static DbertStatus
read_label(const DbertJson *id2label, const char *key, const char **label, DbertArena *arena,
		   DbertError *err)
{
	const json_t *value = json_object_get(id2label->value, key);
	char		buf[LABEL_NUMBER],
				clip[DBERT_CLIP];
	const char *text = label_text(value, buf);

	if (text == NULL)			/* an array, an object: the getter says so */
		return dbert_json_string(id2label, key, label, err);
	if (strlen(text) > DBERT_MAX_LABEL)
		return dbert_fail(err, DBERT_E_LIMIT,
						  "%s: label \"%s\", \"%s\", has %zu bytes, at most %d are allowed",
						  id2label->where, key, dbert_clip(text, clip), strlen(text),
						  DBERT_MAX_LABEL);
	*label = dbert_arena_strndup(arena, text, strlen(text));
	return *label != NULL ? DBERT_OK : dbert_fail(err, DBERT_E_NOMEM, "out of memory");
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
		DBERT_TRY(read_label(id2label, key, &label, arena, err));
		if (label == NULL)
			return dbert_fail(err, DBERT_E_FORMAT, "%s: has %d labels, but none for \"%d\"",
							  id2label->where, n, i);
		labels[i] = label;
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
 * What sentence-transformers' CrossEncoder does with the one logit.  The
 * logistic function is the default, also for names outside torch, which that
 * library does not trust.
 */
DbertStatus
dbert_config_activation(const char *name, const char *file, DbertConfig *config, DbertError *err)
{
	char		clip[DBERT_CLIP];

	if (!dbert_head_traits(config->head)->has_problem || config->n_labels != 1)
		return DBERT_OK;
	config->raw_scores = 0;
	if (strncmp(name, "torch.", 6) != 0 || strcmp(strrchr(name, '.'), ".Sigmoid") == 0)
		return DBERT_OK;
	if (strcmp(strrchr(name, '.'), ".Identity") != 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: activation function \"%s\" of a cross-encoder is not supported",
						  file, dbert_clip(name, clip));
	config->raw_scores = 1;
	return DBERT_OK;
}

/* Older versions wrote the name under another key. */
static DbertStatus
read_activation(const DbertJson *root, DbertConfig *config, DbertError *err)
{
	DbertJson	section;
	const char *name = NULL;

	config->raw_scores = 0;
	DBERT_TRY(dbert_json_child(root, "sentence_transformers", JSON_OBJECT, &section, err));
	if (section.value != NULL)
		DBERT_TRY(dbert_json_string(&section, "activation_fn", &name, err));
	if (name == NULL)
		DBERT_TRY(dbert_json_string(root, "sbert_ce_default_activation_function", &name, err));
	return name != NULL ? dbert_config_activation(name, root->where, config, err) : DBERT_OK;
}

/* The label count against the rows of the layer that gives the logits. */
static DbertStatus
check_rows(const DbertTensorSet *tensors, const char *module, int64_t n, const char *said_by,
		   DbertError *err)
{
	char		name[DBERT_TENSOR_NAME_MAX + 1];
	const DbertTensor *weight;

	snprintf(name, sizeof(name), "%s.weight", module);
	weight = dbert_tensors_find(tensors, name);
	if (weight == NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s has no tensor \"%s\"", tensors->name, name);
	if (weight->rank != 2 || weight->shape[0] != n)
		return dbert_fail(err, DBERT_E_SHAPE,
						  "%s says %" PRId64 " labels, but tensor \"%s\" has %" PRId64 " rows",
						  said_by, n, name, weight->rank > 0 ? weight->shape[0] : 0);
	return DBERT_OK;
}

/* As many as the last step gives; names only if there are as many. */
static void
use_step_labels(const DbertConfig *config, DbertJson *id2label, int64_t *n)
{
	int32_t		width = config->steps[config->n_steps - 1].width;

	if (*n != width)
		id2label->value = NULL;
	*n = width;
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
	if (config->pooled_head)	/* the encoder knows nothing of them, or has others */
		use_step_labels(config, &id2label, &n);
	else
		DBERT_TRY(check_rows(tensors, dbert_head_names(config)->out, n,
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
	const DbertHeadTraits *traits = dbert_head_traits(config->head);

	*labels = NULL;
	config->n_labels = 0;
	config->problem = DBERT_PROBLEM_SINGLE;
	if (traits->columns == DBERT_COLUMNS_LABELS)
		DBERT_TRY(read_labels(root, tensors, arena, config, labels, err));
	if (traits->has_problem)
		DBERT_TRY(read_problem(root, config, err));
	if (traits->has_problem && config->n_labels == 1)
		DBERT_TRY(read_activation(root, config, err));
	if (traits->columns == DBERT_COLUMNS_TWO)
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
