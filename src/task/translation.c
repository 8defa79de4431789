/*
 * translation.c -- see translation.h.
 *
 * Equal sentences, of one text or of several, go through the model once.
 */
#include "task/translation.h"

#include "base/sort.h"
#include "nn/translate.h"
#include "text/chunk.h"
#include "text/sentences.h"
#include "text/utf8.h"

#include <string.h>

#define MARK_MAX 64				/* bytes of a language's token */

/* A sentence, or a part of one that is too long. */
typedef struct Part
{
	size_t		start,			/* bytes of its text */
				end;
	size_t		ids;			/* where its ids begin, */
	int32_t		count;			/* 0: it is copied as it is */
	size_t		sentence;		/* once they are numbered: the one with its ids */
} Part;

typedef struct Text
{
	const char *text;
	size_t		len;
	size_t		first;			/* part; the next text's is behind its last */
} Text;

struct DbertTranslation
{
	const DbertModel *model;
	DbertGeneration how;
	int32_t		language;
	const DbertAllocator *alloc;
	Text	   *texts;
	size_t		n_texts,
				texts_capacity;
	Part	   *parts;
	size_t		n_parts,
				parts_capacity;
	int32_t    *ids;
	size_t		n_ids,
				ids_capacity;
	DbertTokenList tokens;		/* of the sentence that is being added */
	DbertSentenceIds *sentences;	/* [n_parts], all different: */
	int			n_sentences;
	DbertTranslated *made;		/* [n_parts] of the sentences */
	int32_t    *room;			/* of their ids */
};

/* ---- languages ---- */

int32_t
dbert_language_token(const DbertModel *model, const char *language, size_t len)
{
	char		mark[MARK_MAX];

	if (len == 0 || len > MARK_MAX - 4)
		return -1;
	memcpy(mark, ">>", 2);
	memcpy(mark + 2, language, len);
	memcpy(mark + 2 + len, "<<", 2);
	return dbert_token_id(&model->tokenizer, mark, len + 4);
}

bool
dbert_token_language(const DbertModel *model, int32_t id, const char **name, size_t *len)
{
	const char *text = dbert_token_text(&model->tokenizer, id, len);

	if (*len < 5 || memcmp(text, ">>", 2) != 0 || memcmp(text + *len - 2, "<<", 2) != 0)
		return false;
	*name = text + 2;
	*len -= 4;
	return true;
}

/* ---- life ---- */

DbertStatus
dbert_translation_create(const DbertModel *model, const DbertGeneration *how, int32_t language,
						 const DbertAllocator *alloc, DbertTranslation **translation,
						 DbertError *err)
{
	DbertTranslation *t = dbert_alloc_zero(alloc, 1, sizeof(*t));

	*translation = t;
	if (t == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	t->model = model;
	t->how = *how;
	t->language = language;
	t->alloc = alloc;
	return DBERT_OK;
}

void
dbert_translation_free(DbertTranslation *t)
{
	if (t == NULL)
		return;
	dbert_token_list_free(&t->tokens, t->alloc);
	dbert_free(t->alloc, t->texts);
	dbert_free(t->alloc, t->parts);
	dbert_free(t->alloc, t->ids);
	dbert_free(t->alloc, t->sentences);
	dbert_free(t->alloc, t->made);
	dbert_free(t->alloc, t->room);
	dbert_free(t->alloc, t);
}

/* ---- adding ---- */

/* The tokens of a part behind those of others, with its language. */
static DbertStatus
append_part(DbertTranslation *t, Part part, DbertError *err)
{
	size_t		n = t->tokens.count + (t->language >= 0),
				own = t->tokens.count - dbert_template_size(t->model->tokenizer.single);

	if (!dbert_grow(t->alloc, &t->parts, &t->parts_capacity, t->n_parts, t->n_parts + 1,
					sizeof(*t->parts)) ||
		!dbert_grow(t->alloc, &t->ids, &t->ids_capacity, t->n_ids, t->n_ids + n,
					sizeof(*t->ids)))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	part.ids = t->n_ids;
	part.count = own > 0 ? (int32_t) n : 0;
	if (own > 0 && t->language >= 0)
		t->ids[t->n_ids++] = t->language;
	for (size_t i = 0; own > 0 && i < t->tokens.count; i++)
		t->ids[t->n_ids++] = t->tokens.items[i].id;
	t->parts[t->n_parts++] = part;
	return DBERT_OK;
}

/* *fits: the part has no more tokens than the model takes, and is added. */
static DbertStatus
add_part(DbertTranslation *t, const char *text, Part part, bool *fits, const DbertPoll *poll,
		 DbertError *err)
{
	int32_t		most = t->model->config.max_tokens - (t->language >= 0);
	bool		truncated;

	t->tokens.count = 0;
	DBERT_TRY(dbert_tokenize(&t->model->tokenizer, text + part.start, part.end - part.start, NULL,
							 0, most, t->alloc, poll, &t->tokens, &truncated, err));
	*fits = !truncated;
	return truncated ? DBERT_OK : append_part(t, part, err);
}

/* A sentence in pieces that the model takes. */
static DbertStatus
add_chunks(DbertTranslation *t, const char *text, Part part, const DbertChunk *chunks, int n,
		   const DbertPoll *poll, DbertError *err)
{
	DbertTextPlace place = dbert_text_begin(text + part.start, part.end - part.start);

	for (int i = 0; i < n; i++)
	{
		Part		piece = part;
		bool		fits;

		piece.start = (const char *) dbert_text_go(&place, chunks[i].start) - text;
		piece.end = (const char *) dbert_text_go(&place, chunks[i].end) - text;
		DBERT_TRY(add_part(t, text, piece, &fits, poll, err));
		if (!fits)
			return dbert_fail(err, DBERT_E_INTERNAL, "a part of a sentence is too long");
	}
	return DBERT_OK;
}

static DbertStatus
add_sentence(DbertTranslation *t, const char *text, DbertSentenceBytes s, const DbertPoll *poll,
			 DbertError *err)
{
	Part		part = {.start = s.start, .end = s.end};
	DbertChunk *chunks;
	bool		fits;
	int			n;
	DbertStatus status;

	DBERT_TRY(add_part(t, text, part, &fits, poll, err));
	if (fits)
		return DBERT_OK;
	DBERT_TRY(dbert_chunk(&t->model->tokenizer, text + s.start, s.end - s.start,
						  t->model->config.max_tokens - (t->language >= 0), 0, t->alloc, poll,
						  &chunks, &n, err));
	status = add_chunks(t, text, part, chunks, n, poll, err);
	dbert_free(t->alloc, chunks);
	return status;
}

DbertStatus
dbert_translation_add(DbertTranslation *t, const char *text, size_t len, const DbertPoll *poll,
					  DbertError *err)
{
	size_t		parts = t->n_parts,
				ids = t->n_ids;
	DbertSentenceBytes s = {0, 0};
	DbertStatus status = DBERT_OK;

	if (!dbert_grow(t->alloc, &t->texts, &t->texts_capacity, t->n_texts, t->n_texts + 1,
					sizeof(*t->texts)))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	while (status == DBERT_OK && dbert_next_sentence(text, len, s.end, &s))
		status = add_sentence(t, text, s, poll, err);
	if (status == DBERT_OK)
	{
		t->texts[t->n_texts++] = (Text) {text, len, parts};
		return DBERT_OK;
	}
	t->n_parts = parts;
	t->n_ids = ids;
	return status;
}

/* ---- running ---- */

/* A part among all, to be sorted by its ids. */
typedef struct Numbered
{
	DbertSentenceIds sentence;
	size_t		part;
} Numbered;

static int
compare_sentences(const void *x, const void *y)
{
	const DbertSentenceIds *a = &((const Numbered *) x)->sentence,
			   *b = &((const Numbered *) y)->sentence;

	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	return memcmp(a->ids, b->ids, (size_t) a->count * sizeof(*a->ids));
}

/* Let each part's sentence be the first part with the same ids. */
static DbertStatus
find_equal(DbertTranslation *t, Numbered *sorted, const DbertPoll *poll, DbertError *err)
{
	size_t		n = 0;

	for (size_t i = 0; i < t->n_parts; i++)
		if (t->parts[i].count > 0)
			sorted[n++] = (Numbered) {{t->ids + t->parts[i].ids, t->parts[i].count}, i};
	DBERT_TRY(dbert_sort(sorted, n, sizeof(*sorted), compare_sentences, t->alloc, poll, err));
	for (size_t i = 0; i < n; i++)
	{
		bool		same = i > 0 && compare_sentences(&sorted[i - 1], &sorted[i]) == 0;

		t->parts[sorted[i].part].sentence =
			same ? t->parts[sorted[i - 1].part].sentence : sorted[i].part;
	}
	return DBERT_OK;
}

/* Number the different sentences by their places. */
static int
number_sentences(DbertTranslation *t)
{
	int			n = 0;

	for (size_t i = 0; i < t->n_parts; i++)
	{
		Part	   *part = &t->parts[i];

		if (part->count == 0)
			continue;
		if (part->sentence != i)
			part->sentence = t->parts[part->sentence].sentence;
		else
		{
			part->sentence = (size_t) n;
			t->sentences[n++] = (DbertSentenceIds) {t->ids + part->ids, part->count};
		}
	}
	return n;
}

DbertStatus
dbert_translation_prepare(DbertTranslation *t, const DbertPoll *poll, DbertError *err)
{
	Numbered   *sorted = dbert_alloc_array(t->alloc, t->n_parts, sizeof(*sorted));
	DbertStatus status;

	t->sentences = dbert_alloc_array(t->alloc, t->n_parts, sizeof(*t->sentences));
	t->made = dbert_alloc_zero(t->alloc, t->n_parts, sizeof(*t->made));
	if (sorted == NULL || t->sentences == NULL || t->made == NULL || t->n_parts > INT32_MAX)
		status = dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	else
		status = find_equal(t, sorted, poll, err);
	dbert_free(t->alloc, sorted);
	if (status == DBERT_OK)
		t->n_sentences = number_sentences(t);
	return status;
}

bool
dbert_translation_memory(const DbertTranslation *t, int rows, int threads, size_t *bytes)
{
	return dbert_translate_memory(t->model, &t->how, t->sentences, t->n_sentences, rows, threads,
								  bytes);
}

DbertStatus
dbert_translation_run(DbertTranslation *t, int rows, DbertThreads *pool, const DbertPoll *poll,
					  DbertError *err)
{
	return dbert_translate(t->model, &t->how, t->sentences, t->n_sentences, rows, pool, t->alloc,
						   poll, t->made, &t->room, err);
}

size_t
dbert_translation_tokens(const DbertTranslation *t)
{
	return t->n_ids;
}

int
dbert_translation_limited(const DbertTranslation *t)
{
	int			limited = 0;

	for (size_t i = 0; i < t->n_parts; i++)
	{
		const DbertTranslated *made = &t->made[t->parts[i].sentence];

		limited += t->parts[i].count > 0 && made->finite && !made->ended;
	}
	return limited;
}

/* ---- what came of it ---- */

/* A text that grows. */
typedef struct Written
{
	char	   *text;
	size_t		len,
				capacity;
} Written;

static DbertStatus
write_bytes(const DbertTranslation *t, Written *w, const char *from, size_t len, DbertError *err)
{
	size_t		total;

	if (!dbert_add_size(w->len, len, &total) ||
		!dbert_grow(t->alloc, &w->text, &w->capacity, w->len, total + 1, 1))
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	if (len > 0)
		memcpy(w->text + w->len, from, len);
	w->len = total;
	return DBERT_OK;
}

/* A translation without the spaces at its ends. */
static DbertStatus
write_made(const DbertTranslation *t, Written *w, const DbertTranslated *made, DbertError *err)
{
	char	   *text;
	size_t		len,
				start = 0;
	DbertStatus status;

	if (!made->finite)
		return dbert_fail(err, DBERT_E_NOT_FINITE, "the model has no finite answer for a text");
	DBERT_TRY(dbert_decode(&t->model->tokenizer, made->ids, made->count, true, t->alloc, &text,
						   &len, err));
	while (len > 0 && text[len - 1] == ' ')
		len--;
	while (start < len && text[start] == ' ')
		start++;
	status = write_bytes(t, w, text + start, len - start, err);
	dbert_free(t->alloc, text);
	return status;
}

static DbertStatus
write_text(const DbertTranslation *t, int i, Written *w, DbertError *err)
{
	const Text *text = &t->texts[i];
	size_t		end = (size_t) i + 1 < t->n_texts ? text[1].first : t->n_parts,
				at = 0;

	for (size_t p = text->first; p < end; p++)
	{
		const Part *part = &t->parts[p];

		DBERT_TRY(write_bytes(t, w, text->text + at, part->start - at, err));
		if (part->count > 0)
			DBERT_TRY(write_made(t, w, &t->made[part->sentence], err));
		else
			DBERT_TRY(write_bytes(t, w, text->text + part->start, part->end - part->start, err));
		at = part->end;
	}
	return write_bytes(t, w, text->text + at, text->len - at, err);
}

DbertStatus
dbert_translation_text(const DbertTranslation *t, int i, char **text, size_t *len,
					   DbertError *err)
{
	Written		w = {0};
	DbertStatus status = write_text(t, i, &w, err);

	if (status != DBERT_OK)
	{
		dbert_free(t->alloc, w.text);
		w.text = NULL;
	}
	*text = w.text;
	*len = w.len;
	return status;
}
