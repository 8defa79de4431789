/*
 * test_train_gradients.c -- training from labels: every gradient against finite
 * differences of the definition (support/refnet.h), for both families, all
 * heads and losses, with dropout.  Masked tokens are test_train_masked.c's.
 */
#include "test/support/testhelp.h"
#include "test/support/trainfixture.h"

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

/* As wide as the hidden states: nothing is projected. */
static void
test_gradients_electra(void)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	MemModel	m;

	mem_model_electra(&m, "ForSequenceClassification", MEM_C, 3);
	check_gradients(&m, &o);
	/* a head of its own on what replaced words were found by */
	mem_model_electra(&m, "ForPreTraining", MEM_C, 0);
	check_gradients(&m, &o);
}

/*
 * Positions behind padding's row; a token of padding, which a text may spell.
 */
static void
test_gradients_roberta(void)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	MemModel	m;

	mem_model_roberta(&m, "ForSequenceClassification", 3);
	check_gradients(&m, &o);
	mem_model_roberta(&m, "ForSequenceClassification", 3);
	mem_edit(&m, "config.json", "\"pad_token_id\":1", "\"pad_token_id\":5");
	check_gradients(&m, &o);
	o = tiny_options(DBERT_HEAD_MASK, DBERT_PROBLEM_SINGLE);
	mem_model_roberta(&m, "ForMaskedLM", 0);
	check_gradients(&m, &o);
}

/* Scores with a bias by distance. */
static void
test_gradients_mpnet(void)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	MemModel	m;

	mem_model_mpnet(&m, "ForSequenceClassification", 3);
	check_gradients(&m, &o);
	o.freeze_embeddings = true;
	mem_model_mpnet(&m, "ForSequenceClassification", 3);
	check_gradients(&m, &o);
	o = tiny_options(DBERT_HEAD_TOKEN, DBERT_PROBLEM_SINGLE);
	mem_model_mpnet(&m, "ForTokenClassification", 3);
	check_gradients(&m, &o);
	o = tiny_options(DBERT_HEAD_MASK, DBERT_PROBLEM_SINGLE);
	mem_model_mpnet(&m, "ForMaskedLM", 0);
	check_gradients(&m, &o);
}

/* Biases of all modules, for a model that has none. */
static void
add_biases(MemModel *m)
{
	mem_edit(m, "config.json", "\"hidden_size\"",
			 "\"norm_bias\":true,\"attention_bias\":true,\"mlp_bias\":true,"
			 "\"classifier_bias\":true,\"hidden_size\"");
	for (int l = 0; l < MEM_L; l++)
	{
		if (l > 0)
			mem_add_tensor(m, 0, MEM_C, "model.layers.%d.attn_norm.bias", l);
		mem_add_tensor(m, 0, 3 * MEM_C, "model.layers.%d.attn.Wqkv.bias", l);
		mem_add_tensor(m, 0, MEM_C, "model.layers.%d.attn.Wo.bias", l);
		mem_add_tensor(m, 0, MEM_C, "model.layers.%d.mlp_norm.bias", l);
		mem_add_tensor(m, 0, 2 * MEM_F, "model.layers.%d.mlp.Wi.bias", l);
		mem_add_tensor(m, 0, MEM_C, "model.layers.%d.mlp.Wo.bias", l);
	}
	mem_add_tensor(m, 0, MEM_C, "model.embeddings.norm.bias");
	mem_add_tensor(m, 0, MEM_C, "model.final_norm.bias");
	mem_add_tensor(m, 0, MEM_C, "head.dense.bias");
	mem_add_tensor(m, 0, MEM_C, "head.norm.bias");
	mem_model_save(m);
}

/*
 * Norms first, rotary positions, a gate, a local layer; heads that read the
 * mean of all tokens, the first, each.
 */
static void
test_gradients_modernbert(void)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	MemModel	m;

	mem_model_modernbert(&m, "ForSequenceClassification", MEM_C, MEM_L, MEM_P, 3);
	check_gradients(&m, &o);
	mem_model_modernbert(&m, "ForSequenceClassification", MEM_C, MEM_L, MEM_P, 3);
	mem_edit(&m, "config.json", "\"mean\"", "\"cls\"");
	add_biases(&m);
	check_gradients(&m, &o);
	mem_model_modernbert(&m, "ForMaskedLM", MEM_C, MEM_L, MEM_P, 0);
	check_gradients(&m, &o);
	o.freeze_embeddings = true;
	mem_model_modernbert(&m, "ForSequenceClassification", MEM_C, MEM_L, MEM_P, 3);
	check_gradients(&m, &o);
	o.head_only = true;
	mem_model_modernbert(&m, "ForSequenceClassification", MEM_C, MEM_L, MEM_P, 3);
	check_gradients(&m, &o);
}

static void
test_gradients_modernbert_heads(void)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_TOKEN, DBERT_PROBLEM_SINGLE);
	MemModel	m;

	mem_model_modernbert(&m, "ForTokenClassification", MEM_C, MEM_L, MEM_P, 3);
	check_gradients(&m, &o);
	o = tiny_options(DBERT_HEAD_MASK, DBERT_PROBLEM_SINGLE);
	mem_model_modernbert(&m, "ForMaskedLM", MEM_C, MEM_L, MEM_P, 0);
	check_gradients(&m, &o);
	o = tiny_options(DBERT_HEAD_NONE, DBERT_PROBLEM_SINGLE);
	mem_model_modernbert(&m, "Model", MEM_C, MEM_L, MEM_P, 0);
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
	RUN(test_gradients_roberta);
	RUN(test_gradients_electra);
	RUN(test_gradients_mpnet);
	RUN(test_gradients_modernbert);
	RUN(test_gradients_modernbert_heads);
	RUN(test_gradients_regression);
	RUN(test_gradients_tokens);
	RUN(test_gradients_embedding);
	RUN(test_gradients_frozen);
	return tests_end();
}
