/*
 * test_train_files.c -- the files of a trained model open as a model that
 * answers as the trainer did, and as a base of the same loss.
 */
#include "test/support/trainfixture.h"

#include "model/family.h"
#include "nn/encoder.h"
#include "nn/logits.h"
#include "test/support/packhelp.h"
#include "test/support/testhelp.h"

/*
 * A trainer after some steps, the files it gives, and what they make: a model,
 * and a base of the same loss.
 */
typedef struct Written
{
	Rig			rig;
	const float *logits;
	double		weight;
	DbertTrainedFiles *files;
	Built		b;
	Rig			second;
} Written;

static bool
begin_written(Written *w, const MemModel *model, const DbertTrainOptions *o,
			  const char *architecture)
{
	DbertTrainBatch batch = tiny_batch(o);
	DbertError	err = {0};
	const float *logits;
	double		losses[2],
				weight;

	*w = (Written) {.rig.model = *model};
	if (!begin_rig(&w->rig, o))
		return false;
	run_steps(w->rig.trainer, 3);
	CHECK(dbert_trainer_evaluate(w->rig.trainer, &batch, NULL, &w->logits, &losses[0], &w->weight,
								 &err) == DBERT_OK);
	CHECK(dbert_trainer_files(w->rig.trainer, &dbert_malloc_allocator, NULL, &w->files, &err) ==
		  DBERT_OK);
	CHECK_MSG(build(dbert_trained_source(w->files), NULL, &dbert_kernels_scalar, &w->b, &err) ==
				  DBERT_OK,
			  "%s", err.msg);
	CHECK_STR(w->b.model->config.architecture, architecture);
	CHECK(w->b.model->config.head == (int32_t) o->head);

	CHECK(dbert_trainbase_open(dbert_trained_source(w->files), NULL, &dbert_malloc_allocator, NULL,
							   &w->second.base, &err) == DBERT_OK);
	CHECK(dbert_trainer_create(w->second.base, o, &dbert_malloc_allocator, NULL, &w->second.trainer,
							   &err) == DBERT_OK);
	CHECK(dbert_trainer_kept_head(w->second.trainer));
	CHECK(dbert_trainer_evaluate(w->second.trainer, &batch, NULL, &logits, &losses[1], &weight,
								 &err) == DBERT_OK);
	CHECK(losses[0] == losses[1]);
	return true;
}

static void
end_written(Written *w)
{
	end_rig(&w->second);
	release(&w->b);
	dbert_trained_free(w->files);
	end_rig(&w->rig);
}

/* The files open as a model that answers as the trainer did. */
static void
test_files(void)
{
	static const char *const labels[] = {"yes", "no \"\xc3\xa9\"", "x"};
	DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_MULTI);
	MemModel	m;
	Written		w;

	o.labels = labels;
	mem_model_bert(&m, "ForTokenClassification", "bert.", 3);
	if (!begin_written(&w, &m, &o, "BertForSequenceClassification"))
		return;
	CHECK(w.b.model->config.problem == DBERT_PROBLEM_MULTI && w.b.model->config.n_labels == 3);
	for (int i = 0; i < 3; i++)
		CHECK_STR(w.b.model->labels[i], labels[i]);
	CHECK(memcmp(w.b.model->weights.head_out.w, w.rig.trainer->params.w.head_out.w,
				 3 * MEM_C * sizeof(float)) == 0);
	end_written(&w);
}

/* The table of biases by distance is one of the files' tensors. */
static void
test_files_mpnet(void)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	MemModel	m;
	Written		w;

	mem_model_mpnet(&m, "ForMaskedLM", 0);
	if (!begin_written(&w, &m, &o, "MPNetForSequenceClassification"))
		return;
	CHECK(w.b.model->weights.distance_bias[7] !=
		  mem_value("mpnet.encoder.relative_attention_bias.weight", 7));
	CHECK(memcmp(w.b.model->weights.distance_bias, w.rig.trainer->params.w.distance_bias,
				 32 * 2 * sizeof(float)) == 0);
	end_written(&w);
}

/*
 * A text's logits by the model that the files give, which knows the network
 * otherwise.
 */
static void
check_same_answers(const Written *w, int labels)
{
	const DbertModel *model = w->b.model;
	uint8_t		types[TINY_TOKENS] = {0};
	DbertRagged batch = {
		.n_texts = TINY_TEXTS,.cu = tiny_cu,.ids = tiny_ids,.types = types
	};
	DbertError	err = {0};
	float		hidden[TINY_TOKENS * MEM_C],
				logits[8];
	size_t		floats;
	void	   *workspace;

	CHECK(dbert_encoder_workspace(&model->config, TINY_TOKENS, 5, 1, &floats));
	if (posix_memalign(&workspace, 64, floats * sizeof(float)) != 0)
		abort();
	CHECK(dbert_encode(model, &batch, hidden, workspace, NULL, NULL, NULL, &err) == DBERT_OK);
	for (int b = 0; b < TINY_TEXTS; b++)
	{
		int			first = tiny_cu[b],
					t = dbert_head_reads_mean(&model->config) ? tiny_cu[b + 1] - first : 1;

		CHECK(dbert_head_run(model, tiny_ids + first, t, hidden + first * MEM_C, workspace, logits,
							 NULL, &err) == DBERT_OK);
		for (int j = 0; j < labels; j++)
			CHECK_NEAR(logits[j], w->logits[b * labels + j], 1e-4);
	}
	free(workspace);
}

/* ModernBERT has no biases, and no first norm; its head may read the mean. */
static void
test_modernbert_files(void)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	DbertStudent *student;
	DbertError	err = {0};
	MemModel	m;
	Written		w;

	mem_model_modernbert(&m, "ForMaskedLM", MEM_C, MEM_L, MEM_P, 0);
	mem_edit(&m, "config.json", "\"hidden_size\"", "\"num_labels\":3,\"hidden_size\"");
	if (!begin_written(&w, &m, &o, "ModernBertForSequenceClassification"))
		return;
	CHECK(w.b.model->weights.layers[0].attn_norm.gamma == NULL);
	CHECK(w.b.model->weights.layers[1].local && w.b.model->config.head_mean);
	check_same_answers(&w, 3);
	CHECK(dbert_student_open(w.rig.base, 1, 0, 1, &dbert_malloc_allocator, NULL, &student, &err) ==
			  DBERT_E_UNSUPPORTED &&
		  strstr(err.msg, "has all of its 2 layers") != NULL);
	end_written(&w);
}

/* Logits of masked tokens, as the model that the files give computes them. */
static double
model_margin(const DbertModel *model, const DbertTrainer *t, int row)
{
	const DbertWeights *w = &model->weights;
	const float *d = t->acts.d + row * MEM_C;
	double		max = -INFINITY,
				right = 0;

	for (int v = 0; v < MEM_V; v++)
	{
		double		x = w->head_out.b[v];

		for (int j = 0; j < MEM_C; j++)
			x += (double) w->head_out.w[v * MEM_C + j] * d[j];
		max = x > max ? x : max;
		right = v == tiny_masked_ids[row] ? x : right;
	}
	return right - max;
}

/*
 * A student that finds answers, of a base that does and of one that does not.
 */
static void
check_span_files(const MemModel *model, const char *architecture)
{
	static const DbertDistill distill = {.temperature = 2,.soft = 1};
	DbertTrainOptions o = tiny_options(DBERT_HEAD_SPAN, DBERT_PROBLEM_SINGLE);
	Written		w;

	o.distill = &distill;
	fill_teacher(false);
	if (!begin_written(&w, model, &o, architecture))
		return;
	CHECK(w.weight == 3 && w.b.model->config.n_labels == 2);
	CHECK(dbert_trainer_kept_head(w.rig.trainer) ==
		  (dbert_trainbase_config(w.rig.base)->head == DBERT_HEAD_SPAN));
	CHECK(memcmp(w.b.model->weights.head_out.w, w.rig.trainer->params.w.head_out.w,
				 2 * MEM_C * sizeof(float)) == 0);
	end_written(&w);
}

static void
test_span_files(void)
{
	MemModel	m;

	mem_model_distilbert(&m, "ForQuestionAnswering", 0);
	check_span_files(&m, "DistilBertForQuestionAnswering");
	mem_model_bert(&m, "ForSequenceClassification", "bert.", 3);
	check_span_files(&m, "BertForQuestionAnswering");
}

/*
 * The head's tensors, and a decoder only where there is one; the files are a
 * base that has the same loss.
 */
static void
check_masked_files(const MemModel *model, const char *architecture, const char *decoder, bool tied)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_MASK, DBERT_PROBLEM_SINGLE);
	Written		w;

	if (!begin_written(&w, model, &o, architecture))
		return;
	CHECK(w.b.model->config.n_labels == 0);
	CHECK(w.rig.trainer->tied == tied);
	CHECK(w.weight == 4);
	for (int i = 0; i < 4; i++)
		CHECK_NEAR(w.logits[i], model_margin(w.b.model, w.rig.trainer, i), 1e-5);
	CHECK((dbert_tensors_find(&w.second.base->pack->tensors, decoder) == NULL) == tied);
	end_written(&w);
}

static void
test_masked_files(void)
{
	MemModel	m;

	mem_model_distilbert(&m, "ForMaskedLM", 0);
	check_masked_files(&m, "DistilBertForMaskedLM", "vocab_projector.weight", true);
	mem_model_distilbert(&m, "ForMaskedLM", 0);
	mem_add_tensor(&m, MEM_V, MEM_C, "vocab_projector.weight");
	check_masked_files(&m, "DistilBertForMaskedLM", "vocab_projector.weight", false);
	mem_model_bert(&m, "ForSequenceClassification", "bert.", 3);
	check_masked_files(&m, "BertForMaskedLM", "cls.predictions.decoder.weight", true);
	mem_model_bert(&m, "ForMaskedLM", "bert.", 0);
	mem_add_tensor(&m, MEM_V, MEM_C, "cls.predictions.decoder.weight");
	check_masked_files(&m, "BertForMaskedLM", "cls.predictions.decoder.weight", false);
}

/*
 * A sentence encoder that gives the vectors of which training saw the cosines.
 */
static void
check_embedding_files(const MemModel *m, const char *architecture, int pooling, int normalize)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_NONE, DBERT_PROBLEM_SINGLE);
	Written		w;

	if (!begin_written(&w, m, &o, architecture))
		return;
	CHECK(w.b.model->config.n_labels == 0);
	CHECK(w.weight == 4);
	CHECK(w.b.model->config.pooling == pooling && w.b.model->config.normalize == normalize);
	CHECK(w.b.model->config.max_tokens == dbert_trainbase_config(w.rig.base)->max_tokens);
	end_written(&w);
}

static void
test_embedding_files(void)
{
	MemModel	m;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	check_embedding_files(&m, "DistilBertModel", DBERT_POOL_MEAN, 1);
	mem_model_bert(&m, "Model", "", 0);
	put_modules(&m, true, false);
	mem_put(&m, "sentence_bert_config.json", "{\"max_seq_length\":9}");
	check_embedding_files(&m, "BertModel", DBERT_POOL_CLS, 0);
	mem_model_bert(&m, "ForMaskedLM", "bert.", 0);
	put_modules(&m, false, true);
	check_embedding_files(&m, "BertModel", DBERT_POOL_MEAN, 1);
}

int
main(void)
{
	RUN(test_files);
	RUN(test_files_mpnet);
	RUN(test_modernbert_files);
	RUN(test_masked_files);
	RUN(test_span_files);
	RUN(test_embedding_files);
	return tests_end();
}
