/*
 * sha256.h -- SHA-256 by PostgreSQL's own code, with its failures as errors.
 *
 * Begin, add any number of times, end.  After an error in between nobody has to
 * clean up: the state belongs to a memory context or resource owner.
 */
#ifndef DISTILBERT_PG_SHA256_H
#define DISTILBERT_PG_SHA256_H

#include "common/sha2.h"

#define DISTIL_SHA256_BYTES PG_SHA256_DIGEST_LENGTH
#define DISTIL_SHA256_HEX (2 * DISTIL_SHA256_BYTES + 1) /* with the final zero */

typedef struct pg_cryptohash_ctx DistilSha256;

extern DistilSha256 *distil_sha256_begin(void);

/* Serves interrupts, for data may be long. */
extern void distil_sha256_add(DistilSha256 *sha, const void *data, size_t len);

/* With its final zero, so that "ab", "c" and "a", "bc" differ. */
extern void distil_sha256_add_string(DistilSha256 *sha, const char *s);

/* The hash to digest [DISTIL_SHA256_BYTES]; sha is freed. */
extern void distil_sha256_end(DistilSha256 *sha, uint8 *digest);

/* In lower-case hexadecimal, to hex [DISTIL_SHA256_HEX], which is returned. */
extern char *distil_sha256_hex(const uint8 *digest, char *hex);

#endif
