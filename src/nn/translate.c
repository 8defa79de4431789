/*
 * translate.c -- see translate.h.
 *
 * Sentences go in groups, short enough for the decoder's memory to be bounded.
 * A group is encoded as a ragged batch; then all of its sentences take one step
 * after another, and those that are done leave.
 *
 * The encoder's states go as soon as the decoder has read them.
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
	int32_t		first;			/* row of the decoder's tape: its hypotheses in the last step */
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
	DbertDecoderRow *rows;
	float	   *most;			/* of the searches, too */
	void	   *memory;			/* of all these */
	float	   *hidden,
			   *workspace;
	void	   *states;			/* memory of these two */
	DbertDecoder decoder;
	bool		begun;			/* the decoder is */
} Group;

/* ---- which sentences ---- */

static size_t
most_sentences(const DbertGeneration *how, int rows)
{
	return rows < how->beams ? 1 : rows / how->beams;
}

/* Some sentences that go together: n from the first on. */
typedef struct Some
{
	int			n;
	size_t		tokens,
				longest;
} Some;

static Some
take_some(const DbertSentenceIds *sentences, int n, size_t most)
{
	Some		some = {0};

	while (some.n < n && (some.n == 0 || ((size_t) some.n < most && some.tokens +
										  sentences[some.n].count <= GROUP_TOKENS)))
	{
		size_t		count = sentences[some.n++].count;

		some.tokens += count;
		if (count > some.longest)
			some.longest = count;
	}
	return some;
}

/* A search's first step has one hypothesis, all others as many as beams. */
static DbertDecoderSize
decoder_size(const DbertGeneration *how, const Some *some)
{
	int			steps = how->max_length > 1 ? how->max_length - 1 : 1;

	return (DbertDecoderSize) {
		.tokens = some->tokens, .longest = some->longest, .rows = some->n * how->beams,
		.steps = steps, .all_rows = some->n * (1 + (size_t) how->beams * (steps - 1))
	};
}

/* ---- memory ---- */

static void
place(Group *g, const Some *some, DbertLayout *l)
{
	size_t		n = some->n;

	g->sentences = dbert_layout_place(l, n, 1, sizeof(Sentence));
	g->cu = dbert_layout_place(l, n + 1, 1, sizeof(int32_t));
	g->ids = dbert_layout_place(l, some->tokens, 1, sizeof(int32_t));
	g->tokens = dbert_layout_place(l, n, dbert_search_room(g->how), sizeof(int32_t));
	g->rows = dbert_layout_place(l, n, g->how->beams * sizeof(DbertDecoderRow), 1);
	g->most = dbert_layout_floats(l, 1, dbert_maxima(g->model->config.vocab));
}

static bool
place_states(Group *g, const Some *some, int threads, DbertLayout *l)
{
	size_t		floats;

	if (!dbert_encoder_workspace(&g->model->config, some->tokens, some->longest, threads,
								 &floats))
		return false;
	g->hidden = dbert_layout_floats(l, some->tokens, g->model->config.hidden);
	g->workspace = dbert_layout_floats(l, 1, floats);
	return true;
}

/* While the states are there, the tape is not yet. */
static bool
group_memory(const DbertModel *model, const DbertGeneration *how, const Some *some, int threads,
			 size_t *bytes)
{
	Group		g = {.model = model, .how = how};
	DbertDecoderSize size = decoder_size(how, some);
	DbertLayout l = {0},
				of_states = {0};
	size_t		own,
				states,
				room,
				tape;

	place(&g, some, &l);
	return dbert_layout_bytes(&l, &own) && place_states(&g, some, threads, &of_states) &&
		   dbert_layout_bytes(&of_states, &states) &&
		   dbert_decoder_memory(&model->config, &size, threads, &room, &tape) &&
		   dbert_add_size(own, room, &own) &&
		   dbert_add_size(own, states > tape ? states : tape, bytes);
}

static bool
room_numbers(const DbertGeneration *how, int n, size_t *numbers)
{
	return dbert_mul_size((size_t) n, (size_t) how->max_length, numbers);
}

bool
dbert_translate_memory(const DbertModel *model, const DbertGeneration *how,
					   const DbertSentenceIds *sentences, int n, int rows, int threads,
					   size_t *bytes)
{
	size_t		most = 0,
				room;
	Some		some;

	for (int first = 0; first < n; first += some.n)
	{
		size_t		of_group;

		some = take_some(sentences + first, n - first, most_sentences(how, rows));
		if (!group_memory(model, how, &some, threads, &of_group))
			return false;
		if (of_group > most)
			most = of_group;
	}
	return room_numbers(how, n, &room) && dbert_mul_size(room, sizeof(int32_t), &room) &&
		   dbert_add_size(most, room, bytes);
}

/* ---- a group ---- */

static DbertStatus
allocate(Group *g, const Some *some)
{
	int			threads = dbert_threads_count(g->pool);
	DbertLayout l = {0};
	size_t		bytes;

	place(g, some, &l);
	if (dbert_layout_bytes(&l, &bytes))
		g->memory = dbert_alloc(g->alloc, bytes);
	if (g->memory == NULL)
		return dbert_fail(g->err, DBERT_E_NOMEM, "out of memory for %d sentences", some->n);
	l = dbert_layout_in(g->memory);
	place(g, some, &l);
	l = (DbertLayout) {0};
	if (place_states(g, some, threads, &l) && dbert_layout_bytes(&l, &bytes))
		g->states = dbert_alloc(g->alloc, bytes);
	if (g->states == NULL)
		return dbert_fail(g->err, DBERT_E_NOMEM, "out of memory for %zu tokens", some->tokens);
	l = dbert_layout_in(g->states);
	(void) place_states(g, some, threads, &l);
	return DBERT_OK;
}

static DbertStatus
encode(Group *g, const DbertSentenceIds *sentences)
{
	DbertRagged ragged = {.n_texts = g->n, .cu = g->cu, .ids = g->ids, .pool = g->pool};

	g->cu[0] = 0;
	for (int i = 0; i < g->n; i++)
	{
		memcpy(g->ids + g->cu[i], sentences[i].ids, sentences[i].count * sizeof(int32_t));
		g->cu[i + 1] = g->cu[i] + sentences[i].count;
	}
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
		s->first = -1;
		dbert_search_begin(&s->search, g->how, g->model, g->tokens + i * dbert_search_room(g->how),
						   g->most);
	}
}

/*
 * Those that go on: rows of the next step, whose first one will be the tape's
 * row next.
 */
static int
collect_rows(Group *g, int32_t next)
{
	int			n = 0;

	for (int i = 0; i < g->n; i++)
	{
		Sentence   *s = &g->sentences[i];
		int32_t		before = s->first;

		if (s->search.done)
			continue;
		s->first = next + n;
		for (int h = 0; h < s->search.n; h++)
			g->rows[n++] = (DbertDecoderRow) {
				.id = s->search.now[h].last, .sentence = i,
				.before = before < 0 ? -1 : before + s->search.now[h].parent
			};
	}
	return n;
}

/* Each sentence reads its rows of logits. */
static DbertStatus
take_step(Group *g)
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
	}
	return DBERT_OK;
}

static DbertStatus
decode(Group *g, const Some *some)
{
	DbertDecoderSize size = decoder_size(g->how, some);
	int			n;

	g->begun = true;
	DBERT_TRY(dbert_decoder_begin(&g->decoder, g->model, g->cu, &size, g->hidden, g->pool,
								  g->alloc, g->poll, g->err));
	dbert_free(g->alloc, g->states);
	g->states = NULL;
	for (int step = 0; (n = collect_rows(g, (int32_t) g->decoder.n_rows)) > 0; step++)
	{
		DBERT_TRY(dbert_decoder_step(&g->decoder, g->rows, n, step));
		DBERT_TRY(take_step(g));
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

static DbertStatus
run_group(Group *g, const DbertSentenceIds *sentences, int first, const Some *some,
		  DbertTranslated *out, int32_t *room)
{
	DbertStatus status;

	g->n = some->n;
	g->memory = g->states = NULL;
	g->begun = false;
	status = allocate(g, some);
	if (status == DBERT_OK)
		status = encode(g, sentences + first);
	if (status == DBERT_OK)
	{
		begin_searches(g, first);
		status = decode(g, some);
	}
	if (status == DBERT_OK)
		hand_out(g, out, room);
	if (g->begun)
		dbert_decoder_end(&g->decoder);
	dbert_free(g->alloc, g->states);
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
	if (room_numbers(how, n, &numbers))
		*room = dbert_alloc_array(alloc, numbers, sizeof(int32_t));
	if (*room == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory for %d sentences", n);
	for (int first = 0; first < n && status == DBERT_OK; first += g.n)
	{
		Some		some = take_some(sentences + first, n - first, most_sentences(how, rows));

		status = run_group(&g, sentences, first, &some, out, *room);
	}
	if (status != DBERT_OK)
	{
		dbert_free(alloc, *room);
		*room = NULL;
	}
	return status;
}
