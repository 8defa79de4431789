/*
 * test_families.c -- the tables of families: complete, and read as they say.
 *
 * DistilBERT and BERT are test_config.c's and test_model.c's; here are what all
 * tables must have, and ELECTRA.
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
	for (int module = DBERT_MODULE_QKV; module < DBERT_MODULES; module++)
		CHECK_MSG(family->modules[module][0] != NULL, "%s has no module %d", family->model_type,
				  module);
	CHECK(family->modules[DBERT_MODULE_WORD][0] != NULL);
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
		CHECK(strlen(family->prefix) > 0 && family->prefix[strlen(family->prefix) - 1] == '.');
		CHECK(family->layers[strlen(family->layers) - 1] == '.');
		CHECK(family->act_key != NULL && family->tokenizer != NULL);
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

static void
test_electra_heads(void)
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
		{"ForQuestionAnswering", 0, DBERT_HEAD_SPAN}
	};

	for (int i = 0; i < 4; i++)
	{
		MemModel	m;
		DbertConfig c = {0};
		DbertError	err = {0};
		char		named[128];

		mem_model_electra(&m, heads[i].suffix, 6, heads[i].labels);
		CHECK_MSG(read_config(&m, NULL, &c, &err) == DBERT_OK, "%s", err.msg);
		CHECK(c.head == heads[i].head);
		/* the tensors tell as much */
		snprintf(named, sizeof(named), "\"architectures\":[\"Electra%s\"],", heads[i].suffix);
		mem_edit(&m, "config.json", named, "");
		memset(&c, 0, sizeof(c));
		CHECK_MSG(read_config(&m, NULL, &c, &err) == DBERT_OK, "%s", err.msg);
		CHECK(c.head == heads[i].head && strstr(c.architecture, heads[i].suffix) != NULL);
		mem_free(&m);
	}
}

static void
test_electra_refused(void)
{
	static const char *const others[] = {"ForPreTraining", "ForMaskedLM", "ForMultipleChoice"};
	MemModel	m;
	DbertConfig c;
	DbertError	err = {0};
	char		words[128];

	for (int i = 0; i < 3; i++)
	{
		mem_model_electra(&m, others[i], 6, 0);
		snprintf(words, sizeof(words), "architecture \"Electra%s\" is not supported", others[i]);
		check_refused(&m, NULL, DBERT_E_UNSUPPORTED, words);
		/* named by its task it may load, where the family has that head */
		check_refused(&m, "fill_mask", DBERT_E_UNSUPPORTED,
					  "has no head for the task \"fill_mask\"");
		/* they are encoders still */
		CHECK(read_config(&m, "embed", &c, &err) == DBERT_OK && c.head == DBERT_HEAD_NONE);
		mem_free(&m);
	}
	mem_model_electra(&m, "Model", 6, 0);
	mem_edit(&m, "config.json", "\"architectures\":[\"ElectraModel\"],", "");
	check_refused(&m, "fill_mask", DBERT_E_UNSUPPORTED,
				  "architecture \"ElectraForMaskedLM\" has no head for the task \"fill_mask\"");
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

int
main(void)
{
	RUN(test_tables);
	RUN(test_electra_sizes);
	RUN(test_electra_heads);
	RUN(test_electra_refused);
	return tests_end();
}
