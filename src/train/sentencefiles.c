/*
 * sentencefiles.c -- the JSON of sentence-transformers' files.
 *
 * Names of modules and keys are those that every release since 2.0 reads.  A
 * model that was trained without prompts has none.
 */
#include "train/sentencefiles.h"

#include <stdio.h>

/* type and folder of module i */
static json_t *
module(int i, const char *type, const char *path)
{
	char		name[8],
				class[64];

	snprintf(name, sizeof(name), "%d", i);
	snprintf(class, sizeof(class), "sentence_transformers.models.%s", type);
	return json_pack("{s:i,s:s,s:s,s:s}", "idx", i, "name", name, "path", path, "type", class);
}

static json_t *
modules(const DbertConfig *config)
{
	json_t	   *list = json_array();

	json_array_append_new(list, module(0, "Transformer", ""));
	json_array_append_new(list, module(1, "Pooling", "1_Pooling"));
	if (config->normalize)
		json_array_append_new(list, module(2, "Normalize", "2_Normalize"));
	return list;
}

static json_t *
pooling(const DbertConfig *config)
{
	bool		cls = config->pooling == DBERT_POOL_CLS;

	return json_pack("{s:i,s:b,s:b,s:b,s:b,s:b}", "word_embedding_dimension", config->hidden,
					 "pooling_mode_cls_token", cls, "pooling_mode_mean_tokens", !cls,
					 "pooling_mode_max_tokens", false, "pooling_mode_mean_sqrt_len_tokens", false,
					 "include_prompt", true);
}

static json_t *
encoder(const DbertConfig *config, bool lowercases)
{
	return json_pack("{s:i,s:b}", "max_seq_length", config->max_tokens, "do_lower_case",
					 lowercases);
}

void
dbert_sentence_files(const DbertConfig *config, bool lowercases,
					 DbertSentenceFile files[DBERT_SENTENCE_FILES])
{
	files[0] = (DbertSentenceFile) {"sentence_bert_config.json", encoder(config, lowercases)};
	files[1] = (DbertSentenceFile) {"modules.json", modules(config)};
	files[2] = (DbertSentenceFile) {"1_Pooling/config.json", pooling(config)};
}
