/*
 * trainfixture.c -- a trainer on a tiny model, and batches for it.
 */
#include "test/support/trainfixture.h"

#include "test/support/testhelp.h"

static const char *const tiny_labels[] = {"O", "B-X", "I-X"};
const float tiny_class_weights[] = {1, 3, 0.5f};

/* Three texts of 3, 1 and 5 tokens. */
const int32_t tiny_cu[] = {0, 3, 4, 9};
const int32_t tiny_ids[] = {2, 5, 3, 7, 2, 9, 9, 10, 3};
const uint8_t tiny_types[] = {0, 0, 0, 0, 0, 1, 1, 0, 1};
static const int32_t tiny_classes[] = {1, 2, -1, 0, 1, 0, -1, 2, 0};
const int32_t tiny_text_classes[] = {1, 2, 1};
const int32_t tiny_masked[] = {1, 4, 5, 7};	/* none of the second text */
const int32_t tiny_masked_ids[] = {6, 13, 2, 9};
static const float tiny_targets[] = {0, 1, 1, 1, 0, 0, 0, 1, 0};

/* Four pairs of texts; the first text of all is the sixth, too. */
static const int32_t pair_cu[] = {0, 3, 4, 9, 12, 14, 17, 20, 22};
static const int32_t pair_ids[] = { 2, 5, 3, 7, 2, 9, 9,  10, 3, 2, 11,
									3, 6, 8, 2, 5, 3, 12, 2,  4, 5, 3 };
const float tiny_numbers[] = {0.2f, 0.9f, 0.9f, 0.5f};

/* What a teacher says of them; the second text has no label. */
static const int32_t some_classes[] = {1, -1, 1};
static const float some_targets[] = {0, 1, 1, NAN, 0, 0, 0, 1, 0};
static float teacher_soft[9 * TEACHER_C];
static float teacher_states[MEM_L][9 * TEACHER_C];
static const float *state_rows[MEM_L];
static float teacher_queries_keys[MEM_L][9 * 2 * TEACHER_C];
static const float *queries_keys_rows[MEM_L];

void
fill_teacher(bool only_last)
{
	for (int i = 0; i < 9 * TEACHER_C; i++)
		teacher_soft[i] = (float) sin(i * 1.7 + 0.3) * 2;
	for (int l = 0; l < MEM_L; l++)
	{
		for (int i = 0; i < 9 * TEACHER_C; i++)
			teacher_states[l][i] = (float) sin(i * 0.9 + l);
		state_rows[l] = only_last && l < MEM_L - 1 ? NULL : teacher_states[l];
		for (int i = 0; i < 9 * 2 * TEACHER_C; i++)
			teacher_queries_keys[l][i] = (float) cos(i * 1.3 + l);
		queries_keys_rows[l] = teacher_queries_keys[l];
	}
}

static int32_t teacher_top_ids[4 * MEM_V];
float		teacher_top_soft[4 * (MEM_V + 1)];

/*
 * A teacher's likeliest tokens of each row, and what is left for all others:
 * none where they are all.
 */
static void
fill_top(int top, int rows)
{
	for (int i = 0; i < rows; i++)
	{
		float	   *log_q = teacher_top_soft + i * (top + 1);
		double		sum = top < MEM_V ? 1.5 : 0;

		for (int k = 0; k < top; k++)
			sum += exp(-0.6 * k);
		for (int k = 0; k < top; k++)
		{
			teacher_top_ids[i * top + k] = (3 * k + 5 * i) % MEM_V;
			log_q[k] = (float) (-0.6 * k - log(sum));
		}
		log_q[top] = top < MEM_V ? (float) log(1.5 / sum) : -INFINITY;
	}
}

DbertTrainOptions
tiny_options(DbertHead head, DbertProblem problem)
{
	static const char *const span[] = {"start", "end"};
	DbertTrainOptions o = {
		.head = head,.problem = problem,.n_labels = head == DBERT_HEAD_SPAN ? 2 : 3,
		.labels = head == DBERT_HEAD_SPAN ? span : tiny_labels,.dropout = 0.25f,.seed = 7,
		.learning_rate = 0.01f,.weight_decay = 0.1f,.max_grad_norm = 1,.steps = 10,
		.max_texts = 8,.max_batch_tokens = 24,.max_text_tokens = REF_T,.threads = 1,
		.kernels = &dbert_kernels_scalar
	};

	return o;
}

DbertTrainBatch
tiny_batch(const DbertTrainOptions *o)
{
	DbertTrainBatch b = {.n_texts = 3,.cu = tiny_cu,.ids = tiny_ids,.types = tiny_types};

	if (o->head == DBERT_HEAD_NONE && o->distill == NULL)
		return (DbertTrainBatch) {.n_texts = 8,.cu = pair_cu,.ids = pair_ids};
	if (o->head == DBERT_HEAD_SPAN || o->head == DBERT_HEAD_NONE)
		 /* nothing but a teacher's answers */ ;
	else if (o->head == DBERT_HEAD_MASK)
	{
		b.classes = tiny_masked_ids;
		b.masked = tiny_masked;
		b.n_masked = 4;
	}
	else if (o->head == DBERT_HEAD_TOKEN)
		b.classes = tiny_classes;
	else if (o->problem == DBERT_PROBLEM_SINGLE)
		b.classes = tiny_text_classes;
	else
		b.targets = tiny_targets;
	if (o->distill == NULL)
		return b;
	b.classes = b.classes == tiny_text_classes ? some_classes : b.classes;
	b.targets = b.targets == tiny_targets ? some_targets : NULL;
	b.soft = teacher_soft;
	b.states = state_rows;
	b.queries_keys = queries_keys_rows;
	if (o->head != DBERT_HEAD_MASK)
		return b;
	fill_top(o->distill->top, b.n_masked);
	b.soft = teacher_top_soft;
	b.soft_ids = teacher_top_ids;
	return b;
}

bool
begin_rig(Rig *rig, const DbertTrainOptions *o)
{
	DbertError	err = {0};
	DbertStatus status;

	mem_model_save(&rig->model);
	rig->source = mem_source(&rig->model);
	rig->base = NULL;
	rig->trainer = NULL;
	status = dbert_trainbase_open(&rig->source, NULL, &dbert_malloc_allocator, NULL, &rig->base, &err);
	if (status == DBERT_OK)
		status =
			dbert_trainer_create(rig->base, o, &dbert_malloc_allocator, NULL, &rig->trainer, &err);
	CHECK_MSG(status == DBERT_OK, "%s", err.msg);
	return status == DBERT_OK;
}

void
end_rig(Rig *rig)
{
	dbert_trainer_free(rig->trainer);
	dbert_trainbase_close(rig->base);
	mem_free(&rig->model);
}

DbertPass
pass_of(DbertTrainer *t, const DbertTrainBatch *b, bool training, DbertError *err)
{
	DbertPass	pass;

	CHECK(dbert_pass_begin(t, b, training, NULL, err, &pass) == DBERT_OK);
	return pass;
}

void
soften(DbertTrainer *t)
{
	for (size_t i = 0; i < t->params.slots.bytes / sizeof(float); i++)
		t->params.values[i] *= 0.7f;
}

void
widen_vocabulary(MemModel *m)
{
	char		size[32];

	snprintf(size, sizeof(size), "\"vocab_size\":%d", WIDE_V);
	mem_edit(m, "config.json", "\"vocab_size\":14", size);
	for (int i = 0; i < m->n_tensors; i++)
		if (m->tensors[i].shape[0] == MEM_V)
			m->tensors[i].shape[0] = WIDE_V;
}

void
put_modules(MemModel *m, bool cls, bool normalize)
{
	mem_put(m, "modules.json",
			normalize ? "[{\"type\":\"m.Transformer\",\"path\":\"\"},{\"type\":\"m.Pooling\","
						"\"path\":\"1_Pooling\"},"
						"{\"type\":\"m.Normalize\",\"path\":\"2_Normalize\"}]"
					  : "[{\"type\":\"m.Transformer\",\"path\":\"\"},{\"type\":\"m.Pooling\","
						"\"path\":\"1_Pooling\"}]");
	mem_put(m, "1_Pooling/config.json",
			cls ? "{\"pooling_mode_cls_token\":true}" : "{\"pooling_mode_mean_tokens\":true}");
}

DbertStatus
ask_teacher(DbertTeacher *teacher, const DbertTrainBatch *batch, DbertError *err)
{
	DbertTeacherBatch asked = {
		.n_texts = batch->n_texts,
		.cu = batch->cu,
		.ids = batch->ids,
		.types = batch->types,
		.masked = batch->masked,
		.n_masked = batch->n_masked
	};

	return dbert_teacher_run(teacher, &asked, NULL, NULL, err);
}

double
run_steps(DbertTrainer *t, int steps)
{
	DbertTrainBatch batch = tiny_batch(&t->options);
	DbertError	err = {0};
	double		loss = 0;

	for (int i = 0; i < steps; i++)
		CHECK_MSG(dbert_trainer_step(t, &batch, NULL, &loss, &err) == DBERT_OK, "%s", err.msg);
	return loss;
}
