/*
 * refnet.c -- the network once more, text by text, in plain loops and float64.
 *
 * It shares with src/train only where the parameters lie and where a dropout
 * mask's element stands (random.h, ops.h).
 */
#include "test/support/refnet.h"

#include "model/family.h"
#include "test/support/testhelp.h"

static const double *
value_of(const Ref *r, const float *w)
{
	return r->v + (w - r->pass.trainer->params.values);
}

static double
kept(const Ref *r, DbertDropSite site, int layer, uint64_t i)
{
	DbertDropout d = dbert_pass_dropout(&r->pass, site, layer);

	return dbert_dropout_factor(&d, i) == 0
			   ? 0
			   : 1 / (1 - (double) (r->pass.training ? r->pass.trainer->options.dropout : 0));
}

void
ref_linear(const Ref *r, const DbertLinear *w, const double *x, double *y)
{
	const double *a = value_of(r, w->w),
			   *b = w->b != NULL ? value_of(r, w->b) : NULL;

	for (int i = 0; i < w->n; i++)
	{
		y[i] = w->b != NULL ? b[i] : 0;
		for (int j = 0; j < w->k; j++)
			y[i] += a[i * w->k + j] * x[j];
	}
}

static void
ref_norm(const Ref *r, const DbertNorm *w, double *x)
{
	const double *gamma = value_of(r, w->gamma),
			   *beta = w->beta != NULL ? value_of(r, w->beta) : NULL;
	double		mean = 0,
				square = 0;
	int			c = MEM_C;

	for (int j = 0; j < c; j++)
		mean += x[j] / c;
	for (int j = 0; j < c; j++)
		square += (x[j] - mean) * (x[j] - mean) / c;
	for (int j = 0; j < c; j++)
		x[j] = (x[j] - mean) / sqrt(square + r->pass.trainer->config.norm_eps) * gamma[j] +
			   (beta != NULL ? beta[j] : 0);
}

double
ref_act(int act, double x)
{
	switch (act)
	{
		case DBERT_ACT_GELU:
			return 0.5 * x * (1 + erf(x / sqrt(2)));
		case DBERT_ACT_GELU_TANH:
			return 0.5 * x *
				   (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
		case DBERT_ACT_RELU:
			return x > 0 ? x : 0;
		case DBERT_ACT_TANH:
			return tanh(x);
		case DBERT_ACT_SILU:
			return x / (1 + exp(-x));
	}
	return x;
}

/* Of a head's score for a distance, key less query: MPNet's table. */
static double
ref_bias(const Ref *r, int head, int distance)
{
	const float *table = r->pass.trainer->params.w.distance_bias;
	int			far = abs(distance);

	if (table == NULL)
		return 0;
	if (far >= 8)
		far = 8 + (int) (log(far / 8.0) / log(16) * 8);
	if (far > 15)
		far = 15;
	return value_of(r, table)[(far + (distance > 0 ? 16 : 0)) * r->pass.trainer->config.heads + head];
}

/* softmax over j of q_i k_j / sqrt(D) and its bias, dropped out, times v */
/* Queries and keys of the token at a place, by pairs of columns. */
static void
ref_rotate(const Ref *r, int layer, int place, double *qkv)
{
	const DbertConfig *c = &r->pass.trainer->config;
	int			d = MEM_C / c->heads;

	for (int h = 0; h < 2 * c->heads; h++)
		for (int i = 0; i < d / 2; i++)
		{
			double		base = r->pass.trainer->params.w.layers[layer].local
				? c->rotary_local_base
				: c->rotary_base,
						angle = place * pow(base, -2.0 * i / d),
						low = qkv[h * d + i],
						high = qkv[h * d + d / 2 + i];

			qkv[h * d + i] = low * cos(angle) - high * sin(angle);
			qkv[h * d + d / 2 + i] = high * cos(angle) + low * sin(angle);
		}
}

/* Does token i of a text see token j in this layer? */
static bool
ref_sees(const Ref *r, int layer, int i, int j)
{
	return !r->pass.trainer->params.w.layers[layer].local ||
		   abs(i - j) <= r->pass.trainer->config.window;
}

static void
ref_attention(const Ref *r, int layer, int first, int t, double qkv[REF_T][3 * MEM_C],
			  double ctx[REF_T][MEM_C])
{
	int			heads = r->pass.trainer->config.heads,
				d = MEM_C / heads;

	for (int h = 0; h < heads; h++)
		for (int i = 0; i < t; i++)
		{
			double		p[REF_T],
						sum = 0;

			for (int j = 0; j < t; j++)
			{
				double		dot = 0;

				for (int e = 0; e < d; e++)
					dot += qkv[i][h * d + e] * qkv[j][MEM_C + h * d + e];
				sum += p[j] =
					ref_sees(r, layer, i, j) ? exp(dot / sqrt(d) + ref_bias(r, h, j - i)) : 0;
			}
			for (int e = 0; e < d; e++)
			{
				ctx[i][h * d + e] = 0;
				for (int j = 0; j < t; j++)
					ctx[i][h * d + e] += p[j] / sum * qkv[j][2 * MEM_C + h * d + e] *
										 kept(r, DBERT_DROP_PROBABILITIES, layer,
											  dbert_probability_index(first + i, h, heads, j));
			}
		}
}

/* Which of the masked tokens it is, or -1. */
int
ref_masked(const DbertTrainBatch *b, int token)
{
	for (int i = 0; i < b->n_masked; i++)
		if (b->masked[i] == token)
			return i;
	return -1;
}

/*
 * Rows behind the last layer's attention are counted as the head counts them;
 * those that it does not read have no dropout to compare.
 */
int
ref_row(const Ref *r, int layer, int text, int i)
{
	const DbertTrainer *tr = r->pass.trainer;
	int			token = r->pass.batch->cu[text] + i;

	if (layer < tr->config.layers - 1 || r->pass.picked == NULL)
		return token;
	if (tr->options.head == DBERT_HEAD_NONE)
		return text;
	if (tr->options.head == DBERT_HEAD_SEQUENCE)
		return text;
	return ref_masked(r->pass.batch, token) < 0 ? 0 : ref_masked(r->pass.batch, token);
}

/* Scores of all heads against the teacher's. */
static void
ref_match_scores(const Ref *r, int layer, int first, int t, double qkv[REF_T][3 * MEM_C])
{
	int			heads = r->pass.trainer->config.heads,
				wide = r->pass.trainer->options.distill->teacher_hidden,
				d = MEM_C / heads,
				e = wide / heads;

	for (int h = 0; h < heads; h++)
		for (int i = 0; i < t; i++)
			for (int j = 0; j < t; j++)
			{
				const float *q =
								r->pass.batch->queries_keys[layer] + (first + i) * 2 * wide + h * e,
							*k = r->pass.batch->queries_keys[layer] + (first + j) * 2 * wide +
								 wide + h * e;
				double		own = 0,
							other = 0;

				for (int c = 0; c < d; c++)
					own += qkv[i][h * d + c] * qkv[j][MEM_C + h * d + c];
				for (int c = 0; c < e; c++)
					other += (double) q[c] * k[c];
				*r->scores += pow(own / sqrt(d) - other / sqrt(e), 2);
			}
}

/* x + f(norm(x)), twice, and the norm behind the last layer. */
static void
ref_layer_norms_first(const Ref *r, int layer, int text, int t, double x[REF_T][MEM_C])
{
	const DbertTrainer *tr = r->pass.trainer;
	const DbertLayer *w = &tr->params.w.layers[layer];
	double		qkv[REF_T][3 * MEM_C],
				ctx[REF_T][MEM_C],
				u[2 * MEM_F],
				y[MEM_C];

	for (int i = 0; i < t; i++)
	{
		memcpy(y, x[i], sizeof(y));
		if (w->attn_norm.gamma != NULL)
			ref_norm(r, &w->attn_norm, y);
		ref_linear(r, &w->qkv, y, qkv[i]);
		ref_rotate(r, layer, i, qkv[i]);
	}
	if (r->scores != NULL)
		ref_match_scores(r, layer, r->pass.batch->cu[text], t, qkv);
	ref_attention(r, layer, r->pass.batch->cu[text], t, qkv, ctx);
	for (int i = 0; i < t; i++)
	{
		int			row = ref_row(r, layer, text, i);

		ref_linear(r, &w->attn_out, ctx[i], y);
		for (int j = 0; j < MEM_C; j++)
			x[i][j] += y[j] * kept(r, DBERT_DROP_ATTENTION, layer, row * MEM_C + j);
		memcpy(y, x[i], sizeof(y));
		ref_norm(r, &w->ffn_norm, y);
		ref_linear(r, &w->ffn_in, y, u);
		for (int j = 0; j < MEM_F; j++)
			u[j] = ref_act(tr->config.act, u[j]) * u[MEM_F + j] *
				kept(r, DBERT_DROP_FFN, layer, row * MEM_F + j);
		ref_linear(r, &w->ffn_out, u, y);
		for (int j = 0; j < MEM_C; j++)
			x[i][j] += y[j];
		if (layer == tr->config.layers - 1)
			ref_norm(r, &tr->params.w.final_norm, x[i]);
	}
}

void
ref_layer(const Ref *r, int layer, int text, int t, double x[REF_T][MEM_C])
{
	const DbertTrainer *tr = r->pass.trainer;
	int			first = r->pass.batch->cu[text];
	const DbertLayer *w = &tr->params.w.layers[layer];
	bool		drops = tr->config.family != DBERT_FAMILY_DISTILBERT;
	double		qkv[REF_T][3 * MEM_C],
				ctx[REF_T][MEM_C],
				u[MEM_F],
				y[MEM_C];

	if (tr->config.family == DBERT_FAMILY_MODERNBERT)
	{
		ref_layer_norms_first(r, layer, text, t, x);
		return;
	}
	for (int i = 0; i < t; i++)
		ref_linear(r, &w->qkv, x[i], qkv[i]);
	if (r->scores != NULL)
		ref_match_scores(r, layer, first, t, qkv);
	ref_attention(r, layer, first, t, qkv, ctx);
	for (int i = 0; i < t; i++)
	{
		int			row = ref_row(r, layer, text, i);

		ref_linear(r, &w->attn_out, ctx[i], y);
		for (int j = 0; j < MEM_C; j++)
			x[i][j] += y[j] * (drops ? kept(r, DBERT_DROP_ATTENTION, layer, row * MEM_C + j) : 1);
		ref_norm(r, &w->attn_norm, x[i]);
		ref_linear(r, &w->ffn_in, x[i], u);
		for (int j = 0; j < MEM_F; j++)
			u[j] = ref_act(tr->config.act, u[j]);
		ref_linear(r, &w->ffn_out, u, y);
		for (int j = 0; j < MEM_C; j++)
			x[i][j] += y[j] * kept(r, DBERT_DROP_FFN, layer, row * MEM_C + j);
		ref_norm(r, &w->ffn_norm, x[i]);
	}
}

/* RoBERTa counts positions from pad's row on, and pads only there. */
static int
ref_position(const Ref *r, const int32_t *ids, int i)
{
	int			pad = r->pass.trainer->config.first_position - 1,
				count = 0;

	if (pad < 0)
		return i;
	for (int j = 0; j <= i; j++)
		count += ids[j] != pad;
	return ids[i] != pad ? count + pad : pad;
}

/* Only models with two types hear which text a token is of. */
static int
ref_type(const Ref *r, int token)
{
	const DbertTrainBatch *b = r->pass.batch;

	return b->types != NULL && r->pass.trainer->config.types == 2 ? b->types[token] : 0;
}

void
ref_embed(const Ref *r, int first, int t, double x[REF_T][MEM_C])
{
	const DbertWeights *w = &r->pass.trainer->params.w;
	const DbertTrainBatch *b = r->pass.batch;

	for (int i = 0; i < t; i++)
	{
		for (int j = 0; j < MEM_C; j++)
			x[i][j] = value_of(r, w->word)[b->ids[first + i] * MEM_C + j] +
					  (w->position ? value_of(r, w->position)[ref_position(r, b->ids + first, i) *
																  MEM_C + j]
								   : 0) +
					  (w->type ? value_of(r, w->type)[ref_type(r, first + i) * MEM_C + j] : 0);
		ref_norm(r, &w->embed_norm, x[i]);
		for (int j = 0; j < MEM_C; j++)
			x[i][j] *= kept(r, DBERT_DROP_EMBEDDING, 0, (first + i) * MEM_C + j);
	}
}

/* row: the head's, for its mask */
void
ref_head(const Ref *r, int row, const double *hidden, double *logits)
{
	const DbertWeights *w = &r->pass.trainer->params.w;
	const DbertConfig *config = &r->pass.trainer->config;
	bool		drops = dbert_family_of(config)->heads[config->head].drops_input;
	double		x[MEM_C],
				in[MEM_C];

	memcpy(x, hidden, sizeof(x));
	if (w->head_dense.w != NULL)
	{
		for (int j = 0; j < MEM_C; j++)
			in[j] = x[j] * (drops ? kept(r, DBERT_DROP_HEAD_INPUT, 0, row * MEM_C + j) : 1);
		ref_linear(r, &w->head_dense, in, x);
		for (int j = 0; j < MEM_C; j++)
			x[j] = ref_act(w->head_act, x[j]);
	}
	if (w->head_norm.gamma != NULL)
		ref_norm(r, &w->head_norm, x);
	for (int j = 0; j < MEM_C && r->pass.trainer->config.head != DBERT_HEAD_MASK; j++)
		x[j] *= kept(r, DBERT_DROP_HEAD, 0, row * MEM_C + j);
	ref_linear(r, &w->head_out, x, logits);
}

void
ref_begin(Ref *r, const DbertPass *pass)
{
	const DbertParams *p = &pass->trainer->params;
	size_t		n = p->slots.bytes / sizeof(float);

	*r = (Ref) {.pass = *pass,.v = malloc(n * sizeof(double))};
	for (size_t i = 0; i < n; i++)
		r->v[i] = p->values[i];
}

void
ref_end(Ref *r)
{
	free(r->v);
}
