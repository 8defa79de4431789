/*
 * random.h -- random numbers that are a function of their place.
 *
 * Nothing is drawn in sequence: number i of a stream is a hash of the stream's
 * key and i.  So a backward pass makes the masks of its forward pass again
 * instead of storing them, and it does not matter which thread makes which.
 *
 * Source: the output function of SplitMix64 (Steele, Lea and Flood 2014, "Fast
 * splittable pseudorandom number generators"), applied to key + i * gamma: the
 * generator's i-th output.
 */
#ifndef DBERT_TRAIN_RANDOM_H
#define DBERT_TRAIN_RANDOM_H

#include "kernel/trainkernels.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

static inline uint64_t
dbert_random_mix(uint64_t z)
{
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Number i of the stream. */
static inline uint64_t
dbert_random_at(uint64_t key, uint64_t i)
{
	return dbert_random_mix(key + (i + 1) * UINT64_C(0x9e3779b97f4a7c15));
}

/*
 * What the random numbers of a seed are for; no two purposes share a stream.
 * DROPOUT and MASK count upwards from their value and reach none of the others.
 */
typedef enum DbertStream
{
	DBERT_STREAM_INIT = 1,		/* what parameters begin with; place: the slot */
	DBERT_STREAM_DROPOUT = 2,	/* plus the step */
	DBERT_STREAM_SPLIT = 0x73706c6974,	/* "split": rows held back */
	DBERT_STREAM_ORDER = 0x6f72646572,	/* "order": of rows; place: the epoch */
	DBERT_STREAM_STUDENT = 0x73747564656e74,	/* "student": its weights */
	DBERT_STREAM_MASK = 0x6d61736b00000000	/* "mask", plus the epoch; place: the text */
} DbertStream;

/* Standard deviation of new weights: transformers' initializer_range. */
#define DBERT_INIT_STD 0.02

/* A stream for each use (purpose, a DbertStream, and place) of a seed. */
static inline uint64_t
dbert_random_key(uint64_t seed, uint64_t purpose, uint64_t place)
{
	return dbert_random_at(dbert_random_at(dbert_random_mix(seed + 1), purpose), place);
}

/* 0 <= x < 1 */
static inline double
dbert_random_uniform(uint64_t key, uint64_t i)
{
	return (double) (dbert_random_at(key, i) >> 11) * 0x1p-53;
}

/* Standard normal, by Box and Muller. */
static inline double
dbert_random_normal(uint64_t key, uint64_t i)
{
	double		u = 1 - dbert_random_uniform(key, 2 * i),
				v = dbert_random_uniform(key, 2 * i + 1);

	return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

/*
 * One dropout mask: element i is kept with probability 1 - p, and then scaled.
 */
typedef struct DbertDropout
{
	uint64_t	key;
	uint32_t	threshold;		/* p in units of 2^-31; 0: everything is kept */
	float		scale;			/* 1 / (1 - p) */
} DbertDropout;

static inline DbertDropout
dbert_dropout(uint64_t key, float p)
{
	DbertDropout d = {key, (uint32_t) ((double) p * 0x1p31), 1 / (1 - p)};

	return d;
}

/*
 * The mask of the elements from i on.  Each 2^32 elements share a number of the
 * stream, and each element is decided by a hash of that number and its place
 * among them.  32 bits make vectors; a multiplication of 64 bits for each
 * element would take longer than everything else (trainkernels.h).
 */
static inline DbertDropRow
dbert_dropout_row(const DbertDropout *d, uint64_t i)
{
	uint64_t	shared = dbert_random_at(d->key, i >> 32);
	DbertDropRow row = { (uint32_t) shared + (uint32_t) i, (uint32_t) (shared >> 32), d->threshold,
						 d->scale };

	return row;
}

/* 0, or the factor of a kept element. */
static inline float
dbert_dropout_factor(const DbertDropout *d, uint64_t i)
{
	DbertDropRow row = dbert_dropout_row(d, i);

	return dbert_drop_factor(&row, 0);
}

/*
 * Part of Fisher and Yates' shuffle: places first, first - 1 .. last, each
 * exchanged with itself or one below it.
 */
static inline void
dbert_random_exchange(int32_t *order, int32_t first, int32_t last, uint64_t key)
{
	for (int32_t i = first; i >= last; i--)
	{
		int32_t		j = (int32_t) (dbert_random_at(key, i) % (uint64_t) (i + 1));
		int32_t		t = order[i];

		order[i] = order[j];
		order[j] = t;
	}
}

/* The numbers 0 .. n-1 in random order. */
static inline void
dbert_random_shuffle(int32_t *order, int32_t n, uint64_t key)
{
	for (int32_t i = 0; i < n; i++)
		order[i] = i;
	dbert_random_exchange(order, n - 1, 1, key);
}

#endif
