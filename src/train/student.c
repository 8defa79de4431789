/*
 * student.c -- a smaller model made of a larger one, as files.
 *
 * config.json is the model's with other sizes.  model.safetensors is a header
 * made here, followed by tensors that are made as they are read: out of the
 * model's own files, or of random numbers.  All other files are the model's.
 *
 * 12 layers become 6 as in the DistilBERT paper's script: 0, 2, 4, 7, 9, 11.
 *
 * Source: Sanh et al. 2019 (arXiv:1910.01108), section 3, "Student
 * initialization".
 */
#include "model/family.h"
#include "train/overlay.h"
#include "train/random.h"
#include "train/trainbase.h"

#include <string.h>

#define CONFIG_FILE "config.json"

/* Where the values of a piece come from. */
typedef struct Origin
{
	const DbertTensor *tensor;	/* of the model; or NULL: */
	bool		random;
	float		constant;		/* if not random */
} Origin;

struct DbertStudent
{
	const DbertAllocator *alloc;
	const DbertTrainBase *model;
	DbertConfig config;
	uint64_t	seed;
	DbertOverlay files;			/* over the model's */
	Origin	   *origins;		/* [files.weights.n_pieces] */
};

/* ---- sizes ---- */

static DbertStatus
set_width(DbertConfig *c, int hidden, DbertError *err)
{
	int			head = c->hidden / c->heads;

	if (hidden % c->heads != 0 && hidden % head != 0)
		return dbert_fail(err, DBERT_E_INVALID, "a width of %d cannot be shared by heads", hidden);
	if (hidden % c->heads != 0)
		c->heads = hidden / head;
	c->ffn = (int32_t) ((int64_t) c->ffn * hidden / c->hidden);
	if (c->ffn < 1)
		c->ffn = 1;
	c->hidden = hidden;
	c->embed_width = hidden;
	c->embedding = hidden;
	return DBERT_OK;
}

static DbertStatus
make_config(DbertStudent *s, const DbertPoll *poll, DbertError *err)
{
	static const size_t changed[] = {
		offsetof(DbertConfig, layers), offsetof(DbertConfig, heads),
		offsetof(DbertConfig, hidden), offsetof(DbertConfig, ffn),
		offsetof(DbertConfig, embed_width)
	};
	const DbertConfig *c = &s->config;
	DbertJsonTree tree;
	DbertJson	at;

	DBERT_TRY(dbert_json_load(&s->model->pack->source, s->model->dir, CONFIG_FILE, DBERT_JSON_MAX,
							  0, false, s->alloc, poll, &tree, &at, err));
	dbert_json_pool_enter(&tree.pool);
	for (size_t i = 0; i < sizeof(changed) / sizeof(changed[0]); i++)
		dbert_json_set_size(tree.root, dbert_family_size(dbert_family_of(c), changed[i]),
							*(const int32_t *) ((const char *) c + changed[i]));
	dbert_json_pool_leave(&tree.pool);
	return dbert_overlay_put_json(&s->files, s->model->dir, CONFIG_FILE, &tree, DBERT_CONFIG_FORMAT,
								  err);
}

/* ---- weights ---- */

/* The gains of norms begin as 1, all other vectors as 0. */
static bool
is_gain(const DbertSlot *slot, const DbertConfig *config)
{
	char		name[DBERT_TENSOR_NAME_MAX + 1];

	dbert_slot_tensor_name(slot, 0, config, name);
	return !dbert_slot_is_matrix(slot) &&
		   strcmp(name + strlen(name) - strlen(".weight"), ".weight") == 0;
}

static void
add_slot(DbertStudent *s, const DbertSlot *slot, bool fresh)
{
	int			parts = dbert_slot_parts(slot, &s->config);
	char		name[DBERT_TENSOR_NAME_MAX + 1];

	for (int part = 0; part < parts; part++)
	{
		const DbertTensor *t = fresh ? NULL : slot->parts[part];

		s->origins[s->files.weights.n_pieces] = (Origin)
		{
			.tensor = t,.random = dbert_slot_is_matrix(slot),.constant = is_gain(slot, &s->config)
		};
		dbert_slot_tensor_name(slot, part, &s->config, name);
		dbert_tensorfile_add(&s->files.weights, name, slot, parts, t ? t->dtype_name : "F32",
							 t ? (int) dbert_dtype_size(t->dtype) : 4, NULL);
	}
}

/*
 * A layer's tensors have the number that the layer has in the model, not in the
 * student.
 */
static DbertStatus
match_slots(const DbertStudent *s, DbertSlots *slots, DbertError *err)
{
	for (int i = 0; i < slots->count; i++)
		if (slots->items[i].layer >= 0)
			slots->items[i].layer = dbert_student_layer(slots->items[i].layer, s->config.layers,
														s->model->pack->config.layers);
	return dbert_slots_match_encoder(slots, &s->config, &s->model->pack->tensors, err);
}

static DbertStatus
add_slots(DbertStudent *s, DbertSlots *plan, DbertSlots *found, DbertError *err)
{
	bool		fresh = s->config.hidden != s->model->pack->config.hidden;

	DBERT_TRY(dbert_tensorfile_begin(&s->files.weights, plan->count * 3, s->alloc, err));
	s->origins = dbert_alloc_array(s->alloc, (size_t) plan->count * 3, sizeof(Origin));
	if (s->origins == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	if (!fresh)
		DBERT_TRY(match_slots(s, found, err));
	for (int i = 0; i < plan->count; i++)
	{
		memcpy(plan->items[i].parts, found->items[i].parts, sizeof(plan->items[i].parts));
		if (plan->items[i].kind != DBERT_SLOT_TIED && (fresh || found->items[i].n_parts > 0))
			add_slot(s, &plan->items[i], fresh);
	}
	return dbert_tensorfile_end(&s->files.weights, err);
}

static DbertStatus
make_weights(DbertStudent *s, DbertError *err)
{
	bool		tied = dbert_slots_tied(&s->config, &s->model->pack->tensors);
	DbertSlots	plan = {0},
				found = {0};
	DbertStatus status;

	status = dbert_slots_plan(&s->config, tied, &dbert_kernels_scalar, s->alloc, &plan, err);
	if (status == DBERT_OK)
		status = dbert_slots_plan(&s->config, tied, &dbert_kernels_scalar, s->alloc, &found, err);
	if (status == DBERT_OK)
		status = add_slots(s, &plan, &found, err);
	dbert_free(s->alloc, plan.items);
	dbert_free(s->alloc, found.items);
	return status;
}

/* ---- the source ---- */

/*
 * Bytes of a piece that the model does not have.  Each element is a function of
 * its place, so any part can be made.
 */
static void
make_values(const DbertStudent *s, int piece, uint64_t from, char *buf, size_t len)
{
	const Origin *o = &s->origins[piece];
	uint64_t	key = dbert_random_key(s->seed, DBERT_STREAM_STUDENT, (uint64_t) piece);

	for (uint64_t at = from / 4 * 4; at < from + len; at += 4)
	{
		float		x = o->random ? (float) (DBERT_INIT_STD * dbert_random_normal(key, at / 4))
								  : o->constant;
		uint32_t	bits;
		char		bytes[4];

		memcpy(&bits, &x, sizeof(bits));
		for (int i = 0; i < 4; i++)
			bytes[i] = (char) (bits >> (8 * i));
		dbert_copy_overlap(from, buf, len, at, bytes, sizeof(bytes));
	}
}

static DbertStatus
fetch(void *ctx, int piece, uint64_t from, void *buf, size_t len, DbertError *err)
{
	const DbertStudent *s = ctx;
	const DbertSource *source = &s->model->pack->source;
	const DbertTensor *t = s->origins[piece].tensor;

	if (t != NULL)
		return source->read(source->ctx, t->file, t->offset + from, buf, len, err);
	make_values(s, piece, from, buf, len);
	return DBERT_OK;
}

/* ---- life ---- */

static DbertStatus
make_student(DbertStudent *s, int layers, int hidden, const DbertPoll *poll, DbertError *err)
{
	const DbertTrainBase *model = s->model;

	s->config = model->pack->config;
	if (layers < 1 || layers > s->config.layers || hidden < 0 || hidden > s->config.hidden)
		return dbert_fail(err, DBERT_E_INVALID,
						  "a student of %d layers and width %d from a model of %d and %d", layers,
						  hidden, (int) s->config.layers, (int) s->config.hidden);
	if (layers < s->config.layers && dbert_family_of(&s->config)->norms_first)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "a student of a model of type \"%s\" has all of its %d layers",
						  dbert_family_of(&s->config)->model_type, (int) s->config.layers);
	s->config.layers = layers;
	s->config.n_steps = 0;		/* have files of their own */
	if (hidden != 0 && hidden != s->config.hidden)
		DBERT_TRY(set_width(&s->config, hidden, err));
	DBERT_TRY(dbert_overlay_begin(&s->files, &model->pack->source, model->dir, s->alloc, fetch, s,
								  err));
	DBERT_TRY(make_config(s, poll, err));
	return make_weights(s, err);
}

DbertStatus
dbert_student_open(const DbertTrainBase *model, int layers, int hidden, uint64_t seed,
				   const DbertAllocator *alloc, const DbertPoll *poll, DbertStudent **student,
				   DbertError *err)
{
	DbertStudent *s = dbert_alloc_zero(alloc, 1, sizeof(*s));
	DbertStatus status;

	*student = NULL;
	if (s == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	s->alloc = s->files.alloc = s->files.weights.alloc = alloc;
	s->model = model;
	s->seed = seed;
	status = make_student(s, layers, hidden, poll, err);
	if (status != DBERT_OK)
	{
		dbert_student_free(s);
		return status;
	}
	*student = s;
	return DBERT_OK;
}

const DbertSource *
dbert_student_source(const DbertStudent *student)
{
	return &student->files.source;
}

void
dbert_student_free(DbertStudent *student)
{
	if (student == NULL)
		return;
	dbert_free(student->alloc, student->origins);
	dbert_overlay_free(&student->files);
	dbert_free(student->alloc, student);
}
