/*
 * test_config.c -- config.json, heads, labels, sentence-transformers' files.
 *
 * A tiny model is bent in one place and read up to the image; what comes out
 * is its DbertConfig or the error's sentence.
 */
#include "model/family.h"
#include "model/pack.h"
#include "test/support/memsource.h"
#include "test/support/testhelp.h"

/* Reads the model; labels, when wanted, are joined with "|". */
static DbertStatus
read_model(MemModel *m, const char *task, DbertConfig *config, char labels[512], DbertError *err)
{
	DbertSource source = mem_source(m);
	DbertPack  *pack;

	DBERT_TRY(dbert_pack_begin(&source, task, DBERT_PRECISION_FP32, &dbert_kernels_scalar,
							   &dbert_malloc_allocator, NULL, &pack, err));
	*config = *dbert_pack_config(pack);
	if (labels != NULL)
	{
		size_t		n = 0;

		labels[0] = '\0';
		for (int i = 0; i < config->n_labels; i++)
			n += (size_t) snprintf(labels + n, 512 - n, "%s%s", i ? "|" : "",
								   dbert_pack_label(pack, i));
		CHECK(dbert_pack_label(pack, config->n_labels) == NULL);
	}
	dbert_pack_end(pack);
	return DBERT_OK;
}

static bool
accepted(MemModel *m, const char *task, DbertConfig *config)
{
	DbertError	err = {0};
	DbertStatus status = read_model(m, task, config, NULL, &err);

	CHECK_MSG(status == DBERT_OK, "%s", err.msg);
	return status == DBERT_OK;
}

static void
check_refused(MemModel *m, const char *task, DbertStatus want, const char *words)
{
	DbertConfig config;
	DbertError	err = {0};
	DbertStatus status = read_model(m, task, &config, NULL, &err);

	CHECK_MSG(status == want && strstr(err.msg, words) != NULL,
			  "expected %d \"%s\", got %d \"%s\"", want, words, status, err.msg);
}

/* config.json with one piece of text replaced, refused. */
static void
bend(const char *from, const char *to, DbertStatus want, const char *words)
{
	MemModel	m;

	mem_model_bert(&m, "ForSequenceClassification", "bert.", 3);
	mem_edit(&m, "config.json", from, to);
	check_refused(&m, NULL, want, words);
	mem_free(&m);
}

static void
test_sizes(void)
{
	bend("\"hidden_size\":8", "\"hidden_size\":0", DBERT_E_FORMAT,
		 "\"hidden_size\" must be between 1 and 16384, found 0");
	bend("\"hidden_size\":8", "\"hidden_size\":-8", DBERT_E_FORMAT, "found -8");
	bend("\"hidden_size\":8", "\"hidden_size\":99999999", DBERT_E_FORMAT, "found 99999999");
	bend("\"hidden_size\":8", "\"hidden_size\":8.0", DBERT_E_FORMAT,
		 "\"hidden_size\" must be an integer, found a number");
	bend("\"hidden_size\":8", "\"hidden_size\":\"8\"", DBERT_E_FORMAT,
		 "must be an integer, found a string");
	bend("\"hidden_size\":8", "\"hidden_size\":123456789012345678901234567890", DBERT_E_FORMAT,
		 "config.json: line 1");
	bend("\"hidden_size\":8", "\"hidden_size\":16", DBERT_E_SHAPE,
		 "expected shape [14,16], found [14,8]");
	bend("\"num_attention_heads\":2", "\"num_attention_heads\":3", DBERT_E_FORMAT,
		 "3 heads do not divide the hidden size 8");
	bend("\"num_hidden_layers\":2", "\"num_hidden_layers\":3", DBERT_E_FORMAT,
		 "no tensor \"bert.encoder.layer.2.");
	bend("\"num_hidden_layers\":2", "\"num_hidden_layers\":257", DBERT_E_FORMAT, "found 257");
	bend("\"vocab_size\":14", "\"vocab_size\":15", DBERT_E_SHAPE,
		 "expected shape [15,8], found [14,8]");
	bend("\"max_position_embeddings\":16", "\"max_position_embeddings\":3", DBERT_E_FORMAT,
		 "found 3");
	bend("\"type_vocab_size\":2", "\"type_vocab_size\":1", DBERT_E_FORMAT,
		 "\"type_vocab_size\" must be between 2");
	bend("\"type_vocab_size\":2", "\"type_vocab_size\":3", DBERT_E_SHAPE,
		 "token_type_embeddings.weight\": expected shape [3,8], found [2,8]");
	bend("\"layer_norm_eps\":1e-7", "\"layer_norm_eps\":0", DBERT_E_FORMAT, "layer_norm_eps");
	bend("\"layer_norm_eps\":1e-7", "\"layer_norm_eps\":1e400", DBERT_E_FORMAT,
		 "config.json: line 1");
}

static void
test_json_errors(void)
{
	MemModel	m;

	bend("{\"model_type\"", "{\"model_type\":\"bert\",\"model_type\"", DBERT_E_FORMAT, "duplicate");
	bend("\"gelu\"", "\"\\ud83d\"", DBERT_E_FORMAT, "config.json: line 1");
	bend("\"gelu\"", "\"gelu\"}}", DBERT_E_FORMAT, "config.json: line 1");
	mem_model_bert(&m, "Model", "", 0);
	mem_put(&m, "config.json", "");
	check_refused(&m, NULL, DBERT_E_FORMAT, "config.json: line 1");
	mem_put(&m, "config.json", "[]");
	check_refused(&m, NULL, DBERT_E_FORMAT, "config.json must be an object");
	mem_put(&m, "config.json", "{}");
	check_refused(&m, NULL, DBERT_E_FORMAT, "no \"model_type\"");
	mem_drop(&m, "config.json");
	check_refused(&m, NULL, DBERT_E_FORMAT, "no file \"config.json\"");
	mem_free(&m);
}

static void
test_unsupported(void)
{
	bend("\"model_type\":\"bert\"", "\"model_type\":\"rwkv\"", DBERT_E_UNSUPPORTED,
		 "model type \"rwkv\"");
	bend("\"hidden_act\":\"gelu\"", "\"hidden_act\":\"mish\"", DBERT_E_UNSUPPORTED,
		 "activation \"mish\"");
	bend("{", "{\"position_embedding_type\":\"relative_key\",", DBERT_E_UNSUPPORTED,
		 "\"relative_key\"");
	bend("{", "{\"is_decoder\":true,", DBERT_E_UNSUPPORTED, "is_decoder");
	bend("{", "{\"add_cross_attention\":true,", DBERT_E_UNSUPPORTED, "add_cross_attention");
	bend("{", "{\"quantization_config\":{},", DBERT_E_UNSUPPORTED, "quantized");
	bend("{", "{\"pruned_heads\":{\"0\":[1]},", DBERT_E_UNSUPPORTED, "pruned");
	bend("[\"BertForSequenceClassification\"]", "[\"BertForNextSentencePrediction\"]",
		 DBERT_E_UNSUPPORTED, "architecture \"BertForNextSentencePrediction\"");
	bend("[\"BertForSequenceClassification\"]", "[\"DistilBertForSequenceClassification\"]",
		 DBERT_E_UNSUPPORTED, "architecture \"DistilBert");
	bend("[\"BertForSequenceClassification\"]", "[1]", DBERT_E_FORMAT, "architectures");
	bend("[\"BertForSequenceClassification\"]", "\"BertModel\"", DBERT_E_FORMAT,
		 "\"architectures\" must be an array");
}

static void
test_activations(void)
{
	static const struct
	{
		const char *name;
		int			act;
	}			acts[] = {
		{"gelu", DBERT_ACT_GELU}, {"gelu_new", DBERT_ACT_GELU_TANH},
		{"gelu_pytorch_tanh", DBERT_ACT_GELU_TANH}, {"relu", DBERT_ACT_RELU},
		{"silu", DBERT_ACT_SILU}, {"swish", DBERT_ACT_SILU}
	};

	for (int i = 0; i < 4; i++)
	{
		MemModel	m;
		DbertConfig c;
		char		to[64];

		mem_model_distilbert(&m, "Model", 0);
		snprintf(to, sizeof(to), "\"activation\":\"%s\"", acts[i].name);
		mem_edit(&m, "config.json", "\"activation\":\"gelu\"", to);
		if (accepted(&m, NULL, &c))
			CHECK(c.act == acts[i].act);
		mem_free(&m);
	}
}

/* transformers lets DistilBERT's sizes be called as BERT's. */
static void
test_aliases(void)
{
	MemModel	m;
	DbertConfig c;

	mem_model_distilbert(&m, "Model", 0);
	mem_edit(&m, "config.json", "\"dim\"", "\"hidden_size\"");
	mem_edit(&m, "config.json", "\"n_layers\"", "\"num_hidden_layers\"");
	mem_edit(&m, "config.json", "\"n_heads\"", "\"num_attention_heads\"");
	/* and has 1e-12, whatever the file says */
	mem_edit(&m, "config.json", "{", "{\"layer_norm_eps\":0.5,");
	if (accepted(&m, NULL, &c))
		CHECK(c.hidden == 8 && c.layers == 2 && c.heads == 2 && c.norm_eps == 1e-12f &&
			  c.types == 0);
	mem_edit(&m, "config.json", "{", "{\"dim\":16,");
	check_refused(&m, NULL, DBERT_E_FORMAT, "\"dim\" is 16, but \"hidden_size\" is 8");
	mem_free(&m);
}

/* ---- heads ---- */

static void
test_tasks(void)
{
	MemModel	m;
	DbertConfig c;

	mem_model_distilbert(&m, "ForTokenClassification", 3);
	if (accepted(&m, "entities", &c))
		CHECK(c.head == DBERT_HEAD_TOKEN && c.n_labels == 3);
	if (accepted(&m, "embed", &c))
		CHECK(c.head == DBERT_HEAD_NONE && c.n_labels == 0);
	check_refused(&m, "classify", DBERT_E_UNSUPPORTED,
				  "architecture \"DistilBertForTokenClassification\" has no head for the task "
				  "\"classify\"");
	check_refused(&m, "answer", DBERT_E_UNSUPPORTED, "no head for the task \"answer\"");
	check_refused(&m, "fill_mask", DBERT_E_UNSUPPORTED, "no head for the task \"fill_mask\"");
	check_refused(&m, "sing", DBERT_E_INVALID, "unknown task \"sing\"");
	/* an architecture without a rule still has an encoder */
	mem_edit(&m, "config.json", "ForTokenClassification", "ForMultipleChoice");
	check_refused(&m, NULL, DBERT_E_UNSUPPORTED, "DistilBertForMultipleChoice");
	if (accepted(&m, "embed", &c))
		CHECK(c.head == DBERT_HEAD_NONE);
	/* and the head that its tensors are */
	if (accepted(&m, "entities", &c))
	{
		CHECK(c.head == DBERT_HEAD_TOKEN && c.n_labels == 3);
		CHECK_STR(c.architecture, "DistilBertForMultipleChoice");
	}
	check_refused(&m, "classify", DBERT_E_FORMAT, "no tensor \"pre_classifier.weight\"");
	check_refused(&m, "answer", DBERT_E_FORMAT, "no tensor \"qa_outputs.weight\"");
	mem_edit(&m, "config.json", "DistilBertForMultipleChoice", "OurTagger");
	if (accepted(&m, "entities", &c))
		CHECK(c.head == DBERT_HEAD_TOKEN);
	check_refused(&m, NULL, DBERT_E_UNSUPPORTED,
				  "architecture \"OurTagger\" is not supported, unless its task is named");
	mem_free(&m);
	mem_model_distilbert(&m, "ForQuestionAnswering", 0);
	if (accepted(&m, "answer", &c))
		CHECK(c.head == DBERT_HEAD_SPAN && c.n_labels == 2);
	mem_free(&m);
	mem_model_bert(&m, "ForMaskedLM", "bert.", 0);
	if (accepted(&m, "fill_mask", &c))
		CHECK(c.head == DBERT_HEAD_MASK && c.n_labels == 0);
	mem_edit(&m, "config.json", "ForMaskedLM", "ForPreTraining");
	if (accepted(&m, NULL, &c))
		CHECK(c.head == DBERT_HEAD_MASK);
	mem_free(&m);
}

/* Without "architectures" the tensors tell. */
static void
check_guess(MemModel *m, const char *arch, int head, const char *want)
{
	DbertConfig c;
	char		text[128];

	snprintf(text, sizeof(text), "\"architectures\":[\"%s\"],", arch);
	mem_edit(m, "config.json", text, "");
	if (accepted(m, NULL, &c))
	{
		CHECK(c.head == head);
		CHECK_STR(c.architecture, want);
	}
	mem_free(m);
}

static void
test_guessed_heads(void)
{
	MemModel	m;
	DbertConfig c;

	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	check_guess(&m, "DistilBertForSequenceClassification", DBERT_HEAD_SEQUENCE,
				"DistilBertForSequenceClassification");
	mem_model_distilbert(&m, "ForTokenClassification", 3);
	check_guess(&m, "DistilBertForTokenClassification", DBERT_HEAD_TOKEN,
				"DistilBertForTokenClassification");
	mem_model_distilbert(&m, "ForQuestionAnswering", 0);
	check_guess(&m, "DistilBertForQuestionAnswering", DBERT_HEAD_SPAN,
				"DistilBertForQuestionAnswering");
	mem_model_distilbert(&m, "ForMaskedLM", 0);
	check_guess(&m, "DistilBertForMaskedLM", DBERT_HEAD_MASK, "DistilBertForMaskedLM");
	mem_model_distilbert(&m, "Model", 0);
	check_guess(&m, "DistilBertModel", DBERT_HEAD_NONE, "DistilBertModel");
	mem_model_bert(&m, "ForSequenceClassification", "", 3);
	check_guess(&m, "BertForSequenceClassification", DBERT_HEAD_SEQUENCE,
				"BertForSequenceClassification");
	mem_model_bert(&m, "ForTokenClassification", "bert.", 3);
	check_guess(&m, "BertForTokenClassification", DBERT_HEAD_TOKEN, "BertForTokenClassification");
	/* the task goes first */
	mem_model_bert(&m, "ForSequenceClassification", "", 3);
	mem_edit(&m, "config.json", "\"architectures\":[\"BertForSequenceClassification\"],", "");
	if (accepted(&m, "entities", &c))
	{
		CHECK(c.head == DBERT_HEAD_TOKEN);
		CHECK_STR(c.architecture, "BertForTokenClassification");
	}
	mem_free(&m);
}

/* ---- labels ---- */

static void
check_labels(const char *replacement, int rows, DbertStatus want, const char *words, int problem)
{
	MemModel	m;
	DbertConfig c = {0};
	DbertError	err = {0};
	DbertStatus status;
	char		labels[512] = "";

	mem_model_bert(&m, "ForSequenceClassification", "bert.", 3);
	mem_edit(&m, "config.json", "\"id2label\":{\"0\":\"O\",\"1\":\"B-X\",\"2\":\"I-X\"}",
			 replacement);
	mem_tensor(&m, "classifier.weight")->shape[0] = rows;
	mem_tensor(&m, "classifier.bias")->shape[0] = rows;
	mem_model_save(&m);
	status = read_model(&m, NULL, &c, labels, &err);
	CHECK_MSG(status == want && strstr(status == DBERT_OK ? labels : err.msg, words) != NULL,
			  "%s: expected %d \"%s\", got %d \"%s%s\"", replacement, want, words, status, err.msg,
			  labels);
	if (status == DBERT_OK)
		CHECK_MSG(c.problem == problem, "%s: problem %d, want %d", replacement, c.problem, problem);
	mem_free(&m);
}

#define BYTES_51 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define BYTES_255 BYTES_51 BYTES_51 BYTES_51 BYTES_51 BYTES_51

static void
test_labels(void)
{
	check_labels("\"id2label\":{\"1\":\"b\",\"0\":\"a\"}", 2, DBERT_OK, "a|b",
				 DBERT_PROBLEM_SINGLE);
	check_labels("\"id2label\":{\"0\":\"z\\u00fc\\ud83d\\ude00\"}", 1, DBERT_OK,
				 "z\xc3\xbc\xf0\x9f\x98\x80", DBERT_PROBLEM_MULTI);
	check_labels("\"x\":0", 2, DBERT_OK, "LABEL_0|LABEL_1", DBERT_PROBLEM_SINGLE);
	check_labels("\"num_labels\":4", 4, DBERT_OK, "LABEL_0|LABEL_1|LABEL_2|LABEL_3",
				 DBERT_PROBLEM_SINGLE);
	check_labels("\"num_labels\":0", 4, DBERT_E_FORMAT, "num_labels", 0);
	check_labels("\"x\":0", 3, DBERT_E_SHAPE,
				 "config.json says 2 labels, but tensor \"classifier.weight\" has 3 rows", 0);
	check_labels("\"id2label\":{\"0\":\"a\",\"1\":\"b\"}", 3, DBERT_E_SHAPE,
				 "id2label says 2 labels, but tensor \"classifier.weight\" has 3 rows", 0);
	check_labels("\"id2label\":{\"0\":\"a\",\"2\":\"b\"}", 2, DBERT_E_FORMAT,
				 "has 2 labels, but none for \"1\"", 0);
	check_labels("\"id2label\":{\"0\":\"a\",\"01\":\"b\"}", 2, DBERT_E_FORMAT, "none for \"1\"", 0);
	/* numbers and truth values are called as they are written */
	check_labels("\"id2label\":{\"0\":0,\"1\":-7}", 2, DBERT_OK, "0|-7", DBERT_PROBLEM_SINGLE);
	check_labels("\"id2label\":{\"0\":1.0,\"1\":0.1,\"2\":-2.5e30}", 3, DBERT_OK,
				 "1.0|0.1|-2.5e+30", DBERT_PROBLEM_SINGLE);
	check_labels("\"id2label\":{\"0\":false,\"1\":true}", 2, DBERT_OK, "false|true",
				 DBERT_PROBLEM_SINGLE);
	check_labels("\"id2label\":{\"0\":\"a\",\"1\":[7]}", 2, DBERT_E_FORMAT,
				 "config.json: id2label: \"1\" must be a string, found an array", 0);
	check_labels("\"id2label\":{\"0\":\"a\",\"1\":null}", 2, DBERT_E_FORMAT, "none for \"1\"", 0);
	check_labels("\"id2label\":{\"0\":\"a\",\"1\":\"" BYTES_255 "\"}", 2, DBERT_OK, "a|xxx",
				 DBERT_PROBLEM_SINGLE);
	check_labels("\"id2label\":{\"0\":\"a\",\"1\":\"" BYTES_255 "y\"}", 2, DBERT_E_LIMIT,
				 "config.json: id2label: label \"1\", \"xxxxxxxxxxxx", 0);
	check_labels("\"id2label\":{\"0\":\"a\",\"1\":\"" BYTES_255 "y\"}", 2, DBERT_E_LIMIT,
				 "has 256 bytes, at most 255 are allowed", 0);
	check_labels("\"id2label\":{}", 2, DBERT_E_FORMAT, "0 labels", 0);
	check_labels("\"id2label\":[\"a\"]", 1, DBERT_E_FORMAT, "must be an object", 0);
}

static void
test_problems(void)
{
	check_labels("\"problem_type\":\"multi_label_classification\",\"num_labels\":3", 3, DBERT_OK,
				 "LABEL_2", DBERT_PROBLEM_MULTI);
	check_labels("\"problem_type\":\"regression\",\"num_labels\":1", 1, DBERT_OK, "LABEL_0",
				 DBERT_PROBLEM_REGRESSION);
	check_labels("\"problem_type\":\"regression\",\"num_labels\":3", 3, DBERT_OK, "LABEL_2",
				 DBERT_PROBLEM_REGRESSION);
	check_labels("\"problem_type\":\"single_label_classification\",\"num_labels\":1", 1, DBERT_OK,
				 "LABEL_0", DBERT_PROBLEM_MULTI);
	check_labels("\"problem_type\":null,\"num_labels\":3", 3, DBERT_OK, "LABEL_2",
				 DBERT_PROBLEM_SINGLE);
	check_labels("\"problem_type\":\"guessing\",\"num_labels\":3", 3, DBERT_E_FORMAT, "guessing",
				 0);
}

/* ---- lengths ---- */

static void
check_length(const char *tokenizer_config, int want)
{
	MemModel	m;
	DbertConfig c;

	mem_model_distilbert(&m, "Model", 0);
	mem_put(&m, "tokenizer_config.json", tokenizer_config);
	if (accepted(&m, NULL, &c))
		CHECK_MSG(c.max_tokens == want, "%s: got %d, want %d", tokenizer_config, c.max_tokens,
				  want);
	mem_free(&m);
}

static void
test_lengths(void)
{
	MemModel	m;

	check_length("{\"model_max_length\":10}", 10);
	check_length("{\"model_max_length\":512}", 16);
	check_length("{\"model_max_length\":1000000000000000019884624838656}", 16);
	check_length("{\"model_max_length\":1e30}", 16);
	check_length("{\"model_max_length\":null}", 16);
	check_length("{\"model_max_length\":-1}", 16);
	check_length("{}", 16);
	mem_model_distilbert(&m, "Model", 0);
	mem_put(&m, "tokenizer_config.json", "{\"model_max_length\":3}");
	check_refused(&m, NULL, DBERT_E_FORMAT, "\"model_max_length\" of 3 tokens is too short");
	mem_put(&m, "tokenizer_config.json", "{\"model_max_length\":\"512\"}");
	check_refused(&m, NULL, DBERT_E_FORMAT, "\"model_max_length\" must be a number");
	mem_free(&m);
}

/* ---- sentence-transformers ---- */

#define MODULE(path, type)                                                                         \
	"{\"idx\":0,\"name\":\"0\",\"path\":\"" path                                                   \
	"\",\"type\":\"sentence_transformers.models." type "\"}"

static void
mem_model_sentence(MemModel *m, const char *pooling)
{
	mem_model_bert(m, "Model", "", 0);
	mem_put(m, "modules.json", "[" MODULE("", "Transformer") "," MODULE("1_Pooling", "Pooling") ","
			MODULE("2_Normalize", "Normalize") "]");
	mem_put(m, "1_Pooling/config.json", pooling);
}

static void
check_pooling(const char *pooling, DbertStatus want, const char *words, int mode)
{
	MemModel	m;
	DbertConfig c = {0};
	DbertError	err = {0};
	DbertStatus status;

	mem_model_sentence(&m, pooling);
	status = read_model(&m, NULL, &c, NULL, &err);
	CHECK_MSG(status == want && strstr(err.msg, words) != NULL, "%s: got %d \"%s\"", pooling,
			  status, err.msg);
	if (status == DBERT_OK)
		CHECK_MSG(c.pooling == mode && c.normalize == 1, "%s: pooling %d", pooling, c.pooling);
	mem_free(&m);
}

static void
test_pooling(void)
{
	check_pooling("{}", DBERT_OK, "", DBERT_POOL_MEAN);
	check_pooling("{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":false}", DBERT_OK,
				  "", DBERT_POOL_CLS);
	check_pooling("{\"pooling_mode_max_tokens\":true}", DBERT_OK, "", DBERT_POOL_MAX);
	check_pooling("{\"pooling_mode\":\"cls\"}", DBERT_OK, "", DBERT_POOL_CLS);
	check_pooling("{\"pooling_mode\":[\"max\"]}", DBERT_OK, "", DBERT_POOL_MAX);
	check_pooling("{\"pooling_mode\":[\"max\",\"cls\"]}", DBERT_E_UNSUPPORTED, "several", 0);
	check_pooling("{\"pooling_mode\":\"lasttoken\"}", DBERT_OK, "", DBERT_POOL_LAST);
	check_pooling("{\"pooling_mode_mean_sqrt_len_tokens\":true}", DBERT_OK, "",
				  DBERT_POOL_MEAN_SQRT_LEN);
	check_pooling("{\"pooling_mode\":\"attention\"}", DBERT_E_UNSUPPORTED, "attention", 0);
	check_pooling("{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":true}",
				  DBERT_E_UNSUPPORTED, "several", 0);
	check_pooling("{\"pooling_mode_weightedmean_tokens\":true}", DBERT_OK, "",
				  DBERT_POOL_WEIGHTED_MEAN);
	check_pooling("{\"pooling_mode_cls_token\":1}", DBERT_E_FORMAT, "pooling_mode_cls_token", 0);
	check_pooling("{\"word_embedding_dimension\":9}", DBERT_E_SHAPE,
				  "vectors of 9, but the hidden size is 8", 0);
	check_pooling("[]", DBERT_E_FORMAT, "1_Pooling/config.json must be an object", 0);
}

static void
check_modules(const char *modules, DbertStatus want, const char *words)
{
	MemModel	m;

	mem_model_sentence(&m, "{}");
	mem_put(&m, "modules.json", modules);
	check_refused(&m, NULL, want, words);
	mem_free(&m);
}

static void
test_modules(void)
{
	MemModel	m;
	DbertConfig c;

	check_modules("[" MODULE("", "Transformer") "," MODULE("1_Pooling", "Pooling") "]", DBERT_OK,
				  "");
	check_modules(
		"[{\"path\":\"\",\"type\":\"sentence_transformers.base.modules.transformer.Transformer\"},"
		"{\"path\":\"1_Pooling\",\"type\":\"sentence_transformers.sentence_transformer.modules."
		"pooling.Pooling\"}]",
		DBERT_OK, "");
	check_modules("[" MODULE("", "Transformer") "," MODULE("1_Pooling",
														   "Pooling") "," MODULE("2_Dropout",
																				 "Dropout") "]",
				  DBERT_OK, "");
	check_modules("[" MODULE("", "Transformer") "," MODULE("1_Dropout", "Dropout") "," MODULE(
					  "2_Pooling", "Pooling") "]",
				  DBERT_E_UNSUPPORTED, "module 1, \"Dropout\", is not supported");
	check_modules("[" MODULE("", "Transformer") "," MODULE("1_Pooling", "Pooling") "," MODULE(
					  "2_LSTM", "LSTM") "]",
				  DBERT_E_UNSUPPORTED, "modules.json: module 2, \"LSTM\", is not supported");
	check_modules("[" MODULE("", "Transformer") "," MODULE("1_Pooling", "Pooling") "," MODULE(
					  "1_Pooling", "Pooling") "]",
				  DBERT_E_UNSUPPORTED, "module 2, \"Pooling\", is not supported");
	check_modules("[" MODULE("1_Pooling", "Pooling") "]", DBERT_E_UNSUPPORTED,
				  "module 0, \"Pooling\", is not supported");
	check_modules("[" MODULE("", "Transformer") "," MODULE("1_Pooling", "Pooling") "," MODULE(
					  "2_Normalize", "Normalize") "," MODULE("3_Dense", "Dense") "]",
				  DBERT_E_UNSUPPORTED, "module 3, \"Dense\", is not supported");
	check_modules("[" MODULE("", "Transformer") "," MODULE("1_Pooling",
														   "Pooling") "," MODULE("2_Dense",
																				 "Dense") "]",
				  DBERT_E_FORMAT, "no file \"2_Dense/config.json\"");
	check_modules("[" MODULE("", "Transformer") "]", DBERT_E_UNSUPPORTED,
				  "no Transformer followed by a Pooling");
	check_modules("[]", DBERT_E_UNSUPPORTED, "no Transformer");
	check_modules("{}", DBERT_E_FORMAT, "modules.json must be an array");
	check_modules("[1]", DBERT_E_FORMAT, "must be an object");
	check_modules("[{\"path\":\"\"}]", DBERT_E_FORMAT, "no \"type\"");
	check_modules("[" MODULE("", "Transformer") "," MODULE("../x", "Pooling") "]", DBERT_E_FORMAT,
				  "no plain folder name");
	check_modules("[" MODULE("", "Transformer") "," MODULE("2_Pooling", "Pooling") "]",
				  DBERT_E_FORMAT, "no file \"2_Pooling/config.json\"");

	mem_model_sentence(&m, "{}");
	mem_put(&m, "sentence_bert_config.json", "{\"max_seq_length\":7,\"do_lower_case\":true}");
	mem_put(&m, "config_sentence_transformers.json",
			"{\"prompts\":{},\"default_prompt_name\":null}");
	if (accepted(&m, NULL, &c))
		CHECK(c.max_tokens == 7 && c.head == DBERT_HEAD_NONE);
	mem_edit(&m, "tokenizer.json", "\"lowercase\":true", "\"lowercase\":false");
	check_refused(&m, NULL, DBERT_E_UNSUPPORTED, "lower-casing");
	mem_put(&m, "sentence_bert_config.json", "{\"max_seq_length\":null}");
	if (accepted(&m, NULL, &c))
		CHECK(c.max_tokens == MEM_P);
	mem_free(&m);
}

static void
check_prompts(const char *json, DbertStatus want, const char *words)
{
	MemModel	m;

	mem_model_sentence(&m, "{}");
	mem_put(&m, "config_sentence_transformers.json", json);
	check_refused(&m, NULL, want, words);
	mem_free(&m);
}

static void
test_prompts(void)
{
	check_prompts("{\"default_prompt_name\":\"query\"}", DBERT_OK, "");
	check_prompts("{\"prompts\":{\"a\":\"b: \"},\"default_prompt_name\":\"a\"}", DBERT_OK, "");
	check_prompts("{\"prompts\":{\"a\":\"b: \"},\"default_prompt_name\":\"b\"}", DBERT_E_FORMAT,
				  "no prompt \"b\"");
	check_prompts("{\"prompts\":{\"query\":null},\"default_prompt_name\":\"document\"}", DBERT_OK,
				  "");
	check_prompts("{\"prompts\":{\"query\":1}}", DBERT_E_FORMAT, "\"query\" must be a string");
	check_prompts("{\"prompts\":[]}", DBERT_E_FORMAT, "\"prompts\" must be an object");
	check_prompts("{\"default_prompt_name\":1}", DBERT_E_FORMAT,
				  "\"default_prompt_name\" must be a string");
	check_prompts("[]", DBERT_E_FORMAT, "config_sentence_transformers.json must be an object");
}

/* ---- the Dense module ---- */

static void
check_dense(const char *json, DbertStatus want, const char *words)
{
	MemModel	m;

	mem_model_sentence(&m, "{}");
	mem_put(&m, "modules.json", "[" MODULE("", "Transformer") "," MODULE("1_Pooling", "Pooling") ","
			MODULE("2_Dense", "Dense") "]");
	mem_put(&m, "2_Dense/config.json", json);
	check_refused(&m, NULL, want, words);
	mem_free(&m);
}

#define DENSE(more) "{\"in_features\":8,\"out_features\":3" more "}"
#define NO_WEIGHTS DBERT_E_FORMAT, "2_Dense"	/* everything else was right */

static void
test_dense(void)
{
	check_dense(DENSE(""), NO_WEIGHTS);
	check_dense(DENSE(
					",\"bias\":false,\"activation_function\":\"torch.nn.modules.linear.Identity\""),
				NO_WEIGHTS);
	check_dense(DENSE(",\"activation_function\":\"torch.nn.modules.activation.ReLU\""), NO_WEIGHTS);
	check_dense(DENSE(",\"activation_function\":\"torch.nn.modules.activation.SiLU\""),
				DBERT_E_UNSUPPORTED, "SiLU");
	check_dense(DENSE(",\"bias\":1"), DBERT_E_FORMAT, "\"bias\"");
	check_dense(DENSE(",\"use_residual\":true"), NO_WEIGHTS);
	check_dense(DENSE(",\"use_residual\":1"), DBERT_E_FORMAT,
				"2_Dense/config.json: \"use_residual\"");
	check_dense(DENSE(",\"module_input_name\":\"token_embeddings\""), DBERT_E_UNSUPPORTED,
				"2_Dense/config.json: \"module_input_name\" \"token_embeddings\" is not supported");
	check_dense("{\"in_features\":9,\"out_features\":3}", DBERT_E_SHAPE,
				"2_Dense/config.json: the module is for vectors of 9, but gets vectors of 8");
	check_dense("{\"in_features\":8}", DBERT_E_FORMAT, "no \"out_features\"");
	check_dense("{\"in_features\":8,\"out_features\":99999999}", DBERT_E_FORMAT, "out_features");
	check_dense("[]", DBERT_E_FORMAT, "2_Dense/config.json must be an object");
}

/* ---- several modules behind the pooling ---- */

/* Dense, LayerNorm, Dense: 8 to 4, 4, to 2; of a cross-encoder the last scores. */
static void
put_steps(MemModel *m)
{
	mem_model_sentence(m, "{}");
	mem_put(m, "modules.json",
			"[" MODULE("", "Transformer") "," MODULE("1_Pooling", "Pooling") ","
			MODULE("2_Dense", "Dense") "," MODULE("3_LayerNorm", "LayerNorm") ","
			MODULE("4_Dropout", "Dropout") "," MODULE("5_Dense", "Dense") "]");
	mem_put(m, "2_Dense/config.json", "{\"in_features\":8,\"out_features\":4}");
	mem_put(m, "3_LayerNorm/config.json", "{\"dimension\":4}");
	mem_put(m, "5_Dense/config.json", "{\"in_features\":4,\"out_features\":2}");
}

static void
check_step(const char *file, const char *json, DbertStatus want, const char *words)
{
	MemModel	m;

	put_steps(&m);
	mem_put(&m, file, json);
	check_refused(&m, NULL, want, words);
	mem_free(&m);
}

/* A list of so many LayerNorms. */
static void
check_count(int n, DbertStatus want, const char *words)
{
	MemModel	m;
	char		list[2048] = "[" MODULE("", "Transformer") "," MODULE("1_Pooling", "Pooling");

	put_steps(&m);
	for (int i = 0; i < n; i++)
		strcat(list, "," MODULE("3_LayerNorm", "LayerNorm"));
	strcat(list, "]");
	mem_put(&m, "modules.json", list);
	mem_put(&m, "3_LayerNorm/config.json", "{\"dimension\":8}");
	check_refused(&m, NULL, want, words);
	mem_free(&m);
}

static void
test_steps(void)
{
	check_step("tokenizer_config.json", "{}", DBERT_E_FORMAT, "\"2_Dense/model.safetensors\"");
	check_step("3_LayerNorm/config.json", "{}", DBERT_E_FORMAT,
			   "3_LayerNorm/config.json: no \"dimension\"");
	check_step("3_LayerNorm/config.json", "{\"dimension\":5}", DBERT_E_SHAPE,
			   "3_LayerNorm/config.json: the module is for vectors of 5, but gets vectors of 4");
	check_step("3_LayerNorm/config.json", "{\"dimension\":0}", DBERT_E_FORMAT,
			   "3_LayerNorm/config.json: \"dimension\"");
	check_step("3_LayerNorm/config.json", "[]", DBERT_E_FORMAT,
			   "3_LayerNorm/config.json must be an object");
	check_step("5_Dense/config.json", "{\"in_features\":8,\"out_features\":2}", DBERT_E_SHAPE,
			   "5_Dense/config.json: the module is for vectors of 8, but gets vectors of 4");
	check_step("5_Dense/config.json",
			   "{\"in_features\":4,\"out_features\":2,\"module_output_name\":\"scores\"}",
			   DBERT_E_UNSUPPORTED,
			   "5_Dense/config.json: \"module_output_name\" \"scores\" is not supported");
	check_step("modules.json",
			   "[" MODULE("", "Transformer") "," MODULE("1_Pooling", "Pooling") ","
			   MODULE("2_Normalize", "Normalize") "," MODULE("3_LayerNorm", "LayerNorm") "]",
			   DBERT_E_UNSUPPORTED, "modules.json: module 3, \"LayerNorm\", is not supported");
	check_count(DBERT_MAX_POOLED_STEPS, DBERT_E_FORMAT, "3_LayerNorm/model.safetensors");
	check_count(DBERT_MAX_POOLED_STEPS + 1, DBERT_E_UNSUPPORTED,
				"modules.json: more than 8 modules behind the pooling are not supported");
}

/* A sentence encoder's head is left out; without modules.json it counts. */
static void
test_sentence_head(void)
{
	MemModel	m;
	DbertConfig c;

	mem_model_bert(&m, "ForMaskedLM", "bert.", 0);
	if (accepted(&m, NULL, &c))
		CHECK(c.head == DBERT_HEAD_MASK && c.normalize == 0 && c.pooling == DBERT_POOL_MEAN);
	mem_put(&m, "modules.json",
			"[" MODULE("", "Transformer") "," MODULE("1_Pooling", "Pooling") "]");
	mem_put(&m, "1_Pooling/config.json", "{}");
	if (accepted(&m, NULL, &c))
		CHECK(c.head == DBERT_HEAD_NONE);
	if (accepted(&m, "fill_mask", &c))
		CHECK(c.head == DBERT_HEAD_MASK);
	mem_free(&m);
}

/* ---- settings that count, have no effect, or are refused ---- */

static void
check_setting(const char *file, const char *text, DbertStatus want, const char *words)
{
	MemModel	m;

	mem_model_sentence(&m, "{}");
	mem_put(&m, "modules.json",
			"[" MODULE("", "Transformer") "," MODULE("1_Pooling", "Pooling") "," MODULE(
				"2_Normalize", "Normalize") "]");
	mem_put(&m, file, text);
	check_refused(&m, NULL, want, words);
	mem_free(&m);
}

/* What sentence-transformers 6.2 writes of a model of its own. */
#define TYPICAL \
	"{\"transformer_task\":\"feature-extraction\",\"modality_config\":{\"text\":{\"method\":" \
	"\"forward\",\"method_output_name\":\"last_hidden_state\"}}," \
	"\"module_output_name\":\"token_embeddings\",\"processing_kwargs\":{}," \
	"\"unpad_inputs\":true,\"query_length\":null,\"model_args\":{\"attn_implementation\":" \
	"\"sdpa\"},\"tokenizer_args\":{},\"config_args\":{}}"

static void
test_encoder_settings(void)
{
	static const char *const refused[] = {
		"\"transformer_task\":\"fill-mask\"",
		"\"transformer_task\":\"sequence-classification\"",
		"\"module_output_name\":\"scores\"",
		"\"modality_config\":{\"text\":{\"method\":\"get_text_features\"}}",
		"\"modality_config\":{\"text\":{\"method_output_name\":\"pooler_output\"}}",
		"\"processing_kwargs\":{\"text\":{\"add_special_tokens\":false}}",
		"\"query_length\":32",
		"\"document_length\":180",
		"\"query_expansion\":{\"token\":\"[MASK]\"}",
		"\"tokenizer_name_or_path\":\"other\"",
		"\"tokenizer_args\":{\"do_lower_case\":true}",
		"\"processor_kwargs\":{\"do_lower_case\":true}",
		"\"config_args\":{\"num_hidden_layers\":1}",
		"\"model_kwargs\":{\"subfolder\":\"x\"}"
	};

	check_setting("sentence_bert_config.json", TYPICAL, DBERT_OK, "");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
	{
		char		text[256],
					key[64];

		snprintf(text, sizeof(text), "{%s}", refused[i]);
		/* the error names the file */
		snprintf(key, sizeof(key), "sentence_bert_config.json");
		check_setting("sentence_bert_config.json", text, DBERT_E_UNSUPPORTED, key);
	}
	check_setting("2_Normalize/config.json", "{\"module_input_name\":\"token_embeddings\"}",
				  DBERT_E_UNSUPPORTED, "2_Normalize/config.json: \"module_input_name\"");
	check_setting("2_Normalize/config.json",
				  "{\"module_input_name\":\"sentence_embedding\",\"module_output_name\":null}",
				  DBERT_OK, "");
	check_setting("config_sentence_transformers.json", "{\"model_type\":\"SparseEncoder\"}",
				  DBERT_E_UNSUPPORTED, "model type \"SparseEncoder\" is not supported");
	check_setting("config_sentence_transformers.json", "{\"model_type\":\"MultiVectorEncoder\"}",
				  DBERT_E_UNSUPPORTED, "MultiVectorEncoder");
	check_setting("config_sentence_transformers.json", "{\"model_type\":\"CrossEncoder\"}",
				  DBERT_E_UNSUPPORTED,
				  "modules.json: no Dense module of the cross-encoder gives \"scores\"");
	check_setting("tokenizer_config.json", "{\"truncation_side\":\"left\"}", DBERT_E_UNSUPPORTED,
				  "tokenizer_config.json: \"truncation_side\"");
	check_setting("tokenizer_config.json", "{\"split_special_tokens\":true}", DBERT_E_UNSUPPORTED,
				  "split_special_tokens");
	check_setting("tokenizer_config.json",
				  "{\"truncation_side\":\"right\",\"padding_side\":\"left\","
				  "\"model_input_names\":[\"input_ids\",\"attention_mask\"]}",
				  DBERT_OK, "");
}

static void
test_inputs(void)
{
	MemModel	m;
	DbertConfig c;

	mem_model_bert(&m, "ForSequenceClassification", "bert.", 3);
	mem_put(&m, "tokenizer_config.json",
			"{\"model_input_names\":[\"input_ids\",\"attention_mask\"]}");
	CHECK(accepted(&m, NULL, &c) && c.pair_types == 0 && dbert_config_takes_pairs(&c));
	mem_put(&m, "tokenizer_config.json",
			"{\"model_input_names\":[\"input_ids\",\"token_type_ids\",\"attention_mask\"]}");
	CHECK(accepted(&m, NULL, &c) && c.pair_types == 1 && dbert_config_takes_pairs(&c));
	mem_free(&m);
	mem_model_distilbert(&m, "ForSequenceClassification", 3);
	mem_put(&m, "tokenizer_config.json",
			"{\"model_input_names\":[\"input_ids\",\"attention_mask\"]}");
	CHECK(accepted(&m, NULL, &c) && c.pair_types == 0 && dbert_config_takes_pairs(&c));
	mem_free(&m);
}

static void
test_dimensions(void)
{
	static const struct
	{
		const char *text;
		int			want;		/* 0: refused */
	}			cases[] = {
		{"{}", 8}, {"{\"truncate_dim\":null}", 8}, {"{\"truncate_dim\":1}", 1},
		{"{\"truncate_dim\":5}", 5}, {"{\"truncate_dim\":8}", 8}, {"{\"truncate_dim\":9}", 8},
		{"{\"truncate_dim\":99999999999999999999}", 8}, {"{\"truncate_dim\":0}", 0},
		{"{\"truncate_dim\":-1}", 0}, {"{\"truncate_dim\":2.5}", 0}, {"{\"truncate_dim\":\"4\"}", 0}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		MemModel	m;
		DbertConfig c = {0};

		mem_model_sentence(&m, "{}");
		mem_put(&m, "config_sentence_transformers.json", cases[i].text);
		if (cases[i].want == 0)
			check_refused(&m, NULL, DBERT_E_FORMAT,
						  "config_sentence_transformers.json: \"truncate_dim\" must be");
		else if (accepted(&m, NULL, &c))
			CHECK_MSG(c.dimensions == cases[i].want && c.embedding == 8, "%s: %d", cases[i].text,
					  c.dimensions);
		mem_free(&m);
	}
}

/* A cross-encoder as sentence-transformers has saved it since 5.4. */
static void
test_cross_encoder(void)
{
	MemModel	m;
	DbertConfig c;

	mem_model_bert(&m, "ForSequenceClassification", "bert.", 1);
	mem_edit(&m, "config.json", "{", "{\"num_labels\":1,");
	mem_put(&m, "modules.json", "[" MODULE("", "Transformer") "]");
	mem_put(&m, "sentence_bert_config.json",
			"{\"transformer_task\":\"sequence-classification\",\"modality_config\":{\"text\":"
			"{\"method\":\"forward\",\"method_output_name\":\"logits\"}},"
			"\"module_output_name\":\"scores\"}");
	check_refused(&m, NULL, DBERT_E_UNSUPPORTED, "no Transformer followed by a Pooling");
	mem_put(&m, "config_sentence_transformers.json",
			"{\"model_type\":\"CrossEncoder\",\"prompts\":{},\"default_prompt_name\":null,"
			"\"activation_fn\":\"torch.nn.modules.linear.Identity\"}");
	if (accepted(&m, NULL, &c))
		CHECK(c.head == DBERT_HEAD_SEQUENCE && c.raw_scores == 1);
	mem_edit(&m, "config_sentence_transformers.json", "linear.Identity", "activation.Sigmoid");
	if (accepted(&m, NULL, &c))
		CHECK(c.raw_scores == 0);
	mem_edit(&m, "config_sentence_transformers.json", "activation.Sigmoid", "activation.Tanh");
	check_refused(&m, NULL, DBERT_E_UNSUPPORTED,
				  "config_sentence_transformers.json: activation function");
	mem_edit(&m, "config_sentence_transformers.json", "\"default_prompt_name\":null",
			 "\"default_prompt_name\":\"x\"");
	check_refused(&m, NULL, DBERT_E_UNSUPPORTED, "prompts of a cross-encoder");
	mem_free(&m);
}

#define SCORES "{\"in_features\":4,\"out_features\":1,\"module_output_name\":\"scores\"}"

static void
check_cross(const char *file, const char *json, DbertStatus want, const char *words)
{
	MemModel	m;

	put_steps(&m);
	mem_put(&m, "config_sentence_transformers.json", "{\"model_type\":\"CrossEncoder\"}");
	mem_put(&m, "5_Dense/config.json", SCORES);
	mem_put(&m, file, json);
	check_refused(&m, NULL, want, words);
	mem_free(&m);
}

/* One whose scores are made by modules behind the pooling. */
static void
test_cross_modules(void)
{
	/* everything but the weights */
	check_cross("sentence_bert_config.json", TYPICAL, DBERT_E_FORMAT,
				"\"2_Dense/model.safetensors\"");
	check_cross("sentence_bert_config.json",
				"{\"transformer_task\":\"sequence-classification\"}", DBERT_E_UNSUPPORTED,
				"sentence_bert_config.json: \"transformer_task\"");
	check_cross("5_Dense/config.json", "{\"in_features\":4,\"out_features\":1}",
				DBERT_E_UNSUPPORTED,
				"modules.json: no Dense module of the cross-encoder gives \"scores\"");
	check_cross("2_Dense/config.json",
				"{\"in_features\":8,\"out_features\":1,\"module_output_name\":\"scores\"}",
				DBERT_E_UNSUPPORTED, "modules.json: module 3, \"LayerNorm\", is not supported");
	check_cross("modules.json",
				"[" MODULE("", "Transformer") "," MODULE("1_Dense", "Dense") "]",
				DBERT_E_UNSUPPORTED, "modules.json: module 1, \"Dense\", is not supported");
	check_cross("modules.json", "[]", DBERT_E_UNSUPPORTED, "modules.json: no Transformer");
	check_cross("config_sentence_transformers.json",
				"{\"model_type\":\"CrossEncoder\","
				"\"activation_fn\":\"torch.nn.modules.activation.Tanh\"}",
				DBERT_E_UNSUPPORTED, "config_sentence_transformers.json: activation function");
}

int
main(void)
{
	RUN(test_sizes);
	RUN(test_json_errors);
	RUN(test_unsupported);
	RUN(test_activations);
	RUN(test_aliases);
	RUN(test_tasks);
	RUN(test_guessed_heads);
	RUN(test_labels);
	RUN(test_problems);
	RUN(test_lengths);
	RUN(test_pooling);
	RUN(test_prompts);
	RUN(test_dense);
	RUN(test_steps);
	RUN(test_modules);
	RUN(test_sentence_head);
	RUN(test_encoder_settings);
	RUN(test_inputs);
	RUN(test_dimensions);
	RUN(test_cross_encoder);
	RUN(test_cross_modules);
	return tests_end();
}
