/*
 * translate.c -- see translate.h.
 *
 * Sentences go in groups, short enough for the decoder's memory to be bounded.
 * A group is encoded as a ragged batch; then all of its sentences take one step
 * after another, and those that are done leave.
 *
 * A hypothesis' keys and values stay in its slot.  When hypotheses go on, the
 * first child of each keeps its slot, and others copy it into slots that have
 * become free; so nothing is moved where beams do not fork.
 */
#include "nn/translate.h"

#include "nn/decoder.h"
#include "nn/encoder.h"
#include "nn/search.h"
#include "base/layout.h"

#include <string.h>

/* A group has so many tokens, or one sentence. */
#define GROUP_TOKENS 2048

/* One translation of a group. */
typedef struct Sentence
{
	DbertSearch search;
	int			number;			/* among the caller's */
	int			slot[DBERT_MAX_BEAMS];	/* of its hypotheses, then those that are free */
	bool		failed;
} Sentence;

typedef struct Group
{
	const DbertModel *model;
	const DbertGeneration *how;
	DbertThreads *pool;
	const DbertAllocator *alloc;
	const DbertPoll *poll;
	DbertError *err;

	int			n;				/* sentences */
	Sentence   *sentences;
	int32_t    *cu,
			   *ids,
			   *tokens;			/* of the searches */
	float	   *hidden,
			   *workspace;
	DbertDecoderRow *rows;
	void	   *memory;			/* of all these */
	DbertDecoder decoder;
	bool		begun;			/* the decoder is */
} Group;

static bool
place(Group *g, size_t tokens, size_t longest, size_t sentences, int threads, DbertLayout *l)
{
	size_t		floats;

	if (!dbert_encoder_workspace(&g->model->config, tokens, longest, threads, &floats))
		return false;
	g->sentences = dbert_layout_place(l, sentences, 1, sizeof(Sentence));
	g->cu = dbert_layout_place(l, sentences + 1, 1, sizeof(int32_t));
	g->ids = dbert_layout_place(l, tokens, 1, sizeof(int32_t));
	g->tokens = dbert_layout_place(l, sentences, dbert_search_room(g->how), sizeof(int32_t));
	g->rows = dbert_layout_place(l, sentences, g->how->beams * sizeof(DbertDecoderRow), 1);
	g->hidden = dbert_layout_floats(l, tokens, g->model->config.hidden);
	g->workspace = dbert_layout_floats(l, 1, floats);
	return !l->overflow;
}

static size_t
most_sentences(const DbertGeneration *how, int rows)
{
	return rows < how->beams ? 1 : rows / how->beams;
}

bool
dbert_translate_memory(const DbertModel *model, const DbertGeneration *how, int rows, int threads,
					   size_t *bytes)
{
	Group		g = {.model = model, .how = how};
	DbertLayout l = {0};
	size_t		longest = model->config.positions,
				tokens = longest > GROUP_TOKENS ? longest : GROUP_TOKENS,
				of_group;

	return place(&g, tokens, longest, most_sentences(how, rows), threads, &l) &&
		   dbert_layout_bytes(&l, &of_group) &&
		   dbert_decoder_memory(&model->config, tokens,
								(int) most_sentences(how, rows) * how->beams, how->max_length,
								threads, bytes) &&
		   dbert_add_size(*bytes, of_group, bytes);
}

/* ---- a group ---- */

static DbertStatus
encode(Group *g, const DbertSentenceIds *sentences, int first)
{
	DbertRagged ragged = {.n_texts = g->n, .pool = g->pool};
	size_t		tokens = 0,
				longest = 0,
				bytes;
	int			threads = dbert_threads_count(g->pool);
	DbertLayout l = {0};

	for (int i = 0; i < g->n; i++)
	{
		size_t		count = sentences[first + i].count;

		tokens += count;
		longest = count > longest ? count : longest;
	}
	if (place(g, tokens, longest, g->n, threads, &l) && dbert_layout_bytes(&l, &bytes))
		g->memory = dbert_alloc(g->alloc, bytes);
	if (g->memory == NULL)
		return dbert_fail(g->err, DBERT_E_NOMEM, "out of memory for %d sentences", g->n);
	l = dbert_layout_in(g->memory);
	(void) place(g, tokens, longest, g->n, threads, &l);
	g->cu[0] = 0;
	for (int i = 0; i < g->n; i++)
	{
		const DbertSentenceIds *s = &sentences[first + i];

		memcpy(g->ids + g->cu[i], s->ids, s->count * sizeof(int32_t));
		g->cu[i + 1] = g->cu[i] + s->count;
	}
	ragged.cu = g->cu;
	ragged.ids = g->ids;
	return dbert_encode(g->model, &ragged, g->hidden, g->workspace, g->poll, NULL, NULL, g->err);
}

static void
begin_searches(Group *g, int first)
{
	for (int i = 0; i < g->n; i++)
	{
		Sentence   *s = &g->sentences[i];

		s->number = first + i;
		s->failed = false;
		for (int b = 0; b < g->how->beams; b++)
			s->slot[b] = i * g->how->beams + b;
		dbert_search_begin(&s->search, g->how, g->model->config.vocab,
						   g->tokens + i * dbert_search_room(g->how));
	}
}

/* Those that go on: rows of the next step. */
static int
collect_rows(Group *g)
{
	int			n = 0;

	for (int i = 0; i < g->n; i++)
	{
		const Sentence *s = &g->sentences[i];

		for (int h = 0; h < s->search.n && !s->search.done; h++)
			g->rows[n++] = (DbertDecoderRow) {
				.id = s->search.now[h].last, .slot = s->slot[h], .sentence = i
			};
	}
	return n;
}

/* Slots for the hypotheses that go on, of so many tokens. */
static void
assign_slots(Group *g, Sentence *s, int steps)
{
	const DbertSearch *search = &s->search;
	int			beams = g->how->beams,
				slot[DBERT_MAX_BEAMS],
				n_free = 0;
	int			free[DBERT_MAX_BEAMS];
	bool		kept[DBERT_MAX_BEAMS] = {false};

	for (int h = 0; h < search->n; h++)
	{
		int			parent = search->now[h].parent;

		slot[h] = kept[parent] ? -1 : s->slot[parent];
		kept[parent] = true;
	}
	for (int b = 0; b < beams; b++)
		if (!kept[b])
			free[n_free++] = s->slot[b];
	for (int h = 0; h < search->n; h++)
		if (slot[h] < 0)
		{
			slot[h] = free[--n_free];
			dbert_decoder_copy(&g->decoder, s->slot[search->now[h].parent], slot[h], steps);
		}
	memcpy(s->slot, slot, search->n * sizeof(int));
	memcpy(s->slot + search->n, free, n_free * sizeof(int));
}

/* Each sentence reads its rows of logits. */
static DbertStatus
take_step(Group *g, int step)
{
	float	   *logits = g->decoder.logits;

	for (int i = 0; i < g->n; i++)
	{
		Sentence   *s = &g->sentences[i];
		int			n = s->search.n;

		if (s->search.done)
			continue;
		DBERT_TRY(dbert_run_poll(&g->decoder.run));
		s->failed = !dbert_search_step(&s->search, logits);
		s->search.done |= s->failed;
		logits += (size_t) n * g->model->config.vocab;
		if (!s->search.done)
			assign_slots(g, s, step + 1);
	}
	return DBERT_OK;
}

static DbertStatus
decode(Group *g)
{
	int			n;

	g->begun = true;
	DBERT_TRY(dbert_decoder_begin(&g->decoder, g->model, g->cu, g->n, g->hidden,
								  g->n * g->how->beams, g->pool, g->alloc, g->poll, g->err));
	for (int step = 0; (n = collect_rows(g)) > 0; step++)
	{
		DBERT_TRY(dbert_decoder_step(&g->decoder, g->rows, n, step));
		DBERT_TRY(take_step(g, step));
	}
	return DBERT_OK;
}

/* The ids to their places in the caller's room. */
static void
hand_out(const Group *g, DbertTranslated *out, int32_t *room)
{
	for (int i = 0; i < g->n; i++)
	{
		const Sentence *s = &g->sentences[i];
		DbertTranslated *t = &out[s->number];
		const int32_t *tokens;

		*t = (DbertTranslated) {.ids = room + (size_t) s->number * g->how->max_length,
		.finite = !s->failed};
		if (s->failed)
			continue;
		t->count = dbert_search_result(&s->search, &tokens);
		t->ended = dbert_search_ended(&s->search);
		memcpy(t->ids, tokens, t->count * sizeof(int32_t));
	}
}

/* ---- all of them ---- */

/* How many sentences from first on are a group. */
static int
group_size(const DbertSentenceIds *sentences, int n, int first, size_t most)
{
	int			count = 1;
	size_t		tokens = sentences[first].count;

	while (first + count < n && (size_t) count < most)
	{
		tokens += sentences[first + count].count;
		if (tokens > GROUP_TOKENS)
			break;
		count++;
	}
	return count;
}

static DbertStatus
run_group(Group *g, const DbertSentenceIds *sentences, int first, DbertTranslated *out,
		  int32_t *room)
{
	DbertStatus status;

	g->memory = NULL;
	g->begun = false;
	status = encode(g, sentences, first);
	if (status == DBERT_OK)
	{
		begin_searches(g, first);
		status = decode(g);
	}
	if (status == DBERT_OK)
		hand_out(g, out, room);
	if (g->begun)
		dbert_decoder_end(&g->decoder);
	dbert_free(g->alloc, g->memory);
	return status;
}

DbertStatus
dbert_translate(const DbertModel *model, const DbertGeneration *how,
				const DbertSentenceIds *sentences, int n, int rows, DbertThreads *pool,
				const DbertAllocator *alloc, const DbertPoll *poll,
				DbertTranslated *out, int32_t **room, DbertError *err)
{
	Group		g = {
		.model = model, .how = how, .pool = pool, .alloc = alloc, .poll = poll, .err = err
	};
	size_t		numbers;
	DbertStatus status = DBERT_OK;

	*room = NULL;
	if (dbert_decoder_layers(&model->config) == 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "the model has no decoder");
	if (dbert_mul_size((size_t) n, (size_t) how->max_length, &numbers))
		*room = dbert_alloc_array(alloc, numbers, sizeof(int32_t));
	if (*room == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory for %d sentences", n);
	for (int first = 0; first < n && status == DBERT_OK; first += g.n)
	{
		g.n = group_size(sentences, n, first, most_sentences(how, rows));
		status = run_group(&g, sentences, first, out, *room);
	}
	if (status != DBERT_OK)
	{
		dbert_free(alloc, *room);
		*room = NULL;
	}
	return status;
}
