/*
 * test_train_gradients.c -- training from labels: every gradient against finite
 * differences of the definition (support/refnet.h), for both families, all
 * heads and losses, with dropout.
 */
#include "test/support/trainfixture.h"
#include "test/testhelp.h"

static void
test_gradients_distilbert(void)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	MemModel	m;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	check_gradients(&m, &o);
	o.class_weights = tiny_class_weights;
	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	mem_edit(&m, "config.json", "\"gelu\"", "\"gelu_new\"");
	check_gradients(&m, &o);
}

static void
test_gradients_bert(void)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_MULTI);
	MemModel	m;

	mem_model_bert(&m, "ForSequenceClassification", "bert.", 3);
	check_gradients(&m, &o);
}

static void
test_gradients_regression(void)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_REGRESSION);
	MemModel	m;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	mem_edit(&m, "config.json", "\"gelu\"", "\"relu\"");
	check_gradients(&m, &o);
}

static void
test_gradients_tokens(void)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_TOKEN, DBERT_PROBLEM_SINGLE);
	MemModel	m;

	o.class_weights = tiny_class_weights;
	mem_model_bert(&m, "ForTokenClassification", "bert.", 3);
	check_gradients(&m, &o);
	o.class_weights = NULL;
	mem_model_distilbert(&m, "ForTokenClassification", 3);
	check_gradients(&m, &o);
}

/*
 * Decoders that are the word embedding, and such that are not; a head that
 * begins at random.
 */
static void
test_gradients_masked(void)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_MASK, DBERT_PROBLEM_SINGLE);
	MemModel	m;

	o.n_labels = 0;
	mem_model_distilbert(&m, "ForMaskedLM", 0);
	check_gradients(&m, &o);
	mem_model_distilbert(&m, "ForMaskedLM", 0);
	mem_add_tensor(&m, MEM_V, MEM_C, "vocab_projector.weight");
	check_gradients(&m, &o);
	mem_model_bert(&m, "ForMaskedLM", "bert.", 0);
	check_gradients(&m, &o);
	mem_model_bert(&m, "ForMaskedLM", "bert.", 0);
	mem_add_tensor(&m, MEM_V, MEM_C, "cls.predictions.decoder.weight");
	mem_edit(&m, "config.json", "\"gelu\"", "\"relu\"");
	check_gradients(&m, &o);
	mem_model_bert(&m, "Model", "", 0);
	check_gradients(&m, &o);
}

/* A batch so many times over. */
#define COPIES 110

static DbertTrainBatch
repeat_batch(const DbertTrainBatch *b, int top)
{
	static int32_t many_cu[3 * COPIES + 1],
				many_ids[9 * COPIES],
				many_masked[4 * COPIES],
				many_classes[4 * COPIES],
				many_soft_ids[4 * COPIES * MEM_V];
	static float many_soft[4 * COPIES * (MEM_V + 1)];
	static uint8_t many_types[9 * COPIES];
	DbertTrainBatch many = { .n_texts = b->n_texts * COPIES,
							 .cu = many_cu,
							 .ids = many_ids,
							 .types = many_types,
							 .classes = many_classes,
							 .masked = many_masked,
							 .n_masked = b->n_masked * COPIES,
							 .soft = many_soft,
							 .soft_ids = many_soft_ids };

	for (int i = 0; i < COPIES; i++)
	{
		for (int j = 0; j < b->n_texts; j++)
			many_cu[i * b->n_texts + j + 1] = 9 * i + b->cu[j + 1];
		for (int j = 0; j < b->n_masked; j++)
		{
			many_masked[i * b->n_masked + j] = 9 * i + b->masked[j];
			many_classes[i * b->n_masked + j] = b->classes[j];
		}
		if (top > 0)
		{
			memcpy(many_soft + i * 4 * (top + 1), b->soft, 4 * (top + 1) * sizeof(float));
			memcpy(many_soft_ids + i * 4 * top, b->soft_ids, 4 * top * sizeof(int32_t));
		}
		memcpy(many_ids + 9 * i, b->ids, sizeof(tiny_ids));
		memcpy(many_types + 9 * i, b->types, sizeof(tiny_types));
	}
	return many;
}

/* Loss, gradients and margins of one batch to a trainer's arrays. */
static void
run_masked(Rig *rig, const DbertTrainBatch *batch, double *loss)
{
	DbertError	err = {0};
	DbertPass	pass = pass_of(rig->trainer, batch, true, &err);
	double		weight;

	CHECK(dbert_pass_forward(&pass) == DBERT_OK);
	CHECK(pass.trainer->objective->loss(&pass, true, loss, &weight) == DBERT_OK);
	CHECK(weight == batch->n_masked);
	CHECK(dbert_pass_backward(&pass) == DBERT_OK);
}

/*
 * The largest difference of two slots' gradients, measured by the largest;
 * those that only the wide one has are 0.
 */
static double
compare_gradients(const Rig *narrow, const Rig *wide, int number)
{
	const DbertParams *p = &narrow->trainer->params,
			   *q = &wide->trainer->params;
	const float *g = p->gradients + p->learning.items[number].offset / sizeof(float),
			   *h = q->gradients + q->learning.items[number].offset / sizeof(float);
	int			n = (int) (p->learning.items[number].bytes / sizeof(float)),
				more = (int) (q->learning.items[number].bytes / sizeof(float));
	double		largest = 1e-6,
				worst = 0;

	for (int i = 0; i < n; i++)
	{
		largest = fmax(largest, fabs(g[i]));
		worst = fmax(worst, fabs((double) g[i] - h[i]));
	}
	for (int i = n; i < more; i++)
		worst = fmax(worst, fabs(h[i]));
	return worst / largest;
}

/*
 * Many rows and a vocabulary of which most tokens have no chance: several
 * blocks, parts and products give the loss and the gradients of the small model
 * and batch, which finite differences have checked.
 */
static void
check_blocks(const char *decoder, const DbertDistill *distill)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_MASK, DBERT_PROBLEM_SINGLE);
	DbertTrainBatch batch,
				many;
	Rig			narrow,
				wide;
	double		loss[2];

	o.dropout = 0;
	o.distill = distill;
	batch = tiny_batch(&o);
	many = repeat_batch(&batch, distill != NULL ? distill->top : 0);
	o.max_texts = many.n_texts;
	o.max_batch_tokens = many.cu[many.n_texts];
	mem_model_distilbert(&narrow.model, "ForMaskedLM", 0);
	mem_model_distilbert(&wide.model, "ForMaskedLM", 0);
	if (decoder != NULL)
	{
		mem_add_tensor(&narrow.model, MEM_V, MEM_C, "%s", decoder);
		mem_add_tensor(&wide.model, MEM_V, MEM_C, "%s", decoder);
	}
	widen_vocabulary(&wide.model);
	if (!begin_rig(&narrow, &o) || !begin_rig(&wide, &o))
		return;
	soften(narrow.trainer);
	soften(wide.trainer);
	for (int i = MEM_V; i < WIDE_V; i++)
		((float *) wide.trainer->params.w.head_out.b)[i] = -1000;
	run_masked(&narrow, &batch, &loss[0]);
	run_masked(&wide, &many, &loss[1]);
	CHECK_NEAR(loss[1], loss[0], 1e-6);
	for (int i = 0; i < narrow.trainer->params.slots.count; i++)
		CHECK_MSG(compare_gradients(&narrow, &wide, i) < 1e-4, "slot %d is off by %g", i,
				  compare_gradients(&narrow, &wide, i));
	for (int i = 0; i < many.n_masked; i++)
		CHECK_NEAR(wide.trainer->acts.logits[i], narrow.trainer->acts.logits[i % batch.n_masked],
				   1e-5);
	end_rig(&narrow);
	end_rig(&wide);
}

static void
test_masked_blocks(void)
{
	static const DbertDistill soft_part = {
		.temperature = 2, .soft = 5, .hard = 2, .teacher_hidden = MEM_C, .top = 5
	};

	check_blocks(NULL, NULL);
	check_blocks("vocab_projector.weight", NULL);
	check_blocks(NULL, &soft_part);
	check_blocks("vocab_projector.weight", &soft_part);
}

/* What learns has the same gradients; what does not has none. */
static void
test_gradients_frozen(void)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	MemModel	m;

	o.freeze_embeddings = true;
	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	check_gradients(&m, &o);
	o.head_only = true;
	mem_model_bert(&m, "ForSequenceClassification", "bert.", 3);
	check_gradients(&m, &o);
}

/* Both families, both poolings, all losses. */
static void
test_gradients_embedding(void)
{
	for (int kind = 0; kind < 12; kind++)
	{
		DbertTrainOptions o = tiny_options(DBERT_HEAD_NONE, DBERT_PROBLEM_SINGLE);
		DbertTrainBatch batch = tiny_batch(&o);
		MemModel	m;

		o.embedding_loss = kind / 4 == 2 ? DBERT_LOSS_COSINE : DBERT_LOSS_COSENT;
		batch.targets = kind / 4 > 0 ? tiny_numbers : NULL;
		if (kind & 1)
			mem_model_bert(&m, "Model", "", 0);
		else
			mem_model_distilbert(&m, "ForSequenceClassification", 3);
		if (kind & 2)
			put_modules(&m, true, kind & 1);
		check_batch_gradients(&m, &o, batch);
	}
}

int
main(void)
{
	RUN(test_gradients_distilbert);
	RUN(test_gradients_bert);
	RUN(test_gradients_regression);
	RUN(test_gradients_tokens);
	RUN(test_gradients_masked);
	RUN(test_gradients_embedding);
	RUN(test_masked_blocks);
	RUN(test_gradients_frozen);
	return tests_end();
}
