/*
 * encoder.c -- embeddings, then layer after layer over all texts.
 *
 * The layers are the outer loop: a layer's weights are read once for the whole
 * batch while they are in the cache.  Inside a layer the texts go span by span
 * (layers.h).
 */
#include "nn/encoder.h"

#include "kernel/half.h"
#include "model/family.h"
#include "nn/conv.h"
#include "nn/distancebias.h"
#include "nn/layers.h"
#include "nn/rotary.h"

#include <math.h>
#include <string.h>

bool
dbert_encoder_workspace(const DbertConfig *config, size_t n_tokens, size_t max_len,
						int threads, size_t *floats)
{
	DbertScratch s;
	size_t		others,
				bytes;

	return dbert_scratch_place(config, n_tokens, max_len, NULL, &s, floats) &&
		   dbert_mul_size(s.own_floats, threads - 1, &others) &&
		   dbert_add_size(*floats, others, floats) &&
		   dbert_mul_size(*floats, sizeof(float), &bytes);
}

/* ---- embeddings ---- */

/*
 * word + type of a token: the table's own row where that is all, or computed
 * into row[W].
 */
static const float *
word_row(const DbertModel *model, int32_t id, const float *type, float *row)
{
	const DbertWeights *w = &model->weights;
	size_t		width = model->config.embed_width,
				at = (size_t) id * width;

	if (w->word == NULL)
		dbert_word_row(model, id, row);
	else if (type == NULL)
		return w->word + at;
	else
		memcpy(row, w->word + at, width * sizeof(float));
	for (size_t j = 0; type != NULL && j < width; j++)
		row[j] += type[j];
	return row;
}

/*
 * A position's row, in the table or computed into row[W]; NULL: there are none.
 */
static const float *
position_row(const DbertModel *model, size_t position, float *row)
{
	const DbertWeights *w = &model->weights;
	size_t		width = model->config.embed_width;

	if (w->position16.at == NULL)
		return w->position != NULL ? w->position + position * width : NULL;
	model->kernels->half->widen(row, w->position16.at + position * width, width,
								w->position16.type);
	return row;
}

/* The tokens of a text, as its rows are made one after the other. */
typedef struct Text
{
	const int32_t *ids;
	const uint8_t *types;		/* NULL: all of type 0 */
	int			at;				/* the next one, */
	int32_t		position;		/* and its position (dbert_next_position) */
} Text;

/*
 * word + type of the text's next token, as word_row; *place = position_row of
 * its position, which may stand in scratch.y.
 */
static const float *
next_word(const DbertRun *run, Text *text, float *row, const float **place)
{
	const DbertModel *model = run->model;
	const DbertWeights *w = &model->weights;
	size_t		width = model->config.embed_width;
	int			i = text->at++;
	int32_t		id = text->ids[i];
	size_t		position = dbert_next_position(&model->config, id, &text->position),
				type = text->types != NULL ? text->types[i] : 0;

	*place = position_row(model, position, run->scratch.y);
	return word_row(model, id, w->type ? w->type + type * width : NULL, row);
}

/* row[W] = word, perhaps scaled, plus its position; no norm follows. */
static void
place_word(const DbertModel *model, const float *word, const float *place, float *row)
{
	int			width = model->config.embed_width;
	float		scale = model->config.scale_words ? sqrtf((float) width) : 1;

	for (int j = 0; j < width; j++)
		row[j] = word[j] * scale + (place != NULL ? place[j] : 0);
}

/*
 * x[m, W] = norm(word + type + position) of a text's next m tokens.  The norm
 * reads the tables' rows itself, the position as its residual.
 */
static void
embed_rows(const DbertRun *run, Text *text, int m, float *x)
{
	const DbertModel *model = run->model;
	const DbertNorm *norm = &model->weights.embed_norm;
	size_t		width = model->config.embed_width;

	for (float *row = x; row < x + m * width; row += width)
	{
		const float *place,
				   *word = next_word(run, text, row, &place);

		if (norm->gamma != NULL)
			model->kernels->layer_norm_rows(row, word, place, norm->gamma, norm->beta, 1,
											(int) width, model->config.norm_eps);
		else
			place_word(model, word, place, row);
	}
}

/* x[m, W] = word + type + position of a text's next m tokens. */
static void
sum_rows(const DbertRun *run, Text *text, int m, float *x)
{
	size_t		width = run->model->config.embed_width;

	for (float *row = x; row < x + m * width; row += width)
	{
		const float *place,
				   *word = next_word(run, text, row, &place);

		for (size_t j = 0; j < width; j++)
			row[j] = word[j] + (place != NULL ? place[j] : 0);
	}
}

/* x[t, C] of the text: rows as wide as the hidden states, or made so. */
static DbertStatus
embed(const DbertRun *run, Text *text, int t, float *x)
{
	const DbertModel *model = run->model;
	const DbertLinear *project = &model->weights.embed_project;
	const DbertNorm *norm = &model->weights.embed_norm;
	const bool	projects_first = dbert_family_of(&model->config)->projects_first;
	size_t		c = model->config.hidden;
	int			block;

	DBERT_TRY(dbert_run_poll(run));
	if (project->n == 0)
	{
		embed_rows(run, text, t, x);
		return DBERT_OK;
	}
	block = dbert_block_rows(run->model, 1, t, project->n, project->k);
	for (int first = 0; first < t; first += block)
	{
		int			m = t - first < block ? t - first : block;

		DBERT_TRY(dbert_run_poll(run));
		(projects_first ? sum_rows : embed_rows) (run, text, m, run->scratch.x);
		dbert_linear(run, project, run->scratch.y, c, run->scratch.x, project->k, m,
					 DBERT_ACT_NONE);
		if (projects_first)
			dbert_norm_rows(run, norm, x + first * c, run->scratch.y, m);
		else
			memcpy(x + first * c, run->scratch.y, m * c * sizeof(float));
	}
	return DBERT_OK;
}

/* ---- the whole ---- */

static int
longest_text(const DbertRagged *batch)
{
	int			longest = 0;

	for (int b = 0; b < batch->n_texts; b++)
		if (batch->cu[b + 1] - batch->cu[b] > longest)
			longest = batch->cu[b + 1] - batch->cu[b];
	return longest;
}

/* The span that starts with text b. */
static DbertSpan
span_at(const DbertModel *model, const DbertRagged *batch, float *hidden, int b)
{
	DbertSpan	span = {
		.x = hidden + batch->cu[b] * (size_t) model->config.hidden,
		.cu = batch->cu + b,
		.n_texts = 1
	};

	span.out = span.x;
	while (!model->kernels->rows_matter && b + span.n_texts < batch->n_texts &&
		   span.cu[span.n_texts + 1] - span.cu[0] <= DBERT_SPAN_ROWS)
		span.n_texts++;
	return span;
}

static DbertStatus
run_layer(const DbertRun *run, const DbertLayer *layer, const DbertRagged *batch, float *hidden)
{
	for (int b = 0; b < batch->n_texts;)
	{
		DbertSpan	span = span_at(run->model, batch, hidden, b);

		DBERT_TRY(dbert_conv_begin(run, layer, &span));
		DBERT_TRY(dbert_attention(run, layer, &span));
		DBERT_TRY(dbert_feed_forward(run, layer, span.x, dbert_span_rows(&span)));
		dbert_conv_end(run, layer, &span);
		b += span.n_texts;
	}
	return DBERT_OK;
}

/*
 * The last layer for the wanted rows alone.  They move together at the front
 * of hidden: row wanted[i] to row i, which is never behind it and belongs to a
 * text that is done with or its own.  So the feed-forward, most of the work,
 * sees rows of all texts at once, unless rows matter.
 */
static DbertStatus
run_wanted(const DbertRun *run, const DbertLayer *layer, const DbertRagged *batch, float *hidden)
{
	const bool	apart = run->model->kernels->rows_matter;
	size_t		c = run->model->config.hidden;
	int			done = 0;

	for (int b = 0; b < batch->n_texts;)
	{
		DbertSpan	span = span_at(run->model, batch, hidden, b);

		span.wanted = batch->wanted + done;
		span.n_wanted =
			dbert_count_below(span.wanted, batch->n_wanted - done, span.cu[span.n_texts]);
		span.out = hidden + done * c;
		if (span.n_wanted > 0)
			DBERT_TRY(dbert_attention(run, layer, &span));
		if (apart)
			DBERT_TRY(dbert_feed_forward(run, layer, span.out, span.n_wanted));
		done += span.n_wanted;
		b += span.n_texts;
	}
	if (!apart)
		DBERT_TRY(dbert_feed_forward(run, layer, hidden, done));
	for (int i = done - 1; i >= 0; i--)
		memmove(hidden + batch->wanted[i] * c, hidden + i * c, c * sizeof(float));
	return DBERT_OK;
}

/* The norm behind the last layer, of the rows that somebody reads. */
static DbertStatus
norm_last(const DbertRun *run, const DbertRagged *batch, float *hidden)
{
	const DbertNorm *norm = &run->model->weights.final_norm;
	size_t		c = run->model->config.hidden;
	int			n = batch->wanted != NULL ? batch->n_wanted : batch->cu[batch->n_texts];

	if (norm->gamma == NULL)
		return DBERT_OK;
	for (int i = 0; i < n; i++)
	{
		float	   *x = hidden + (batch->wanted != NULL ? batch->wanted[i] : i) * c;

		if (i % DBERT_SPAN_ROWS == 0)
			DBERT_TRY(dbert_run_poll(run));
		dbert_norm_rows(run, norm, x, x, 1);
	}
	return DBERT_OK;
}

DbertStatus
dbert_encode(const DbertModel *model, const DbertRagged *batch,
			 float *hidden, float *workspace, const DbertPoll *poll,
			 void (*after_layer) (void *ctx, int layer, const float *hidden),
			 void *layer_ctx, DbertError *err)
{
	DbertRun	run = {.model = model, .poll = poll, .err = err};
	size_t		c = model->config.hidden;
	int			longest = longest_text(batch),
				positions = model->config.positions - model->config.first_position;

	if (longest > positions)
		return dbert_fail(err, DBERT_E_LIMIT, "text has %d tokens, the model has %d positions",
						  longest, positions);
	if (!model->kernels->rows_matter)
		run.pool = batch->pool;
	dbert_run_scratch(&run, batch->cu[batch->n_texts], longest, workspace);
	DBERT_TRY(dbert_rotary_fill(&run, batch->cu, batch->n_texts));
	DBERT_TRY(dbert_bias_fill(&run));

	for (int b = 0; b < batch->n_texts; b++)
	{
		int32_t		first = batch->cu[b];
		Text		text = {
			.ids = batch->ids + first,
			.types = model->config.pair_types && batch->types ? batch->types + first : NULL,
			.position = model->config.first_position
		};

		DBERT_TRY(embed(&run, &text, batch->cu[b + 1] - first, hidden + first * c));
	}
	if (after_layer != NULL)
		after_layer(layer_ctx, 0, hidden);

	for (int l = 0; l < model->config.layers; l++)
	{
		const DbertLayer *layer = &model->weights.layers[l];

		if (batch->wanted != NULL && l == model->config.layers - 1 && !dbert_has_conv(model, layer))
			DBERT_TRY(run_wanted(&run, layer, batch, hidden));
		else
			DBERT_TRY(run_layer(&run, layer, batch, hidden));
		if (l == model->config.layers - 1)
			DBERT_TRY(norm_last(&run, batch, hidden));
		if (after_layer != NULL)
			after_layer(layer_ctx, l + 1, hidden);
	}
	return DBERT_OK;
}
