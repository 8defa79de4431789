/*
 * checksum.h -- a fast checksum of many bytes, 64 bits.
 *
 * It finds damage and exchanged content, not forgery: whoever may choose the
 * bytes must not know the seed.  Every change within one aligned 8-byte word
 * changes the sum, others go unseen once in 2^64.
 */
#ifndef DBERT_BASE_CHECKSUM_H
#define DBERT_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#define DBERT_CHECKSUM_LANES 4

/* All parts of a sum but the last are multiples of so many bytes. */
#define DBERT_CHECKSUM_STEP (8 * DBERT_CHECKSUM_LANES)

typedef struct DbertChecksum
{
	uint64_t	lanes[DBERT_CHECKSUM_LANES];
	uint64_t	bytes;
} DbertChecksum;

extern void dbert_checksum_begin(DbertChecksum *sum, uint64_t seed);
extern void dbert_checksum_add(DbertChecksum *sum, const void *data, size_t len);
extern uint64_t dbert_checksum_end(const DbertChecksum *sum);

#endif
