/*
 * bytes.h -- little-endian loads, and the two 16-bit float formats.
 *
 * safetensors stores little-endian; the loads are written byte by byte so
 * that they are right on any host and on any alignment.
 */
#ifndef DBERT_BASE_BYTES_H
#define DBERT_BASE_BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint16_t
dbert_load_u16(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t) (b[0] | b[1] << 8);
}

static inline uint32_t
dbert_load_u32(const void *p)
{
	const uint8_t *b = p;

	return (uint32_t) b[0] | (uint32_t) b[1] << 8 | (uint32_t) b[2] << 16 | (uint32_t) b[3] << 24;
}

static inline uint64_t
dbert_load_u64(const void *p)
{
	const uint8_t *b = p;

	return (uint64_t) dbert_load_u32(b) | (uint64_t) dbert_load_u32(b + 4) << 32;
}

static inline float
dbert_float_of_bits(uint32_t bits)
{
	float		f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

/* bfloat16: the upper half of a binary32 (exact). */
static inline float
dbert_float_of_bf16(uint16_t h)
{
	return dbert_float_of_bits((uint32_t) h << 16);
}

/* IEEE 754 binary16 to binary32 (exact; subnormals, infinities, NaN kept). */
static inline float
dbert_float_of_f16(uint16_t h)
{
	uint32_t	sign = (uint32_t) (h & 0x8000) << 16;
	uint32_t	exponent = h >> 10 & 0x1f;
	uint32_t	fraction = h & 0x3ff;

	if (exponent == 0x1f)
		return dbert_float_of_bits(sign | 0x7f800000 | fraction << 13);
	if (exponent == 0)
	{
		/* 2^-24 units: the product is exact in binary32 */
		float		f = (float) fraction * 0x1p-24f;

		return sign ? -f : f;
	}
	return dbert_float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

/*
 * The nearest binary16, ties to even; beyond its largest number that number, of
 * the sign (no infinities).
 */
static inline uint16_t
dbert_f16_of_float(float f)
{
	uint32_t	bits,
				sign,
				rest;

	memcpy(&bits, &f, sizeof(bits));
	sign = bits >> 16 & 0x8000;
	bits &= 0x7fffffff;
	if (bits >= 0x477ff000)		/* 65520, or NaN */
		return (uint16_t) (sign | (bits > 0x7f800000 ? 0x7e00 : 0x7bff));
	if (bits < 0x38800000)		/* 2^-14: the sum's last bit is worth 2^-24, which rounds */
	{
		float		x = dbert_float_of_bits(bits) + 0.5f;

		memcpy(&rest, &x, sizeof(rest));
		return (uint16_t) (sign | (rest - 0x3f000000));
	}
	rest = bits + 0xfff + (bits >> 13 & 1);
	return (uint16_t) (sign | (rest - 0x38000000) >> 13);
}

#endif
