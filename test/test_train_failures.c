/*
 * test_train_failures.c -- options and batches that are refused, trainings that
 * are cancelled or diverge.
 */
#include "test/support/testhelp.h"
#include "test/support/trainfixture.h"

static bool
stop_soon(void *ctx)
{
	return --*(int *) ctx < 0;
}

static void
test_failures(void)
{
	static const DbertDistill distill = {.temperature = 1,.soft = 1};
	DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	DbertTrainBatch batch = tiny_batch(&o);
	DbertError	err = {0};
	DbertTrainer *t;
	uint64_t	bytes = 0;
	double		loss;
	int			left = 20;
	DbertPoll	poll = {stop_soon, &left};
	Rig			rig;

	mem_model_distilbert(&rig.model, "ForQuestionAnswering", 0);
	if (!begin_rig(&rig, &o))
		return;
	CHECK(dbert_trainer_bytes(rig.base, &o, &bytes, &err) == DBERT_OK &&
		  bytes > 4 * rig.trainer->params.slots.bytes);
	CHECK(dbert_trainer_step(rig.trainer, &batch, &poll, &loss, &err) == DBERT_E_CANCELLED);
	batch.n_texts = 9;
	CHECK(dbert_trainer_step(rig.trainer, &batch, NULL, &loss, &err) == DBERT_E_LIMIT);
	o.head = DBERT_HEAD_MASK;
	o.head_only = true;
	CHECK(dbert_trainer_create(rig.base, &o, &dbert_malloc_allocator, NULL, &t, &err) ==
			  DBERT_E_UNSUPPORTED &&
		  t == NULL);
	o.head = DBERT_HEAD_SPAN;
	CHECK(dbert_trainer_create(rig.base, &o, &dbert_malloc_allocator, NULL, &t, &err) ==
			  DBERT_E_UNSUPPORTED &&
		  t == NULL);
	/* without a teacher; three columns */
	o = tiny_options(DBERT_HEAD_SPAN, DBERT_PROBLEM_SINGLE);
	CHECK(dbert_trainer_create(rig.base, &o, &dbert_malloc_allocator, NULL, &t, &err) ==
			  DBERT_E_UNSUPPORTED &&
		  t == NULL);
	o.distill = &distill;
	o.n_labels = 3;
	CHECK(dbert_trainer_create(rig.base, &o, &dbert_malloc_allocator, NULL, &t, &err) ==
			  DBERT_E_UNSUPPORTED &&
		  t == NULL);
	o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	o.distill = &distill;
	o.head_only = true;
	CHECK(dbert_trainer_create(rig.base, &o, &dbert_malloc_allocator, NULL, &t, &err) ==
			  DBERT_E_UNSUPPORTED &&
		  t == NULL);
	o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	o.max_text_tokens = MEM_P + 1;
	CHECK(dbert_trainer_create(rig.base, &o, &dbert_malloc_allocator, NULL, &t, &err) ==
			  DBERT_E_INVALID &&
		  t == NULL);
	o = tiny_options(DBERT_HEAD_TOKEN, DBERT_PROBLEM_SINGLE);
	o.max_batch_tokens = INT32_MAX;
	CHECK(dbert_trainer_bytes(rig.base, &o, &bytes, &err) == DBERT_OK &&
		  bytes > (uint64_t) INT32_MAX * MEM_C);
	o = tiny_options(DBERT_HEAD_MASK, DBERT_PROBLEM_SINGLE);
	o.distill = &distill;		/* that names no tokens */
	CHECK(dbert_trainer_create(rig.base, &o, &dbert_malloc_allocator, NULL, &t, &err) ==
			  DBERT_E_INVALID &&
		  t == NULL);
	end_rig(&rig);
}

/* The model cannot be a training's base, as this sentence says. */
static void
check_no_base(MemModel *model, const char *sentence)
{
	DbertSource source = mem_source(model);
	DbertTrainBase *base;
	DbertError	err = {0};

	CHECK(dbert_trainbase_open(&source, NULL, &dbert_malloc_allocator, NULL, &base, &err) ==
			  DBERT_E_UNSUPPORTED &&
		  base == NULL);
	CHECK_STR(err.msg, sentence);
	mem_free(model);
}

/*
 * What there is no way back through: a projection, layers that are one, scores
 * with relative positions.
 */
static void
test_family_limits(void)
{
	MemModel	model;

	mem_model_electra(&model, "Model", 6, 0);
	check_no_base(&model,
				  "models whose embeddings are projected, here from 6 to 8, cannot be trained");
	mem_model_albert(&model, "Model", 2, 1, 1);
	check_no_base(&model, "models whose layers share weights, as those of type \"albert\", "
				  "cannot be trained");
	mem_model_deberta(&model, "Model", "", 0);
	check_no_base(&model, "models of type \"deberta-v2\" cannot be trained yet");
}

/* A large head that begins at random asks in between. */
static void
test_stopped_creation(void)
{
	static const char *labels[DBERT_MAX_LABELS];
	DbertTrainOptions o = tiny_options(DBERT_HEAD_TOKEN, DBERT_PROBLEM_SINGLE);
	DbertError	err = {0};
	DbertTrainer *t;
	int			before = 1000000,
				left = before;
	DbertPoll	poll = {stop_soon, &left};
	Rig			rig;

	mem_model_distilbert(&rig.model, "ForQuestionAnswering", 0);
	if (!begin_rig(&rig, &o))
		return;
	CHECK(dbert_trainer_create(rig.base, &o, &dbert_malloc_allocator, &poll, &t, &err) == DBERT_OK);
	dbert_trainer_free(t);
	for (int i = 0; i < DBERT_MAX_LABELS; i++)
		labels[i] = "x";
	o.labels = labels;
	o.n_labels = DBERT_MAX_LABELS;
	left = before - left + 10;
	CHECK(dbert_trainer_create(rig.base, &o, &dbert_malloc_allocator, &poll, &t, &err) ==
			  DBERT_E_CANCELLED &&
		  t == NULL);
	end_rig(&rig);
}

/* Masked tokens that are none, and ids that are none. */
static void
test_masked_failures(void)
{
	static const int32_t same[] = {1, 1},
				beyond[] = {1, 9},
				no_id[] = {5, MEM_V},
				no_ids[4] = {5, 6, 7, -1};
	static const DbertDistill distill = {.temperature = 1,.soft = 1,.top = 1};
	DbertTrainOptions o = tiny_options(DBERT_HEAD_MASK, DBERT_PROBLEM_SINGLE);
	DbertTrainBatch batch = tiny_batch(&o);
	DbertError	err = {0};
	double		loss;
	int			left = 40;
	DbertPoll	poll = {stop_soon, &left};
	Rig			rig;

	mem_model_distilbert(&rig.model, "ForMaskedLM", 0);
	if (!begin_rig(&rig, &o))
		return;
	batch.n_masked = 0;
	CHECK(dbert_trainer_step(rig.trainer, &batch, NULL, &loss, &err) == DBERT_E_INVALID);
	batch.n_masked = 2;
	batch.masked = same;
	CHECK(dbert_trainer_step(rig.trainer, &batch, NULL, &loss, &err) == DBERT_E_INVALID);
	batch.masked = beyond;
	CHECK(dbert_trainer_step(rig.trainer, &batch, NULL, &loss, &err) == DBERT_E_INVALID);
	batch.masked = tiny_masked;
	batch.classes = no_id;
	CHECK(dbert_trainer_step(rig.trainer, &batch, NULL, &loss, &err) == DBERT_E_INVALID);
	batch.classes = tiny_masked_ids;
	CHECK(dbert_trainer_step(rig.trainer, &batch, &poll, &loss, &err) == DBERT_E_CANCELLED);
	end_rig(&rig);
	mem_model_distilbert(&rig.model, "ForMaskedLM", 0);
	if (!begin_rig(&rig, &o))
		return;
	((float *) rig.trainer->params.w.head_out.b)[3] = NAN;
	CHECK(dbert_trainer_step(rig.trainer, &batch, NULL, &loss, &err) == DBERT_E_INVALID);
	end_rig(&rig);
	o.distill = &distill;
	mem_model_distilbert(&rig.model, "ForMaskedLM", 0);
	if (!begin_rig(&rig, &o))
		return;
	batch = tiny_batch(&o);
	batch.soft_ids = no_ids;
	CHECK(dbert_trainer_step(rig.trainer, &batch, NULL, &loss, &err) == DBERT_E_INVALID);
	batch = tiny_batch(&o);
	teacher_top_soft[2] = NAN;
	CHECK(dbert_trainer_step(rig.trainer, &batch, NULL, &loss, &err) == DBERT_E_INVALID);
	end_rig(&rig);
}

static void
check_no_embedding(MemModel *m, const DbertTrainOptions *o, const char *why)
{
	DbertSource source;
	DbertTrainBase *base = NULL;
	DbertTrainer *t;
	DbertError	err = {0};

	mem_model_save(m);
	source = mem_source(m);
	CHECK(dbert_trainbase_open(&source, NULL, &dbert_malloc_allocator, NULL, &base, &err) == DBERT_OK);
	CHECK(dbert_trainer_create(base, o, &dbert_malloc_allocator, NULL, &t, &err) != DBERT_OK &&
		  t == NULL);
	CHECK_MSG(strstr(err.msg, why) != NULL, "%s", err.msg);
	dbert_trainbase_close(base);
	mem_free(m);
}

static void
test_embedding_failures(void)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_NONE, DBERT_PROBLEM_SINGLE);
	DbertTrainBatch batch = tiny_batch(&o);
	DbertError	err = {0};
	double		loss;
	MemModel	m;
	Rig			rig;

	mem_model_bert(&m, "Model", "", 0);
	put_modules(&m, false, true);
	mem_put(&m, "1_Pooling/config.json", "{\"pooling_mode_max_tokens\":true}");
	check_no_embedding(&m, &o, "mean and cls");
	o.max_texts = 1;
	mem_model_bert(&m, "Model", "", 0);
	check_no_embedding(&m, &o, "pairs");
	o.max_texts = 8;
	o.head_only = true;
	mem_model_bert(&m, "Model", "", 0);
	check_no_embedding(&m, &o, "no head");
	o.head_only = false;
	mem_model_bert(&rig.model, "Model", "", 0);
	if (!begin_rig(&rig, &o))
		return;
	batch.n_texts = 7;
	CHECK(dbert_trainer_step(rig.trainer, &batch, NULL, &loss, &err) == DBERT_E_INVALID);
	end_rig(&rig);
}

int
main(void)
{
	RUN(test_failures);
	RUN(test_family_limits);
	RUN(test_stopped_creation);
	RUN(test_masked_failures);
	RUN(test_embedding_failures);
	return tests_end();
}
