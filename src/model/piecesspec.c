/*
 * piecesspec.c -- see piecesspec.h.
 *
 * The classes differ in which ids pieces have, and in the steps.  XLM-R and
 * CamemBERT put fairseq's tokens before the pieces and the mask behind them.
 * ALBERT lowers the score of long pieces that end in a comma behind a digit, so
 * that numbers are not cut after it.
 *
 * Source: transformers 4.57, convert_slow_tokenizer.py.
 */
#include "model/piecesspec.h"

#include <stdio.h>
#include <string.h>

#define COMMA_PENALTY 100

/* Of "<unk>NOTUSED", behind the four that XLM-R has, too. */
#define UNUSED_SCORE (-100)

/* What a class makes of the vocabulary. */
typedef struct Layout
{
	const char *class;
	const char *front[6];		/* tokens before the pieces */
	int			n_front;
	int32_t		first;			/* the piece that follows them */
	bool		mask;			/* "<mask>" follows the last piece */
	int			unk_id;			/* -1: the model's */
	DbertStatus (*steps) (const DbertPieces *pieces, const DbertJson *config, DbertTokenSpec *t,
						  DbertError *err);
} Layout;

/* ---- steps ---- */

static void
add_normalizer(DbertTokenSpec *t, DbertStepSpec step)
{
	t->normalizers[t->spec.n_normalizers++] = step;
}

static void
add_replacement(DbertTokenSpec *t, DbertReplaceMode mode, const char *text, const char *by)
{
	add_normalizer(t, (DbertStepSpec) {.kind = DBERT_STEP_REPLACE, .mode = mode, .text = text,
				   .len = strlen(text), .more = by, .more_len = strlen(by)});
}

static DbertStatus
add_charsmap(const DbertPieces *pieces, DbertTokenSpec *t, DbertError *err)
{
	char		what[DBERT_FILE_NAME_MAX + 64];
	DbertStepSpec step;

	if (pieces->charsmap_size == 0)
		return DBERT_OK;
	snprintf(what, sizeof(what), "%.255s: precompiled_charsmap", t->file);
	DBERT_TRY(dbert_token_spec_charsmap(pieces->charsmap, pieces->charsmap_size, what, &step,
										err));
	add_normalizer(t, step);
	return DBERT_OK;
}

static DbertStatus
add_metaspace(const DbertJson *config, DbertTokenSpec *t, DbertError *err)
{
	bool		prefix = true;

	DBERT_TRY(dbert_json_bool(config, "add_prefix_space", &prefix, err));
	t->splitters[t->spec.n_splitters++] = (DbertStepSpec)
	{
		.kind = DBERT_STEP_METASPACE,
		.mode = DBERT_METASPACE_SPLIT | (prefix ? DBERT_METASPACE_ALWAYS : DBERT_METASPACE_NEVER)
	};
	return DBERT_OK;
}

static DbertStatus
roberta_steps(const DbertPieces *pieces, const DbertJson *config, DbertTokenSpec *t,
			  DbertError *err)
{
	DBERT_TRY(add_charsmap(pieces, t, err));
	add_normalizer(t, (DbertStepSpec) {.kind = DBERT_STEP_STRIP, .mode = DBERT_STRIP_RIGHT});
	add_replacement(t, DBERT_REPLACE_SPACES, "", "\xe2\x96\x81");
	return add_metaspace(config, t, err);
}

static DbertStatus
deberta_steps(const DbertPieces *pieces, const DbertJson *config, DbertTokenSpec *t,
			  DbertError *err)
{
	bool		lowercase = false,
				punctuation = false;

	DBERT_TRY(dbert_json_bool(config, "do_lower_case", &lowercase, err));
	DBERT_TRY(dbert_json_bool(config, "split_by_punct", &punctuation, err));
	if (lowercase)
		add_normalizer(t, (DbertStepSpec) {.kind = DBERT_STEP_LOWERCASE});
	add_normalizer(t, (DbertStepSpec) {.kind = DBERT_STEP_STRIP,
				   .mode = DBERT_STRIP_LEFT | DBERT_STRIP_RIGHT});
	DBERT_TRY(add_charsmap(pieces, t, err));
	add_replacement(t, DBERT_REPLACE_SPACES, "", " ");
	if (punctuation)
		t->splitters[t->spec.n_splitters++] = (DbertStepSpec) {.kind = DBERT_STEP_SPLIT_AT};
	return add_metaspace(config, t, err);
}

static DbertStatus
albert_steps(const DbertPieces *pieces, const DbertJson *config, DbertTokenSpec *t,
			 DbertError *err)
{
	bool		lowercase = true,
				accents = false;

	DBERT_TRY(dbert_json_bool(config, "do_lower_case", &lowercase, err));
	DBERT_TRY(dbert_json_bool(config, "keep_accents", &accents, err));
	add_replacement(t, DBERT_REPLACE_TEXT, "``", "\"");
	add_replacement(t, DBERT_REPLACE_TEXT, "''", "\"");
	if (!accents)
	{
		add_normalizer(t, (DbertStepSpec) {.kind = DBERT_STEP_NFKD});
		add_normalizer(t, (DbertStepSpec) {.kind = DBERT_STEP_STRIP_ACCENTS});
	}
	if (lowercase)
		add_normalizer(t, (DbertStepSpec) {.kind = DBERT_STEP_LOWERCASE});
	DBERT_TRY(add_charsmap(pieces, t, err));
	add_replacement(t, DBERT_REPLACE_SPACES, "", " ");
	return add_metaspace(config, t, err);
}

static const Layout layouts[] = {
	{"XLMRoberta", {"<s>", "<pad>", "</s>", "<unk>"}, 4, 3, true, 3, roberta_steps},
	{"Camembert", {"<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED"}, 5, 1, true, 3,
	roberta_steps},
	{"DebertaV2", {NULL}, 0, 0, false, -1, deberta_steps},
	{"Albert", {NULL}, 0, 0, false, -1, albert_steps},
};

static const Layout *
layout_of(const DbertTokenizerClass *class)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (strcmp(layouts[i].class, class->name) == 0)
			return &layouts[i];
	return NULL;
}

/* ---- the vocabulary ---- */

static bool
ends_in_digit_comma(const DbertPiece *p)
{
	return p->len >= 2 && p->text[p->len - 1] == ',' && p->text[p->len - 2] >= '0' &&
		p->text[p->len - 2] <= '9';
}

static DbertStatus
put(DbertTokenSpec *t, int64_t id, const char *text, double score, DbertError *err)
{
	DBERT_TRY(dbert_token_spec_put(t, id, text, strlen(text), err));
	t->scores[id] = score;
	return DBERT_OK;
}

static DbertStatus
put_all(const DbertPieces *pieces, const Layout *layout, DbertTokenSpec *t, DbertError *err)
{
	bool		albert = layout->steps == albert_steps;
	int64_t		id = 0;

	for (; id < layout->n_front; id++)
		DBERT_TRY(put(t, id, layout->front[id], id == 4 ? UNUSED_SCORE : 0, err));
	for (int32_t i = layout->first; i < pieces->n; i++, id++)
	{
		const DbertPiece *p = &pieces->pieces[i];

		DBERT_TRY(put(t, id, p->text,
					  (double) p->score - (albert && ends_in_digit_comma(p) ? COMMA_PENALTY : 0),
					  err));
	}
	return layout->mask ? put(t, id, "<mask>", 0, err) : DBERT_OK;
}

DbertStatus
dbert_pieces_spec(const DbertPieces *pieces, const DbertTokenizerClass *class,
				  const DbertJson *config, DbertTokenSpec *t, DbertError *err)
{
	const Layout *layout = layout_of(class);

	if (layout == NULL || pieces->model != DBERT_PIECES_UNIGRAM)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: a SentencePiece model of class \"%s\" is not supported", t->file,
						  class->name);
	t->spec.kind = DBERT_KIND_UNIGRAM;
	t->spec.split_by_steps = true;
	t->spec.clean_text = t->spec.split_cjk = t->spec.lowercase = false;
	t->strip_accents = 0;
	DBERT_TRY(dbert_token_spec_scores(t, err));
	DBERT_TRY(put_all(pieces, layout, t, err));
	t->role[DBERT_SPECIAL_UNK] =
		t->tokens[layout->unk_id >= 0 ? layout->unk_id : pieces->unk_id];
	DBERT_TRY(layout->steps(pieces, config, t, err));
	return dbert_token_spec_index_once(t, err);
}

DbertStatus
dbert_pieces_add(const DbertPieces *pieces, DbertTokenSpec *t, DbertError *err)
{
	for (int32_t i = 0; i < pieces->n; i++)
	{
		const DbertPiece *p = &pieces->pieces[i];
		DbertAddedToken token = {.text = p->text, .len = p->len, .id = -1,
		.special = p->type == DBERT_PIECE_CONTROL};

		if ((p->type == DBERT_PIECE_CONTROL || p->type == DBERT_PIECE_USER) &&
			dbert_token_spec_find(t, p->text) >= 0)
			DBERT_TRY(dbert_token_spec_add(t, &token, err));
	}
	return DBERT_OK;
}
