/*
 * test_model.c -- the model room as a whole: files to an image, image to a model.
 *
 * Every tensor of the tiny models holds values that follow from its name, so a
 * field that points to the wrong array shows.
 */
#include "model/packimage.h"
#include "model/pack.h"
#include "test/dirsource.h"
#include "test/memsource.h"
#include "test/testhelp.h"

#include <dirent.h>

/* ---- an allocator that counts and fails, kernels of another layout ---- */

typedef struct Counter
{
	long		live;
	long		fail_at;		/* the allocation that fails, counted down; 0: none */
} Counter;

static void *
counting_alloc(void *ctx, size_t size)
{
	Counter    *c = ctx;

	if (c->fail_at > 0 && --c->fail_at == 0)
		return NULL;
	c->live++;
	return malloc(size);
}

static void
counting_free(void *ctx, void *ptr)
{
	((Counter *) ctx)->live--;
	free(ptr);
}

/* Packed as columns, with one float of padding that is -1. */
static size_t
column_size(int n, int k)
{
	return (size_t) n * k + 1;
}

static void
column_pack(float *dst, const float *w, int n, int k)
{
	for (int i = 0; i < n; i++)
		for (int j = 0; j < k; j++)
			dst[(size_t) j * n + i] = w[(size_t) i * k + j];
	dst[(size_t) n * k] = -1;
}

static const DbertKernels column_kernels = {
	.name = "columns",.layout = "test-columns",
	.packed_linear_size = column_size,.pack_linear = column_pack
};

/* ---- building ---- */

typedef struct Built
{
	void	   *image;
	size_t		size;
	DbertModel *model;
} Built;

static DbertStatus
build_image(const DbertSource *source, const char *task, const DbertKernels *kernels,
			Built *b, DbertError *err)
{
	DbertPack  *pack;
	DbertStatus status;

	memset(b, 0, sizeof(*b));
	DBERT_TRY(dbert_pack_begin(source, task, kernels, &dbert_malloc_allocator, NULL, &pack, err));
	b->size = dbert_pack_size(pack);
	if (posix_memalign(&b->image, 64, b->size) != 0)
		abort();
	memset(b->image, 0xa5, b->size);
	status = dbert_pack_write(pack, b->image, NULL, err);
	dbert_pack_end(pack);
	return status;
}

static DbertStatus
build(const DbertSource *source, const char *task, const DbertKernels *kernels,
	  Built *b, DbertError *err)
{
	DBERT_TRY(build_image(source, task, kernels, b, err));
	return dbert_model_open(b->image, b->size, kernels, &dbert_malloc_allocator, &b->model, err);
}

static void
release(Built *b)
{
	dbert_model_close(b->model);
	free(b->image);
	memset(b, 0, sizeof(*b));
}

/* Builds or says why not. */
static bool
built(MemModel *m, const char *task, Built *b)
{
	DbertSource source = mem_source(m);
	DbertError	err = {0};
	DbertStatus status = build(&source, task, &dbert_kernels_scalar, b, &err);

	CHECK_MSG(status == DBERT_OK, "%s", err.msg);
	if (status != DBERT_OK)
		release(b);
	return status == DBERT_OK;
}

/* The model must be refused with this code and a sentence that holds these words. */
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
	char		name[256],
				layer[256];

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
		check_named(x->qkv.w + 2 * MEM_C * MEM_C, MEM_C * MEM_C, layer, l, "attention.v_lin.weight");
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
	char		name[256],
				layer[256];

	mem_model_bert(&m, "ForSequenceClassification", prefix, 3);
	if (built(&m, NULL, &b))
	{
		const DbertWeights *w = &b.model->weights;

		snprintf(name, sizeof(name), "%sembeddings.token_type_embeddings.weight", prefix);
		check_values(w->type, name, 2 * MEM_C);
		snprintf(layer, sizeof(layer), "%sencoder.layer.", prefix);
		for (int l = 0; l < MEM_L; l++)
		{
			check_named(w->layers[l].qkv.w + MEM_C * MEM_C, MEM_C * MEM_C, layer, l, "attention.self.key.weight");
			check_named(w->layers[l].attn_out.b, MEM_C, layer, l, "attention.output.dense.bias");
			check_named(w->layers[l].attn_norm.gamma, MEM_C, layer, l, "attention.output.LayerNorm.weight");
			check_named(w->layers[l].ffn_in.w, MEM_F * MEM_C, layer, l, "intermediate.dense.weight");
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
	strcpy(mem_tensor(&m, "bert.embeddings.LayerNorm.bias")->name, "bert.embeddings.LayerNorm.beta");
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
		check_values(b.model->weights.head_norm.gamma, "cls.predictions.transform.LayerNorm.weight", MEM_C);
		release(&b);
	}
	mem_edit(&m, "tokenizer.json", "\"[MASK]\":4", "\"[mask]\":4");
	mem_edit(&m, "tokenizer.json", "\"content\":\"[MASK]\"", "\"content\":\"[mask]\"");
	check_refused(&m, NULL, DBERT_E_FORMAT, "needs a mask token");
	mem_free(&m);
}

/* A layout of the kernels' own: matrices are packed, a tied decoder is copied. */
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

static void
test_half_precision(void)
{
	static const char *const dtypes[] = {"F16", "BF16"};

	for (int d = 0; d < 2; d++)
	{
		MemModel	m;
		Built		b;

		mem_model_distilbert(&m, "ForSequenceClassification", 3);
		for (int i = 0; i < m.n_tensors; i++)
			m.tensors[i].dtype = dtypes[d];
		mem_model_save(&m);
		if (built(&m, NULL, &b))
		{
			check_distilbert_encoder(b.model, "distilbert.");
			release(&b);
		}
		m.tensors[3].bad = NAN;
		mem_model_save(&m);
		check_refused(&m, NULL, DBERT_E_FORMAT, m.tensors[3].name);
		mem_free(&m);
	}
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
	if (dbert_pack_begin(&source, NULL, &dbert_kernels_scalar, &dbert_malloc_allocator, NULL, &pack, &err) == DBERT_OK)
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
	t->dtype = "I64";
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_UNSUPPORTED, "lin1.weight\" is of dtype I64");
	mem_drop_tensor(&m, t->name);
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_FORMAT, "no tensor \"distilbert.transformer.layer.0.ffn.lin1.weight\"");
	mem_drop_tensor(&m, "classifier.weight");
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_FORMAT, "no tensor \"classifier.weight\"");
	mem_drop(&m, "model.safetensors");
	check_refused(&m, NULL, DBERT_E_FORMAT, "neither \"model.safetensors\" nor \"model.safetensors.index.json\"");
	mem_put(&m, "pytorch_model.bin", "x");
	check_refused(&m, NULL, DBERT_E_UNSUPPORTED, "pickle");
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
	check_refused(&m, NULL, DBERT_E_SHAPE, "token \"even more\" has id 14, but the word embedding has 14 rows");
	mem_drop(&m, "vocab.txt");
	check_refused(&m, NULL, DBERT_E_FORMAT, "neither \"tokenizer.json\" nor \"vocab.txt\"");
	mem_free(&m);
}

/* ---- shards ---- */

static void
put_index(MemModel *m, int split, const char *first, const char *second)
{
	char		index[MEM_TENSORS * 200];
	size_t		n = (size_t) sprintf(index, "{\"metadata\":{\"total_size\":1},\"weight_map\":{");

	for (int i = 0; i < m->n_tensors; i++)
		n += (size_t) sprintf(index + n, "%s\"%s\":\"%s\"", i ? "," : "", m->tensors[i].name,
							  i < split ? first : second);
	sprintf(index + n, "}}");
	mem_put(m, "model.safetensors.index.json", index);
}

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
	put_index(&m, 20, "one.safetensors", "two.safetensors");
	if (built(&m, NULL, &b))
	{
		CHECK(b.size == whole.size && memcmp(b.image, whole.image, b.size) == 0);
		release(&b);
	}
	put_index(&m, 19, "one.safetensors", "two.safetensors");
	check_refused(&m, NULL, DBERT_E_FORMAT, "is not in \"two.safetensors\"");
	put_index(&m, 20, "one.safetensors", "three.safetensors");
	check_refused(&m, NULL, DBERT_E_FORMAT, "no file \"three.safetensors\"");
	put_index(&m, 20, "one.safetensors", "../two.safetensors");
	check_refused(&m, NULL, DBERT_E_FORMAT, "no plain file name");
	put_index(&m, 20, "one.safetensors", "/etc/passwd");
	check_refused(&m, NULL, DBERT_E_FORMAT, "no plain file name");
	mem_save(&m, "two.safetensors", 19, m.n_tensors);
	put_index(&m, 20, "one.safetensors", "two.safetensors");
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
			"[{\"idx\":0,\"name\":\"0\",\"path\":\"0_Transformer\",\"type\":\"sentence_transformers.models.Transformer\"},"
			"{\"idx\":1,\"name\":\"1\",\"path\":\"1_Pooling\",\"type\":\"sentence_transformers.models.Pooling\"}]");
	mem_put(&m, "1_Pooling/config.json", "{\"word_embedding_dimension\":8,\"pooling_mode_cls_token\":true}");
	mem_put(&m, "0_Transformer/sentence_bert_config.json", "{\"max_seq_length\":9,\"do_lower_case\":false}");
	mem_put(&m, "0_Transformer/added_tokens.json", "{}");
	mem_put(&m, "config_sentence_transformers.json", "{}");
	mem_put(&m, "README.md", "not part of the model");
	if (dbert_pack_begin(&source, NULL, &dbert_kernels_scalar, &dbert_malloc_allocator, NULL, &pack, &err) == DBERT_OK)
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

/* ---- damage ---- */

/* A copy of exactly size bytes, so that a read past it is seen. */
static void *
exact_copy(const void *image, size_t size)
{
	void	   *copy;

	if (posix_memalign(&copy, 64, size ? size : 1) != 0)
		abort();
	memcpy(copy, image, size);
	return copy;
}

static DbertStatus
open_copy(const void *image, size_t size)
{
	DbertModel *model = NULL;
	DbertError	err = {0};
	DbertStatus status = dbert_model_open(image, size, &dbert_kernels_scalar,
										  &dbert_malloc_allocator, &model, &err);

	CHECK((model != NULL) == (status == DBERT_OK));
	dbert_model_close(model);
	return status;
}

static void
test_damaged_image(void)
{
	MemModel	m;
	Built		b;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	if (built(&m, NULL, &b))
	{
		const DbertPackHeader *h = b.image;
		size_t		front = h->sections[DBERT_SECTION_WEIGHTS].offset;
		unsigned char *copy = exact_copy(b.image, b.size);
		int			missed = 0;

		for (size_t i = 0; i < front; i++)
		{
			for (int flip = 1; flip < 256; flip = flip * 2 + 1)
			{
				copy[i] ^= (unsigned char) flip;
				missed += open_copy(copy, b.size) != DBERT_E_CORRUPT;
				copy[i] ^= (unsigned char) flip;
			}
		}
		CHECK_MSG(missed == 0, "%d damaged bytes were not noticed", missed);
		CHECK(open_copy(copy, b.size) == DBERT_OK);
		free(copy);
		missed = 0;
		for (size_t size = 0; size < b.size; size += 1 + size / 64)
		{
			copy = exact_copy(b.image, size);
			missed += open_copy(copy, size) != DBERT_E_CORRUPT;
			free(copy);
		}
		CHECK_MSG(missed == 0, "%d truncations were not noticed", missed);
		release(&b);
	}
	mem_free(&m);
}

/* Read everything a model points to. */
static float
touch(const DbertModel *model)
{
	const DbertConfig *c = &model->config;
	const DbertLayer *last = &model->weights.layers[c->layers - 1];
	float		sum = model->weights.word[(size_t) c->vocab * c->hidden - 1] +
		model->weights.position[(size_t) c->positions * c->hidden - 1] +
		last->qkv.w[(size_t) last->qkv.n * last->qkv.k - 1] +
		last->ffn_out.w[(size_t) last->ffn_out.n * last->ffn_out.k - 1];

	if (model->weights.head_out.w != NULL)
		sum += model->weights.head_out.w[(size_t) model->weights.head_out.n * model->weights.head_out.k - 1];
	for (int i = 0; i < c->n_labels; i++)
		sum += (float) strlen(model->labels[i]);
	return sum;
}

/* Header, config and labels bent at random under a right checksum: no crash. */
static void
test_forged_image(void)
{
	MemModel	m;
	Built		b;
	uint32_t	seed = 1;
	float		sum = 0;
	int			opened = 0;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	if (built(&m, NULL, &b))
	{
		size_t		front = ((DbertPackHeader *) b.image)->sections[DBERT_SECTION_TOKENIZER].offset;

		for (int round = 0; round < 20000; round++)
		{
			unsigned char *copy = exact_copy(b.image, b.size);
			DbertPackHeader *h = (DbertPackHeader *) copy;
			DbertModel *model;
			DbertError	err;

			for (int k = 0; k < 1 + round % 3; k++)
			{
				seed = seed * 1664525u + 1013904223u;
				copy[16 + (seed >> 8) % (front - 16)] = (unsigned char) (seed >> 24);
			}
			if (h->sections[DBERT_SECTION_WEIGHTS].offset <= b.size)
				h->checksum = dbert_pack_checksum(copy, h->sections[DBERT_SECTION_WEIGHTS].offset / 8 * 8);
			if (dbert_model_open(copy, b.size, &dbert_kernels_scalar, &dbert_malloc_allocator,
								 &model, &err) == DBERT_OK)
			{
				opened++;
				sum += touch(model);
				dbert_model_close(model);
			}
			free(copy);
		}
		CHECK(opened > 0 && opened < 20000 && sum != 0);
		release(&b);
	}
	mem_free(&m);
}

/* ---- failures on the way ---- */

/* One whole life; the image is only made when checking it passed. */
static DbertStatus
one_life(const DbertSource *source, const DbertAllocator *alloc, const DbertPoll *poll)
{
	DbertError	err = {0};
	DbertPack  *pack;
	DbertModel *model = NULL;
	void	   *image = NULL;
	size_t		size;
	DbertStatus status;

	DBERT_TRY(dbert_pack_begin(source, NULL, &column_kernels, alloc, poll, &pack, &err));
	size = dbert_pack_size(pack);
	status = dbert_pack_write(pack, NULL, poll, &err);
	if (status == DBERT_OK && posix_memalign(&image, 64, size) == 0)
		status = dbert_pack_write(pack, image, poll, &err);
	dbert_pack_end(pack);
	if (status == DBERT_OK)
		status = dbert_model_open(image, size, &column_kernels, alloc, &model, &err);
	dbert_model_close(model);
	free(image);
	return status;
}

static void
check_failing_allocations(MemModel *m)
{
	DbertSource source = mem_source(m);
	Counter		counter = {0, 0};
	DbertAllocator alloc = {counting_alloc, counting_free, &counter};
	DbertStatus status = DBERT_E_NOMEM;
	long		n;

	for (n = 1; n < 5000 && status == DBERT_E_NOMEM; n++)
	{
		counter.fail_at = n;
		status = one_life(&source, &alloc, NULL);
		CHECK_MSG(counter.live == 0, "%ld leaked when allocation %ld failed", counter.live, n);
		if (counter.live != 0)
			return;
	}
	CHECK_MSG(status == DBERT_OK && n > 50, "status %d after %ld allocations", status, n);
}

static void
test_failing_allocator(void)
{
	MemModel	m;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	check_failing_allocations(&m);
	mem_drop(&m, "model.safetensors");
	mem_save(&m, "one.safetensors", 0, 20);
	mem_save(&m, "two.safetensors", 20, m.n_tensors);
	put_index(&m, 20, "one.safetensors", "two.safetensors");
	mem_put(&m, "tokenizer_config.json",
			"{\"added_tokens_decoder\":{\"2\":{\"content\":\"[CLS]\"},\"13\":{\"content\":\"new\"}}}");
	check_failing_allocations(&m);
	mem_free(&m);
	mem_model_bert(&m, "ForMaskedLM", "bert.", 0);
	check_failing_allocations(&m);
	mem_free(&m);
}

static void
test_failing_reads(void)
{
	MemModel	m;
	DbertSource source = mem_source(&m);
	Counter		counter = {0, 0};
	DbertAllocator alloc = {counting_alloc, counting_free, &counter};
	DbertStatus status = DBERT_E_IO;

	mem_model_bert(&m, "ForSequenceClassification", "bert.", 3);
	for (int n = 1; n < 1000 && status == DBERT_E_IO; n++)
	{
		m.fail_read = n;
		status = one_life(&source, &alloc, NULL);
		CHECK(counter.live == 0);
	}
	CHECK(status == DBERT_OK);
	mem_free(&m);
}

static bool
stop_at(void *ctx)
{
	return --*(int *) ctx == 0;
}

static void
test_cancel(void)
{
	MemModel	m;
	DbertSource source = mem_source(&m);
	Counter		counter = {0, 0};
	DbertAllocator alloc = {counting_alloc, counting_free, &counter};
	DbertStatus status = DBERT_E_CANCELLED;
	int			n;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	for (n = 1; n < 1000 && status == DBERT_E_CANCELLED; n++)
	{
		int			left = n;
		DbertPoll	poll = {stop_at, &left};

		status = one_life(&source, &alloc, &poll);
		CHECK(counter.live == 0);
	}
	CHECK(status == DBERT_OK && n > 40);
	mem_free(&m);
}

/* ---- whole directories ---- */

/* Same bytes twice, and every weight that the golden test would use is there. */
static void
check_folder(const char *path)
{
	DbertSource source = dir_source(path);
	DbertError	err = {0};
	Built		one,
				two;

	if (build(&source, NULL, &dbert_kernels_scalar, &one, &err) != DBERT_OK)
		CHECK_MSG(false, "%s: %s", path, err.msg);
	else
	{
		CHECK(touch(one.model) == touch(one.model));
		if (build_image(&source, NULL, &dbert_kernels_scalar, &two, &err) == DBERT_OK)
			CHECK_MSG(one.size == two.size && memcmp(one.image, two.image, one.size) == 0,
					  "%s: two images differ", path);
		release(&two);
	}
	release(&one);
}

/* All folders of a folder that hold a model; returns how many. */
static int
check_folders(const char *parent)
{
	DIR		   *d = opendir(parent);
	struct dirent *entry;
	int			n = 0;

	while (d != NULL && (entry = readdir(d)) != NULL)
	{
		char		path[4096];
		int64_t		size;
		DbertSource source = dir_source(path);

		snprintf(path, sizeof(path), "%s/%s", parent, entry->d_name);
		source.size(source.ctx, "config.json", &size, NULL);
		if (entry->d_name[0] == '.' || size < 0)
			continue;
		check_folder(path);
		n++;
	}
	if (d != NULL)
		closedir(d);
	return n;
}

static void
test_fixtures(void)
{
	CHECK(check_folders("test/fixtures") >= 10);
}

static void
test_golden_folders(void)
{
	char		path[4096];

	if (shared_dir() == NULL)
	{
		printf("# skipped: ../shared is absent\n");
		return;
	}
	snprintf(path, sizeof(path), "%s/golden", shared_dir());
	CHECK(check_folders(path) >= 10);
}

/* With and without the other file the tokenizer is the same, to the last byte. */
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
	RUN(test_half_precision);
	RUN(test_not_finite);
	RUN(test_wrong_tensors);
	RUN(test_vocabulary_size);
	RUN(test_shards);
	RUN(test_files);
	RUN(test_tokenizer_files_agree);
	RUN(test_damaged_image);
	RUN(test_forged_image);
	RUN(test_failing_allocator);
	RUN(test_failing_reads);
	RUN(test_cancel);
	RUN(test_fixtures);
	RUN(test_golden_folders);
	return tests_end();
}
