/*
 * checkpoint.c -- the files of a checkpoint: one file, or shards that an index
 * names, joined to one set sorted by name.  They are safetensors, or, where
 * there are none, what torch.save writes.
 */
#include "model/checkpoint.h"

#include "model/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS_MAX	1024

/* The first that is there counts. */
typedef struct Format
{
	const char *single;
	const char *index;
	DbertStatus (*header) (const DbertSource *source, const char *file, DbertArena *arena,
						   const DbertPoll *poll, DbertTensor **items, size_t *count,
						   DbertError *err);
} Format;

static const Format formats[] = {
	{"model.safetensors", "model.safetensors.index.json", dbert_safetensors_header},
	{"pytorch_model.bin", "pytorch_model.bin.index.json", dbert_torch_header},
};

#define N_FORMATS (sizeof(formats) / sizeof(formats[0]))

typedef struct Shard
{
	const char *file;
	DbertTensor *items;
	size_t		count;
} Shard;

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const DbertTensor *) a)->name, ((const DbertTensor *) b)->name);
}

/* The file that lists the tensors. */
static DbertStatus
name_set(DbertTensorSet *set, const char *dir, const char *name, DbertArena *arena, DbertError *err)
{
	char		path[DBERT_FILE_NAME_MAX];

	DBERT_TRY(dbert_file_join(path, dir, name, err));
	set->name = dbert_arena_strndup(arena, path, strlen(path));
	return set->name != NULL ? DBERT_OK : dbert_fail(err, DBERT_E_NOMEM, "out of memory");
}

static DbertStatus
open_shard(const DbertSource *source, const Format *format, const char *dir, const char *name,
		   DbertArena *arena, const DbertPoll *poll, Shard *shard, DbertFileList *list,
		   DbertError *err)
{
	char		path[DBERT_FILE_NAME_MAX];

	DBERT_TRY(dbert_file_join(path, dir, name, err));
	shard->file = dbert_arena_strndup(arena, path, strlen(path));
	if (shard->file == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	DBERT_TRY(dbert_file_list_add(list, arena, source, dir, name, err));
	return format->header(source, shard->file, arena, poll, &shard->items, &shard->count, err);
}

/* Join the shards' tensors; two of one name are an error. */
static DbertStatus
join_shards(const Shard *shards, size_t n_shards, DbertArena *arena, DbertTensorSet *set,
			DbertError *err)
{
	size_t		total = 0;

	for (size_t i = 0; i < n_shards; i++)
		total += shards[i].count;
	set->items = dbert_arena_alloc(arena, total, sizeof(*set->items));
	if (set->items == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	set->count = 0;
	for (size_t i = 0; i < n_shards; i++)
	{
		if (shards[i].count > 0)
			memcpy(set->items + set->count, shards[i].items, shards[i].count * sizeof(*set->items));
		set->count += shards[i].count;
	}
	if (total > 0)
		qsort(set->items, total, sizeof(*set->items), compare_names);
	for (size_t i = 1; i < total; i++)
		if (strcmp(set->items[i - 1].name, set->items[i].name) == 0)
			return dbert_fail(err, DBERT_E_FORMAT,
							  "tensor \"%s\" is in two shards, \"%s\" and \"%s\"",
							  set->items[i].name, set->items[i - 1].file, set->items[i].file);
	return DBERT_OK;
}

/* The shard of that name, added when new. */
static DbertStatus
add_shard_name(const char *name, const char *index, const char **names, size_t *count,
			   DbertError *err)
{
	char		clip[DBERT_CLIP];

	for (size_t i = 0; i < *count; i++)
		if (strcmp(names[i], name) == 0)
			return DBERT_OK;
	if (!dbert_file_name_plain(name))
		return dbert_fail(err, DBERT_E_FORMAT, "%s: \"%s\" is no plain file name",
						  index, dbert_clip(name, clip));
	if (*count == SHARDS_MAX)
		return dbert_fail(err, DBERT_E_LIMIT, "%s: more than %d shards", index, SHARDS_MAX);
	names[(*count)++] = name;
	return DBERT_OK;
}

/*
 * Every tensor of the map is in the shard the map says, and no other is there.
 */
static DbertStatus
check_map(const json_t *map, const DbertTensorSet *set, const char *dir, DbertError *err)
{
	const char *name;
	json_t	   *file;
	char		clip[DBERT_CLIP],
				path[DBERT_FILE_NAME_MAX];

	json_object_foreach((json_t *) map, name, file)
	{
		const DbertTensor *t = dbert_tensors_find(set, name);

		DBERT_TRY(dbert_file_join(path, dir, json_string_value(file), err));
		if (t == NULL || strcmp(t->file, path) != 0)
			return dbert_fail(err, DBERT_E_FORMAT, "%s: tensor \"%s\" is not in \"%s\"",
							  set->name, dbert_clip(name, clip), path);
	}
	for (size_t i = 0; i < set->count; i++)
		if (json_object_get(map, set->items[i].name) == NULL)
			return dbert_fail(err, DBERT_E_FORMAT, "%s: tensor \"%s\" of \"%s\" is not in its map",
							  set->name, set->items[i].name, set->items[i].file);
	return DBERT_OK;
}

static DbertStatus
open_map(const DbertSource *source, const Format *format, const char *dir, const DbertJson *map,
		 DbertArena *arena, const DbertPoll *poll, DbertTensorSet *set, DbertFileList *list,
		 DbertError *err)
{
	const char **names = dbert_arena_alloc(arena, SHARDS_MAX, sizeof(*names));
	Shard	   *shards = dbert_arena_alloc(arena, SHARDS_MAX, sizeof(*shards));
	size_t		count = 0;
	const char *tensor;
	json_t	   *file;

	if (names == NULL || shards == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	json_object_foreach((json_t *) map->value, tensor, file)
	{
		if (!json_is_string(file))
			return dbert_fail(err, DBERT_E_FORMAT, "%s: a file name is not a string", map->where);
		DBERT_TRY(add_shard_name(json_string_value(file), set->name, names, &count, err));
	}
	for (size_t i = 0; i < count; i++)
		DBERT_TRY(open_shard(source, format, dir, names[i], arena, poll, &shards[i], list, err));
	DBERT_TRY(join_shards(shards, count, arena, set, err));
	return check_map(map->value, set, dir, err);
}

static DbertStatus
open_index(const DbertSource *source, const Format *format, const char *dir, DbertArena *arena,
		   const DbertPoll *poll, DbertTensorSet *set, DbertFileList *list, DbertError *err)
{
	DbertJsonTree tree;
	DbertJson	index,
				map;
	DbertStatus status;

	DBERT_TRY(dbert_file_list_add(list, arena, source, dir, format->index, err));
	DBERT_TRY(name_set(set, dir, format->index, arena, err));
	status = dbert_json_load(source, dir, format->index, DBERT_JSON_MAX, 0, false,
							 arena->alloc, poll, &tree, &index, err);
	if (status == DBERT_OK)
		status = dbert_json_expect(&index, JSON_OBJECT, err);
	if (status == DBERT_OK)
		status = dbert_json_child(&index, "weight_map", JSON_OBJECT, &map, err);
	if (status == DBERT_OK && map.value == NULL)
		status = dbert_fail(err, DBERT_E_FORMAT, "%s: no \"weight_map\"", index.where);
	if (status == DBERT_OK)
		status = open_map(source, format, dir, &map, arena, poll, set, list, err);
	dbert_json_free(&tree);
	return status;
}

DbertStatus
dbert_tensors_open(const DbertSource *source, const char *dir, DbertArena *arena,
				   const DbertPoll *poll, DbertTensorSet *set, DbertFileList *list,
				   DbertError *err)
{
	const char *slash = dir[0] != '\0' ? "/" : "";

	for (const Format *format = formats; format < formats + N_FORMATS; format++)
	{
		Shard		single;
		bool		exists;

		DBERT_TRY(dbert_file_exists(source, dir, format->single, &exists, err));
		if (exists)
		{
			DBERT_TRY(name_set(set, dir, format->single, arena, err));
			DBERT_TRY(open_shard(source, format, dir, format->single, arena, poll, &single, list,
								 err));
			return join_shards(&single, 1, arena, set, err);
		}
		DBERT_TRY(dbert_file_exists(source, dir, format->index, &exists, err));
		if (exists)
			return open_index(source, format, dir, arena, poll, set, list, err);
	}
	return dbert_fail(err, DBERT_E_FORMAT,
					  "the model has neither \"%s%s%s\" nor \"%s%s%s\", nor pytorch_model.bin", dir,
					  slash, formats[0].single, dir, slash, formats[0].index);
}

const DbertTensor *
dbert_tensors_find(const DbertTensorSet *set, const char *name)
{
	DbertTensor key = {.name = name};

	if (set->count == 0)
		return NULL;
	return bsearch(&key, set->items, set->count, sizeof(*set->items), compare_names);
}
