/*
 * checksum.c -- see checksum.h.
 *
 * Words go to four lanes in turn: one lane alone would wait for its own
 * multiplication, four together keep up with memory.  Every step is a bijection
 * of the lane and of the word, and so is what joins the lanes in the end.
 */
#include "base/checksum.h"

#include <string.h>

static inline uint64_t
mix(uint64_t lane, uint64_t word)
{
	lane = (lane ^ word) * UINT64_C(0xff51afd7ed558ccd);
	return lane ^ lane >> 32;
}

void
dbert_checksum_begin(DbertChecksum *sum, uint64_t seed)
{
	for (int i = 0; i < DBERT_CHECKSUM_LANES; i++)
		sum->lanes[i] = mix(seed, UINT64_C(0x9e3779b97f4a7c15) * (uint64_t) (i + 1));
	sum->bytes = 0;
}

static void
add_step(uint64_t *lanes, const unsigned char *bytes)
{
	uint64_t	words[DBERT_CHECKSUM_LANES];

	memcpy(words, bytes, sizeof(words));
	for (int i = 0; i < DBERT_CHECKSUM_LANES; i++)
		lanes[i] = mix(lanes[i], words[i]);
}

void
dbert_checksum_add(DbertChecksum *sum, const void *data, size_t len)
{
	const unsigned char *bytes = data;
	uint64_t	lanes[DBERT_CHECKSUM_LANES];
	size_t		at = 0;

	memcpy(lanes, sum->lanes, sizeof(lanes));
	for (; len - at >= DBERT_CHECKSUM_STEP; at += DBERT_CHECKSUM_STEP)
		add_step(lanes, bytes + at);
	if (at < len)
	{
		unsigned char rest[DBERT_CHECKSUM_STEP] = {0};

		memcpy(rest, bytes + at, len - at);
		add_step(lanes, rest);
	}
	memcpy(sum->lanes, lanes, sizeof(lanes));
	sum->bytes += len;
}

uint64_t
dbert_checksum_end(const DbertChecksum *sum)
{
	uint64_t	all = sum->bytes;

	for (int i = 0; i < DBERT_CHECKSUM_LANES; i++)
		all = mix(all, sum->lanes[i]);
	return all;
}
