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

const DbertHeadNames *
dbert_head_names(const DbertConfig *config)
{
	const DbertFamily *family = dbert_family_of(config);

	return config->head == DBERT_HEAD_MASK && config->other_mask_head
		? &family->other_mask_head
		: &family->heads[config->head];
}

bool
dbert_head_reads_mean(const DbertConfig *config)
{
	return dbert_head_traits(config->head)->rows == DBERT_ROWS_FIRST && config->head_mean;
}

const DbertSizeKey *
dbert_family_size(const DbertFamily *family, size_t field)
{
	const DbertSizeKey *size = family->sizes;

	while (size->key != NULL && size->field != field)
		size++;
	return size;
}

int
dbert_config_stored_layers(const DbertConfig *config)
{
	return config->groups > 0 ? config->groups * config->inner_layers : config->layers;
}

/* The group is transformers', whose quotient is no integer, either. */
int
dbert_config_stored_layer(const DbertConfig *config, int layer)
{
	int			inner = config->inner_layers;
	double		of_a_group;

	if (config->groups == 0)
		return layer;
	of_a_group = (double) (config->layers / inner) / config->groups;
	return (int) (layer / inner / of_a_group) * inner + layer % inner;
}

bool
dbert_config_projects(const DbertConfig *config)
{
	const DbertFamily *family = dbert_family_of(config);

	return family->modules[DBERT_MODULE_EMBED_PROJECT][0] != NULL &&
		   (family->always_projects || config->embed_width != config->hidden);
}

bool
dbert_config_takes_pairs(const DbertConfig *config)
{
	return !config->pair_types || config->types >= 2;
}
