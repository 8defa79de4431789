/*
 * test_families.c -- the tables of families: complete, and read as they say.
 *
 * DistilBERT and BERT are test_config.c's and test_model.c's; here are what all
 * tables must have, and the other families.
 */
#include "model/configfile.h"
#include "model/family.h"
#include "test/support/memsource.h"
#include "test/support/packhelp.h"
#include "test/support/testhelp.h"

static bool
has_size(const DbertFamily *family, size_t field)
{
	return dbert_family_size(family, field)->key != NULL;
}

static void
check_sizes(const DbertFamily *family)
{
	static const size_t needed[] = {
		offsetof(DbertConfig, vocab), offsetof(DbertConfig, positions),
		offsetof(DbertConfig, layers), offsetof(DbertConfig, heads),
		offsetof(DbertConfig, hidden), offsetof(DbertConfig, ffn)
	};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		CHECK_MSG(has_size(family, needed[i]), "%s reads no size %zu", family->model_type, i);
	for (const DbertSizeKey *size = family->sizes; size->key != NULL; size++)
	{
		CHECK(size < &family->sizes[DBERT_SIZE_KEYS - 1]);
		CHECK_MSG(size->min <= size->preset && size->preset <= size->max, "%s: %s",
				  family->model_type, size->key);
	}
	CHECK(has_size(family, offsetof(DbertConfig, types)) ==
		  (family->modules[DBERT_MODULE_TYPE][0] != NULL));
	CHECK(has_size(family, offsetof(DbertConfig, embed_width)) ==
		  (family->modules[DBERT_MODULE_EMBED_PROJECT][0] != NULL));
}

static void
check_modules(const DbertFamily *family)
{
	for (int module = DBERT_MODULE_QKV; module <= DBERT_MODULE_FFN_NORM && !family->lookup;
		 module++)
		CHECK_MSG(family->modules[module][0] != NULL, "%s has no module %d", family->model_type,
				  module);
	CHECK(family->modules[DBERT_MODULE_WORD][0] != NULL);
	CHECK(family->norms_first == (family->modules[DBERT_MODULE_FINAL_NORM][0] != NULL));
	CHECK(dbert_family_has_head(family, DBERT_HEAD_NONE));
	CHECK(family->heads[DBERT_HEAD_NONE].out == NULL);
	for (int head = 0; head < DBERT_HEADS; head++)
		CHECK_MSG(family->heads[head].dense == NULL || family->heads[head].out != NULL,
				  "%s: head %d ends below its last layer", family->model_type, head);
}

static void
test_tables(void)
{
	for (int id = 0; id < DBERT_FAMILY_END; id++)
	{
		const DbertFamily *family = dbert_family(id);
		DbertConfig config = {.family = id};

		CHECK(dbert_family_of(&config) == family);
		CHECK_MSG(dbert_family_find(family->model_type) == id, "\"%s\" twice", family->model_type);
		if (!family->lookup)	/* it has one tensor alone */
		{
			CHECK(strlen(family->prefix) > 0 && family->prefix[strlen(family->prefix) - 1] == '.');
			CHECK(family->layers[strlen(family->layers) - 1] == '.');
			CHECK(family->act_key != NULL);
		}
		check_sizes(family);
		check_modules(family);
		for (int head = 0; head < DBERT_HEADS; head++)
		{
			dbert_family_name_architecture(&config, head);
			CHECK(strstr(config.architecture, family->architecture) == config.architecture);
		}
	}
	CHECK(dbert_family_find("") == -1 && dbert_family_find("gpt2") == -1);
}

/* ---- ELECTRA ---- */

static DbertStatus
read_config(MemModel *m, const char *task, DbertConfig *config, DbertError *err)
{
	DbertSource source = mem_source(m);
	DbertPack  *pack;

	DBERT_TRY(dbert_pack_begin(&source, task, DBERT_PRECISION_FP32, &dbert_kernels_scalar,
							   &dbert_malloc_allocator, NULL, &pack, err));
	*config = *dbert_pack_config(pack);
	dbert_pack_end(pack);
	return DBERT_OK;
}

static void
check_refused(MemModel *m, const char *task, DbertStatus want, const char *words)
{
	DbertConfig config;
	DbertError	err = {0};
	DbertStatus status = read_config(m, task, &config, &err);

	CHECK_MSG(status == want && strstr(err.msg, words) != NULL,
			  "expected %d \"%s\", got %d \"%s\"", want, words, status, err.msg);
}

static void
test_electra_sizes(void)
{
	static const int widths[] = {MEM_C, 5, 11};

	for (int i = 0; i < 3; i++)
	{
		MemModel	m;
		Built		b;
		const DbertWeights *w;

		mem_model_electra(&m, "ForSequenceClassification", widths[i], 3);
		if (built(&m, NULL, &b))
		{
			w = &b.model->weights;
			CHECK(b.model->config.embed_width == widths[i] && b.model->config.hidden == MEM_C);
			CHECK((w->embed_project.w != NULL) == (widths[i] != MEM_C));
			CHECK(w->embed_project.w == NULL ||
				  (w->embed_project.n == MEM_C && w->embed_project.k == widths[i] &&
				   w->embed_project.b[1] == mem_value("electra.embeddings_project.bias", 1)));
			CHECK(w->head_act == DBERT_ACT_GELU && w->head_dense.n == MEM_C);
			CHECK(w->head_out.n == 3 &&
				  w->head_out.b[2] == mem_value("classifier.out_proj.bias", 2));
			release(&b);
		}
		mem_free(&m);
	}
}

/*
 * The heads that a family has, each by its class and, where config.json names
 * none, by its tensors; more looks at what else the config says.
 */
static void
check_heads(const char *family, void (*make) (MemModel *m, const char *suffix, int labels),
			void (*more) (const DbertConfig *c))
{
	static const struct
	{
		const char *suffix;
		int			labels;
		int			head;
	}			heads[] = {
		{"Model", 0, DBERT_HEAD_NONE},
		{"ForSequenceClassification", 3, DBERT_HEAD_SEQUENCE},
		{"ForTokenClassification", 3, DBERT_HEAD_TOKEN},
		{"ForQuestionAnswering", 0, DBERT_HEAD_SPAN},
		{"ForMaskedLM", 0, DBERT_HEAD_MASK}
	};

	for (int i = 0; i < 5; i++)
	{
		MemModel	m;
		DbertConfig c = {0};
		DbertError	err = {0};
		char		named[128];

		make(&m, heads[i].suffix, heads[i].labels);
		CHECK_MSG(read_config(&m, NULL, &c, &err) == DBERT_OK, "%s", err.msg);
		CHECK(c.head == heads[i].head);
		if (more != NULL)
			more(&c);
		snprintf(named, sizeof(named), "\"architectures\":[\"%s%s\"],", family,
				 heads[i].suffix);
		mem_edit(&m, "config.json", named, "");
		memset(&c, 0, sizeof(c));
		CHECK_MSG(read_config(&m, NULL, &c, &err) == DBERT_OK, "%s", err.msg);
		CHECK(c.head == heads[i].head && strstr(c.architecture, heads[i].suffix) != NULL);
		mem_free(&m);
	}
}

static void
make_electra(MemModel *m, const char *suffix, int labels)
{
	mem_model_electra(m, suffix, 6, labels);
}

static void
test_electra_heads(void)
{
	check_heads("Electra", make_electra, NULL);
}

static void
test_electra_refused(void)
{
	MemModel	m;
	DbertConfig c;
	DbertError	err = {0};

	mem_model_electra(&m, "ForMultipleChoice", 6, 0);
	check_refused(&m, NULL, DBERT_E_UNSUPPORTED,
				  "architecture \"ElectraForMultipleChoice\" is not supported");
	/* it is an encoder still */
	CHECK(read_config(&m, "embed", &c, &err) == DBERT_OK && c.head == DBERT_HEAD_NONE);
	mem_free(&m);
	/* a discriminator is nothing else */
	mem_model_electra(&m, "ForPreTraining", 6, 0);
	CHECK(read_config(&m, NULL, &c, &err) == DBERT_OK && c.head == DBERT_HEAD_NONE);
	check_refused(&m, "entities", DBERT_E_UNSUPPORTED,
				  "architecture \"ElectraForPreTraining\" has no head for the task \"entities\"");
	mem_free(&m);
	mem_model_electra(&m, "Model", 6, 0);
	mem_edit(&m, "config.json", "\"architectures\":[\"ElectraModel\"],", "");
	mem_edit(&m, "config.json", "\"embedding_size\":6", "\"embedding_size\":7");
	check_refused(&m, NULL, DBERT_E_SHAPE, "expected shape [14,7], found [14,6]");
	mem_edit(&m, "config.json", "\"embedding_size\":7", "\"embedding_size\":0");
	check_refused(&m, NULL, DBERT_E_FORMAT, "\"embedding_size\" must be between 1");
	mem_free(&m);
	mem_model_electra(&m, "Model", 6, 0);
	mem_drop_tensor(&m, "electra.embeddings_project.bias");
	mem_model_save(&m);
	check_refused(&m, NULL, DBERT_E_FORMAT, "no tensor \"electra.embeddings_project.bias\"");
	mem_free(&m);
}

/* The generator's head is as wide as the embeddings. */
static void
test_electra_generator(void)
{
	MemModel	m;
	Built		b;

	mem_model_electra(&m, "ForMaskedLM", 6, 0);
	if (built(&m, NULL, &b))
	{
		const DbertWeights *w = &b.model->weights;

		CHECK(w->head_dense.n == 6 && w->head_dense.k == MEM_C && w->head_act == DBERT_ACT_GELU);
		CHECK(w->head_out.n == MEM_V && w->head_out.k == 6 && w->head_out.w == w->word);
		CHECK(w->head_norm.beta[5] == mem_value("generator_predictions.LayerNorm.bias", 5));
		CHECK(w->head_out.b[3] == mem_value("generator_lm_head.bias", 3));
		release(&b);
	}
	mem_free(&m);
}

/* ---- RoBERTa and its namesakes ---- */

static void
check_roberta_config(const DbertConfig *c)
{
	CHECK(c->first_position == 2 && c->max_tokens == MEM_P - 2);
	CHECK(!c->pair_types && dbert_config_takes_pairs(c));
}

static void
test_roberta_heads(void)
{
	check_heads("Roberta", mem_model_roberta, check_roberta_config);
}

/* The same model by another name. */
static void
test_roberta_namesakes(void)
{
	static const char *const names[][2] = {
		{"xlm-roberta", "XLMRoberta"}, {"camembert", "Camembert"}
	};

	for (int i = 0; i < 2; i++)
	{
		MemModel	m;
		Built		b;
		char		named[64];

		mem_model_roberta(&m, "ForMaskedLM", 0);
		snprintf(named, sizeof(named), "\"%s\"", names[i][0]);
		mem_edit(&m, "config.json", "\"roberta\"", named);
		mem_edit(&m, "config.json", "RobertaForMaskedLM", "XForMaskedLM");
		snprintf(named, sizeof(named), "%sForMaskedLM", names[i][1]);
		mem_edit(&m, "config.json", "XForMaskedLM", named);
		if (built(&m, NULL, &b))
		{
			CHECK(b.model->config.head == DBERT_HEAD_MASK &&
				  b.model->weights.head_act == DBERT_ACT_GELU);
			CHECK(b.model->weights.type[3] ==
				  mem_value("roberta.embeddings.token_type_embeddings.weight", 3));
			release(&b);
		}
		mem_free(&m);
	}
}

static void
test_roberta_refused(void)
{
	MemModel	m;
	DbertConfig c;
	DbertError	err = {0};

	mem_model_roberta(&m, "ForMaskedLM", 0);
	mem_edit(&m, "config.json", "\"pad_token_id\":1", "\"pad_token_id\":null");
	CHECK(read_config(&m, NULL, &c, &err) == DBERT_OK && c.first_position == 2);
	mem_edit(&m, "config.json", "null", "14");
	check_refused(&m, NULL, DBERT_E_FORMAT,
				  "\"pad_token_id\" must be between 0 and 13, found 14");
	mem_edit(&m, "config.json", ":14}", ":12}");
	check_refused(&m, NULL, DBERT_E_FORMAT,
				  "16 positions, the first 13 of which are not used, are too few");
	mem_edit(&m, "config.json", ":12}", ":11}");
	CHECK(read_config(&m, NULL, &c, &err) == DBERT_OK && c.max_tokens == 4);
	mem_edit(&m, "config.json", ":11}", ":1,\"tie_word_embeddings\":false}");
	check_refused(&m, NULL, DBERT_E_FORMAT, "no tensor \"lm_head.decoder.weight\"");
	mem_edit(&m, "config.json", "false}", "true,\"position_embedding_type\":\"relative_key\"}");
	check_refused(&m, NULL, DBERT_E_UNSUPPORTED, "position embedding type \"relative_key\"");
	mem_free(&m);
}

static void
test_known_families(void)
{
	static const char *const known[] = {"longformer", "xlnet", "deberta", "mobilebert"};
	/* NLLB is of the type "m2m_100" */
	static const char *const translators[] = {"bart", "mbart", "t5", "mt5", "m2m_100", "nllb-moe"};
	MemModel	m;

	for (int i = 0; i < 4; i++)
	{
		char		words[96],
					type[64];

		mem_model_roberta(&m, "Model", 0);
		snprintf(type, sizeof(type), "\"%s\"", known[i]);
		mem_edit(&m, "config.json", "\"roberta\"", type);
		snprintf(words, sizeof(words), "model type \"%s\" is known, but not supported, only",
				 known[i]);
		check_refused(&m, NULL, DBERT_E_UNSUPPORTED, words);
		mem_free(&m);
	}
	for (size_t i = 0; i < sizeof(translators) / sizeof(translators[0]); i++)
	{
		char		words[160],
					type[64];

		mem_model_roberta(&m, "Model", 0);
		snprintf(type, sizeof(type), "\"%s\"", translators[i]);
		mem_edit(&m, "config.json", "\"roberta\"", type);
		snprintf(words, sizeof(words), "model type \"%s\" is known, but not supported; of models "
				 "with an encoder and a decoder only \"marian\" is", translators[i]);
		check_refused(&m, NULL, DBERT_E_UNSUPPORTED, words);
		mem_free(&m);
	}
	mem_model_roberta(&m, "Model", 0);
	mem_edit(&m, "config.json", "\"roberta\"", "\"robert\"");
	check_refused(&m, NULL, DBERT_E_UNSUPPORTED, "model type \"robert\" is not supported, only");
	mem_free(&m);
}

/* ---- ALBERT ---- */

/* The value of a layer's first bias, by which it is known. */
static float
albert_bias(int group, int inner)
{
	char		name[128];

	snprintf(name, sizeof(name),
			 "albert.encoder.albert_layer_groups.%d.albert_layers.%d.ffn.bias", group, inner);
	return mem_value(name, 1);
}

static void
test_albert_layers(void)
{
	/* layers, groups, inner layers; then group and inner layer of each */
	static const int cases[][3] = {{3, 1, 1}, {4, 2, 2}, {5, 2, 1}, {5, 3, 1}};
	static const int order[][8][2] = {
		{{0, 0}, {0, 0}, {0, 0}},
		{{0, 0}, {0, 1}, {0, 0}, {0, 1}, {1, 0}, {1, 1}, {1, 0}, {1, 1}},
		{{0, 0}, {0, 0}, {0, 0}, {1, 0}, {1, 0}},
		{{0, 0}, {0, 0}, {1, 0}, {1, 0}, {2, 0}}
	};

	for (int i = 0; i < 4; i++)
	{
		MemModel	m;
		Built		b;

		mem_model_albert(&m, "Model", cases[i][0], cases[i][1], cases[i][2]);
		if (built(&m, NULL, &b))
		{
			const DbertWeights *w = &b.model->weights;

			CHECK(b.model->config.layers == cases[i][0] * cases[i][2]);
			CHECK(dbert_config_stored_layers(&b.model->config) == cases[i][1] * cases[i][2]);
			for (int l = 0; l < b.model->config.layers; l++)
				CHECK_MSG(w->layers[l].ffn_in.b[1] == albert_bias(order[i][l][0], order[i][l][1]),
						  "case %d: layer %d", i, l);
			release(&b);
		}
		mem_free(&m);
	}
}

static void
test_albert_heads(void)
{
	MemModel	m;
	Built		b;

	mem_model_albert(&m, "ForMaskedLM", 2, 1, 1);
	if (built(&m, NULL, &b))
	{
		const DbertWeights *w = &b.model->weights;

		CHECK(b.model->config.act == DBERT_ACT_GELU_TANH && w->head_act == DBERT_ACT_GELU_TANH);
		CHECK(w->embed_project.n == MEM_C && w->embed_project.k == 6);
		CHECK(w->head_dense.n == 6 && w->head_out.k == 6 && w->head_out.w == w->word);
		CHECK(w->head_out.b[3] == mem_value("predictions.bias", 3));
		release(&b);
	}
	mem_free(&m);
	mem_model_albert(&m, "ForSequenceClassification", 2, 1, 1);
	if (built(&m, NULL, &b))
	{
		CHECK(b.model->weights.head_dense.b[2] == mem_value("albert.pooler.bias", 2));
		CHECK(b.model->config.pair_types && b.model->weights.head_act == DBERT_ACT_TANH);
		release(&b);
	}
	mem_free(&m);
}

static void
test_albert_refused(void)
{
	MemModel	m;

	mem_model_albert(&m, "Model", 2, 3, 1);
	check_refused(&m, NULL, DBERT_E_FORMAT, "2 layers of 1 inner ones in 3 groups");
	mem_free(&m);
	mem_model_albert(&m, "Model", 2, 1, 1);
	mem_edit(&m, "config.json", "\"inner_group_num\":1", "\"inner_group_num\":129");
	check_refused(&m, NULL, DBERT_E_FORMAT, "at most 256 in all");
	mem_edit(&m, "config.json", "129", "0");
	check_refused(&m, NULL, DBERT_E_FORMAT, "\"inner_group_num\" must be between 1 and 256");
	mem_edit(&m, "config.json", "\"inner_group_num\":0", "\"inner_group_num\":2");
	check_refused(&m, NULL, DBERT_E_FORMAT,
				  "no tensor \"albert.encoder.albert_layer_groups.0.albert_layers.1.attention.q");
	mem_free(&m);
}

int
main(void)
{
	RUN(test_tables);
	RUN(test_electra_sizes);
	RUN(test_electra_heads);
	RUN(test_electra_refused);
	RUN(test_electra_generator);
	RUN(test_roberta_heads);
	RUN(test_roberta_namesakes);
	RUN(test_roberta_refused);
	RUN(test_known_families);
	RUN(test_albert_layers);
	RUN(test_albert_heads);
	RUN(test_albert_refused);
	return tests_end();
}
