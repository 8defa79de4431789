/*
 * trainedfiles.c -- the trained model as the files of a Hugging Face directory.
 *
 * config.json is the base's with the new head's architecture, labels and
 * problem.  model.safetensors is a header made here and the parameters where
 * they lie: reading goes through the tensors' places, nothing is copied.  The
 * tokenizer's files are the base's, out of whatever folder they lie in there.
 *
 * Format: https://huggingface.co/docs/safetensors.
 */
#include "train/trainer.h"

#include "model/json.h"
#include "train/trainbase.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_FILE "config.json"
#define WEIGHTS_FILE "model.safetensors"

/* One tensor of model.safetensors. */
typedef struct Piece
{
	uint64_t	offset;			/* in the file */
	uint64_t	bytes;
	const char *data;
} Piece;

struct DbertTrainedFiles
{
	const DbertAllocator *alloc;
	DbertSource source;
	const DbertTrainBase *base;
	char	   *config;
	size_t		config_size;
	char	   *header;
	size_t		header_size;	/* without the 8 bytes before it; padded to a multiple of 8 */
	size_t		header_text;	/* of which so many are text */
	Piece	   *pieces;			/* in order of offset */
	size_t		n_pieces;
	uint64_t	weights_size;	/* of model.safetensors */
};

/* json_object() by another way: in the server that name is a function of the server's own. */
static json_t *
new_object(void)
{
	return json_pack("{}");
}

/* The text of a JSON value in memory of the allocator; root is released. */
static DbertStatus
dump(const DbertTrainedFiles *f, json_t *root, size_t flags, char **out, size_t *len, DbertError *err)
{
	char	   *text = json_dumps(root, flags);

	json_decref(root);
	*len = text != NULL ? strlen(text) : 0;
	*out = text != NULL ? dbert_alloc(f->alloc, *len) : NULL;
	if (*out != NULL)
		memcpy(*out, text, *len);
	free(text);
	if (*out == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	return DBERT_OK;
}

/* ---- config.json ---- */

static void
set_labels(json_t *root, const DbertTrainOptions *o)
{
	json_t	   *id2label = new_object(),
			   *label2id = new_object();
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
	json_object_set_new(root, "tie_word_embeddings", json_boolean(t->tied));
}

static void
set_problem(json_t *root, const DbertTrainOptions *o)
{
	static const char *const names[] = {
		[DBERT_PROBLEM_SINGLE] = "single_label_classification",
		[DBERT_PROBLEM_MULTI] = "multi_label_classification",
		[DBERT_PROBLEM_REGRESSION] = "regression"
	};

	if (o->head == DBERT_HEAD_SEQUENCE)
		json_object_set_new(root, "problem_type", json_string(names[o->problem]));
	else
		json_object_del(root, "problem_type");
}

static DbertStatus
make_config(const DbertTrainer *t, DbertTrainedFiles *f, const DbertPoll *poll, DbertError *err)
{
	json_t	   *root,
			   *architectures;
	DbertJson	at;
	DbertStatus status = dbert_json_load(&t->base->pack->source, t->base->dir, CONFIG_FILE, DBERT_JSON_MAX,
										 0, false, f->alloc, poll, &root, &at, err);

	DBERT_TRY(status);
	architectures = json_array();
	json_array_append_new(architectures, json_string(t->config.architecture));
	json_object_set_new(root, "architectures", architectures);
	if (t->options.head == DBERT_HEAD_MASK)
		set_no_labels(root, t);
	else
		set_labels(root, &t->options);
	set_problem(root, &t->options);
	json_object_del(root, "torch_dtype");
	json_object_set_new(root, "dtype", json_string("float32"));
	return dump(f, root, JSON_INDENT(2) | JSON_REAL_PRECISION(15), &f->config, &f->config_size, err);
}

/* ---- model.safetensors ---- */

static json_t *
tensor_entry(const DbertSlot *slot, int parts, uint64_t offset, uint64_t bytes)
{
	json_t	   *shape = json_array();

	if (dbert_slot_is_matrix(slot))
		json_array_append_new(shape, json_integer(slot->rows / parts));
	json_array_append_new(shape, json_integer(dbert_slot_is_matrix(slot) ? slot->cols : slot->cols / parts));
	return json_pack("{s:s,s:o,s:[I,I]}", "dtype", "F32", "shape", shape, "data_offsets",
					 (json_int_t) offset, (json_int_t) (offset + bytes));
}

/* One tensor, part of a slot; offsets count from the end of the header here. */
static void
add_piece(DbertTrainedFiles *f, json_t *header, const char *name, const DbertSlot *slot, int parts, const char *data)
{
	uint64_t	bytes = slot->bytes / parts,
				offset = f->weights_size;

	json_object_set_new(header, name, tensor_entry(slot, parts, offset, bytes));
	f->pieces[f->n_pieces++] = (Piece)
	{
		offset, bytes, data
	};
	f->weights_size += bytes;
}

/*
 * A decoder that is the word embedding is left out, as transformers does; the
 * bias of BERT's own decoder has two names there, of which each is read.
 */
static void
add_pieces(const DbertTrainer *t, DbertTrainedFiles *f, json_t *header)
{
	const DbertSlots *slots = &t->params.slots;
	char		name[DBERT_TENSOR_NAME_MAX + 1];

	for (int i = 0; i < slots->count; i++)
	{
		const DbertSlot *slot = &slots->items[i];
		const char *data = (const char *) t->params.values + slot->offset;
		int			parts = slot->kind == DBERT_SLOT_TIED ? 0 : dbert_slot_parts(slot, &t->config);

		for (int part = 0; part < parts; part++)
		{
			dbert_slot_tensor_name(slot, part, &t->config, name);
			add_piece(f, header, name, slot, parts, data + part * (slot->bytes / parts));
		}
		if (!t->tied && strcmp(name, "cls.predictions.bias") == 0)
			add_piece(f, header, "cls.predictions.decoder.bias", slot, 1, data);
	}
}

static DbertStatus
make_weights(const DbertTrainer *t, DbertTrainedFiles *f, DbertError *err)
{
	json_t	   *header;

	f->pieces = dbert_alloc_array(f->alloc, (size_t) t->params.slots.count * 3, sizeof(Piece));
	if (f->pieces == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	header = new_object();
	json_object_set_new(header, "__metadata__", json_pack("{s:s}", "format", "pt"));
	add_pieces(t, f, header);
	DBERT_TRY(dump(f, header, JSON_COMPACT, &f->header, &f->header_text, err));
	f->header_size = (f->header_text + 7) / 8 * 8;
	for (size_t i = 0; i < f->n_pieces; i++)
		f->pieces[i].offset += 8 + f->header_size;
	f->weights_size += 8 + f->header_size;
	return DBERT_OK;
}

/* ---- the source ---- */

/* Of the base's files only those of its tokenizer are the trained model's, too. */
static bool
base_name(const DbertTrainedFiles *f, const char *name, char out[DBERT_FILE_NAME_MAX])
{
	static const char *const kept[] = {
		"tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json", "added_tokens.json"
	};

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (strcmp(name, kept[i]) == 0)
			return dbert_file_join(out, f->base->dir, name, NULL) == DBERT_OK;
	return false;
}

static DbertStatus
trained_size(void *ctx, const char *name, int64_t *size, DbertError *err)
{
	const DbertTrainedFiles *f = ctx;
	const DbertSource *base = &f->base->pack->source;
	char		there[DBERT_FILE_NAME_MAX];

	*size = -1;
	if (strcmp(name, CONFIG_FILE) == 0)
		*size = (int64_t) f->config_size;
	else if (strcmp(name, WEIGHTS_FILE) == 0)
		*size = (int64_t) f->weights_size;
	else if (base_name(f, name, there))
		return base->size(base->ctx, there, size, err);
	return DBERT_OK;
}

/* Copy what a piece that lies at offset in a file has of the range [from, from + len). */
static void
copy_overlap(uint64_t from, char *buf, size_t len, uint64_t offset, const char *data, uint64_t bytes)
{
	uint64_t	first = from > offset ? from : offset,
				end = from + len < offset + bytes ? from + len : offset + bytes;

	if (first < end)
		memcpy(buf + (first - from), data + (first - offset), (size_t) (end - first));
}

static void
read_weights(const DbertTrainedFiles *f, uint64_t from, char *buf, size_t len)
{
	char		size[8];

	for (int i = 0; i < 8; i++)
		size[i] = (char) ((uint64_t) f->header_size >> (8 * i));
	memset(buf, ' ', len);		/* pads the header */
	copy_overlap(from, buf, len, 0, size, sizeof(size));
	copy_overlap(from, buf, len, 8, f->header, f->header_text);
	for (size_t i = 0; i < f->n_pieces; i++)
		copy_overlap(from, buf, len, f->pieces[i].offset, f->pieces[i].data, f->pieces[i].bytes);
}

static DbertStatus
trained_read(void *ctx, const char *name, uint64_t offset, void *buf, size_t len, DbertError *err)
{
	const DbertTrainedFiles *f = ctx;
	const DbertSource *base = &f->base->pack->source;
	char		there[DBERT_FILE_NAME_MAX];

	if (strcmp(name, CONFIG_FILE) == 0)
		copy_overlap(offset, buf, len, 0, f->config, f->config_size);
	else if (strcmp(name, WEIGHTS_FILE) == 0)
		read_weights(f, offset, buf, len);
	else if (base_name(f, name, there))
		return base->read(base->ctx, there, offset, buf, len, err);
	else
		return dbert_fail(err, DBERT_E_IO, "there is no file \"%s\"", name);
	return DBERT_OK;
}

/* ---- life ---- */

DbertStatus
dbert_trainer_files(const DbertTrainer *trainer, const DbertAllocator *alloc, const DbertPoll *poll,
					DbertTrainedFiles **files, DbertError *err)
{
	DbertTrainedFiles *f = dbert_alloc_zero(alloc, 1, sizeof(*f));
	DbertStatus status;

	*files = NULL;
	if (f == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	f->alloc = alloc;
	f->base = trainer->base;
	f->source = (DbertSource) {trained_size, trained_read, f};
	status = make_config(trainer, f, poll, err);
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

const DbertSource *
dbert_trained_source(const DbertTrainedFiles *files)
{
	return &files->source;
}

void
dbert_trained_free(DbertTrainedFiles *files)
{
	if (files == NULL)
		return;
	dbert_free(files->alloc, files->config);
	dbert_free(files->alloc, files->header);
	dbert_free(files->alloc, files->pieces);
	dbert_free(files->alloc, files);
}
