/*
 * test_train_student.c -- smaller models that are made of larger ones.
 */
#include "test/support/trainfixture.h"

#include "test/support/packhelp.h"
#include "test/support/testhelp.h"

static void
test_student_layers(void)
{
	static const int six[] = {0, 2, 4, 7, 9, 11};

	for (int i = 0; i < 6; i++)
		CHECK(dbert_student_layer(i, 6, 12) == six[i]);
	for (int of = 1; of < 40; of++)
		for (int layers = 1; layers <= of; layers++)
			for (int i = 0; i < layers; i++)
				CHECK(i == 0 ? dbert_student_layer(i, layers, of) == 0 :
					  dbert_student_layer(i, layers, of) > dbert_student_layer(i - 1, layers, of) &&
					  dbert_student_layer(i, layers, of) < of);
}

/* A student of the rig's base, opened as a model. */
static bool
built_student(Rig *rig, int layers, int hidden, DbertStudent **student, Built *b)
{
	DbertError	err = {0};
	DbertStatus status = dbert_student_open(rig->base, layers, hidden, 5, &dbert_malloc_allocator,
											NULL, student, &err);

	if (status == DBERT_OK)
		status = build(dbert_student_source(*student), NULL, &dbert_kernels_scalar, b, &err);
	CHECK_MSG(status == DBERT_OK, "%s", err.msg);
	return status == DBERT_OK;
}

static void
check_student(MemModel *model)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	Rig			rig = {.model = *model};
	DbertStudent *student;
	DbertError	err = {0};
	const DbertWeights *w;
	Built		b;

	if (!begin_rig(&rig, &o))
		return;
	w = &rig.trainer->params.w;
	if (built_student(&rig, 1, 0, &student, &b))
	{
		CHECK(b.model->config.layers == 1 && b.model->config.hidden == MEM_C &&
			  b.model->config.n_labels == 3);
		CHECK(memcmp(b.model->weights.layers[0].qkv.w, w->layers[0].qkv.w,
					 3 * MEM_C * MEM_C * sizeof(float)) == 0);
		CHECK(memcmp(b.model->weights.head_out.w, w->head_out.w, 3 * MEM_C * sizeof(float)) == 0);
		CHECK_STR(b.model->labels[0], dbert_trainbase_label(rig.base, 0));
	}
	release(&b);
	dbert_student_free(student);
	if (built_student(&rig, 2, 4, &student, &b))
	{
		CHECK(b.model->config.layers == 2 && b.model->config.hidden == 4 &&
			  b.model->config.ffn == MEM_F / 2);
		CHECK(b.model->config.heads == rig.trainer->config.heads);
		for (int j = 0; j < 4; j++)
			CHECK(b.model->weights.embed_norm.gamma[j] == 1 &&
				  b.model->weights.embed_norm.beta[j] == 0);
		CHECK(b.model->weights.word[0] != 0 && fabsf(b.model->weights.word[0]) < 0.1f);
		CHECK(b.model->weights.word[0] != b.model->weights.position[0]);
	}
	release(&b);
	dbert_student_free(student);
	CHECK(dbert_student_open(rig.base, 3, 0, 5, &dbert_malloc_allocator, NULL, &student, &err) ==
		  DBERT_E_INVALID);
	CHECK(dbert_student_open(rig.base, 0, 0, 5, &dbert_malloc_allocator, NULL, &student, &err) ==
		  DBERT_E_INVALID);
	CHECK(dbert_student_open(rig.base, 1, 7, 5, &dbert_malloc_allocator, NULL, &student, &err) ==
		  DBERT_E_INVALID);
	end_rig(&rig);
}

static void
test_student(void)
{
	MemModel	m;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	check_student(&m);
	mem_model_bert(&m, "ForSequenceClassification", "bert.", 3);
	check_student(&m);
}

int
main(void)
{
	RUN(test_student_layers);
	RUN(test_student);
	return tests_end();
}
