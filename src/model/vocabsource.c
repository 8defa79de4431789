/* vocabsource.c -- see vocabsource.h. */
#include "model/vocabsource.h"

#include <string.h>

/* Where a vocabulary may be. */
static const struct
{
	const char *name,
			   *beside;			/* a second file, or NULL */
	DbertVocabForm form;
}			places[] = {		/* the first that is there counts */
	{"tokenizer.json", NULL, DBERT_VOCAB_TOKENIZER},
	{"source.spm", "vocab.json", DBERT_VOCAB_TWO},
	{"vocab.json", "merges.txt", DBERT_VOCAB_MERGES},
	{"sentencepiece.bpe.model", NULL, DBERT_VOCAB_PIECES},
	{"spiece.model", NULL, DBERT_VOCAB_PIECES},
	{"spm.model", NULL, DBERT_VOCAB_PIECES},
	{"tokenizer.model", NULL, DBERT_VOCAB_PIECES},
	{"vocab.txt", "bpe.codes", DBERT_VOCAB_CODES},
	{"vocab.txt", NULL, DBERT_VOCAB_LINES}
};

#define N_PLACES (sizeof(places) / sizeof(places[0]))

/* What stands beside any of them. */
static const char *const others[] = {
	"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "target.spm"
};

#define N_OTHERS (sizeof(others) / sizeof(others[0]))

static DbertStatus
load_object(const DbertSource *source, const char *dir, const char *name, size_t max, int flags,
			const DbertAllocator *alloc, const DbertPoll *poll, DbertJsonTree *tree,
			DbertJson *at, DbertError *err)
{
	DBERT_TRY(dbert_json_load(source, dir, name, max, flags, true, alloc, poll, tree, at, err));
	return at->value != NULL ? dbert_json_expect(at, JSON_OBJECT, err) : DBERT_OK;
}

static DbertStatus
load_bytes(const DbertSource *source, const char *dir, const char *name,
		   const DbertAllocator *alloc, const DbertPoll *poll, char **text, size_t *len,
		   DbertError *err)
{
	char		path[DBERT_FILE_NAME_MAX];

	DBERT_TRY(dbert_file_join(path, dir, name, err));
	return dbert_file_load(source, path, DBERT_VOCAB_MAX, alloc, poll, text, len, err);
}

/* *place = the first one whose files are there. */
static DbertStatus
find_place(const DbertSource *source, const char *dir, size_t *place, DbertError *err)
{
	const char *slash = dir[0] != '\0' ? "/" : "";
	bool		translates;

	for (*place = 0; *place < N_PLACES; (*place)++)
	{
		bool		exists,
					beside = true;

		DBERT_TRY(dbert_file_exists(source, dir, places[*place].name, &exists, err));
		if (exists && places[*place].beside != NULL)
			DBERT_TRY(dbert_file_exists(source, dir, places[*place].beside, &beside, err));
		if (exists && beside)
			return DBERT_OK;
	}
	DBERT_TRY(dbert_file_exists(source, dir, "target.spm", &translates, err));
	if (translates)
		return dbert_fail(err, DBERT_E_FORMAT,
						  "the model has \"target.spm\", but not both \"source.spm\" and "
						  "\"vocab.json\"");
	return dbert_fail(err, DBERT_E_FORMAT,
					  "the model has neither \"%s%s%s\" nor \"%s%s%s\"", dir, slash,
					  places[0].name, dir, slash, places[N_PLACES - 1].name);
}

DbertStatus
dbert_vocab_source_load(const DbertSource *source, const char *dir, const DbertAllocator *alloc,
						const DbertPoll *poll, DbertVocabSource *f, DbertError *err)
{
	size_t		i;

	DBERT_TRY(load_object(source, dir, "tokenizer_config.json", DBERT_JSON_MAX, DBERT_JSON_REALS,
						  alloc, poll, &f->trees[0], &f->config, err));
	/* newer models say all of it in tokenizer_config.json */
	if (json_object_get(f->config.value, "added_tokens_decoder") == NULL)
	{
		DBERT_TRY(load_object(source, dir, "special_tokens_map.json", DBERT_JSON_MAX,
							  DBERT_JSON_REALS, alloc, poll, &f->trees[1], &f->special_map, err));
		DBERT_TRY(load_object(source, dir, "added_tokens.json", DBERT_JSON_MAX, 0, alloc, poll,
							  &f->trees[2], &f->added_map, err));
	}
	DBERT_TRY(find_place(source, dir, &i, err));
	f->name = places[i].name;
	f->form = places[i].form;
	if (f->form == DBERT_VOCAB_TOKENIZER || f->form == DBERT_VOCAB_MERGES)
		DBERT_TRY(load_object(source, dir, f->name, DBERT_VOCAB_MAX, 0, alloc, poll, &f->trees[3],
							  &f->vocab, err));
	else
		DBERT_TRY(load_bytes(source, dir, f->name, alloc, poll, &f->text, &f->len, err));
	if (f->form == DBERT_VOCAB_TWO)
		DBERT_TRY(load_object(source, dir, places[i].beside, DBERT_VOCAB_MAX, 0, alloc, poll,
							  &f->trees[3], &f->vocab, err));
	if (places[i].beside == NULL)
		return DBERT_OK;
	return load_bytes(source, dir,
					  f->form == DBERT_VOCAB_TWO ? "target.spm" : places[i].beside, alloc, poll,
					  &f->beside, &f->beside_len, err);
}

void
dbert_vocab_source_free(DbertVocabSource *f, const DbertAllocator *alloc)
{
	for (size_t i = 0; i < sizeof(f->trees) / sizeof(f->trees[0]); i++)
		dbert_json_free(&f->trees[i]);
	dbert_free(alloc, f->text);
	dbert_free(alloc, f->beside);
}

DbertStatus
dbert_vocab_source_list(const DbertSource *source, const char *dir, DbertArena *arena,
						DbertFileList *list, DbertError *err)
{
	for (size_t i = 0; i < N_PLACES; i++)
	{
		DBERT_TRY(dbert_file_list_add(list, arena, source, dir, places[i].name, err));
		if (places[i].beside != NULL)
			DBERT_TRY(dbert_file_list_add(list, arena, source, dir, places[i].beside, err));
	}
	for (size_t i = 0; i < N_OTHERS; i++)
		DBERT_TRY(dbert_file_list_add(list, arena, source, dir, others[i], err));
	return DBERT_OK;
}

bool
dbert_is_tokenizer_file(const char *name)
{
	bool		is = false;

	for (size_t i = 0; i < N_PLACES; i++)
		is |= strcmp(name, places[i].name) == 0 ||
			(places[i].beside != NULL && strcmp(name, places[i].beside) == 0);
	for (size_t i = 0; i < N_OTHERS; i++)
		is |= strcmp(name, others[i]) == 0;
	return is;
}
