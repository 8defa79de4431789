/*
 * teacher.c -- what a model says to one that learns from it (teacher.h).
 *
 * The tokens are given, so that teacher and student see the same ones.  Layers
 * whose states are kept are spread as in TinyBERT's uniform strategy: state i
 * of n is that after layer (i + 1) L / n, rounded.
 *
 * Of masked tokens the head's logits are computed in blocks, as there are as
 * many as the vocabulary has tokens, and the likeliest of each row stay.
 *
 * Source: Jiao et al. 2020 (arXiv:1909.10351), section 4.2.
 */
#include "nn/teacher.h"

#include "base/layout.h"
#include "base/topk.h"
#include "model/family.h"
#include "nn/encoder.h"
#include "nn/logits.h"
#include "nn/pool.h"
#include "nn/rotary.h"
#include "nn/run.h"

#include <math.h>
#include <string.h>

/* Masked tokens of a block at most. */
#define BLOCK 64

struct DbertTeacher
{
	const DbertModel *model;
	DbertTeacherOptions options;
	const DbertAllocator *alloc;
	const DbertTeacherBatch *batch;	/* of the run */
	void	   *memory;
	float	   *hidden;			/* [N, C] */
	float	   *states;			/* [n_states - 1, N, C]: all but the last, which is hidden */
	float	   *inputs;			/* [n_states, N, C] of their layers, for queries and keys */
	float	   *queries_keys;	/* [n_states, N, 2C] */
	float	   *outputs;		/* [B or N, columns] */
	int32_t    *ids;			/* MASK: [N, top] */
	float	   *logits;			/* MASK: [block, V] */
	float	   *picked;			/* MASK: [block, C] */
	int32_t    *masks;			/* MASK: [block] the mask's id */
	float	   *vectors;		/* [2, C or E]: pooled, finished */
	float	   *between;		/* dbert_steps_scratch */
	uint8_t    *types;			/* [N] of 0 */
	float	   *workspace;
};

static bool
has_head(const DbertModel *model)
{
	return dbert_head_traits(model->config.head)->columns != DBERT_COLUMNS_NONE;
}

/* Columns of outputs. */
static int
columns(const DbertModel *model)
{
	return has_head(model) ? dbert_head_columns(model) : model->config.dimensions;
}

static bool
is_masked(const DbertTeacher *t)
{
	return dbert_head_traits(t->model->config.head)->rows == DBERT_ROWS_MASKED;
}

/* Masked tokens of a block: the head takes no more rows than a text's. */
static int
block_rows(const DbertTeacher *t)
{
	return t->options.max_text_tokens < BLOCK ? t->options.max_text_tokens : BLOCK;
}

static size_t
vector_floats(const DbertModel *model)
{
	int widest = model->config.embedding > model->config.hidden ? model->config.embedding
																: model->config.hidden;

	return ((size_t) widest + 15) / 16 * 16;
}

static int
layer_of_state(const DbertTeacher *t, int i)
{
	int			layers = t->model->config.layers,
				n = t->options.n_states;

	return (2 * (i + 1) * layers + n) / (2 * n);
}

/* ---- memory ---- */

static void
place_outputs(DbertTeacher *t, DbertLayout *l)
{
	const DbertTeacherOptions *o = &t->options;
	size_t		rows = dbert_head_of_tokens(t->model->config.head) ? o->max_tokens : o->max_texts;

	if (!is_masked(t))
	{
		t->outputs = dbert_layout_floats(l, rows, columns(t->model));
		return;
	}
	t->outputs = dbert_layout_floats(l, o->max_tokens, (size_t) o->top + 1);
	t->ids = dbert_layout_place(l, o->max_tokens, o->top, sizeof(int32_t));
	t->logits = dbert_layout_floats(l, block_rows(t), columns(t->model));
	t->picked = dbert_layout_floats(l, block_rows(t), t->model->config.hidden);
	t->masks = dbert_layout_place(l, block_rows(t), 1, sizeof(int32_t));
}

/* false: more than a size_t */
static bool
place_all(DbertTeacher *t, DbertLayout *l)
{
	const DbertTeacherOptions *o = &t->options;
	const DbertConfig *config = &t->model->config;
	size_t		n = o->max_tokens,
				c = config->hidden,
				kept = o->n_states > 1 ? o->n_states - 1 : 0,
				attended = o->attention ? o->n_states : 0,
				floats;

	if (!dbert_encoder_workspace(config, n, o->max_text_tokens, o->threads, &floats) ||
		!dbert_mul_size(kept, n, &kept) || !dbert_mul_size(attended, n, &attended))
		return false;
	t->hidden = dbert_layout_floats(l, n, c);
	t->states = dbert_layout_floats(l, kept, c);
	t->inputs = dbert_layout_floats(l, attended, c);
	t->queries_keys = dbert_layout_floats(l, attended, 2 * c);
	place_outputs(t, l);
	t->vectors = dbert_layout_floats(l, 2, vector_floats(t->model));
	t->between = dbert_layout_floats(l, 1, dbert_steps_scratch(config));
	t->types = dbert_layout_place(l, n, 1, 1);
	t->workspace = dbert_layout_floats(l, floats, 1);
	return !l->overflow;
}

bool
dbert_teacher_bytes(const DbertModel *model, const DbertTeacherOptions *options, size_t *bytes)
{
	DbertTeacher t = {.model = model,.options = *options};
	DbertLayout l = {0};
	bool		fits = place_all(&t, &l);

	*bytes = l.total;
	return fits;
}

static DbertStatus
fill(DbertTeacher *t, DbertError *err)
{
	DbertLayout l = {0};
	size_t		bytes;

	if (!place_all(t, &l) || !dbert_layout_bytes(&l, &bytes))
		return dbert_fail(err, DBERT_E_LIMIT,
						  "the teacher needs more memory than can be addressed");
	t->memory = dbert_alloc(t->alloc, bytes);
	if (t->memory == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory: the teacher needs %zu MB",
						  bytes >> 20);
	l = dbert_layout_in(t->memory);
	(void) place_all(t, &l);
	memset(t->types, 0, t->options.max_tokens);
	for (int i = 0; is_masked(t) && i < block_rows(t); i++)
		t->masks[i] = t->model->tokenizer.mask_id;
	return DBERT_OK;
}

static DbertStatus
check_model(const DbertConfig *config, const DbertTeacherOptions *options, DbertError *err)
{
	if (dbert_family_of(config)->lookup)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "static embeddings cannot be a teacher");
	if (options->attention && dbert_key_heads(config) != config->heads)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "the attention of a model whose heads share keys cannot be taught");
	return DBERT_OK;
}

DbertStatus
dbert_teacher_create(const DbertModel *model, const DbertTeacherOptions *options,
					 const DbertAllocator *alloc, DbertTeacher **teacher, DbertError *err)
{
	DbertTeacher *t = dbert_alloc_zero(alloc, 1, sizeof(*t));
	DbertStatus status;

	*teacher = NULL;
	if (t == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	t->alloc = alloc;
	t->model = model;
	t->options = *options;
	status = check_model(&model->config, options, err);
	if (status == DBERT_OK)
		status = fill(t, err);
	if (status != DBERT_OK)
	{
		dbert_teacher_free(t);
		return status;
	}
	*teacher = t;
	return DBERT_OK;
}

void
dbert_teacher_free(DbertTeacher *teacher)
{
	if (teacher == NULL)
		return;
	dbert_free(teacher->alloc, teacher->memory);
	dbert_free(teacher->alloc, teacher);
}

/* ---- running ---- */

static float *
state_place(const DbertTeacher *t, int i)
{
	if (i == t->options.n_states - 1)
		return t->hidden;
	return t->states + (size_t) i * t->options.max_tokens * t->model->config.hidden;
}

static void
keep_states(void *ctx, int layer, const float *hidden)
{
	DbertTeacher *t = ctx;
	size_t bytes =
		(size_t) t->batch->cu[t->batch->n_texts] * t->model->config.hidden * sizeof(float);

	for (int i = 0; i < t->options.n_states - 1; i++)
		if (layer_of_state(t, i) == layer)
			memcpy(state_place(t, i), hidden, bytes);
	for (int i = 0; t->options.attention && i < t->options.n_states; i++)
		if (layer_of_state(t, i) == layer + 1)
			memcpy(t->inputs + (size_t) i * t->options.max_tokens * t->model->config.hidden, hidden,
				   bytes);
}

/* The first 2C outputs of the layer's product, once more, in blocks of rows. */
static DbertStatus
compute_queries_keys(DbertTeacher *t, int i, const DbertPoll *poll, DbertError *err)
{
	const DbertModel *model = t->model;
	int			c = model->config.hidden,
				n = t->batch->cu[t->batch->n_texts],
				block = dbert_block_rows(model, 1, n, 2 * c, c);
	size_t		first = (size_t) i * t->options.max_tokens;
	const DbertLayer *layer = &model->weights.layers[layer_of_state(t, i) - 1];
	DbertLinear qk = dbert_linear_columns(model, &layer->qkv, 0, 2 * c);
	DbertRun	run = {.model = model,.poll = poll,.err = err};

	dbert_run_scratch(&run, t->options.max_tokens, t->options.max_text_tokens, t->workspace);
	DBERT_TRY(dbert_rotary_fill(&run, t->batch->cu, t->batch->n_texts));
	for (int row = 0; row < n; row += block)
	{
		int			m = n - row < block ? n - row : block;
		const float *x =
			dbert_half_input(&run, &layer->attn_norm, t->inputs + (first + row) * c, m);
		float	   *out = t->queries_keys + (first + row) * 2 * c;

		DBERT_TRY(dbert_run_poll(&run));
		dbert_linear(&run, &qk, out, 2 * (size_t) c, x, c, m, DBERT_ACT_NONE);
		if (model->config.rotary != DBERT_ROTARY_NONE)
			dbert_rotate(&run, layer->local, t->batch->cu, t->batch->n_texts, NULL, row, m, out,
						 2 * (size_t) c, 2 * model->config.heads);
	}
	return DBERT_OK;
}

/* The outputs of text b. */
static DbertStatus
finish_text(DbertTeacher *t, int b, const DbertPoll *poll, DbertError *err)
{
	const DbertConfig *config = &t->model->config;
	int			first = t->batch->cu[b],
				n = t->batch->cu[b + 1] - first;
	const float *hidden = t->hidden + (size_t) first * config->hidden;
	size_t		row = dbert_head_of_tokens(config->head) ? first : b;
	float	   *out = t->outputs + row * columns(t->model),
			   *finished = t->vectors + vector_floats(t->model);

	if (has_head(t->model))
		return dbert_head_run(t->model, t->batch->ids + first, n, hidden, t->workspace, out, poll,
							  err);
	dbert_pool(config, hidden, n, 0, t->vectors);
	DBERT_TRY(dbert_pool_finish(t->model, t->vectors, t->between, finished, poll, err));
	memcpy(out, finished, config->dimensions * sizeof(float));
	return DBERT_OK;
}

/*
 * log_q[top + 1] of these tokens and of all others together; the logits of the
 * tokens are lost.
 */
static void
log_shares(float *logits, int vocab, const int32_t *ids, int top, double temperature, float *log_q)
{
	double		max = logits[ids[0]],
				rest = 0,
				all = 0;

	for (int k = 0; k < top; k++)
	{
		log_q[k] = (float) ((logits[ids[k]] - max) / temperature);
		all += exp((logits[ids[k]] - max) / temperature);
		logits[ids[k]] = -INFINITY;
	}
	for (int v = 0; v < vocab; v++)
		rest += exp((logits[v] - max) / temperature);
	all = log(all + rest);
	for (int k = 0; k < top; k++)
		log_q[k] -= (float) all;
	log_q[top] = (float) (log(rest) - all);
}

/* m masked tokens from the first on */
static DbertStatus
answer_block(DbertTeacher *t, int first, int m, const DbertPoll *poll, DbertError *err)
{
	int			c = t->model->config.hidden,
				vocab = columns(t->model),
				top = t->options.top;

	for (int i = 0; i < m; i++)
		memcpy(t->picked + (size_t) i * c, t->hidden + (size_t) t->batch->masked[first + i] * c,
			   c * sizeof(float));
	DBERT_TRY(dbert_head_run(t->model, t->masks, m, t->picked, t->workspace, t->logits, poll, err));
	for (int i = 0; i < m; i++)
	{
		float	   *logits = t->logits + (size_t) i * vocab;
		int32_t    *ids = t->ids + (size_t) (first + i) * top;

		if (dbert_stopped(poll))
			return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
		(void) dbert_top_k(logits, vocab, top, ids);
		log_shares(logits, vocab, ids, top, t->options.temperature,
				   t->outputs + (size_t) (first + i) * (top + 1));
	}
	return DBERT_OK;
}

static DbertStatus
answer_masked(DbertTeacher *t, const DbertPoll *poll, DbertError *err)
{
	int			block = block_rows(t),
				n = t->batch->n_masked;

	for (int first = 0; first < n; first += block)
		DBERT_TRY(answer_block(t, first, n - first < block ? n - first : block, poll, err));
	return DBERT_OK;
}

static DbertStatus
answer(DbertTeacher *t, const DbertPoll *poll, DbertError *err)
{
	if (is_masked(t))
		return answer_masked(t, poll, err);
	for (int b = 0; b < t->batch->n_texts; b++)
		DBERT_TRY(finish_text(t, b, poll, err));
	return DBERT_OK;
}

static DbertStatus
check_batch(const DbertTeacher *t, const DbertTeacherBatch *batch, const DbertThreads *pool,
			DbertError *err)
{
	const DbertTeacherOptions *o = &t->options;
	bool fits = batch->n_texts <= o->max_texts && batch->cu[batch->n_texts] <= o->max_tokens &&
				dbert_threads_count(pool) <= o->threads;

	for (int b = 0; fits && b < batch->n_texts; b++)
		fits = batch->cu[b + 1] - batch->cu[b] <= o->max_text_tokens;
	return fits ? DBERT_OK
				: dbert_fail(err, DBERT_E_LIMIT,
							 "a batch for the teacher is larger than there is room for");
}

DbertStatus
dbert_teacher_run(DbertTeacher *teacher, const DbertTeacherBatch *batch, DbertThreads *pool,
				  const DbertPoll *poll, DbertError *err)
{
	DbertRagged ragged = {
		.n_texts = batch->n_texts,.cu = batch->cu,.ids = batch->ids,
		.types = batch->types ? batch->types : teacher->types,.pool = pool
	};

	DBERT_TRY(check_batch(teacher, batch, pool, err));
	teacher->batch = batch;
	DBERT_TRY(dbert_encode(teacher->model, &ragged, teacher->hidden, teacher->workspace, poll,
						   keep_states, teacher, err));
	DBERT_TRY(answer(teacher, poll, err));
	for (int i = 0; teacher->options.attention && i < teacher->options.n_states; i++)
		DBERT_TRY(compute_queries_keys(teacher, i, poll, err));
	return DBERT_OK;
}

const float *
dbert_teacher_outputs(const DbertTeacher *teacher)
{
	return teacher->outputs;
}

const int32_t *
dbert_teacher_ids(const DbertTeacher *teacher)
{
	return teacher->ids;
}

const float *
dbert_teacher_states(const DbertTeacher *teacher, int i)
{
	return state_place(teacher, i);
}

const float *
dbert_teacher_queries_keys(const DbertTeacher *teacher, int i)
{
	return teacher->queries_keys +
		   (size_t) i * teacher->options.max_tokens * 2 * teacher->model->config.hidden;
}
