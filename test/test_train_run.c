/*
 * test_train_run.c -- whole runs: models learn, the threads change no bit, the
 * best weights come back, and a trainer goes on where another was.
 */
#include "test/support/testhelp.h"
#include "test/support/trainfixture.h"

static void
test_learns(void)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	DbertTrainBatch batch;
	DbertError	err = {0};
	const float *logits;
	double		loss,
				weight;
	Rig			rig;

	o.steps = 100;
	o.dropout = 0;
	o.learning_rate = 0.02f;
	mem_model_bert(&rig.model, "Model", "", 0);
	if (!begin_rig(&rig, &o))
		return;
	CHECK(!dbert_trainer_kept_head(rig.trainer));
	soften(rig.trainer);
	run_steps(rig.trainer, 100);
	batch = tiny_batch(&o);
	CHECK(dbert_trainer_evaluate(rig.trainer, &batch, NULL, &logits, &loss, &weight, &err) ==
		  DBERT_OK);
	CHECK_MSG(loss < 0.2, "loss after 100 steps: %g", loss);
	CHECK(weight == 3);
	for (int b = 0; b < 3; b++)
		for (int j = 0; j < 3; j++)
			CHECK(logits[b * 3 + j] <= logits[b * 3 + tiny_text_classes[b]]);
	end_rig(&rig);
}

/* All logits of the batch, or of each of its tokens. */
static void
copy_logits(Rig *rig, const DbertTrainBatch *batch, float *to, int n)
{
	const float *logits;
	double		loss,
				weight;
	DbertError	err = {0};

	CHECK(dbert_trainer_evaluate(rig->trainer, batch, NULL, &logits, &loss, &weight, &err) ==
		  DBERT_OK);
	memcpy(to, logits, sizeof(float) * n);
}

/* Halved, bias and all: of a head with a layer before the last, too. */
static void
test_scale_output(void)
{
	for (int bert = 0; bert < 2; bert++)
	{
		DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
		DbertTrainBatch batch = tiny_batch(&o);
		float		before[TINY_TEXTS * 3],
					after[TINY_TEXTS * 3];
		Rig			rig;

		if (bert)
			mem_model_bert(&rig.model, "Model", "", 0);
		else
			mem_model_distilbert(&rig.model, "Model", 0);
		if (!begin_rig(&rig, &o))
			return;
		run_steps(rig.trainer, 5);
		copy_logits(&rig, &batch, before, TINY_TEXTS * 3);
		dbert_trainer_scale_output(rig.trainer, 0.5f);
		copy_logits(&rig, &batch, after, TINY_TEXTS * 3);
		for (int i = 0; i < TINY_TEXTS * 3; i++)
			CHECK(before[i] != 0 && after[i] == before[i] / 2);
		end_rig(&rig);
	}
}

/*
 * Parameters after some steps, with so many threads; gaps between them are 0.
 */
static void
run_threads(DbertHead head, int threads, const DbertDistill *distill, float **values, size_t *bytes)
{
	DbertTrainOptions o = tiny_options(head, DBERT_PROBLEM_SINGLE);
	DbertThreads  *pool = NULL;
	Rig			rig;

	o.threads = threads;
	o.distill = distill;
	mem_model_bert(&rig.model, "Model", "", 0);
	if (head == DBERT_HEAD_MASK)
		widen_vocabulary(&rig.model);
	if (!begin_rig(&rig, &o))
		return;
	if (threads > 1)
		CHECK(dbert_threads_create(threads, &dbert_malloc_allocator, &pool, NULL) == DBERT_OK);
	dbert_trainer_set_pool(rig.trainer, pool);
	run_steps(rig.trainer, 5);
	*bytes = rig.trainer->params.slots.bytes;
	*values = calloc(1, *bytes);
	for (int i = 0; i < rig.trainer->params.slots.count; i++)
	{
		const DbertSlot *slot = &rig.trainer->params.slots.items[i];

		memcpy((char *) *values + slot->offset, (char *) rig.trainer->params.values + slot->offset,
			   slot->bytes);
	}
	dbert_threads_free(pool);
	end_rig(&rig);
}

static void
check_threads(DbertHead head, const DbertDistill *d)
{
	float	   *one = NULL,
			   *three = NULL;
	size_t		bytes = 0;

	run_threads(head, 1, d, &one, &bytes);
	run_threads(head, 3, d, &three, &bytes);
	CHECK(one != NULL && three != NULL && memcmp(one, three, bytes) == 0);
	free(one);
	free(three);
}

static void
test_threads(void)
{
	static const DbertDistill distill = { .temperature = 2,
										  .soft = 1,
										  .hard = 1,
										  .cosine = 1,
										  .hidden = 1,
										  .attention = 1,
										  .teacher_hidden = TEACHER_C,
										  .top = 5 };

	check_threads(DBERT_HEAD_TOKEN, NULL);
	check_threads(DBERT_HEAD_MASK, NULL);
	fill_teacher(false);
	check_threads(DBERT_HEAD_TOKEN, &distill);
	check_threads(DBERT_HEAD_MASK, &distill);
	check_threads(DBERT_HEAD_NONE, NULL);
}

/*
 * Margins: 0 where the partner is nearest.  Pairs 0 and 2 share a text, so one
 * cannot be nearer to the other.
 */
static void
test_embedding_margins(void)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_NONE, DBERT_PROBLEM_SINGLE);
	static const int32_t twice_cu[] = {0, 3, 4, 7, 8};
	static const int32_t twice_ids[] = {2, 5, 3, 7, 2, 5, 3, 9};
	DbertTrainBatch batch = tiny_batch(&o);
	DbertError	err = {0};
	double		loss,
				weight;
	const float *margins;
	Rig			rig;

	mem_model_bert(&rig.model, "Model", "", 0);
	if (!begin_rig(&rig, &o))
		return;
	CHECK(dbert_trainer_evaluate(rig.trainer, &batch, NULL, &margins, &loss, &weight, &err) ==
		  DBERT_OK);
	for (int i = 0; i < 4; i++)
		CHECK(margins[i] <= 0);

	/* one text with two partners: both are right, nothing is wrong */
	batch = (DbertTrainBatch) {.n_texts = 4,.cu = twice_cu,.ids = twice_ids};
	CHECK(dbert_trainer_evaluate(rig.trainer, &batch, NULL, &margins, &loss, &weight, &err) ==
		  DBERT_OK);
	CHECK(loss == 0 && margins[0] == 0 && margins[1] == 0);
	end_rig(&rig);
}

static void
test_keep_restore(void)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	Rig			rig;
	float		before;

	o.keep_best = true;
	mem_model_distilbert(&rig.model, "Model", 0);
	if (!begin_rig(&rig, &o))
		return;
	run_steps(rig.trainer, 1);
	before = rig.trainer->params.values[MEM_C * 5];
	CHECK(dbert_trainer_keep(rig.trainer, NULL, NULL) == DBERT_OK);
	run_steps(rig.trainer, 2);
	CHECK(rig.trainer->params.values[MEM_C * 5] != before);
	CHECK(dbert_trainer_restore(rig.trainer, NULL, NULL) == DBERT_OK);
	CHECK(rig.trainer->params.values[MEM_C * 5] == before);
	end_rig(&rig);
}

/* What to learns from is what from had learnt. */
static void
copy_blocks(DbertTrainer *from, DbertTrainer *to)
{
	DbertTrainerBlock a,
				b;
	int			i = 0;

	CHECK(dbert_trainer_continue(to, dbert_trainer_steps(from), dbert_trainer_kept(from), NULL,
								 NULL) == DBERT_OK);
	for (; dbert_trainer_block(from, i, &a); i++)
	{
		CHECK(dbert_trainer_block(to, i, &b) && a.bytes == b.bytes);
		memcpy(b.data, a.data, a.bytes);
	}
	CHECK(!dbert_trainer_block(to, i, &b));
}

static void
check_equal_values(const DbertTrainer *a, const DbertTrainer *b)
{
	for (int i = 0; i < a->params.slots.count; i++)
	{
		const DbertSlot *slot = &a->params.slots.items[i];

		CHECK(memcmp((char *) a->params.values + slot->offset,
					 (char *) b->params.values + slot->offset, slot->bytes) == 0);
	}
}

/*
 * A trainer that goes on where another was, with the same bits; frozen
 * parameters or none.
 */
static void
test_continue(void)
{
	for (int frozen = 0; frozen < 2; frozen++)
	{
		DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
		DbertError	err = {0};
		Rig			first,
					second;

		o.keep_best = true;
		o.freeze_embeddings = frozen;
		mem_model_bert(&first.model, "Model", "", 0);
		mem_model_bert(&second.model, "Model", "", 0);
		if (!begin_rig(&first, &o) || !begin_rig(&second, &o))
			return;
		run_steps(first.trainer, 1);
		CHECK(!dbert_trainer_kept(first.trainer));
		CHECK(dbert_trainer_keep(first.trainer, NULL, NULL) == DBERT_OK);
		run_steps(first.trainer, 2);
		CHECK(dbert_trainer_steps(first.trainer) == 3 && dbert_trainer_kept(first.trainer));
		copy_blocks(first.trainer, second.trainer);
		CHECK(run_steps(first.trainer, 2) == run_steps(second.trainer, 2));
		check_equal_values(first.trainer, second.trainer);
		CHECK(dbert_trainer_restore(first.trainer, NULL, NULL) == DBERT_OK);
		CHECK(dbert_trainer_restore(second.trainer, NULL, NULL) == DBERT_OK);
		check_equal_values(first.trainer, second.trainer);
		CHECK(dbert_trainer_continue(second.trainer, -1, false, NULL, &err) == DBERT_E_INVALID);
		CHECK(dbert_trainer_continue(second.trainer, o.steps + 1, false, NULL, &err) ==
			  DBERT_E_INVALID);
		end_rig(&first);
		end_rig(&second);
	}
}

int
main(void)
{
	RUN(test_learns);
	RUN(test_scale_output);
	RUN(test_threads);
	RUN(test_embedding_margins);
	RUN(test_keep_restore);
	RUN(test_continue);
	return tests_end();
}
