/*
 * fuzz_model.c -- any bytes as one file of a model.
 *
 * The first byte chooses the file, the rest are its content; the other files
 * are those of a good tiny model.  The model is read up to its values, and so
 * is what is left of it when its vocabulary was cut.
 */
#include "model/pack.h"
#include "test/support/memtorch.h"
#include "train/trim.h"

#include <stdlib.h>
#include <string.h>

static const char *const targets[] = {
	"config.json", "tokenizer.json", "vocab.txt", "tokenizer_config.json",
	"special_tokens_map.json", "added_tokens.json", "modules.json", "1_Pooling/config.json",
	"sentence_bert_config.json", "model.safetensors", "model.safetensors.index.json",
	"pytorch_model.bin", "pytorch_model.bin.index.json", "0_Table/model.safetensors"
};

#define N_TARGETS ((int) (sizeof(targets) / sizeof(targets[0])))

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A good model in which every file of the list is looked at. */
static void
good_model(MemModel *m, const char *target)
{
	mem_model_distilbert(m, "ForSequenceClassification", 3);
	if (strcmp(target, "tokenizer.json") == 0)
		mem_drop(m, "vocab.txt");
	if (strcmp(target, "model.safetensors.index.json") == 0)
	{
		mem_drop(m, "model.safetensors");
		mem_save(m, "one.safetensors", 0, 20);
		mem_save(m, "two.safetensors", 20, m->n_tensors);
	}
	if (strncmp(target, "pytorch", 7) == 0)
	{
		mem_drop(m, "model.safetensors");
		torch_save(m, "one.bin", 0, 20);
		torch_save(m, "two.bin", 20, m->n_tensors);
	}
	if (strcmp(target, "0_Table/model.safetensors") == 0)
	{
		mem_put(m, "modules.json", "[{\"type\":\"StaticEmbedding\",\"path\":\"0_Table\"}]");
		mem_put(m, "0_Table/tokenizer.json", mem_tokenizer_json);
	}
	if (strcmp(target, "modules.json") == 0)
		mem_put(m, "1_Pooling/config.json", "{}");
	if (strcmp(target, "1_Pooling/config.json") == 0 ||
		strcmp(target, "sentence_bert_config.json") == 0)
	{
		mem_put(m, "modules.json",
				"[{\"type\":\"Transformer\",\"path\":\"\"},{\"type\":\"Pooling\",\"path\":\"1_"
				"Pooling\"}]");
		mem_put(m, "1_Pooling/config.json", "{}");
	}
}

/* The model up to its values. */
static bool
read_model(const DbertSource *source)
{
	DbertError	err;
	DbertPack  *pack;
	bool		good;

	if (dbert_pack_begin(source, NULL, DBERT_PRECISION_FP32, &dbert_kernels_scalar,
						 &dbert_malloc_allocator, NULL, &pack, &err) != DBERT_OK)
		return false;
	good = dbert_pack_write(pack, NULL, NULL, &err) == DBERT_OK;
	dbert_pack_end(pack);
	return good;
}

/* Every second token was seen. */
static void
trim_model(const DbertSource *source)
{
	DbertError	err;
	DbertTrim  *trim;
	DbertTrimmed trimmed;
	int64_t    *counts;
	int32_t		n;

	if (dbert_trim_open(source, NULL, &dbert_malloc_allocator, NULL, &trim, &err) != DBERT_OK)
		return;
	n = dbert_trim_config(trim)->vocab;
	counts = calloc((size_t) n, sizeof(*counts));
	for (int32_t id = 0; id < n; id += 2)
		counts[id] = id + 1;
	if (dbert_trim_choose(trim, counts, n, NULL, &trimmed, &err) == DBERT_OK)
		read_model(dbert_trim_source(trim));
	free(counts);
	dbert_trim_free(trim);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MemModel	m;
	DbertSource source = mem_source(&m);
	const char *target;

	if (size == 0)
		return 0;
	target = targets[data[0] % N_TARGETS];
	good_model(&m, target);
	mem_put_bytes(&m, target, data + 1, size - 1);
	if (read_model(&source))
		trim_model(&source);
	mem_free(&m);
	return 0;
}
