/*
 * test_distances.c -- MPNet and DeBERTa: which row of their tables a distance
 * reads, what a pack has for it, what their files may not say.  What they
 * compute stands in goldens.
 */
#include "model/distances.h"
#include "model/family.h"
#include "test/support/memsource.h"
#include "test/support/packhelp.h"
#include "test/support/testhelp.h"
#include "train/trainbase.h"

static void
check_refused(MemModel *m, DbertStatus want, const char *words)
{
	DbertSource source = mem_source(m);
	DbertPack  *pack = NULL;
	DbertError	err = {0};
	DbertStatus status = dbert_pack_begin(&source, NULL, DBERT_PRECISION_FP32, &dbert_kernels_scalar,
										  &dbert_malloc_allocator, NULL, &pack, &err);

	CHECK_MSG(status == want && strstr(err.msg, words) != NULL, "expected %d \"%s\", got %d \"%s\"",
			  want, words, status, err.msg);
	dbert_pack_end(pack);
}

/* ---- rows ---- */

/* PyTorch's: the first distances of the rows that far ones share. */
static void
test_bias_rows(void)
{
	static const int first[] = {8, 12, 16, 23, 32, 46, 64, 91};

	CHECK(dbert_bias_row(0) == 0 && dbert_bias_row(-7) == 7 && dbert_bias_row(7) == 23);
	for (int i = 0; i < 8; i++)
	{
		CHECK_MSG(dbert_bias_row(-first[i]) == 8 + i && dbert_bias_row(first[i]) == 24 + i,
				  "%d: %d", first[i], dbert_bias_row(-first[i]));
		CHECK(dbert_bias_row(1 - first[i]) == 7 + i && dbert_bias_row(first[i] - 1) == 23 + i);
	}
	CHECK(dbert_bias_row(-1000000) == 15 && dbert_bias_row(1000000) == 31);
}

static void
test_distance_rows(void)
{
	/* distance, row; of DeBERTa-v3's 256 buckets up to 512 */
	static const int v3[][2] = {
		{0, 256}, {1, 257}, {-1, 255}, {128, 384}, {129, 385}, {130, 386}, {140, 393}, {200, 425},
		{300, 463}, {400, 489}, {510, 511}, {511, 511}, {600, 511}, {-128, 128}, {-200, 87},
		{-511, 1}, {-512, 0}, {-4000, 0}
	};
	DbertDistances d = {.span = 256, .buckets = 256, .most = 512};
	DbertDistances plain = {.span = 5, .most = 5};

	for (size_t i = 0; i < sizeof(v3) / sizeof(v3[0]); i++)
		CHECK_MSG(dbert_distance_row(&d, v3[i][0]) == v3[i][1], "%d: %d", v3[i][0],
				  dbert_distance_row(&d, v3[i][0]));
	CHECK(dbert_distance_row(&plain, 4) == 9 && dbert_distance_row(&plain, 5) == 9);
	CHECK(dbert_distance_row(&plain, -5) == 0 && dbert_distance_row(&plain, -6) == 0);
}

/* ---- what a pack has ---- */

static void
test_mpnet_pack(void)
{
	MemModel	m;
	Built		b;

	mem_model_mpnet(&m, "ForMaskedLM", 0);
	if (built(&m, NULL, &b))
	{
		CHECK(b.model->weights.distance_bias[33] ==
			  mem_value("mpnet.encoder.relative_attention_bias.weight", 33));
		/* whatever pad_token_id is */
		CHECK(b.model->config.first_position == 2 && b.model->config.max_tokens == MEM_P - 2);
		CHECK(b.model->weights.type == NULL && dbert_config_takes_pairs(&b.model->config));
		release(&b);
	}
	mem_free(&m);
}

/* A layer's vector for a row of the table, number c, spelled out. */
static double
projected(const char *layer, int row, int c)
{
	char		name[128];
	double		x[MEM_C],
				mean = 0,
				variance = 0,
				sum;

	for (int j = 0; j < MEM_C; j++)
		mean += x[j] = mem_value("deberta.encoder.rel_embeddings.weight", row * MEM_C + j);
	mean /= MEM_C;
	for (int j = 0; j < MEM_C; j++)
		variance += (x[j] - mean) * (x[j] - mean) / MEM_C;
	snprintf(name, sizeof(name), "%s.bias", layer);
	sum = mem_value(name, c);
	snprintf(name, sizeof(name), "%s.weight", layer);
	for (int j = 0; j < MEM_C; j++)
		sum += mem_value(name, c * MEM_C + j) *
			   ((x[j] - mean) / sqrt(variance + 1e-7) *
					mem_value("deberta.encoder.LayerNorm.weight", j) +
				mem_value("deberta.encoder.LayerNorm.bias", j));
	return sum;
}

static void
check_vectors(const DbertModel *model, const float *rows, const char *layer, int sign)
{
	const DbertConfig *c = &model->config;
	int			d = MEM_C / c->heads,
				zero = dbert_distance_zero(c);

	for (int h = 0; h < c->heads; h++, rows += dbert_distance_floats(c, model->kernels))
		for (int distance = 1 - MEM_P; distance < MEM_P; distance++)
			for (int j = 0; j < d; j++)
			{
				double		got = rows[(zero + distance) * d + j],
							want = projected(layer, dbert_distance_row(&c->distances, sign * distance),
											 h * d + j);

				CHECK_MSG(fabs(got - want) < 1e-5, "%s, head %d, distance %d: %.7f, want %.7f",
						  layer, h, distance, got, want);
			}
}

/* What queries meet counts from them, keys' the other way round. */
static void
test_deberta_pack(void)
{
	MemModel	m;
	Built		b;

	mem_model_deberta(&m, "ForSequenceClassification", ",\"pooler_hidden_act\":\"relu\"", 3);
	if (built(&m, NULL, &b))
	{
		const DbertWeights *w = &b.model->weights;

		CHECK(w->position == NULL && w->type == NULL && w->head_act == DBERT_ACT_RELU);
		CHECK(b.model->config.extra_terms == 2);
		check_vectors(b.model, w->layers[1].query_rows,
					  "deberta.encoder.layer.1.attention.self.key_proj", -1);
		check_vectors(b.model, w->layers[1].key_rows,
					  "deberta.encoder.layer.1.attention.self.query_proj", 1);
		release(&b);
	}
	mem_free(&m);
}

static void
test_deberta_masked(void)
{
	MemModel	m;
	Built		b;

	mem_model_deberta(&m, "ForMaskedLM", ",\"legacy\":false", 0);
	if (built(&m, NULL, &b))
	{
		CHECK(b.model->weights.head_out.w == b.model->weights.word);
		CHECK(b.model->weights.head_out.b[2] == mem_value("lm_predictions.lm_head.bias", 2));
		release(&b);
	}
	mem_free(&m);
}

/* ---- what is refused ---- */

static void
check_config(const char *more, DbertStatus want, const char *words)
{
	MemModel	m;

	mem_model_deberta(&m, "Model", more, 0);
	check_refused(&m, want, words);
	mem_free(&m);
}

static void
test_deberta_refused(void)
{
	check_config(",\"conv_kernel_size\":4", DBERT_E_UNSUPPORTED, "convolution over 4 tokens in 1");
	check_config(",\"conv_kernel_size\":3,\"conv_groups\":2", DBERT_E_UNSUPPORTED, "in 2 groups");
	check_config(",\"conv_kernel_size\":3,\"conv_act\":\"swish\"", DBERT_E_UNSUPPORTED,
				 "\"conv_act\" of \"swish\"");
	check_config(",\"conv_kernel_size\":3", DBERT_E_FORMAT, "no tensor \"encoder.conv.conv.weight\"");
	check_config(",\"attention_head_size\":3", DBERT_E_UNSUPPORTED, "\"attention_head_size\" of 3");
	check_config(",\"pooler_hidden_act\":\"mish\"", DBERT_E_UNSUPPORTED,
				 "\"pooler_hidden_act\" of \"mish\"");
	check_config(",\"type_vocab_size\":2", DBERT_E_FORMAT,
				 "no tensor \"embeddings.token_type_embeddings.weight\"");
	check_config(",\"max_relative_positions\":3", DBERT_E_FORMAT,
				 "\"position_buckets\" of 4 do not fit distances below 3");
	check_config(",\"embedding_size\":4", DBERT_E_SHAPE,
				 "\"embeddings.word_embeddings.weight\": expected shape [14,4]");
}

static void
bend_deberta(const char *from, const char *to, DbertStatus want, const char *words)
{
	MemModel	m;

	mem_model_deberta(&m, "Model", "", 0);
	mem_edit(&m, "config.json", from, to);
	check_refused(&m, want, words);
	mem_free(&m);
}

static void
test_deberta_distances_refused(void)
{
	bend_deberta("p2c|c2p", "p2c|p2p", DBERT_E_UNSUPPORTED, "\"pos_att_type\" of \"p2p\"");
	bend_deberta("\"p2c|c2p\"", "[\"c2p\",7]", DBERT_E_UNSUPPORTED, "\"pos_att_type\" of \"\"");
	bend_deberta("\"position_buckets\":4", "\"position_buckets\":6", DBERT_E_SHAPE,
				 "\"encoder.rel_embeddings.weight\": expected shape [12,8], found [8,8]");
	bend_deberta("\"position_buckets\":4", "\"position_buckets\":-1", DBERT_E_SHAPE,
				 "\"encoder.rel_embeddings.weight\": expected shape [32,8], found [8,8]");
	bend_deberta("\"position_buckets\":4", "\"position_buckets\":65537", DBERT_E_FORMAT,
				 "\"position_buckets\" must be between");
	bend_deberta("\"position_buckets\":4", "\"position_buckets\":1", DBERT_E_FORMAT,
				 "\"position_buckets\" of 1");
	bend_deberta("\"share_att_key\":true", "\"share_att_key\":false", DBERT_E_FORMAT,
				 "no tensor \"encoder.layer.0.attention.self.pos_key_proj.weight\"");
	bend_deberta("\"position_biased_input\":false", "\"position_biased_input\":true",
				 DBERT_E_FORMAT, "no tensor \"embeddings.position_embeddings.weight\"");
	bend_deberta("\"max_position_embeddings\":16", "\"max_position_embeddings\":8193",
				 DBERT_E_LIMIT, "\"max_position_embeddings\" of 8193 is too large");
}

static void
test_tensors_refused(void)
{
	MemModel	m;

	mem_model_mpnet(&m, "ForSequenceClassification", 3);
	mem_tensor(&m, "mpnet.encoder.relative_attention_bias.weight")->shape[0] = 31;
	mem_model_save(&m);
	check_refused(&m, DBERT_E_SHAPE,
				  "model.safetensors: tensor \"mpnet.encoder.relative_attention_bias.weight\": "
				  "expected shape [32,2], found [31,2]");
	mem_edit(&m, "config.json", "{", "{\"relative_attention_num_buckets\":31,");
	check_refused(&m, DBERT_E_FORMAT, "\"relative_attention_num_buckets\" must be between 32");
	mem_free(&m);
	mem_model_deberta(&m, "Model", "", 0);
	mem_tensor(&m, "encoder.LayerNorm.bias")->shape[0] = 7;
	mem_model_save(&m);
	check_refused(&m, DBERT_E_SHAPE,
				  "model.safetensors: tensor \"encoder.LayerNorm.bias\": expected shape [8], found [7]");
	mem_free(&m);
}

static void
test_not_trained(void)
{
	MemModel	m;
	DbertSource source;
	DbertTrainBase *base;
	DbertError	err = {0};

	mem_model_deberta(&m, "ForSequenceClassification", "", 3);
	source = mem_source(&m);
	CHECK(dbert_trainbase_open(&source, NULL, &dbert_malloc_allocator, NULL, &base, &err) ==
		  DBERT_E_UNSUPPORTED);
	CHECK_MSG(strstr(err.msg, "models of type \"deberta-v2\" cannot be trained yet") != NULL, "%s",
			  err.msg);
	mem_free(&m);
}

int
main(void)
{
	RUN(test_bias_rows);
	RUN(test_distance_rows);
	RUN(test_mpnet_pack);
	RUN(test_deberta_pack);
	RUN(test_deberta_masked);
	RUN(test_deberta_refused);
	RUN(test_deberta_distances_refused);
	RUN(test_tensors_refused);
	RUN(test_not_trained);
	return tests_end();
}
