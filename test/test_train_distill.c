/*
 * test_train_distill.c -- training from a teacher: every gradient against
 * finite differences of the definition (support/refnet.h), and what the engine
 * says as a teacher against what the trainer of the same weights computes.
 */
#include "test/support/trainfixture.h"

#include "dbert.h"
#include "test/packhelp.h"

static void
test_gradients_soft(void)
{
	DbertDistill d = {.temperature = 2,.soft = 3,.hard = 1};
	DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	MemModel	m;

	fill_teacher(true);
	o.distill = &d;
	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	check_gradients(&m, &o);
	o.problem = DBERT_PROBLEM_REGRESSION;
	mem_model_bert(&m, "ForSequenceClassification", "bert.", 3);
	check_gradients(&m, &o);
	o.problem = DBERT_PROBLEM_MULTI;
	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	check_gradients(&m, &o);
	o.head = DBERT_HEAD_TOKEN;
	mem_model_bert(&m, "ForTokenClassification", "bert.", 3);
	check_gradients(&m, &o);
	d.hard = 0;					/* and nothing but the teacher */
	mem_model_bert(&m, "ForTokenClassification", "bert.", 3);
	check_gradients(&m, &o);
}

/*
 * States as wide as the teacher's, and less wide; with the last layer's alone,
 * and with all.
 */
static void
test_gradients_states(void)
{
	static const DbertDistill parts[] = {
		{.temperature = 1,.soft = 1,.cosine = 2},
		{.temperature = 3,.soft = 1,.hard = 1,.cosine = 2,.hidden = 0.5f},
		{.temperature = 1,.soft = 1,.attention = 0.5f},
		{.temperature = 1,.soft = 1,.hidden = 1,.attention = 0.5f}
	};

	for (int i = 0; i < 8; i++)
	{
		DbertDistill d = parts[i % 4];
		DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
		MemModel	m;

		fill_teacher(d.hidden == 0);
		d.teacher_hidden = i < 4 ? MEM_C : TEACHER_C;
		o.distill = &d;
		mem_model_distilbert(&m, "ForSequenceClassification", 3);
		check_gradients(&m, &o);
		o.head = DBERT_HEAD_TOKEN;
		mem_model_bert(&m, "ForTokenClassification", "bert.", 3);
		check_gradients(&m, &o);
	}
}

/*
 * Starts and ends of answers; with states, attention, and without the answers;
 * students less wide.
 */
static void
test_gradients_spans(void)
{
	static const DbertDistill parts[] = {
		{.temperature = 2,.soft = 3},
		{.temperature = 2,.soft = 3,.cosine = 1},
		{.temperature = 1,.soft = 1,.cosine = 1,.hidden = 1,.attention = 0.5f},
		{.temperature = 1,.cosine = 1}
	};

	for (int i = 0; i < 8; i++)
	{
		DbertDistill d = parts[i % 4];
		DbertTrainOptions o = tiny_options(DBERT_HEAD_SPAN, DBERT_PROBLEM_SINGLE);
		MemModel	m;

		fill_teacher(d.hidden == 0);
		d.teacher_hidden = i < 4 ? MEM_C : TEACHER_C;
		o.distill = &d;
		mem_model_distilbert(&m, "ForQuestionAnswering", 0);
		check_gradients(&m, &o);
		mem_model_bert(&m, "ForQuestionAnswering", "bert.", 0);
		check_gradients(&m, &o);
	}
}

/*
 * Texts' vectors, of both poolings, alone and with states and attention, as
 * wide as the teacher's and less.
 */
static void
test_gradients_vectors(void)
{
	static const DbertDistill parts[] = {
		{.temperature = 1,.soft = 1},
		{.temperature = 1,.soft = 1,.cosine = 1,.hidden = 1},
		{.temperature = 1,.soft = 1,.attention = 1}
	};

	for (int i = 0; i < 12; i++)
	{
		DbertDistill d = parts[i % 3];
		DbertTrainOptions o = tiny_options(DBERT_HEAD_NONE, DBERT_PROBLEM_SINGLE);
		MemModel	m;

		fill_teacher(false);
		d.teacher_hidden = i < 6 ? MEM_C : TEACHER_C;
		o.distill = &d;
		mem_model_bert(&m, "Model", "", 0);
		put_modules(&m, i / 3 % 2, false);
		check_gradients(&m, &o);
	}
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

/* ---- teachers ---- */

/*
 * The engine that teaches gives what the trainer of the same weights computes.
 */
static void
check_teacher(MemModel *model, const DbertTrainOptions *o)
{
	Rig			rig = {.model = *model};
	DbertTeacherOptions options = { .max_texts = 3,
									.max_tokens = 9,
									.max_text_tokens = 5,
									.threads = 1,
									.n_states = 2,
									.attention = true };
	DbertTeacher *teacher;
	DbertTrainBatch batch = tiny_batch(o);
	DbertError	err = {0};
	const float *logits;
	double		loss,
				weight;
	Built		b;

	if (!begin_rig(&rig, o))
		return;
	CHECK(build(&rig.source, NULL, &dbert_kernels_scalar, &b, &err) == DBERT_OK);
	CHECK(dbert_trainer_evaluate(rig.trainer, &batch, NULL, &logits, &loss, &weight, &err) ==
		  DBERT_OK);
	CHECK(dbert_teacher_create(b.model, &options, &dbert_malloc_allocator, &teacher, &err) ==
		  DBERT_OK);
	CHECK_MSG(dbert_teacher_run(teacher, &batch, NULL, NULL, &err) == DBERT_OK, "%s", err.msg);
	for (int i = 0; i < (dbert_head_of_tokens(o->head) ? 9 : 3) * o->n_labels; i++)
		CHECK_NEAR(dbert_teacher_outputs(teacher)[i], logits[i], 1e-4);
	for (int i = 0; i < 9 * MEM_C; i++)
	{
		CHECK_NEAR(dbert_teacher_states(teacher, 0)[i], rig.trainer->acts.layers[1].x[i], 1e-4);
		CHECK_NEAR(dbert_teacher_states(teacher, 1)[i], rig.trainer->acts.hidden[i], 1e-4);
	}
	for (int l = 0; l < MEM_L; l++)
		for (int i = 0; i < 9 * 2 * MEM_C; i++)
			CHECK_NEAR(
				dbert_teacher_queries_keys(teacher, l)[i],
				rig.trainer->acts.layers[l].qkv[i / (2 * MEM_C) * 3 * MEM_C + i % (2 * MEM_C)],
				1e-4);
	batch.n_texts = 4;
	CHECK(dbert_teacher_run(teacher, &batch, NULL, NULL, &err) == DBERT_E_LIMIT);
	dbert_teacher_free(teacher);
	release(&b);
	end_rig(&rig);
}

static void
test_teacher(void)
{
	static const DbertDistill all_rows = {
		.temperature = 1, .soft = 1, .cosine = 1, .teacher_hidden = MEM_C
	};
	DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	MemModel	m;

	fill_teacher(true);
	o.distill = &all_rows;
	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	check_teacher(&m, &o);
	o.head = DBERT_HEAD_TOKEN;
	mem_model_bert(&m, "ForTokenClassification", "bert.", 3);
	check_teacher(&m, &o);
	o = tiny_options(DBERT_HEAD_SPAN, DBERT_PROBLEM_SINGLE);
	o.distill = &all_rows;
	mem_model_distilbert(&m, "ForQuestionAnswering", 0);
	check_teacher(&m, &o);
}

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
	CHECK_MSG(dbert_teacher_run(teacher, &batch, NULL, NULL, &err) == DBERT_OK, "%s", err.msg);
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
	RUN(test_gradients_soft);
	RUN(test_gradients_masked_soft);
	RUN(test_gradients_spans);
	RUN(test_gradients_states);
	RUN(test_gradients_vectors);
	RUN(test_teacher);
	RUN(test_masked_teacher);
	return tests_end();
}
