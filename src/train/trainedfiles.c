/*
 * trainedfiles.c -- the trained model as the files of a Hugging Face directory.
 *
 * config.json is the base's with the new head's architecture, labels and
 * problem.  model.safetensors is made of the parameters where they lie.
 * Embeddings have sentence-transformers' files, too (sentencefiles.h).
 */
#include "train/madefiles.h"
#include "train/plan.h"
#include "train/sentencefiles.h"
#include "train/trainbase.h"

#include <stdio.h>

#define CONFIG_FILE "config.json"

/* ---- config.json ---- */

static void
set_labels(json_t *root, const DbertTrainOptions *o)
{
	json_t	   *id2label = dbert_json_object(),
			   *label2id = dbert_json_object();
	char		key[16];

	for (int i = 0; i < o->n_labels; i++)
	{
		snprintf(key, sizeof(key), "%d", i);
		json_object_set_new(id2label, key, json_string(o->labels[i]));
		json_object_set_new(label2id, o->labels[i], json_integer(i));
	}
	json_object_set_new(root, "id2label", id2label);
	json_object_set_new(root, "label2id", label2id);
	json_object_del(root, "num_labels");
}

static void
set_no_labels(json_t *root, const DbertTrainer *t)
{
	json_object_del(root, "id2label");
	json_object_del(root, "label2id");
	json_object_del(root, "num_labels");
	if (dbert_head_traits(t->config.head)->columns == DBERT_COLUMNS_VOCAB)
		json_object_set_new(root, "tie_word_embeddings", json_boolean(t->tied));
}

static void
set_problem(json_t *root, const DbertConfig *config)
{
	static const char *const names[] = {
		[DBERT_PROBLEM_SINGLE] = "single_label_classification",
		[DBERT_PROBLEM_MULTI] = "multi_label_classification",
		[DBERT_PROBLEM_REGRESSION] = "regression"
	};

	if (dbert_head_traits(config->head)->has_problem)
		json_object_set_new(root, "problem_type", json_string(names[config->problem]));
	else
		json_object_del(root, "problem_type");
}

/* What the new head changes. */
static void
set_head(json_t *root, const DbertTrainer *t)
{
	json_t	   *architectures = json_array();

	json_array_append_new(architectures, json_string(t->config.architecture));
	json_object_set_new(root, "architectures", architectures);
	if (dbert_head_has_labels(t->config.head))
		set_labels(root, &t->options);
	else
		set_no_labels(root, t);
	set_problem(root, &t->config);
	json_object_del(root, "torch_dtype");
	json_object_set_new(root, "dtype", json_string("float32"));
}

static DbertStatus
make_config(const DbertTrainer *t, DbertTrainedFiles *f, const DbertPoll *poll, DbertError *err)
{
	DbertJsonTree tree;
	DbertJson	at;

	DBERT_TRY(dbert_json_load(&t->base->pack->source, t->base->dir, CONFIG_FILE, DBERT_JSON_MAX, 0,
							  false, f->alloc, poll, &tree, &at, err));
	dbert_json_pool_enter(&tree.pool);
	set_head(tree.root, t);
	dbert_json_pool_leave(&tree.pool);
	return dbert_madefiles_add(f, CONFIG_FILE, &tree, err);
}

/* ---- sentence-transformers' files ---- */

static DbertStatus
make_sentence_files(const DbertTrainer *t, DbertTrainedFiles *f, DbertError *err)
{
	DbertSentenceFile files[DBERT_SENTENCE_FILES];
	DbertStatus status = DBERT_OK;

	dbert_sentence_files(&t->config, t->base->lowercases, f->alloc, files);
	for (int i = 0; i < DBERT_SENTENCE_FILES; i++)
	{
		if (status == DBERT_OK)
			status = dbert_madefiles_add(f, files[i].name, &files[i].tree, err);
		else
			dbert_json_free(&files[i].tree);
	}
	return status;
}

/* ---- model.safetensors ---- */

/*
 * A decoder that is the word embedding is left out, as transformers does; the
 * bias of one of its own may have two names there, of which each is read.
 */
static void
add_slot(const DbertTrainer *t, DbertTensorFile *f, const DbertSlot *slot)
{
	const char *data = (const char *) t->params.values + slot->offset;
	int			parts = slot->kind == DBERT_SLOT_TIED ? 0 : dbert_slot_parts(slot, &t->config);
	char		name[DBERT_TENSOR_NAME_MAX + 1] = "";

	for (int part = 0; part < parts; part++)
	{
		dbert_slot_tensor_name(slot, part, &t->config, name);
		dbert_tensorfile_add(f, name, slot, parts, "F32", sizeof(float),
							 data + part * (slot->bytes / parts));
	}
	if (!t->tied && dbert_slot_other_name(slot, &t->config, name))
		dbert_tensorfile_add(f, name, slot, 1, "F32", sizeof(float), data);
}

static DbertStatus
make_weights(const DbertTrainer *t, DbertTrainedFiles *f, DbertError *err)
{
	const DbertSlots *slots = &t->params.slots;

	DBERT_TRY(dbert_tensorfile_begin(&f->weights, slots->count * 3, f->alloc, err));
	for (int i = 0; i < slots->count; i++)
	{
		/* of use in training alone (train.h, DbertDistill) */
		if (dbert_slot_role(&slots->items[i]) != DBERT_ROLE_STEP)
			add_slot(t, &f->weights, &slots->items[i]);
	}
	return dbert_tensorfile_end(&f->weights, err);
}

DbertStatus
dbert_trainer_files(const DbertTrainer *trainer, const DbertAllocator *alloc, const DbertPoll *poll,
					DbertTrainedFiles **files, DbertError *err)
{
	DbertTrainedFiles *f;
	DbertStatus status;

	DBERT_TRY(dbert_madefiles_begin(&trainer->base->pack->source, trainer->base->dir, alloc, &f,
									err));
	*files = NULL;
	status = make_config(trainer, f, poll, err);
	if (status == DBERT_OK &&
		dbert_head_traits(trainer->config.head)->columns == DBERT_COLUMNS_NONE)
		status = make_sentence_files(trainer, f, err);
	if (status == DBERT_OK)
		status = make_weights(trainer, f, err);
	if (status != DBERT_OK)
	{
		dbert_trained_free(f);
		return status;
	}
	*files = f;
	return DBERT_OK;
}
