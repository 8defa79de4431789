/*
 * packdistances.c -- a layer's vectors for distances, as a pack has them.
 *
 * What queries and keys meet at a distance depends on weights alone: a row of
 * the model's table, by the table's norm, projected by the layer, so it is
 * worked out when the pack is written.  Which row a distance reads is settled
 * here, too: the kernels find a vector for each distance (kernel/scoring.h).
 */
#include "model/packbuild.h"

#include "base/layout.h"
#include "model/distances.h"

#include <string.h>

#define ROWS_AT_ONCE 64			/* of a product, between two polls */

typedef struct Work
{
	float	   *weight;			/* [C, C] */
	float	   *packed;			/* the same for the kernels */
	float	   *bias;			/* [C] */
	float	   *table;			/* [R, C], by its norm */
	float	   *projected;		/* [R, C] */
	float	   *rows;			/* [T, D], of one head */
} Work;

static void
place(const DbertPack *pack, DbertLayout *l, Work *w)
{
	const DbertConfig *config = &pack->config;
	size_t		c = config->hidden,
				r = 2 * (size_t) config->distances.span;

	w->weight = dbert_layout_floats(l, c, c);
	w->packed = dbert_layout_floats(l, 1, pack->kernels->packed_linear_size((int) c, (int) c));
	w->bias = dbert_layout_floats(l, 1, c);
	w->table = dbert_layout_floats(l, r, c);
	w->projected = dbert_layout_floats(l, r, c);
	w->rows = dbert_layout_floats(l, dbert_distance_rows(config), c / config->heads);
}

/* NULL: there is not so much memory.  Freed by the caller. */
static void *
begin(const DbertPack *pack, Work *w)
{
	DbertLayout l = {0};
	size_t		bytes;
	void	   *memory;

	place(pack, &l, w);
	if (!dbert_layout_bytes(&l, &bytes) || (memory = dbert_alloc(pack->alloc, bytes)) == NULL)
		return NULL;
	l = dbert_layout_in(memory);
	place(pack, &l, w);
	return memory;
}

static DbertStatus
project(const DbertPack *pack, const Work *w, const DbertWeights *weights, const DbertPoll *poll,
		DbertError *err)
{
	const DbertConfig *config = &pack->config;
	int			c = config->hidden,
				rows = 2 * config->distances.span;

	if (config->distances.normed)
		pack->kernels->layer_norm_rows(w->table, weights->distances, NULL,
									   weights->distances_norm.gamma, weights->distances_norm.beta,
									   rows, c, config->norm_eps);
	else
		memcpy(w->table, weights->distances, (size_t) rows * c * sizeof(float));
	pack->kernels->pack_linear(w->packed, w->weight, c, c);
	for (int i = 0; i < rows; i += ROWS_AT_ONCE)
	{
		int			m = rows - i < ROWS_AT_ONCE ? rows - i : ROWS_AT_ONCE;

		if (dbert_stopped(poll))
			return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
		pack->kernels->linear(w->projected + (size_t) i * c, c, w->table + (size_t) i * c, c,
							  w->packed, w->bias, m, c, c, DBERT_ACT_NONE);
	}
	return DBERT_OK;
}

/*
 * Distances count from the one that asks: a query's are the negative of a
 * key's.
 */
static DbertStatus
spread(const DbertPack *pack, const DbertSlot *slot, const Work *w, float *at,
	   const DbertPoll *poll, DbertError *err)
{
	const DbertConfig *config = &pack->config;
	size_t		c = config->hidden,
				d = c / config->heads;
	int			zero = dbert_distance_zero(config),
				sign = slot->kind == DBERT_SLOT_QUERY_ROWS ? -1 : 1;

	memset(w->rows, 0, slot->rows * d * sizeof(float));
	for (int h = 0; h < config->heads; h++)
	{
		if (dbert_stopped(poll))
			return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
		for (int i = zero - config->positions + 1; i < zero + config->positions; i++)
			memcpy(w->rows + i * d,
				   w->projected + dbert_distance_row(&config->distances, sign * (i - zero)) * c +
					   h * d,
				   d * sizeof(float));
		pack->kernels->pack_linear(at, w->rows, slot->rows, (int) d);
		at += dbert_distance_floats(config, pack->kernels);
	}
	return DBERT_OK;
}

DbertStatus
dbert_write_distances(const DbertPack *pack, const DbertSlot *slot, const DbertWeights *weights,
					  float *at, void *block, const DbertPoll *poll, DbertError *err)
{
	Work		w;
	void	   *memory = begin(pack, &w);
	DbertStatus status;

	if (memory == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	status = dbert_tensor_read(&pack->source, slot->parts[0], w.weight, block, poll, err);
	if (status == DBERT_OK)
		status = dbert_tensor_read(&pack->source, slot->parts[1], w.bias, block, poll, err);
	if (status == DBERT_OK)
		status = project(pack, &w, weights, poll, err);
	if (status == DBERT_OK)
		status = spread(pack, slot, &w, at, poll, err);
	dbert_free(pack->alloc, memory);
	return status;
}
