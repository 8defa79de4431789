/*
 * test_train_distill.c -- training from a teacher: every gradient against
 * finite differences of the definition (support/refnet.h), and what the engine
 * says as a teacher against what the trainer of the same weights computes.
 * Masked tokens are test_train_masked.c's.
 */
#include "test/support/trainfixture.h"

#include "dbert.h"
#include "test/support/packhelp.h"
#include "test/support/testhelp.h"

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
	o.head = DBERT_HEAD_SEQUENCE;
	mem_model_modernbert(&m, "ForSequenceClassification", MEM_C, MEM_L, MEM_P, 3);
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
		mem_model_modernbert(&m, "ForSequenceClassification", MEM_C, MEM_L, MEM_P, 3);
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
	CHECK_MSG(ask_teacher(teacher, &batch, &err) == DBERT_OK, "%s", err.msg);
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
	CHECK(ask_teacher(teacher, &batch, &err) == DBERT_E_LIMIT);
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
	mem_model_modernbert(&m, "ForQuestionAnswering", MEM_C, MEM_L, MEM_P, 2);
	check_teacher(&m, &o);
	o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	o.distill = &all_rows;
	mem_model_modernbert(&m, "ForSequenceClassification", MEM_C, MEM_L, MEM_P, 3);
	check_teacher(&m, &o);
}

int
main(void)
{
	RUN(test_gradients_soft);
	RUN(test_gradients_spans);
	RUN(test_gradients_states);
	RUN(test_gradients_vectors);
	RUN(test_teacher);
	return tests_end();
}
