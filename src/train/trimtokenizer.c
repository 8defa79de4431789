/*
 * trimtokenizer.c -- a tokenizer's files with fewer tokens (trim.h).
 *
 * tokenizer.json or vocab.txt, whichever counts, is written anew: the tokens
 * that stay, in their order, with new ids, and the merges whose tokens all
 * stay; whatever else names an id gets the new one.  Other files of a
 * vocabulary would say something else and are hidden.  SentencePiece's models,
 * vocab.json with merges.txt and BERTweet's files are refused: transformers
 * writes tokenizer.json for each of them.
 */
#include "text/tokimage.h"
#include "text/tokenkind.h"
#include "train/trimplan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Compact, and numbers as they were read. */
#define VOCAB_FORMAT (JSON_COMPACT | JSON_REAL_PRECISION(17))

/* ---- reading ---- */

static json_t *
model_of(const DbertVocabSource *files)
{
	return json_object_get(files->trees[3].root, "model");
}

static int32_t
id_of(const DbertTrimPlan *p, const char *text, size_t len)
{
	int32_t		id = text != NULL ? dbert_token_id(&p->tokenizer, text, len) : -1;

	return id < p->n ? id : -1;
}

/* The two halves of "left right" or [left, right]; NULL: it is neither. */
static void
split_merge(const json_t *item, const char *text[2], size_t len[2])
{
	const char *line = json_string_value(item),
			   *space = line != NULL ? strchr(line, ' ') : NULL;

	text[0] = text[1] = NULL;
	if (space != NULL)
	{
		text[0] = line;
		len[0] = (size_t) (space - line);
		text[1] = space + 1;
		len[1] = strlen(space + 1);
	}
	for (size_t i = 0; i < 2 && line == NULL; i++)
	{
		text[i] = json_string_value(json_array_get(item, i));
		len[i] = text[i] != NULL ? strlen(text[i]) : 0;
	}
}

static DbertMerge
read_merge(const DbertTrimPlan *p, const json_t *item)
{
	const char *text[2];
	size_t		len[2] = {0, 0};
	char		merged[2 * DBERT_MAX_TOKEN_BYTES];
	DbertMerge	m = {-1, -1, -1};

	split_merge(item, text, len);
	if (text[0] == NULL || text[1] == NULL || len[0] + len[1] > sizeof(merged))
		return m;
	memcpy(merged, text[0], len[0]);
	memcpy(merged + len[0], text[1], len[1]);
	m.left = id_of(p, text[0], len[0]);
	m.right = id_of(p, text[1], len[1]);
	m.merged = id_of(p, merged, len[0] + len[1]);
	return m.right >= 0 && m.merged >= 0 ? m : (DbertMerge) {-1, -1, -1};
}

static DbertStatus
read_merges(DbertTrimPlan *p, const DbertVocabSource *files, DbertError *err)
{
	const json_t *list = json_object_get(model_of(files), "merges");
	size_t		n = json_array_size(list);

	p->merges = dbert_alloc_array(p->alloc, n + 1, sizeof(*p->merges));
	if (p->merges == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		p->merges[i] = read_merge(p, json_array_get(list, i));
	p->n_merges = (int32_t) n;
	return DBERT_OK;
}

/* The piece of the lowest score. */
static void
need_lowest(DbertTrimPlan *p, const DbertVocabSource *files)
{
	const json_t *vocab = json_object_get(model_of(files), "vocab");
	double		lowest = INFINITY;
	int32_t		found = -1;

	for (int32_t id = 0; id < p->n && (size_t) id < json_array_size(vocab); id++)
	{
		double		score = json_number_value(json_array_get(json_array_get(vocab, id), 1));

		if (score < lowest)
		{
			lowest = score;
			found = id;
		}
	}
	if (found >= 0)
		p->needed[found] = true;
}

DbertStatus
dbert_trim_tokenizer_read(DbertTrimPlan *p, const DbertVocabSource *files, DbertError *err)
{
	const DbertTokImage *image = p->tokenizer.image;

	if (files->form != DBERT_VOCAB_TOKENIZER && files->form != DBERT_VOCAB_LINES)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: a vocabulary in this file cannot be cut, only in tokenizer.json "
						  "or BERT's vocab.txt",
						  files->name);
	switch (image->kind)
	{
		case DBERT_KIND_WORDPIECE:
			p->kind = DBERT_TRIM_WORDPIECE;
			break;
		case DBERT_KIND_UNIGRAM:
			p->kind = DBERT_TRIM_UNIGRAM;
			need_lowest(p, files);
			break;
		default:
			p->kind = DBERT_TRIM_BPE;
			return read_merges(p, files, err);
	}
	return DBERT_OK;
}

/* ---- new ids ---- */

static int32_t
new_id(const DbertTrimPlan *p, const json_t *id)
{
	json_int_t	old = json_is_integer(id) ? json_integer_value(id) : -1;

	return old >= 0 && old < p->n ? p->to[old] : -1;
}

/* An id, or a list of ids; what is none stays as it is. */
static json_t *
renumbered(const DbertTrimPlan *p, json_t *value)
{
	json_t	   *list;

	if (new_id(p, value) >= 0)
		return json_integer(new_id(p, value));
	if (!json_is_array(value))
		return json_incref(value);
	list = json_array();
	for (size_t i = 0; i < json_array_size(value); i++)
		json_array_append_new(list, renumbered(p, json_array_get(value, i)));
	return list;
}

static void
renumber(const DbertTrimPlan *p, json_t *object, const char *key)
{
	json_t	   *value = json_object_get(object, key);

	if (value != NULL)
		json_object_set_new(object, key, renumbered(p, value));
}

/* ["</s>", 2] */
static void
renumber_pair(const DbertTrimPlan *p, json_t *object, const char *key)
{
	json_t	   *pair = json_object_get(object, key);

	if (json_array_size(pair) == 2)
		json_array_set_new(pair, 1, renumbered(p, json_array_get(pair, 1)));
}

/* Templates name their tokens' ids, of RoBERTa and BERT each in its way. */
static void
renumber_template(const DbertTrimPlan *p, json_t *processor)
{
	json_t	   *tokens = json_object_get(processor, "special_tokens"),
			   *list = json_object_get(processor, "processors"),
			   *token;
	const char *name;

	json_object_foreach(tokens, name, token)
		renumber(p, token, "ids");
	renumber_pair(p, processor, "sep");
	renumber_pair(p, processor, "cls");
	for (size_t i = 0; i < json_array_size(list); i++)
		renumber_template(p, json_array_get(list, i));
}

/* Keys that are ids: "added_tokens_decoder". */
static void
renumber_keys(const DbertTrimPlan *p, json_t *object, const char *key)
{
	json_t	   *old = json_object_get(object, key),
			   *new,
			   *value;
	const char *id;
	char		name[16];

	if (!json_is_object(old))
		return;
	new = dbert_json_object();
	json_object_foreach(old, id, value)
	{
		long		number = strtol(id, NULL, 10);

		if (number < 0 || number >= p->n || p->to[number] < 0)
			continue;
		snprintf(name, sizeof(name), "%d", (int) p->to[number]);
		json_object_set(new, name, value);
	}
	json_object_set_new(object, key, new);
}

/* ---- tokenizer.json ---- */

/* An object: token -> id; ids that go take their tokens along. */
static json_t *
kept_tokens(const DbertTrimPlan *p, json_t *vocab)
{
	json_t	   *kept = dbert_json_object(),
			   *id;
	const char *token;

	json_object_foreach(vocab, token, id)
	{
		if (new_id(p, id) >= 0)
			json_object_set_new(kept, token, json_integer(new_id(p, id)));
	}
	return kept;
}

/* Element i of a list is kept if the token i is. */
static json_t *
kept_pieces(const DbertTrimPlan *p, json_t *vocab)
{
	json_t	   *kept = json_array();

	for (int32_t id = 0; id < p->n && (size_t) id < json_array_size(vocab); id++)
		if (p->to[id] >= 0)
			json_array_append(kept, json_array_get(vocab, id));
	return kept;
}

static json_t *
kept_merges(const DbertTrimPlan *p, json_t *merges)
{
	json_t	   *kept = json_array();

	for (int32_t i = 0; i < p->n_merges; i++)
	{
		const DbertMerge *m = &p->merges[i];

		if (m->left >= 0 && p->to[m->left] >= 0 && p->to[m->right] >= 0 && p->to[m->merged] >= 0)
			json_array_append(kept, json_array_get(merges, (size_t) i));
	}
	return kept;
}

static void
cut_json(const DbertTrimPlan *p, json_t *root)
{
	json_t	   *model = json_object_get(root, "model"),
			   *vocab = json_object_get(model, "vocab"),
			   *merges = json_object_get(model, "merges"),
			   *added = json_object_get(root, "added_tokens");

	json_object_set_new(model, "vocab",
						json_is_array(vocab) ? kept_pieces(p, vocab) : kept_tokens(p, vocab));
	renumber(p, model, "unk_id");
	if (merges != NULL)
		json_object_set_new(model, "merges", kept_merges(p, merges));
	for (size_t i = 0; i < json_array_size(added); i++)
		renumber(p, json_array_get(added, i), "id");
	renumber_template(p, json_object_get(root, "post_processor"));
	renumber(p, json_object_get(root, "padding"), "pad_id");
}

/* ---- vocab.txt ---- */

/* The lines whose numbers stay. */
static DbertStatus
cut_lines(const DbertTrimPlan *p, const DbertVocabSource *files, const char *dir,
		  DbertOverlay *over, DbertError *err)
{
	char	   *text = dbert_alloc(p->alloc, files->len + 1),
			   *at = text;
	const char *line = files->text,
			   *end = files->text + files->len;

	if (text == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	for (int32_t id = 0; line < end && id < p->n; id++)
	{
		const char *stop = memchr(line, '\n', (size_t) (end - line));
		size_t		n = (size_t) ((stop != NULL ? stop : end) - line);

		if (p->to[id] >= 0)
		{
			memcpy(at, line, n);
			at += n;
			*at++ = '\n';
		}
		line += n + 1;
	}
	return dbert_overlay_put(over, dir, files->name, text, (size_t) (at - text), err);
}

/* ---- the files beside ---- */

/* Integers were read as reals, because one of them may be as large as 1e30. */
static void
restore_integers(json_t *value)
{
	const char *key;
	json_t	   *child;

	json_object_foreach(value, key, child)
	{
		double		x = json_real_value(child);

		if (json_is_real(child) && x == floor(x) && fabs(x) < 1e15)
			json_object_set_new(value, key, json_integer((json_int_t) x));
		else
			restore_integers(child);
	}
	for (size_t i = 0; i < json_array_size(value); i++)
		restore_integers(json_array_get(value, i));
}

/* tokenizer_config.json and added_tokens.json, where they were read. */
static DbertStatus
write_beside(const DbertTrimPlan *p, DbertVocabSource *files, const char *dir, DbertOverlay *over,
			 DbertError *err)
{
	DbertJsonTree *config = &files->trees[0],
			   *added = &files->trees[2];

	if (config->root != NULL)
	{
		dbert_json_pool_enter(&config->pool);
		restore_integers(config->root);
		renumber_keys(p, config->root, "added_tokens_decoder");
		dbert_json_pool_leave(&config->pool);
		DBERT_TRY(dbert_overlay_put_json(over, dir, "tokenizer_config.json", config,
										 DBERT_CONFIG_FORMAT, err));
	}
	if (added->root == NULL)
		return DBERT_OK;
	dbert_json_pool_enter(&added->pool);
	added->root = kept_tokens(p, added->root);
	dbert_json_pool_leave(&added->pool);
	return dbert_overlay_put_json(over, dir, "added_tokens.json", added, DBERT_CONFIG_FORMAT, err);
}

/* Whatever else a vocabulary might be read from. */
static DbertStatus
hide_others(const DbertTrimPlan *p, const char *dir, DbertOverlay *over, DbertError *err)
{
	DbertArena	arena = {p->alloc, NULL};
	DbertFileList list = {0};
	char		map[DBERT_FILE_NAME_MAX];
	DbertStatus status = dbert_vocab_source_list(over->under, dir, &arena, &list, err);

	if (status == DBERT_OK)
		status = dbert_file_join(map, dir, "special_tokens_map.json", err);
	for (size_t i = 0; i < list.count && status == DBERT_OK; i++)
		if (strcmp(list.names[i], map) != 0)
			status = dbert_overlay_hide(over, list.names[i], err);
	dbert_arena_end(&arena);
	return status;
}

DbertStatus
dbert_trim_tokenizer_write(const DbertTrimPlan *p, DbertVocabSource *files, const char *dir,
						   DbertOverlay *over, const DbertPoll *poll, DbertError *err)
{
	DbertJsonTree *tree = &files->trees[3];

	if (dbert_stopped(poll))
		return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
	if (files->form == DBERT_VOCAB_LINES)
		DBERT_TRY(cut_lines(p, files, dir, over, err));
	else
	{
		dbert_json_pool_enter(&tree->pool);
		cut_json(p, tree->root);
		dbert_json_pool_leave(&tree->pool);
		DBERT_TRY(dbert_overlay_put_json(over, dir, files->name, tree, VOCAB_FORMAT, err));
	}
	DBERT_TRY(write_beside(p, files, dir, over, err));
	return hide_others(p, dir, over, err);
}

/* ---- config.json ---- */

static bool
names_id(const char *key)
{
	size_t		n = strlen(key),
				tail = strlen("_token_id");

	return n > tail && strcmp(key + n - tail, "_token_id") == 0;
}

static void
need_ids(DbertTrimPlan *p, const json_t *value)
{
	if (json_is_integer(value) && json_integer_value(value) >= 0 &&
		json_integer_value(value) < p->n)
		p->needed[json_integer_value(value)] = true;
	for (size_t i = 0; i < json_array_size(value); i++)
		need_ids(p, json_array_get(value, i));
}

void
dbert_trim_config_needs(DbertTrimPlan *p, const json_t *config)
{
	const char *key;
	json_t	   *value;

	json_object_foreach((json_t *) config, key, value)
	{
		if (names_id(key))
			need_ids(p, value);
	}
}

void
dbert_trim_config_write(const DbertTrimPlan *p, json_t *config)
{
	const char *key;
	json_t	   *value;

	json_object_foreach(config, key, value)
	{
		if (names_id(key))
			json_object_set_new(config, key, renumbered(p, value));
	}
}
