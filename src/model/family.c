/* family.c -- see family.h. */
#include "model/family.h"

#include <stdio.h>
#include <string.h>

#define LIST(ID, name) &dbert_family_##name,
static const DbertFamily *const families[] = {DBERT_FAMILIES(LIST)};

const DbertFamily *
dbert_family(int id)
{
	return families[id];
}

const DbertFamily *
dbert_family_of(const DbertConfig *config)
{
	return families[config->family];
}

int
dbert_family_find(const char *model_type)
{
	for (int id = 0; id < DBERT_FAMILY_END; id++)
		if (strcmp(families[id]->model_type, model_type) == 0)
			return id;
	return -1;
}

void
dbert_family_name_architecture(DbertConfig *config, int head)
{
	snprintf(config->architecture, sizeof(config->architecture), "%s%s",
			 dbert_family_of(config)->architecture, dbert_head_traits(head)->suffix);
}

bool
dbert_family_has_head(const DbertFamily *family, int head)
{
	return head == DBERT_HEAD_NONE || family->heads[head].out != NULL;
}

const DbertSizeKey *
dbert_family_size(const DbertFamily *family, size_t field)
{
	const DbertSizeKey *size = family->sizes;

	while (size->key != NULL && size->field != field)
		size++;
	return size;
}

bool
dbert_config_takes_pairs(const DbertConfig *config, const DbertTokenizer *tokenizer)
{
	if (dbert_family_of(config)->types_for_pairs && config->types < 2)
		return false;
	return dbert_config_has_types(config, tokenizer->pair);
}

bool
dbert_config_has_types(const DbertConfig *config, const DbertTemplate *around)
{
	int32_t		most = around->text_types[0] > around->text_types[1] ? around->text_types[0]
																	 : around->text_types[1];

	for (int32_t i = 0; i < dbert_template_size(around); i++)
		most = around->types[i] > most ? around->types[i] : most;
	return config->types == 0 || most < config->types;
}
