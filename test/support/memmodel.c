/*
 * memmodel.c -- the whole tiny models of memsource.h.
 */
#include "test/support/memsource.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char	mem_vocab[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"
						  "hello\nworld\n!\n##ly\nfine\na\nb\n##b\n";

const char	mem_tokenizer_json[] =
	"{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":["
	"{\"id\":0,\"content\":\"[PAD]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
	"\"normalized\":false,\"special\":true},"
	"{\"id\":1,\"content\":\"[UNK]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
	"\"normalized\":false,\"special\":true},"
	"{\"id\":2,\"content\":\"[CLS]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
	"\"normalized\":false,\"special\":true},"
	"{\"id\":3,\"content\":\"[SEP]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
	"\"normalized\":false,\"special\":true},"
	"{\"id\":4,\"content\":\"[MASK]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
	"\"normalized\":false,\"special\":true}],"
	"\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
	"\"strip_accents\":null,\"lowercase\":true},"
	"\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
	"\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"["
	"CLS]\",\"type_id\":0}},"
	"{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":0}"
	"}],"
	"\"pair\":[{\"SpecialToken\":{\"id\":\"[CLS]\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\","
	"\"type_id\":0}},"
	"{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":0}},{\"Sequence\":{\"id\":\"B\",\"type_id\":1}"
	"},"
	"{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":1}}],\"special_tokens\":{}},"
	"\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true},"
	"\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##"
	"\","
	"\"max_input_chars_per_word\":100,\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,"
	"\"[MASK]\":4,"
	"\"hello\":5,\"world\":6,\"!\":7,\"##ly\":8,\"fine\":9,\"a\":10,\"b\":11,\"##b\":12}}}";

/* BERT's, with a family whose own tokenizer has other names for its tokens. */
static void
put_tokenizer(MemModel *m)
{
	mem_put(m, "tokenizer.json", mem_tokenizer_json);
	mem_put(m, "tokenizer_config.json", "{\"tokenizer_class\":\"BertTokenizer\"}");
}

static void
add_span_head(MemModel *m, const char *suffix)
{
	if (strcmp(suffix, "ForQuestionAnswering") != 0)
		return;
	mem_add_tensor(m, 2, MEM_C, "qa_outputs.weight");
	mem_add_tensor(m, 0, 2, "qa_outputs.bias");
}

static void
add_distilbert_layer(MemModel *m, const char *p, int l)
{
	static const char *const lin[] = {"q_lin", "k_lin", "v_lin", "out_lin"};
	static const char *const norm[] = {"sa_layer_norm", "output_layer_norm"};

	for (int i = 0; i < 4; i++)
	{
		mem_add_tensor(m, MEM_C, MEM_C, "%stransformer.layer.%d.attention.%s.weight", p, l,
					   lin[i]);
		mem_add_tensor(m, 0, MEM_C, "%stransformer.layer.%d.attention.%s.bias", p, l, lin[i]);
	}
	for (int i = 0; i < 2; i++)
	{
		mem_add_tensor(m, 0, MEM_C, "%stransformer.layer.%d.%s.weight", p, l, norm[i]);
		mem_add_tensor(m, 0, MEM_C, "%stransformer.layer.%d.%s.bias", p, l, norm[i]);
	}
	mem_add_tensor(m, MEM_F, MEM_C, "%stransformer.layer.%d.ffn.lin1.weight", p, l);
	mem_add_tensor(m, 0, MEM_F, "%stransformer.layer.%d.ffn.lin1.bias", p, l);
	mem_add_tensor(m, MEM_C, MEM_F, "%stransformer.layer.%d.ffn.lin2.weight", p, l);
	mem_add_tensor(m, 0, MEM_C, "%stransformer.layer.%d.ffn.lin2.bias", p, l);
}

/* What config.json says of so many labels. */
static const char *
labels_of(int n)
{
	return n == 3 ? ",\"id2label\":{\"0\":\"O\",\"1\":\"B-X\",\"2\":\"I-X\"}" : "";
}

/* Embeddings below the prefix, their rows of width numbers. */
static void
add_embeddings(MemModel *m, const char *p, int types, int width)
{
	mem_add_tensor(m, MEM_V, width, "%sembeddings.word_embeddings.weight", p);
	mem_add_tensor(m, MEM_P, width, "%sembeddings.position_embeddings.weight", p);
	if (types > 0)
		mem_add_tensor(m, types, width, "%sembeddings.token_type_embeddings.weight", p);
	mem_add_tensor(m, 0, width, "%sembeddings.LayerNorm.weight", p);
	mem_add_tensor(m, 0, width, "%sembeddings.LayerNorm.bias", p);
}

static void
add_classifier(MemModel *m, const char *name, int n_labels)
{
	if (n_labels == 0)
		return;
	mem_add_tensor(m, n_labels, MEM_C, "%s.weight", name);
	mem_add_tensor(m, 0, n_labels, "%s.bias", name);
}

/* A masked-LM head whose decoder is the word embedding. */
static void
add_mask_head(MemModel *m, int width, const char *dense, const char *norm, const char *bias)
{
	mem_add_tensor(m, width, MEM_C, "%s.weight", dense);
	mem_add_tensor(m, 0, width, "%s.bias", dense);
	mem_add_tensor(m, 0, width, "%s.weight", norm);
	mem_add_tensor(m, 0, width, "%s.bias", norm);
	mem_add_tensor(m, 0, MEM_V, "%s.bias", bias);
}

void
mem_model_distilbert(MemModel *m, const char *suffix, int n_labels)
{
	char		config[1024];
	const char *p = "distilbert.";

	memset(m, 0, sizeof(*m));
	snprintf(config, sizeof(config),
			 "{\"model_type\":\"distilbert\",\"architectures\":[\"DistilBert%s\"],\"dim\":%d,"
			 "\"n_layers\":%d,\"n_heads\":2,\"hidden_dim\":%d,\"vocab_size\":%d,"
			 "\"max_position_embeddings\":%d,\"activation\":\"gelu\"%s}",
			 suffix, MEM_C, MEM_L, MEM_F, MEM_V, MEM_P,
			 labels_of(n_labels));
	mem_put(m, "config.json", config);
	mem_put(m, "vocab.txt", mem_vocab);
	mem_put(m, "tokenizer_config.json", "{\"do_lower_case\":true,\"model_max_length\":12}");
	add_embeddings(m, p, 0, MEM_C);
	for (int l = 0; l < MEM_L; l++)
		add_distilbert_layer(m, p, l);
	if (strcmp(suffix, "ForSequenceClassification") == 0)
	{
		mem_add_tensor(m, MEM_C, MEM_C, "pre_classifier.weight");
		mem_add_tensor(m, 0, MEM_C, "pre_classifier.bias");
	}
	add_classifier(m, "classifier", n_labels);
	add_span_head(m, suffix);
	if (strcmp(suffix, "ForMaskedLM") == 0)
		add_mask_head(m, MEM_C, "vocab_transform", "vocab_layer_norm", "vocab_projector");
	mem_model_save(m);
}

static void
add_bert_feed_forward(MemModel *m, const char *prefix, int l)
{
	mem_add_tensor(m, MEM_F, MEM_C, "%sencoder.layer.%d.intermediate.dense.weight", prefix, l);
	mem_add_tensor(m, 0, MEM_F, "%sencoder.layer.%d.intermediate.dense.bias", prefix, l);
	mem_add_tensor(m, MEM_C, MEM_F, "%sencoder.layer.%d.output.dense.weight", prefix, l);
	mem_add_tensor(m, 0, MEM_C, "%sencoder.layer.%d.output.dense.bias", prefix, l);
	mem_add_tensor(m, 0, MEM_C, "%sencoder.layer.%d.output.LayerNorm.weight", prefix, l);
	mem_add_tensor(m, 0, MEM_C, "%sencoder.layer.%d.output.LayerNorm.bias", prefix, l);
}

static void
add_bert_layer(MemModel *m, const char *prefix, int l)
{
	static const char *const lin[] = {"self.query", "self.key", "self.value", "output.dense"};

	for (int i = 0; i < 4; i++)
	{
		mem_add_tensor(m, MEM_C, MEM_C, "%sencoder.layer.%d.attention.%s.weight", prefix, l,
					   lin[i]);
		mem_add_tensor(m, 0, MEM_C, "%sencoder.layer.%d.attention.%s.bias", prefix, l, lin[i]);
	}
	mem_add_tensor(m, 0, MEM_C, "%sencoder.layer.%d.attention.output.LayerNorm.weight", prefix,
				   l);
	mem_add_tensor(m, 0, MEM_C, "%sencoder.layer.%d.attention.output.LayerNorm.bias", prefix,
				   l);
	add_bert_feed_forward(m, prefix, l);
}

void
mem_model_bert(MemModel *m, const char *suffix, const char *prefix, int n_labels)
{
	char		config[1024];

	memset(m, 0, sizeof(*m));
	snprintf(config, sizeof(config),
			 "{\"model_type\":\"bert\",\"architectures\":[\"Bert%s\"],\"hidden_size\":%d,"
			 "\"num_hidden_layers\":%d,\"num_attention_heads\":2,\"intermediate_size\":%d,"
			 "\"vocab_size\":%d,\"max_position_embeddings\":%d,\"type_vocab_size\":2,"
			 "\"layer_norm_eps\":1e-7,\"hidden_act\":\"gelu\"%s}",
			 suffix, MEM_C, MEM_L, MEM_F, MEM_V, MEM_P,
			 labels_of(n_labels));
	mem_put(m, "config.json", config);
	mem_put(m, "tokenizer.json", mem_tokenizer_json);
	add_embeddings(m, prefix, 2, MEM_C);
	for (int l = 0; l < MEM_L; l++)
		add_bert_layer(m, prefix, l);
	if (strcmp(suffix, "ForSequenceClassification") == 0)
	{
		mem_add_tensor(m, MEM_C, MEM_C, "%spooler.dense.weight", prefix);
		mem_add_tensor(m, 0, MEM_C, "%spooler.dense.bias", prefix);
	}
	add_classifier(m, "classifier", n_labels);
	add_span_head(m, suffix);
	if (strcmp(suffix, "ForMaskedLM") == 0)
		add_mask_head(m, MEM_C, "cls.predictions.transform.dense",
					  "cls.predictions.transform.LayerNorm", "cls.predictions");
	mem_model_save(m);
}

/* What stands above ELECTRA's layers. */
static void
add_electra_head(MemModel *m, const char *suffix, int width, int n_labels)
{
	bool		of_texts = strcmp(suffix, "ForSequenceClassification") == 0;
	const char *out = of_texts ? "classifier.out_proj" : "classifier";

	if (of_texts)
	{
		mem_add_tensor(m, MEM_C, MEM_C, "classifier.dense.weight");
		mem_add_tensor(m, 0, MEM_C, "classifier.dense.bias");
	}
	add_classifier(m, out, n_labels);
	add_span_head(m, suffix);
	if (strcmp(suffix, "ForMaskedLM") == 0)
		add_mask_head(m, width, "generator_predictions.dense", "generator_predictions.LayerNorm",
					  "generator_lm_head");
}

void
mem_model_electra(MemModel *m, const char *suffix, int width, int n_labels)
{
	char		config[1024];
	const char *p = "electra.";

	memset(m, 0, sizeof(*m));
	snprintf(config, sizeof(config),
			 "{\"model_type\":\"electra\",\"architectures\":[\"Electra%s\"],\"hidden_size\":%d,"
			 "\"embedding_size\":%d,\"num_hidden_layers\":%d,\"num_attention_heads\":2,"
			 "\"intermediate_size\":%d,\"vocab_size\":%d,\"max_position_embeddings\":%d%s}",
			 suffix, MEM_C, width, MEM_L, MEM_F, MEM_V, MEM_P,
			 labels_of(n_labels));
	mem_put(m, "config.json", config);
	mem_put(m, "tokenizer.json", mem_tokenizer_json);
	add_embeddings(m, p, 2, width);
	if (width != MEM_C)
	{
		mem_add_tensor(m, MEM_C, width, "%sembeddings_project.weight", p);
		mem_add_tensor(m, 0, MEM_C, "%sembeddings_project.bias", p);
	}
	for (int l = 0; l < MEM_L; l++)
		add_bert_layer(m, p, l);
	add_electra_head(m, suffix, width, n_labels);
	mem_model_save(m);
}

void
mem_model_roberta(MemModel *m, const char *suffix, int n_labels)
{
	char		config[1024];
	const char *p = strcmp(suffix, "Model") == 0 ? "" : "roberta.";

	memset(m, 0, sizeof(*m));
	snprintf(config, sizeof(config),
			 "{\"model_type\":\"roberta\",\"architectures\":[\"Roberta%s\"],\"hidden_size\":%d,"
			 "\"num_hidden_layers\":%d,\"num_attention_heads\":2,\"intermediate_size\":%d,"
			 "\"vocab_size\":%d,\"max_position_embeddings\":%d,\"type_vocab_size\":1,"
			 "\"layer_norm_eps\":1e-5,\"hidden_act\":\"gelu\",\"pad_token_id\":1%s}",
			 suffix, MEM_C, MEM_L, MEM_F, MEM_V, MEM_P,
			 labels_of(n_labels));
	mem_put(m, "config.json", config);
	put_tokenizer(m);
	add_embeddings(m, p, 1, MEM_C);
	for (int l = 0; l < MEM_L; l++)
		add_bert_layer(m, p, l);
	if (strcmp(suffix, "ForMaskedLM") == 0)
		add_mask_head(m, MEM_C, "lm_head.dense", "lm_head.layer_norm", "lm_head");
	else
		add_electra_head(m, suffix, MEM_C, n_labels);	/* has the same names */
	mem_model_save(m);
}

void
mem_model_mpnet(MemModel *m, const char *suffix, int n_labels)
{
	static const char *const lin[] = {"q", "k", "v", "o"};
	char		config[1024];
	const char *p = strcmp(suffix, "Model") == 0 ? "" : "mpnet.";

	memset(m, 0, sizeof(*m));
	snprintf(config, sizeof(config),
			 "{\"model_type\":\"mpnet\",\"architectures\":[\"MPNet%s\"],\"hidden_size\":%d,"
			 "\"num_hidden_layers\":%d,\"num_attention_heads\":2,\"intermediate_size\":%d,"
			 "\"vocab_size\":%d,\"max_position_embeddings\":%d,"
			 "\"layer_norm_eps\":1e-5,\"hidden_act\":\"gelu\",\"pad_token_id\":5%s}",
			 suffix, MEM_C, MEM_L, MEM_F, MEM_V, MEM_P,
			 labels_of(n_labels));
	mem_put(m, "config.json", config);
	put_tokenizer(m);
	add_embeddings(m, p, 0, MEM_C);
	mem_add_tensor(m, 32, 2, "%sencoder.relative_attention_bias.weight", p);
	for (int l = 0; l < MEM_L; l++)
	{
		for (int i = 0; i < 4; i++)
		{
			mem_add_tensor(m, MEM_C, MEM_C, "%sencoder.layer.%d.attention.attn.%s.weight", p, l,
						   lin[i]);
			mem_add_tensor(m, 0, MEM_C, "%sencoder.layer.%d.attention.attn.%s.bias", p, l, lin[i]);
		}
		mem_add_tensor(m, 0, MEM_C, "%sencoder.layer.%d.attention.LayerNorm.weight", p, l);
		mem_add_tensor(m, 0, MEM_C, "%sencoder.layer.%d.attention.LayerNorm.bias", p, l);
		add_bert_feed_forward(m, p, l);
	}
	if (strcmp(suffix, "ForMaskedLM") == 0)
		add_mask_head(m, MEM_C, "lm_head.dense", "lm_head.layer_norm", "lm_head");
	else
		add_electra_head(m, suffix, MEM_C, n_labels);	/* has the same names */
	mem_model_save(m);
}

void
mem_model_deberta(MemModel *m, const char *suffix, const char *more, int n_labels)
{
	static const char *const lin[] = {"query", "key", "value"};
	char		config[1024];
	const char *p = strcmp(suffix, "Model") == 0 ? "" : "deberta.";

	memset(m, 0, sizeof(*m));
	snprintf(config, sizeof(config),
			 "{\"model_type\":\"deberta-v2\",\"architectures\":[\"DebertaV2%s\"],"
			 "\"hidden_size\":%d,\"num_hidden_layers\":%d,\"num_attention_heads\":2,"
			 "\"intermediate_size\":%d,\"vocab_size\":%d,\"max_position_embeddings\":%d,"
			 "\"relative_attention\":true,\"pos_att_type\":\"p2c|c2p\",\"share_att_key\":true,"
			 "\"norm_rel_ebd\":\"layer_norm\",\"position_buckets\":4,"
			 "\"position_biased_input\":false%s%s}",
			 suffix, MEM_C, MEM_L, MEM_F, MEM_V, MEM_P, more,
			 labels_of(n_labels));
	mem_put(m, "config.json", config);
	put_tokenizer(m);
	mem_add_tensor(m, MEM_V, MEM_C, "%sembeddings.word_embeddings.weight", p);
	mem_add_tensor(m, 0, MEM_C, "%sembeddings.LayerNorm.weight", p);
	mem_add_tensor(m, 0, MEM_C, "%sembeddings.LayerNorm.bias", p);
	mem_add_tensor(m, 8, MEM_C, "%sencoder.rel_embeddings.weight", p);
	mem_add_tensor(m, 0, MEM_C, "%sencoder.LayerNorm.weight", p);
	mem_add_tensor(m, 0, MEM_C, "%sencoder.LayerNorm.bias", p);
	for (int l = 0; l < MEM_L; l++)
	{
		for (int i = 0; i < 3; i++)
		{
			mem_add_tensor(m, MEM_C, MEM_C, "%sencoder.layer.%d.attention.self.%s_proj.weight", p,
						   l, lin[i]);
			mem_add_tensor(m, 0, MEM_C, "%sencoder.layer.%d.attention.self.%s_proj.bias", p, l,
						   lin[i]);
		}
		mem_add_tensor(m, MEM_C, MEM_C, "%sencoder.layer.%d.attention.output.dense.weight", p, l);
		mem_add_tensor(m, 0, MEM_C, "%sencoder.layer.%d.attention.output.dense.bias", p, l);
		mem_add_tensor(m, 0, MEM_C, "%sencoder.layer.%d.attention.output.LayerNorm.weight", p, l);
		mem_add_tensor(m, 0, MEM_C, "%sencoder.layer.%d.attention.output.LayerNorm.bias", p, l);
		add_bert_feed_forward(m, p, l);
	}
	if (strcmp(suffix, "ForSequenceClassification") == 0)
	{
		mem_add_tensor(m, MEM_C, MEM_C, "pooler.dense.weight");
		mem_add_tensor(m, 0, MEM_C, "pooler.dense.bias");
	}
	add_classifier(m, "classifier", n_labels);
	if (strcmp(suffix, "ForMaskedLM") == 0)
		add_mask_head(m, MEM_C, "lm_predictions.lm_head.dense", "lm_predictions.lm_head.LayerNorm",
					  "lm_predictions.lm_head");
	add_span_head(m, suffix);
	mem_model_save(m);
}

static void
add_albert_layer(MemModel *m, int group, int inner)
{
	static const char *const lin[] = {"query", "key", "value", "dense"};
	char		p[96];

	snprintf(p, sizeof(p), "albert.encoder.albert_layer_groups.%d.albert_layers.%d.", group, inner);
	for (int i = 0; i < 4; i++)
	{
		mem_add_tensor(m, MEM_C, MEM_C, "%sattention.%s.weight", p, lin[i]);
		mem_add_tensor(m, 0, MEM_C, "%sattention.%s.bias", p, lin[i]);
	}
	mem_add_tensor(m, 0, MEM_C, "%sattention.LayerNorm.weight", p);
	mem_add_tensor(m, 0, MEM_C, "%sattention.LayerNorm.bias", p);
	mem_add_tensor(m, MEM_F, MEM_C, "%sffn.weight", p);
	mem_add_tensor(m, 0, MEM_F, "%sffn.bias", p);
	mem_add_tensor(m, MEM_C, MEM_F, "%sffn_output.weight", p);
	mem_add_tensor(m, 0, MEM_C, "%sffn_output.bias", p);
	mem_add_tensor(m, 0, MEM_C, "%sfull_layer_layer_norm.weight", p);
	mem_add_tensor(m, 0, MEM_C, "%sfull_layer_layer_norm.bias", p);
}

void
mem_model_albert(MemModel *m, const char *suffix, int layers, int groups, int inner)
{
	char		config[1024];
	const char *p = "albert.";

	memset(m, 0, sizeof(*m));
	snprintf(config, sizeof(config),
			 "{\"model_type\":\"albert\",\"architectures\":[\"Albert%s\"],\"hidden_size\":%d,"
			 "\"embedding_size\":6,\"num_hidden_layers\":%d,\"num_hidden_groups\":%d,"
			 "\"inner_group_num\":%d,\"num_attention_heads\":2,\"intermediate_size\":%d,"
			 "\"vocab_size\":%d,\"max_position_embeddings\":%d}",
			 suffix, MEM_C, layers, groups, inner, MEM_F, MEM_V, MEM_P);
	mem_put(m, "config.json", config);
	put_tokenizer(m);
	add_embeddings(m, p, 2, 6);
	mem_add_tensor(m, MEM_C, 6, "%sencoder.embedding_hidden_mapping_in.weight", p);
	mem_add_tensor(m, 0, MEM_C, "%sencoder.embedding_hidden_mapping_in.bias", p);
	for (int group = 0; group < groups; group++)
		for (int i = 0; i < inner; i++)
			add_albert_layer(m, group, i);
	mem_add_tensor(m, MEM_C, MEM_C, "%spooler.weight", p);
	mem_add_tensor(m, 0, MEM_C, "%spooler.bias", p);
	if (strcmp(suffix, "ForMaskedLM") == 0)
		add_mask_head(m, 6, "predictions.dense", "predictions.LayerNorm", "predictions");
	if (strcmp(suffix, "ForSequenceClassification") == 0)
	{
		mem_add_tensor(m, 2, MEM_C, "classifier.weight");
		mem_add_tensor(m, 0, 2, "classifier.bias");
	}
	mem_model_save(m);
}

/* Heads of 64 columns, or two; a feed-forward of half as many again. */
void
mem_model_modernbert(MemModel *m, const char *suffix, int hidden, int layers, int positions,
					 int n_labels)
{
	char		config[1024];
	int			ffn = hidden * 3 / 2;

	memset(m, 0, sizeof(*m));
	snprintf(config, sizeof(config),
			 "{\"model_type\":\"modernbert\",\"architectures\":[\"ModernBert%s\"],"
			 "\"hidden_size\":%d,\"num_hidden_layers\":%d,\"num_attention_heads\":%d,"
			 "\"intermediate_size\":%d,\"vocab_size\":%d,\"max_position_embeddings\":%d,"
			 "\"local_attention\":4,\"classifier_pooling\":\"mean\"%s}",
			 suffix, hidden, layers, hidden < 128 ? 2 : hidden / 64, ffn, MEM_V, positions,
			 labels_of(n_labels));
	mem_put(m, "config.json", config);
	mem_put(m, "vocab.txt", mem_vocab);
	mem_put(m, "tokenizer_config.json", "{\"do_lower_case\":true}");
	mem_add_tensor(m, MEM_V, hidden, "model.embeddings.tok_embeddings.weight");
	mem_add_tensor(m, 0, hidden, "model.embeddings.norm.weight");
	mem_add_tensor(m, 0, hidden, "model.final_norm.weight");
	for (int l = 0; l < layers; l++)
	{
		if (l > 0)
			mem_add_tensor(m, 0, hidden, "model.layers.%d.attn_norm.weight", l);
		mem_add_tensor(m, 3 * hidden, hidden, "model.layers.%d.attn.Wqkv.weight", l);
		mem_add_tensor(m, hidden, hidden, "model.layers.%d.attn.Wo.weight", l);
		mem_add_tensor(m, 0, hidden, "model.layers.%d.mlp_norm.weight", l);
		mem_add_tensor(m, 2 * ffn, hidden, "model.layers.%d.mlp.Wi.weight", l);
		mem_add_tensor(m, hidden, ffn, "model.layers.%d.mlp.Wo.weight", l);
	}
	if (strcmp(suffix, "Model") != 0)
	{
		mem_add_tensor(m, hidden, hidden, "head.dense.weight");
		mem_add_tensor(m, 0, hidden, "head.norm.weight");
	}
	if (strcmp(suffix, "ForMaskedLM") == 0)
		mem_add_tensor(m, 0, MEM_V, "decoder.bias");
	if (n_labels > 0)
	{
		mem_add_tensor(m, n_labels, hidden, "classifier.weight");
		mem_add_tensor(m, 0, n_labels, "classifier.bias");
	}
	mem_model_save(m);
}

/* ---- Marian ---- */

static const char *const marian_pieces[] = {
	"\xe2\x96\x81", "a", "b", "c", "\xe2\x96\x81" "ab", "bc", "\xe2\x96\x81" "c", ".", "ca"
};

#define N_MARIAN_PIECES ((int) (sizeof(marian_pieces) / sizeof(marian_pieces[0])))

/* A piece of a SentencePiece model, a protobuf: text, score, type. */
static size_t
put_piece(uint8_t *at, const char *text, float score, int type)
{
	size_t		len = strlen(text);

	at[0] = 1 << 3 | 2;
	at[1] = (uint8_t) (len + 9);
	at[2] = 1 << 3 | 2;
	at[3] = (uint8_t) len;
	memcpy(at + 4, text, len);
	at[4 + len] = 2 << 3 | 5;
	memcpy(at + 5 + len, &score, 4);
	at[9 + len] = 3 << 3;
	at[10 + len] = (uint8_t) type;
	return len + 11;
}

static void
put_marian_tokenizer(MemModel *m)
{
	static const uint8_t trainer[] = {2 << 3 | 2, 2, 3 << 3, 1};	/* unigram */
	uint8_t		spm[512];
	char		vocab[512] = "{\"</s>\":0,\"<unk>\":1";
	size_t		len = put_piece(spm, "<unk>", 0, 2);

	len += put_piece(spm + len, "<s>", 0, 3);
	len += put_piece(spm + len, "</s>", 0, 3);
	for (int i = 0; i < N_MARIAN_PIECES; i++)
	{
		len += put_piece(spm + len, marian_pieces[i], -1 - (float) i / 4, 1);
		snprintf(vocab + strlen(vocab), sizeof(vocab) - strlen(vocab), ",\"%s\":%d",
				 marian_pieces[i], i + 2);
	}
	memcpy(spm + len, trainer, sizeof(trainer));
	len += sizeof(trainer);
	snprintf(vocab + strlen(vocab), sizeof(vocab) - strlen(vocab),
			 ",\">>x<<\":11,\"d\":12,\"<pad>\":13}");
	mem_put_bytes(m, "source.spm", spm, len);
	mem_put_bytes(m, "target.spm", spm, len);
	mem_put(m, "vocab.json", vocab);
	mem_put(m, "tokenizer_config.json", "{\"tokenizer_class\":\"MarianTokenizer\"}");
}

static void
add_marian_attention(MemModel *m, const char *side, int l, const char *name)
{
	static const char *const lin[] = {"q_proj", "k_proj", "v_proj", "out_proj"};

	for (int i = 0; i < 4; i++)
	{
		mem_add_tensor(m, MEM_C, MEM_C, "model.%s.layers.%d.%s.%s.weight", side, l, name, lin[i]);
		mem_add_tensor(m, 0, MEM_C, "model.%s.layers.%d.%s.%s.bias", side, l, name, lin[i]);
	}
	mem_add_tensor(m, 0, MEM_C, "model.%s.layers.%d.%s_layer_norm.weight", side, l, name);
	mem_add_tensor(m, 0, MEM_C, "model.%s.layers.%d.%s_layer_norm.bias", side, l, name);
}

static void
add_marian_layer(MemModel *m, const char *side, int l)
{
	add_marian_attention(m, side, l, "self_attn");
	if (strcmp(side, "decoder") == 0)
		add_marian_attention(m, side, l, "encoder_attn");
	mem_add_tensor(m, MEM_F, MEM_C, "model.%s.layers.%d.fc1.weight", side, l);
	mem_add_tensor(m, 0, MEM_F, "model.%s.layers.%d.fc1.bias", side, l);
	mem_add_tensor(m, MEM_C, MEM_F, "model.%s.layers.%d.fc2.weight", side, l);
	mem_add_tensor(m, 0, MEM_C, "model.%s.layers.%d.fc2.bias", side, l);
	mem_add_tensor(m, 0, MEM_C, "model.%s.layers.%d.final_layer_norm.weight", side, l);
	mem_add_tensor(m, 0, MEM_C, "model.%s.layers.%d.final_layer_norm.bias", side, l);
}

void
mem_model_marian(MemModel *m)
{
	char		config[1024];

	memset(m, 0, sizeof(*m));
	snprintf(config, sizeof(config),
			 "{\"model_type\":\"marian\",\"architectures\":[\"MarianMTModel\"],\"d_model\":%d,"
			 "\"encoder_layers\":1,\"decoder_layers\":2,\"encoder_attention_heads\":2,"
			 "\"decoder_attention_heads\":2,\"encoder_ffn_dim\":%d,\"decoder_ffn_dim\":%d,"
			 "\"vocab_size\":%d,\"max_position_embeddings\":%d,\"scale_embedding\":true,"
			 "\"activation_function\":\"swish\",\"decoder_start_token_id\":13,"
			 "\"eos_token_id\":0,\"pad_token_id\":13}",
			 MEM_C, MEM_F, MEM_F, MEM_V, MEM_P);
	mem_put(m, "config.json", config);
	mem_put(m, "generation_config.json",
			"{\"max_length\":10,\"num_beams\":2,\"bad_words_ids\":[[13]],"
			"\"forced_eos_token_id\":0,\"decoder_start_token_id\":13,\"eos_token_id\":0}");
	put_marian_tokenizer(m);
	mem_add_tensor(m, MEM_V, MEM_C, "model.shared.weight");
	mem_add_tensor(m, 1, MEM_V, "final_logits_bias");
	add_marian_layer(m, "encoder", 0);
	add_marian_layer(m, "decoder", 0);
	add_marian_layer(m, "decoder", 1);
	mem_model_save(m);
}

void
mem_model_kind(MemModel *m, unsigned kind)
{
	static const struct
	{
		const char *suffix;
		int			labels;
	}			heads[MEM_KINDS / 2] = {
		{"ForSequenceClassification", 3}, {"ForTokenClassification", 3},
		{"ForQuestionAnswering", 0}, {"ForMaskedLM", 0}, {"Model", 0}
	};
	const char *suffix = heads[kind % MEM_KINDS / 2].suffix;
	int			labels = heads[kind % MEM_KINDS / 2].labels;

	if (kind % 2 == 0)
		mem_model_distilbert(m, suffix, labels);
	else
		mem_model_bert(m, suffix, strcmp(suffix, "Model") == 0 ? "" : "bert.", labels);
}
