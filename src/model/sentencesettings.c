/*
 * sentencesettings.c -- see sentencesettings.h.
 *
 * Keys: config_keys and load_config of sentence-transformers' modules
 * Transformer, Dense and Normalize, releases 2 to 6.
 */
#include "model/sentencesettings.h"

#include <string.h>

/* The key must be absent, null, or this string. */
static DbertStatus
only(const DbertJson *object, const char *key, const char *want, DbertError *err)
{
	const char *value = want;
	char		clip[DBERT_CLIP];

	if (object->value != NULL)
		DBERT_TRY(dbert_json_string(object, key, &value, err));
	if (strcmp(value, want) != 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: \"%s\" \"%s\" is not supported, only \"%s\" is", object->where, key,
						  dbert_clip(value, clip), want);
	return DBERT_OK;
}

/* Nothing, as Python has it. */
static bool
is_nothing(const json_t *value)
{
	return value == NULL || json_is_null(value) || json_is_false(value) ||
		   (json_is_object(value) && json_object_size(value) == 0) ||
		   (json_is_array(value) && json_array_size(value) == 0);
}

static DbertStatus
refuse_set(const DbertJson *root, const char *key, DbertError *err)
{
	if (is_nothing(json_object_get(root->value, key)))
		return DBERT_OK;
	return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: \"%s\" is not supported", root->where, key);
}

/*
 * Arguments of from_pretrained: most say where and how, these change nothing.
 */
static bool
is_harmless(const char *name)
{
	static const char *const names[] = {
		"trust_remote_code", "revision", "token", "use_auth_token", "cache_dir", "local_files_only",
		"force_download", "use_fast", "attn_implementation", "torch_dtype", "dtype", "device_map",
		"low_cpu_mem_usage", "use_safetensors", "add_pooling_layer", "use_cache"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static DbertStatus
refuse_arguments(const DbertJson *root, const char *key, DbertError *err)
{
	DbertJson	arguments;
	const char *name;
	json_t	   *value;
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_child(root, key, JSON_OBJECT, &arguments, err));
	if (arguments.value == NULL)
		return DBERT_OK;
	json_object_foreach((json_t *) arguments.value, name, value)
		if (!is_harmless(name) && !is_nothing(value))
			return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: \"%s\" is not supported",
							  arguments.where, dbert_clip(name, clip));
	return DBERT_OK;
}

static DbertStatus
refuse_methods(const DbertJson *root, bool head, DbertError *err)
{
	DbertJson	modalities,
				text = {0};

	DBERT_TRY(dbert_json_child(root, "modality_config", JSON_OBJECT, &modalities, err));
	if (modalities.value != NULL)
		DBERT_TRY(dbert_json_child(&modalities, "text", JSON_OBJECT, &text, err));
	DBERT_TRY(only(&text, "method", "forward", err));
	return only(&text, "method_output_name", head ? "logits" : "last_hidden_state", err);
}

DbertStatus
dbert_sentence_refuse_settings(const DbertJson *root, bool head, DbertError *err)
{
	static const char *const set[] = {
		"processing_kwargs", "query_length", "document_length", "query_expansion",
		"tokenizer_name_or_path"
	};
	static const char *const arguments[] = {
		"tokenizer_args", "processor_kwargs", "config_args", "config_kwargs", "model_args",
		"model_kwargs"
	};

	DBERT_TRY(only(root, "transformer_task",
				   head ? "sequence-classification" : "feature-extraction", err));
	DBERT_TRY(only(root, "module_output_name", head ? "scores" : "token_embeddings", err));
	DBERT_TRY(refuse_methods(root, head, err));
	for (size_t i = 0; i < sizeof(set) / sizeof(set[0]); i++)
		DBERT_TRY(refuse_set(root, set[i], err));
	for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++)
		DBERT_TRY(refuse_arguments(root, arguments[i], err));
	return DBERT_OK;
}

DbertStatus
dbert_sentence_refuse_places(const DbertJson *root, const char *output, DbertError *err)
{
	DBERT_TRY(only(root, "module_input_name", "sentence_embedding", err));
	return only(root, "module_output_name", output, err);
}
