/*
 * test_model.c -- the model room as a whole: files to an image, image to a
 * model.
 *
 * Every tensor of the tiny models holds values that follow from its name, so a
 * field that points to the wrong array shows.
 */
#include "model/family.h"
#include "test/support/packhelp.h"
#include "test/support/testhelp.h"

/*
 * The model must be refused with this code and a sentence that holds these
 * words.
 */
static void
check_refused(MemModel *m, const char *task, DbertStatus want, const char *words)
{
	DbertSource source = mem_source(m);
	DbertError	err = {0};
	Built		b;
	DbertStatus status = build(&source, task, &dbert_kernels_scalar, &b, &err);

	CHECK_MSG(status == want && strstr(err.msg, words) != NULL,
			  "expected %d \"%s\", got %d \"%s\"", want, words, status, err.msg);
	CHECK(status == DBERT_OK || err.code == status);
	release(&b);
}

/* ---- values ---- */

static void
check_values(const float *at, const char *name, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		if (at[i] != mem_value(name, i))
		{
			CHECK_MSG(false, "%s[%zu]: got %g, want %g", name, i, at[i], mem_value(name, i));
			return;
		}
	}
}

static void
check_named(const float *at, size_t count, const char *prefix, int layer, const char *name)
{
	char		full[256];

	snprintf(full, sizeof(full), "%s%d.%s", prefix, layer, name);
	check_values(at, full, count);
}

static void
check_distilbert_encoder(const DbertModel *model, const char *prefix)
{
	const DbertWeights *w = &model->weights;
	char		name[200],
				layer[100];

	snprintf(name, sizeof(name), "%sembeddings.word_embeddings.weight", prefix);
	check_values(w->word, name, MEM_V * MEM_C);
	snprintf(name, sizeof(name), "%sembeddings.position_embeddings.weight", prefix);
	check_values(w->position, name, MEM_P * MEM_C);
	CHECK(w->type == NULL);
	snprintf(name, sizeof(name), "%sembeddings.LayerNorm.weight", prefix);
	check_values(w->embed_norm.gamma, name, MEM_C);
	snprintf(layer, sizeof(layer), "%stransformer.layer.", prefix);
	for (int l = 0; l < MEM_L; l++)
	{
		const DbertLayer *x = &w->layers[l];

		CHECK(x->qkv.n == 3 * MEM_C && x->qkv.k == MEM_C);
		check_named(x->qkv.w, MEM_C * MEM_C, layer, l, "attention.q_lin.weight");
		check_named(x->qkv.w + MEM_C * MEM_C, MEM_C * MEM_C, layer, l, "attention.k_lin.weight");
		check_named(x->qkv.w + 2 * MEM_C * MEM_C, MEM_C * MEM_C, layer, l,
					"attention.v_lin.weight");
		check_named(x->qkv.b, MEM_C, layer, l, "attention.q_lin.bias");
		check_named(x->qkv.b + 2 * MEM_C, MEM_C, layer, l, "attention.v_lin.bias");
		check_named(x->attn_out.w, MEM_C * MEM_C, layer, l, "attention.out_lin.weight");
		check_named(x->attn_norm.beta, MEM_C, layer, l, "sa_layer_norm.bias");
		CHECK(x->ffn_in.n == MEM_F && x->ffn_in.k == MEM_C);
		check_named(x->ffn_in.w, MEM_F * MEM_C, layer, l, "ffn.lin1.weight");
		check_named(x->ffn_in.b, MEM_F, layer, l, "ffn.lin1.bias");
		CHECK(x->ffn_out.n == MEM_C && x->ffn_out.k == MEM_F);
		check_named(x->ffn_out.w, MEM_F * MEM_C, layer, l, "ffn.lin2.weight");
		check_named(x->ffn_norm.gamma, MEM_C, layer, l, "output_layer_norm.weight");
	}
}

static void
test_distilbert_sequence(void)
{
	MemModel	m;
	Built		b;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	if (built(&m, NULL, &b))
	{
		const DbertConfig *c = &b.model->config;

		check_distilbert_encoder(b.model, "distilbert.");
		CHECK(c->family == DBERT_FAMILY_DISTILBERT && c->head == DBERT_HEAD_SEQUENCE);
		CHECK(c->problem == DBERT_PROBLEM_SINGLE && c->n_labels == 3 && c->max_tokens == 12);
		CHECK(c->act == DBERT_ACT_GELU && c->norm_eps == 1e-12f);
		CHECK_STR(c->architecture, "DistilBertForSequenceClassification");
		CHECK_STR(b.model->labels[2], "I-X");
		CHECK(b.model->weights.head_act == DBERT_ACT_RELU);
		check_values(b.model->weights.head_dense.w, "pre_classifier.weight", MEM_C * MEM_C);
		check_values(b.model->weights.head_out.b, "classifier.bias", 3);
		CHECK(b.model->weights.head_norm.gamma == NULL);
		CHECK(((uintptr_t) b.model->weights.layers[1].qkv.b & 63) == 0);
		CHECK(b.model->tokenizer.n_tokens == 13 && b.model->tokenizer.mask_id == 4);
		release(&b);
	}
	mem_free(&m);
}

static void
test_distilbert_without_prefix(void)
{
	MemModel	m;
	Built		b;

	mem_model_distilbert(&m, "Model", 0);
	for (int i = 0; i < m.n_tensors; i++)
		memmove(m.tensors[i].name, m.tensors[i].name + 11, strlen(m.tensors[i].name) - 10);
	mem_model_save(&m);
	if (built(&m, NULL, &b))
	{
		check_distilbert_encoder(b.model, "");
		CHECK(b.model->config.head == DBERT_HEAD_NONE && b.model->config.n_labels == 0);
		CHECK(b.model->weights.head_out.w == NULL);
		/* 14*8 + 16*8 + 16 + 2 * (4*(64+8) + 32 + 2*96 + 12 + 8) */
		CHECK_MSG(b.model->config.parameters == 1320, "%d", (int) b.model->config.parameters);
		release(&b);
	}
	mem_free(&m);
}

static void
check_bert(const char *prefix)
{
	MemModel	m;
	Built		b;
	char		name[200],
				layer[100];

	mem_model_bert(&m, "ForSequenceClassification", prefix, 3);
	if (built(&m, NULL, &b))
	{
		const DbertWeights *w = &b.model->weights;

		snprintf(name, sizeof(name), "%sembeddings.token_type_embeddings.weight", prefix);
		check_values(w->type, name, 2 * MEM_C);
		snprintf(layer, sizeof(layer), "%sencoder.layer.", prefix);
		for (int l = 0; l < MEM_L; l++)
		{
			check_named(w->layers[l].qkv.w + MEM_C * MEM_C, MEM_C * MEM_C, layer, l,
						"attention.self.key.weight");
			check_named(w->layers[l].attn_out.b, MEM_C, layer, l, "attention.output.dense.bias");
			check_named(w->layers[l].attn_norm.gamma, MEM_C, layer, l,
						"attention.output.LayerNorm.weight");
			check_named(w->layers[l].ffn_in.w, MEM_F * MEM_C, layer, l,
						"intermediate.dense.weight");
			check_named(w->layers[l].ffn_out.b, MEM_C, layer, l, "output.dense.bias");
			check_named(w->layers[l].ffn_norm.beta, MEM_C, layer, l, "output.LayerNorm.bias");
		}
		snprintf(name, sizeof(name), "%spooler.dense.weight", prefix);
		check_values(w->head_dense.w, name, MEM_C * MEM_C);
		CHECK(w->head_act == DBERT_ACT_TANH);
		CHECK(b.model->config.types == 2 && b.model->config.max_tokens == MEM_P);
		CHECK(b.model->config.norm_eps == 1e-7f);
		release(&b);
	}
	mem_free(&m);
}

static void
test_bert(void)
{
	check_bert("");
	check_bert("bert.");
}

static void
test_legacy_norm_names(void)
{
	MemModel	m;
	Built		b;
	const char *name = "bert.encoder.layer.1.output.LayerNorm.gamma";

	mem_model_bert(&m, "ForTokenClassification", "bert.", 3);
	strcpy(mem_tensor(&m, "bert.encoder.layer.1.output.LayerNorm.weight")->name, name);
	strcpy(mem_tensor(&m, "bert.embeddings.LayerNorm.bias")->name,
		   "bert.embeddings.LayerNorm.beta");
	mem_model_save(&m);
	if (built(&m, NULL, &b))
	{
		check_values(b.model->weights.layers[1].ffn_norm.gamma, name, MEM_C);
		check_values(b.model->weights.embed_norm.beta, "bert.embeddings.LayerNorm.beta", MEM_C);
		CHECK(b.model->config.head == DBERT_HEAD_TOKEN && b.model->weights.head_dense.w == NULL);
		release(&b);
	}
	mem_free(&m);
}

static void
test_mask_heads(void)
{
	MemModel	m;
	Built		b;

	mem_model_distilbert(&m, "ForMaskedLM", 0);
	if (built(&m, NULL, &b))
	{
		const DbertWeights *w = &b.model->weights;

		CHECK(w->head_out.w == w->word && w->head_out.n == MEM_V && w->head_out.k == MEM_C);
		check_values(w->head_out.b, "vocab_projector.bias", MEM_V);
		check_values(w->head_norm.beta, "vocab_layer_norm.bias", MEM_C);
		CHECK(w->head_act == DBERT_ACT_GELU && b.model->config.n_labels == 0);
		release(&b);
	}
	mem_add_tensor(&m, MEM_V, MEM_C, "vocab_projector.weight");
	mem_model_save(&m);
	if (built(&m, NULL, &b))
	{
		check_values(b.model->weights.head_out.w, "vocab_projector.weight", MEM_V * MEM_C);
		release(&b);
	}
	mem_free(&m);

	mem_model_bert(&m, "ForMaskedLM", "bert.", 0);
	strcpy(mem_tensor(&m, "cls.predictions.bias")->name, "cls.predictions.decoder.bias");
	mem_model_save(&m);
	if (built(&m, NULL, &b))
	{
		check_values(b.model->weights.head_out.b, "cls.predictions.decoder.bias", MEM_V);
		check_values(b.model->weights.head_norm.gamma, "cls.predictions.transform.LayerNorm.weight",
					 MEM_C);
		release(&b);
	}
	mem_edit(&m, "tokenizer.json", "\"[MASK]\":4", "\"[mask]\":4");
	mem_edit(&m, "tokenizer.json", "\"content\":\"[MASK]\"", "\"content\":\"[mask]\"");
	check_refused(&m, NULL, DBERT_E_FORMAT, "\"BertForMaskedLM\" needs a mask token");
	mem_free(&m);
}

/*
 * A layout of the kernels' own: matrices are packed, a tied decoder is copied.
 */
static void
test_packed_layout(void)
{
	MemModel	m;
	Built		b;
	DbertError	err = {0};
	DbertSource source = mem_source(&m);

	mem_model_distilbert(&m, "ForMaskedLM", 0);
	if (build(&source, NULL, &column_kernels, &b, &err) == DBERT_OK)
	{
		const DbertLinear *in = &b.model->weights.layers[1].ffn_in;
		const DbertLinear *out = &b.model->weights.head_out;
		const char *name = "distilbert.transformer.layer.1.ffn.lin1.weight";

		for (int i = 0; i < MEM_F; i++)
			for (int j = 0; j < MEM_C; j++)
				CHECK(in->w[j * MEM_F + i] == mem_value(name, (size_t) i * MEM_C + j));
		CHECK(in->w[MEM_F * MEM_C] == -1);
		CHECK(out->w != b.model->weights.word && out->w[1] == b.model->weights.word[MEM_C]);
	}
	else
		CHECK_MSG(false, "%s", err.msg);
	if (b.model != NULL)
	{
		DbertModel *model;

		CHECK(dbert_model_open(b.image, b.size, &dbert_kernels_scalar, &dbert_malloc_allocator,
							   &model, &err) == DBERT_E_CORRUPT);
		CHECK(strstr(err.msg, "laid out") != NULL);
	}
	release(&b);
	mem_free(&m);
}

/* For kernels that have no products of 16 bits, and rows as the checkpoint's. */
static bool
built_as_floats(MemModel *m, Built *b)
{
	DbertSource source = mem_source(m);
	DbertError	err = {0};
	bool		good = build(&source, NULL, &dbert_kernels_openblas, b, &err) == DBERT_OK;

	CHECK_MSG(good, "%s", err.msg);
	return good;
}

static void
test_other_precisions(void)
{
	static const char *const dtypes[] = {"F16", "BF16", "F64"};

	for (int d = 0; d < 3; d++)
	{
		MemModel	m;
		Built		b;

		mem_model_distilbert(&m, "ForSequenceClassification", 3);
		for (int i = 0; i < m.n_tensors; i++)
			m.tensors[i].dtype = dtypes[d];
		mem_model_save(&m);
		if (built_as_floats(&m, &b))
			check_distilbert_encoder(b.model, "distilbert.");
		release(&b);
		m.tensors[3].bad = NAN;
		mem_model_save(&m);
		check_refused(&m, NULL, DBERT_E_FORMAT, m.tensors[3].name);
		mem_free(&m);
	}
}

/* What no float can hold is refused, what rounds to one is not. */
static void
test_range(void)
{
	static const struct
	{
		double		value;
		DbertStatus want;
		const char *words;
	}			cases[] = {
		{3.4028235677973363e38, DBERT_OK, ""},	/* just below half a step beyond */
		{3.4028235677973366e38, DBERT_E_FORMAT, "holds a number beyond the range of F32"},
		{-1e300, DBERT_E_FORMAT, "layer.1.ffn.lin2.weight\" holds a number beyond the range"},
		{1e-300, DBERT_OK, ""},
		{INFINITY, DBERT_E_FORMAT, "holds NaN or infinity"},
		{NAN, DBERT_E_FORMAT, "holds NaN or infinity"}
	};
	MemModel	m;

	mem_model_distilbert(&m, "Model", 0);
	mem_tensor(&m, "distilbert.transformer.layer.1.ffn.lin2.weight")->dtype = "F64";
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		mem_tensor(&m, "distilbert.transformer.layer.1.ffn.lin2.weight")->bad = cases[i].value;
		mem_model_save(&m);
		check_refused(&m, NULL, cases[i].want, cases[i].words);
	}
	mem_free(&m);
}

static void
test_not_finite(void)
{
	MemModel	m;
	DbertSource source = mem_source(&m);
	DbertError	err = {0};
	DbertPack  *pack;

	mem_model_distilbert(&m, "Model", 0);
	mem_tensor(&m, "distilbert.transformer.layer.1.ffn.lin2.weight")->bad = -INFINITY;
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_FORMAT, "layer.1.ffn.lin2.weight\" holds NaN or infinity");

	/* checking alone finds it too */
	if (dbert_pack_begin(&source, NULL, DBERT_PRECISION_FP32, &dbert_kernels_scalar,
						 &dbert_malloc_allocator, NULL, &pack, &err) == DBERT_OK)
	{
		CHECK(dbert_pack_write(pack, NULL, NULL, &err) == DBERT_E_FORMAT);
		dbert_pack_end(pack);
	}
	else
		CHECK_MSG(false, "%s", err.msg);

	/* in a tensor that no one needs it does not matter */
	mem_tensor(&m, "distilbert.transformer.layer.1.ffn.lin2.weight")->bad = 0;
	mem_add_tensor(&m, 0, 4, "classifier.weight");
	mem_tensor(&m, "classifier.weight")->bad = NAN;
	mem_add_tensor(&m, 0, 4, "embeddings.position_ids");
	mem_tensor(&m, "embeddings.position_ids")->dtype = "I64";
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_OK, "");
	mem_free(&m);
}

static void
test_wrong_tensors(void)
{
	MemModel	m;
	MemTensor  *t;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	t = mem_tensor(&m, "distilbert.transformer.layer.0.ffn.lin1.weight");
	t->shape[0] = MEM_F + 1;
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_SHAPE, "lin1.weight\": expected shape [12,8], found [13,8]");
	t->shape[0] = MEM_F;
	t->rank = 3;
	t->shape[2] = 1;
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_SHAPE, "lin1.weight\": expected shape [12,8], found [12,8,1]");
	t->rank = 2;
	t->dtype = "I64";
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_UNSUPPORTED, "lin1.weight\" is of dtype I64");
	mem_drop_tensor(&m, t->name);
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_FORMAT,
				  "no tensor \"distilbert.transformer.layer.0.ffn.lin1.weight\"");
	/* by its name with the others' prefix, also where it is the one that tells it */
	mem_drop_tensor(&m, "distilbert.embeddings.word_embeddings.weight");
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_FORMAT,
				  "no tensor \"distilbert.embeddings.word_embeddings.weight\"");
	mem_drop_tensor(&m, "classifier.weight");
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_FORMAT, "no tensor \"classifier.weight\"");
	mem_drop(&m, "model.safetensors");
	check_refused(&m, NULL, DBERT_E_FORMAT,
				  "neither \"model.safetensors\" nor \"model.safetensors.index.json\"");
	mem_put(&m, "pytorch_model.bin", "x");
	check_refused(&m, NULL, DBERT_E_FORMAT, "pytorch_model.bin: 1 bytes are too short");
	mem_free(&m);
}

/* A file of the encoder or of another module is called with its folder. */
static void
move_file(MemModel *m, const char *name, const char *dir)
{
	char		to[200];

	for (int i = 0; i < m->n_files; i++)
		if (strcmp(m->files[i].name, name) == 0)
		{
			snprintf(to, sizeof(to), "%s/%s", dir, name);
			mem_put_bytes(m, to, m->files[i].data, m->files[i].size);
			mem_drop(m, name);
			return;
		}
}

static void
sentence_in_folder(MemModel *m)
{
	mem_model_bert(m, "Model", "", 0);
	mem_put(m, "sentence_bert_config.json", "{\"max_seq_length\":3}");
	mem_put(m, "tokenizer_config.json", "{\"model_max_length\":3}");
	mem_put(m, "0_Transformer/vocab.txt", mem_vocab);
	mem_drop(m, "tokenizer.json");
	move_file(m, "config.json", "0_Transformer");
	move_file(m, "model.safetensors", "0_Transformer");
	move_file(m, "tokenizer_config.json", "0_Transformer");
	move_file(m, "sentence_bert_config.json", "0_Transformer");
	mem_put(m, "modules.json",
			"[{\"type\":\"m.Transformer\",\"path\":\"0_Transformer\"},"
			"{\"type\":\"m.Pooling\",\"path\":\"1_Pooling\"},"
			"{\"type\":\"m.Dense\",\"path\":\"2_Dense\"}]");
	mem_put(m, "1_Pooling/config.json", "{\"word_embedding_dimension\":9}");
	mem_put(m, "2_Dense/config.json", "{\"in_features\":7,\"out_features\":2}");
}

static void
test_names_in_folders(void)
{
	MemModel	m;

	sentence_in_folder(&m);
	check_refused(
		&m, NULL, DBERT_E_FORMAT,
		"0_Transformer/tokenizer_config.json: \"model_max_length\" of 3 tokens is too short");
	mem_put(&m, "0_Transformer/tokenizer_config.json", "{}");
	check_refused(&m, NULL, DBERT_E_SHAPE, "1_Pooling/config.json: pooling is for vectors of 9");
	mem_put(&m, "1_Pooling/config.json", "{}");
	check_refused(&m, NULL, DBERT_E_SHAPE,
				  "2_Dense/config.json: the module is for vectors of 7, but gets vectors of 8");
	mem_put(&m, "2_Dense/config.json", "{\"in_features\":8,\"out_features\":2}");
	check_refused(&m, NULL, DBERT_E_FORMAT,
				  "0_Transformer/sentence_bert_config.json: \"max_seq_length\" of 3 tokens");
	mem_put(&m, "0_Transformer/sentence_bert_config.json", "{}");
	check_refused(
		&m, NULL, DBERT_E_FORMAT,
		"neither \"2_Dense/model.safetensors\" nor \"2_Dense/model.safetensors.index.json\"");
	mem_drop_tensor(&m, "encoder.layer.1.output.dense.bias");
	mem_model_save(&m);
	move_file(&m, "model.safetensors", "2_Dense");
	check_refused(&m, NULL, DBERT_E_FORMAT,
				  "2_Dense/model.safetensors has no tensor \"linear.weight\"");
	mem_model_save(&m);
	move_file(&m, "model.safetensors", "0_Transformer");
	check_refused(
		&m, NULL, DBERT_E_FORMAT,
		"0_Transformer/model.safetensors has no tensor \"encoder.layer.1.output.dense.bias\"");
	mem_put(&m, "0_Transformer/vocab.txt", "[PAD]\n");
	check_refused(&m, NULL, DBERT_E_FORMAT,
				  "0_Transformer/vocab.txt: the vocabulary has no token \"[UNK]\"");
	mem_drop(&m, "0_Transformer/vocab.txt");
	check_refused(&m, NULL, DBERT_E_FORMAT,
				  "neither \"0_Transformer/tokenizer.json\" nor \"0_Transformer/vocab.txt\"");
	check_refused(&m, "answer", DBERT_E_UNSUPPORTED,
				  "0_Transformer/config.json: architecture \"BertModel\" has no head for the task "
				  "\"answer\"");
	mem_free(&m);
}

/* The vocabulary may be smaller than the embedding, never larger. */
static void
test_vocabulary_size(void)
{
	MemModel	m;
	char		vocab[512];

	mem_model_distilbert(&m, "Model", 0);
	snprintf(vocab, sizeof(vocab), "%smore\neven more\n", mem_vocab);
	mem_put(&m, "vocab.txt", vocab);
	check_refused(&m, NULL, DBERT_E_SHAPE,
				  "token \"even more\" has id 14, but the word embedding has 14 rows");
	mem_drop(&m, "vocab.txt");
	check_refused(&m, NULL, DBERT_E_FORMAT, "neither \"tokenizer.json\" nor \"vocab.txt\"");
	mem_free(&m);
}

/* ---- shards ---- */

static void
test_shards(void)
{
	MemModel	m;
	Built		b,
				whole;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	CHECK(built(&m, NULL, &whole));
	mem_drop(&m, "model.safetensors");
	mem_save(&m, "one.safetensors", 0, 20);
	mem_save(&m, "two.safetensors", 20, m.n_tensors);
	mem_put_index(&m, 20, "one.safetensors", "two.safetensors");
	if (built(&m, NULL, &b))
	{
		CHECK(b.size == whole.size && memcmp(b.image, whole.image, b.size) == 0);
		release(&b);
	}
	mem_put_index(&m, 19, "one.safetensors", "two.safetensors");
	check_refused(&m, NULL, DBERT_E_FORMAT, "is not in \"two.safetensors\"");
	mem_put_index(&m, 20, "one.safetensors", "three.safetensors");
	check_refused(&m, NULL, DBERT_E_FORMAT, "no file \"three.safetensors\"");
	mem_put_index(&m, 20, "one.safetensors", "../two.safetensors");
	check_refused(&m, NULL, DBERT_E_FORMAT, "no plain file name");
	mem_put_index(&m, 20, "one.safetensors", "/etc/passwd");
	check_refused(&m, NULL, DBERT_E_FORMAT, "no plain file name");
	mem_save(&m, "two.safetensors", 19, m.n_tensors);
	mem_put_index(&m, 20, "one.safetensors", "two.safetensors");
	check_refused(&m, NULL, DBERT_E_FORMAT, "is in two shards");
	mem_put(&m, "model.safetensors.index.json", "{\"metadata\":{}}");
	check_refused(&m, NULL, DBERT_E_FORMAT, "no \"weight_map\"");
	mem_put(&m, "model.safetensors.index.json", "{\"weight_map\":{\"a\":1}}");
	check_refused(&m, NULL, DBERT_E_FORMAT, "not a string");
	release(&whole);
	mem_free(&m);
}

/* ---- the list of files ---- */

static void
test_files(void)
{
	static const char *const want[] = {
		"0_Transformer/added_tokens.json", "0_Transformer/config.json",
		"0_Transformer/model.safetensors", "0_Transformer/sentence_bert_config.json",
		"0_Transformer/tokenizer.json", "1_Pooling/config.json",
		"config_sentence_transformers.json", "modules.json"
	};
	MemModel	m;
	DbertSource source = mem_source(&m);
	DbertError	err = {0};
	DbertPack  *pack;

	mem_model_bert(&m, "Model", "", 0);
	for (int i = 0; i < m.n_files; i++)
	{
		char		name[100];

		snprintf(name, sizeof(name), "%s", m.files[i].name);
		snprintf(m.files[i].name, sizeof(m.files[i].name), "0_Transformer/%s", name);
	}
	mem_put(&m, "modules.json",
			"[{\"idx\":0,\"name\":\"0\",\"path\":\"0_Transformer\",\"type\":\"sentence_"
			"transformers.models.Transformer\"},"
			"{\"idx\":1,\"name\":\"1\",\"path\":\"1_Pooling\",\"type\":\"sentence_transformers."
			"models.Pooling\"}]");
	mem_put(&m, "1_Pooling/config.json",
			"{\"word_embedding_dimension\":8,\"pooling_mode_cls_token\":true}");
	mem_put(&m, "0_Transformer/sentence_bert_config.json",
			"{\"max_seq_length\":9,\"do_lower_case\":false}");
	mem_put(&m, "0_Transformer/added_tokens.json", "{}");
	mem_put(&m, "config_sentence_transformers.json", "{}");
	mem_put(&m, "README.md", "not part of the model");
	if (dbert_pack_begin(&source, NULL, DBERT_PRECISION_FP32, &dbert_kernels_scalar,
						 &dbert_malloc_allocator, NULL, &pack, &err) == DBERT_OK)
	{
		for (int i = 0; i < 8; i++)
			CHECK_STR(dbert_pack_file(pack, i) ? dbert_pack_file(pack, i) : "", want[i]);
		CHECK(dbert_pack_file(pack, 8) == NULL && dbert_pack_file(pack, -1) == NULL);
		CHECK(dbert_pack_config(pack)->pooling == DBERT_POOL_CLS);
		CHECK(dbert_pack_config(pack)->max_tokens == 9);
		dbert_pack_end(pack);
	}
	else
		CHECK_MSG(false, "%s", err.msg);
	mem_free(&m);
}

/*
 * With and without the other file the tokenizer is the same, to the last byte.
 */
static void
test_tokenizer_files_agree(void)
{
	MemModel	m;
	Built		a,
				b;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	if (built(&m, NULL, &a))
	{
		mem_put(&m, "tokenizer.json", mem_tokenizer_json);
		mem_drop(&m, "vocab.txt");
		if (built(&m, NULL, &b))
		{
			CHECK(a.size == b.size && memcmp(a.image, b.image, a.size) == 0);
			release(&b);
		}
		release(&a);
	}
	mem_free(&m);
}

int
main(void)
{
	RUN(test_distilbert_sequence);
	RUN(test_distilbert_without_prefix);
	RUN(test_bert);
	RUN(test_legacy_norm_names);
	RUN(test_mask_heads);
	RUN(test_packed_layout);
	RUN(test_other_precisions);
	RUN(test_range);
	RUN(test_not_finite);
	RUN(test_wrong_tensors);
	RUN(test_names_in_folders);
	RUN(test_vocabulary_size);
	RUN(test_shards);
	RUN(test_files);
	RUN(test_tokenizer_files_agree);
	return tests_end();
}
