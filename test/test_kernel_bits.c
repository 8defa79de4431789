/*
 * test_kernel_bits.c -- tables of one DbertKernels.bits give the same bits, on
 * every processor and for ever: what they make of fixed inputs has a digest
 * that stands here.
 *
 * A digest that differs says that stored and indexed results of earlier builds
 * or of other processors are no longer equal to computed ones.  If that is
 * meant, the name in .bits changes with it.
 */
#include "kernel/decoding.h"
#include "kernel/kernel.h"
#include "model/config.h"
#include "test/support/guarded.h"
#include "test/support/kerneltables.h"
#include "test/support/testhelp.h"

static const struct
{
	const char *bits;
	uint64_t	digest,
				decoding;		/* of a decoder's kernels */
}			known[] = {
	{"fma16", UINT64_C(0x0c30fc4237bc3a60), UINT64_C(0x7d7dde313aa26432)},
};

static uint64_t digest;

/* FNV-1a over the numbers' bytes, lowest first. */
static void
digest_rows(const float *x, size_t ld, int m, int n)
{
	for (int i = 0; i < m; i++)
		for (int j = 0; j < n; j++)
		{
			uint32_t	word;

			memcpy(&word, &x[i * ld + j], sizeof(word));
			for (int b = 0; b < 32; b += 8)
				digest = (digest ^ (word >> b & 0xff)) * UINT64_C(1099511628211);
		}
}

/* The first array of a case: it, and those that follow, are the same for all. */
static float *
seeded(size_t count)
{
	seed = (unsigned) count;
	return guarded(count);
}

/* What is packed has other sizes in each table, and comes last. */
static void
products(int m, int n, int k, int act, float size)
{
	float	   *x = seeded((size_t) m * k),
			   *w = guarded((size_t) n * k),
			   *b = guarded(n),
			   *y = guarded((size_t) m * n),
			   *pack = guarded(table->packed_linear_size(n, k)),
			   *pack8 = guarded(table->int8->packed_size(n, k) / sizeof(float) + 1),
			   *pack7 = guarded(table->int7->packed_size(n, k) / sizeof(float) + 1),
			   *scratch = guarded(dbert_int8_scratch(m, k));

	for (int i = 0; i < n; i++)
		b[i] *= size;
	table->pack_linear(pack, w, n, k);
	table->linear(y, n, x, k, pack, b, m, n, k, act);
	digest_rows(y, n, m, n);
	table->int8->pack(pack8, w, n, k);
	table->int8->linear(y, n, x, k, pack8, b, m, n, k, act, scratch);
	digest_rows(y, n, m, n);
	table->int7->pack(pack7, w, n, k);
	table->int7->linear(y, n, x, k, pack7, b, m, n, k, act, scratch);
	digest_rows(y, n, m, n);
	guarded_free(x, (size_t) m * k);
	guarded_free(w, (size_t) n * k);
	guarded_free(b, n);
	guarded_free(y, (size_t) m * n);
	guarded_free(pack, table->packed_linear_size(n, k));
	guarded_free(pack8, table->int8->packed_size(n, k) / sizeof(float) + 1);
	guarded_free(pack7, table->int7->packed_size(n, k) / sizeof(float) + 1);
	guarded_free(scratch, dbert_int8_scratch(m, k));
}

/* size: of the scores, from all alike to one that outweighs the others */
static void
attention(int t, int d, float size, bool biased, int window)
{
	float	   *q = seeded((size_t) t * d),
			   *k = guarded((size_t) t * d),
			   *v = guarded((size_t) t * d),
			   *bias = guarded(2 * (size_t) t),
			   *out = guarded((size_t) t * d),
			   *scratch = guarded(dbert_attention_scratch(t, d));
	const DbertScoring scoring = {
		.scale = size / sqrtf((float) d),.bias = biased ? bias + t : NULL,.window = window
	};

	table->attention(out, d, q, k, v, d, t, t, d, &scoring, scratch);
	digest_rows(out, d, t, d);
	table->int8->attention(out, d, q, k, v, d, t, t, d, scoring.scale, scratch);
	digest_rows(out, d, t, d);
	table->int7->attention(out, d, q, k, v, d, t, t, d, scoring.scale, scratch);
	digest_rows(out, d, t, d);
	guarded_free(q, (size_t) t * d);
	guarded_free(k, (size_t) t * d);
	guarded_free(v, (size_t) t * d);
	guarded_free(bias, 2 * (size_t) t);
	guarded_free(out, (size_t) t * d);
	guarded_free(scratch, dbert_attention_scratch(t, d));
}

static void
norms(int n)
{
	float	   *x = seeded(2 * (size_t) n),
			   *r = guarded(2 * (size_t) n),
			   *y = guarded(2 * (size_t) n),
			   *gamma = guarded(n),
			   *beta = guarded(n);

	table->layer_norm_rows(y, x, r, gamma, beta, 2, n, 1e-12f);
	digest_rows(y, n, 2, n);
	table->layer_norm_rows(y, x, NULL, gamma, NULL, 2, n, 1e-5f);
	digest_rows(y, n, 2, n);
	table->rms_norm_rows(y, x, gamma, 2, n, 1e-6f);
	digest_rows(y, n, 2, n);
	for (int act = DBERT_ACT_GELU; act <= DBERT_ACT_SILU; act++)
	{
		table->gate_rows(y, x, r, n, 2, n, act);
		digest_rows(y, n, 2, n);
	}
	guarded_free(x, 2 * (size_t) n);
	guarded_free(r, 2 * (size_t) n);
	guarded_free(y, 2 * (size_t) n);
	guarded_free(gamma, n);
	guarded_free(beta, n);
}

/* A decoder's: one query, t keys, and a vocabulary of as many. */
static void
decoding(int t, int heads, int d)
{
	int			c = heads * d;
	float	   *q = seeded(c),
			   *memory = guarded(2 * (size_t) t * c),
			   *out = guarded(c),
			   *most = guarded(dbert_maxima(2 * t * c)),
			   *scratch = guarded((size_t) heads * t),
				sum;
	const float **keys = malloc(t * sizeof(*keys));

	for (int j = 0; j < t; j++)
		keys[j] = memory + (size_t) j * 2 * c;
	table->decoding->attend(out, q, keys, c, t, heads, d, 3 / sqrtf((float) d), scratch);
	digest_rows(out, c, 1, c);
	CHECK(table->decoding->maxima(most, memory, 2 * t * c));
	digest_rows(most, 1, 1, dbert_maxima(2 * t * c));
	sum = table->decoding->exp_sum(memory, 2 * t * c, 1);
	digest_rows(&sum, 1, 1, 1);
	free(keys);
	guarded_free(q, c);
	guarded_free(memory, 2 * (size_t) t * c);
	guarded_free(out, c);
	guarded_free(most, dbert_maxima(2 * t * c));
	guarded_free(scratch, (size_t) heads * t);
}

static void
all_entries(void)
{
	static const float sizes[] = {1, 20, 400};
	static const int ts[] = {1, 7, 8, 9, 16, 17, 23, 24, 31, 33, 64, 77, 128, 200};

	for (int act = DBERT_ACT_NONE; act <= DBERT_ACT_SILU; act++)
		for (int i = 0; i < 3; i++)
			products(1 + 6 * i, 15 + 19 * i, 5 + 31 * i, act, sizes[i] / 4);
	products(3, 70, 1600, DBERT_ACT_GELU, 1);
	products(130, 40, 768, DBERT_ACT_NONE, 1);
	for (int i = 0; i < (int) (sizeof(ts) / sizeof(ts[0])); i++)
	{
		attention(ts[i], 8 + 8 * (i % 8), sizes[i % 3], false, 0);
		attention(ts[i], 33, 4, true, 0);
		attention(ts[i], 32, sizes[i % 3], i % 2, 5);
	}
	for (int n = 1; n <= 50; n++)
		norms(n);
	norms(768);
	norms(771);
}

static void
test_digests(void)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
	{
		if (strcmp(table->bits, known[i].bits) != 0)
			continue;
		digest = UINT64_C(14695981039346656037);
		all_entries();
		CHECK_MSG(digest == known[i].digest, "%s: the digest is 0x%016llx, that of \"%s\" 0x%016llx",
				  table->name, (unsigned long long) digest, table->bits,
				  (unsigned long long) known[i].digest);
		digest = UINT64_C(14695981039346656037);
		for (int t = 1; t < 90; t += 1 + t / 3)
			decoding(t, 1 + t % 4, 1 + t * 13 % 70);
		decoding(31, 8, 64);
		CHECK_MSG(digest == known[i].decoding, "%s: a decoder's digest is 0x%016llx, that of \"%s\" 0x%016llx",
				  table->name, (unsigned long long) digest, table->bits,
				  (unsigned long long) known[i].decoding);
	}
}

int
main(void)
{
	for (int at = 0; (table = kernels_next(&at, KERNELS_NAME)) != NULL;)
		RUN(test_digests);
	return tests_end();
}
