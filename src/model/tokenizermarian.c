/*
 * tokenizermarian.c -- Marian's tokenizer: source.spm cuts a text into pieces,
 * vocab.json tells their ids.
 *
 * The two do not agree.  vocab.json has the pieces of target.spm, too, which no
 * text is cut into; and it lacks pieces of source.spm that never occurred when
 * the model was trained, which are unknown then.  The text is treated by
 * SentencePiece itself, not by Hugging Face's tokenizers: its map takes the
 * longest key, its scores are floats.
 *
 * Behind a text stands "</s>", before it nothing.
 *
 * Source: transformers' tokenization_marian.py; SentencePiece's normalizer.cc
 * and unigram_model.cc.
 */
#include "model/piecesspec.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define END "</s>"

static DbertStatus
refuse_pieces(const DbertPieces *pieces, const char *file, DbertError *err)
{
	char		clip[DBERT_CLIP];

	if (pieces->model != DBERT_PIECES_UNIGRAM || pieces->byte_fallback || pieces->other_spaces)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: only a unigram model without bytes, which puts a space before a "
						  "text and removes further ones, is supported",
						  file);
	for (int32_t i = 0; i < pieces->n; i++)
	{
		const DbertPiece *p = &pieces->pieces[i];

		if (p->type == DBERT_PIECE_USER || p->type == DBERT_PIECE_BYTE)
			return dbert_fail(err, DBERT_E_UNSUPPORTED,
							  "%s: piece \"%s\" is of type %d, which is not supported", file,
							  dbert_clip(p->text, clip), (int) p->type);
	}
	return DBERT_OK;
}

static DbertStatus
refuse_settings(const DbertJson *config, DbertError *err)
{
	bool		separate = false;
	DbertJson	more;

	DBERT_TRY(dbert_json_bool(config, "separate_vocabs", &separate, err));
	if (separate)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: \"separate_vocabs\" is not supported",
						  config->where);
	DBERT_TRY(dbert_json_child(config, "sp_model_kwargs", JSON_OBJECT, &more, err));
	if (more.value != NULL && json_object_size(more.value) > 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: \"sp_model_kwargs\" is not supported",
						  config->where);
	return DBERT_OK;
}

static DbertStatus
add_steps(const DbertPieces *pieces, DbertTokenSpec *t, DbertError *err)
{
	DbertStepSpec map,
			   *steps = t->normalizers;
	int32_t		n = 0;

	if (pieces->charsmap_size > 0)
	{
		DBERT_TRY(dbert_token_spec_charsmap(pieces->charsmap, pieces->charsmap_size,
											"source.spm: precompiled_charsmap", &map, err));
		map.kind = DBERT_STEP_LONGEST_MAP;
		steps[n++] = map;
	}
	steps[n++] = (DbertStepSpec) {.kind = DBERT_STEP_STRIP,
	.mode = DBERT_STRIP_LEFT | DBERT_STRIP_RIGHT};
	steps[n++] = (DbertStepSpec) {.kind = DBERT_STEP_REPLACE, .mode = DBERT_REPLACE_SPACES,
	.text = "", .more = " ", .more_len = 1};
	t->spec.n_normalizers = n;
	t->splitters[0] = (DbertStepSpec) {.kind = DBERT_STEP_METASPACE,
	.mode = DBERT_METASPACE_ALWAYS};
	t->spec.n_splitters = 1;
	return DBERT_OK;
}

/* The texts that stand around one. */
static DbertStatus
add_template(DbertTokenSpec *t, DbertError *err)
{
	int32_t		end = dbert_token_spec_find(t, END);

	if (end < 0)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: the vocabulary has no token \"%s\"", t->file,
						  END);
	t->single = (DbertTemplate) {.ids = {end}, .tail = 1};
	t->pair = t->single;
	t->spec.single = &t->single;
	t->spec.pair = &t->pair;
	return DBERT_OK;
}

DbertStatus
dbert_marian_spec(const DbertPieces *pieces, const DbertJson *vocab, const DbertJson *config,
				  DbertTokenSpec *t, DbertError *err)
{
	t->spec.kind = DBERT_KIND_UNIGRAM;
	t->spec.split_by_steps = t->spec.float_sums = true;
	t->spec.clean_text = t->spec.split_cjk = t->spec.lowercase = false;
	t->strip_accents = 0;
	DBERT_TRY(refuse_settings(config, err));
	DBERT_TRY(refuse_pieces(pieces, t->file, err));
	t->file = vocab->where;
	DBERT_TRY(dbert_tokenizer_vocab_read(vocab, t, err));
	if (t->spec.n_tokens != t->limit)
		return dbert_fail(err, DBERT_E_SHAPE, "%s: %d tokens, but the word embedding has %d rows",
						  vocab->where, (int) t->spec.n_tokens, (int) t->limit);
	DBERT_TRY(add_template(t, err));
	return add_steps(pieces, t, err);
}

/* Room for tokens behind the model's own. */
static DbertStatus
make_room(int32_t more, DbertTokenSpec *t, DbertError *err)
{
	size_t		n = (size_t) t->limit + (size_t) more;
	const char **tokens = dbert_arena_alloc(t->arena, n, sizeof(*tokens));
	size_t	   *lens = dbert_arena_alloc(t->arena, n, sizeof(*lens));

	if (tokens == NULL || lens == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	memcpy(tokens, t->tokens, (size_t) t->limit * sizeof(*tokens));
	memcpy(lens, t->lens, (size_t) t->limit * sizeof(*lens));
	t->spec.tokens = t->tokens = tokens;
	t->spec.token_lens = t->lens = lens;
	t->limit += more;
	return dbert_token_spec_scores(t, err);
}

DbertStatus
dbert_marian_add(const DbertPieces *pieces, DbertTokenSpec *t, DbertError *err)
{
	t->spec.n_known = t->spec.n_tokens;
	DBERT_TRY(make_room(pieces->n, t, err));
	for (int32_t id = 0; id < t->limit; id++)
		t->scores[id] = -INFINITY;
	for (int32_t i = 0; i < pieces->n; i++)
	{
		const DbertPiece *p = &pieces->pieces[i];
		int32_t		id = dbert_token_spec_find(t, p->text);

		if (p->type != DBERT_PIECE_NORMAL || p->len == 0)
			continue;
		if (id < 0)
		{
			id = t->spec.n_tokens;
			DBERT_TRY(dbert_token_spec_put(t, id, p->text, p->len, err));
		}
		t->scores[id] = p->score;
	}
	return DBERT_OK;
}
