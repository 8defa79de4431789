/*
 * sha256.c -- see sha256.h.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "pg/bridge/sha256.h"

/* Some milliseconds' work. */
#define PIECE_BYTES (1024 * 1024)

static void
raise_failure(DistilSha256 *sha)
{
	elog(ERROR, "could not compute SHA-256: %s", pg_cryptohash_error(sha));
}

/* OpenSSL has SHA-256 always; what it may lack to begin is memory. */
DistilSha256 *
distil_sha256_begin(void)
{
	DistilSha256 *sha = pg_cryptohash_create(PG_SHA256);

	if (sha == NULL || pg_cryptohash_init(sha) < 0)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
						errdetail("Could not begin a SHA-256 hash: %s.",
								  pg_cryptohash_error(sha))));
	return sha;
}

void
distil_sha256_add(DistilSha256 *sha, const void *data, size_t len)
{
	const uint8 *at = data;

	for (size_t n; len > 0; at += n, len -= n)
	{
		n = Min(len, PIECE_BYTES);
		CHECK_FOR_INTERRUPTS();
		if (pg_cryptohash_update(sha, at, n) < 0)
			raise_failure(sha);
	}
}

void
distil_sha256_add_string(DistilSha256 *sha, const char *s)
{
	distil_sha256_add(sha, s, strlen(s) + 1);
}

void
distil_sha256_end(DistilSha256 *sha, uint8 *digest)
{
	if (pg_cryptohash_final(sha, digest, DISTIL_SHA256_BYTES) < 0)
		raise_failure(sha);
	pg_cryptohash_free(sha);
}

char *
distil_sha256_hex(const uint8 *digest, char *hex)
{
	hex_encode((const char *) digest, DISTIL_SHA256_BYTES, hex);
	hex[DISTIL_SHA256_HEX - 1] = '\0';
	return hex;
}
