/*
 * test_train_masked.c -- training on masked tokens, from labels and from a
 * teacher: gradients against finite differences of the definition
 * (support/refnet.h), blocks of a large vocabulary, a teacher's answers.
 */
#include "test/support/trainfixture.h"

#include "dbert.h"
#include "test/support/packhelp.h"
#include "test/support/testhelp.h"

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

/*
 * Masked tokens: the top and the rest, the top being all, the true ones; with
 * states and attention; decoders of their own and not, students less wide.
 */
static void
test_gradients_masked_soft(void)
{
	static const DbertDistill parts[] = {
		{.temperature = 2,.soft = 5,.hard = 2,.top = 5},
		{.temperature = 2,.soft = 5,.top = 1},
		{.temperature = 3,.soft = 1,.hard = 1,.top = MEM_V},
		{.temperature = 2,.soft = 5,.hard = 2,.cosine = 1,.top = 5},
		{.temperature = 2,.soft = 1,.hard = 1,.cosine = 1,.hidden = 1,.attention = 1,.top = 5},
		{.temperature = 1,.hard = 1,.cosine = 1,.top = 5},
		{.temperature = 1,.cosine = 1,.top = 5}
	};

	for (int i = 0; i < 14; i++)
	{
		DbertDistill d = parts[i % 7];
		DbertTrainOptions o = tiny_options(DBERT_HEAD_MASK, DBERT_PROBLEM_SINGLE);
		MemModel	m;

		o.n_labels = 0;
		fill_teacher(false);
		d.teacher_hidden = i < 7 ? MEM_C : TEACHER_C;
		o.distill = &d;
		mem_model_distilbert(&m, "ForMaskedLM", 0);
		check_gradients(&m, &o);
		mem_model_bert(&m, "ForMaskedLM", "bert.", 0);
		mem_add_tensor(&m, MEM_V, MEM_C, "cls.predictions.decoder.weight");
		check_gradients(&m, &o);
	}
}

/* ---- blocks ---- */

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
	CHECK(pass.trainer->steps->loss(&pass, true, loss, &weight) == DBERT_OK);
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

/* ---- teachers ---- */

/*
 * log q of the likeliest tokens by the definition, these first, and of the
 * rest.
 */
static void
check_answers(const DbertTeacher *teacher, const Ref *r, int top, double temperature)
{
	for (int row = 0, text = 0; row < r->pass.batch->n_masked; row++)
	{
		const float *log_q = dbert_teacher_outputs(teacher) + row * (top + 1);
		const int32_t *named = dbert_teacher_ids(teacher) + row * top;
		int			token = r->pass.batch->masked[row],
					first;
		double		x[REF_T][MEM_C],
					logits[MEM_V],
					sum = 0,
					rest = 0;

		while (tiny_cu[text + 1] <= token)
			text++;
		first = tiny_cu[text];
		ref_embed(r, first, tiny_cu[text + 1] - first, x);
		for (int l = 0; l < MEM_L; l++)
			ref_layer(r, l, text, tiny_cu[text + 1] - first, x);
		ref_head(r, row, x[token - first], logits);
		for (int v = 0; v < MEM_V; v++)
			sum += exp(logits[v] / temperature);
		for (int v = 0; v < MEM_V; v++)
		{
			int			k = 0;

			while (k < top && named[k] != v)
				k++;
			if (k < top)
				CHECK_NEAR(log_q[k], logits[v] / temperature - log(sum), 1e-4);
			else
			{
				CHECK(logits[v] <= logits[named[top - 1]]);
				rest += exp(logits[v] / temperature) / sum;
			}
			CHECK(k >= top || k == 0 || logits[v] <= logits[named[k - 1]]);
		}
		CHECK(top < MEM_V ? fabs(log_q[top] - log(rest)) < 1e-4 : log_q[top] == -INFINITY);
	}
}

static void
check_masked_teacher(MemModel *model, int top, double temperature)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_MASK, DBERT_PROBLEM_SINGLE);
	DbertTeacherOptions options = { .max_texts = 3,
									.max_tokens = 9,
									.max_text_tokens = 5,
									.threads = 1,
									.top = top,
									.temperature = (float) temperature };
	Rig			rig = {.model = *model};
	Ref			r;
	DbertPass	pass;
	DbertTrainBatch batch = tiny_batch(&o);
	DbertTeacher *teacher;
	DbertError	err = {0};
	Built		b;

	if (!begin_rig(&rig, &o))
		return;
	CHECK(build(&rig.source, NULL, &dbert_kernels_scalar, &b, &err) == DBERT_OK);
	CHECK(dbert_teacher_create(b.model, &options, &dbert_malloc_allocator, &teacher, &err) ==
		  DBERT_OK);
	CHECK_MSG(ask_teacher(teacher, &batch, &err) == DBERT_OK, "%s", err.msg);
	pass = pass_of(rig.trainer, &batch, false, &err);
	ref_begin(&r, &pass);
	check_answers(teacher, &r, top, temperature);
	ref_end(&r);
	dbert_teacher_free(teacher);
	release(&b);
	end_rig(&rig);
}

static void
test_masked_teacher(void)
{
	MemModel	m;

	mem_model_distilbert(&m, "ForMaskedLM", 0);
	check_masked_teacher(&m, 5, 2);
	mem_model_bert(&m, "ForMaskedLM", "bert.", 0);
	check_masked_teacher(&m, MEM_V, 1);
}

int
main(void)
{
	RUN(test_gradients_masked);
	RUN(test_gradients_masked_soft);
	RUN(test_masked_blocks);
	RUN(test_masked_teacher);
	return tests_end();
}
