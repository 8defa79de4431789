/*
 * peak_x86.c -- the peaks of x86-64: multiply-adds in registers, timed.
 *
 * The file is compiled without flags of its own; each function below asks for
 * its instructions itself and is called by tables that may run here.
 */
#include "kernel/peak.h"

#include "kernel/candidates.h"
#include "kernel/x86/cpu_x86.h"
#include "kernel/x86/tables_x86.h"

#include <immintrin.h>
#include <time.h>

#define CHAINS 12				/* two units, four cycles of latency, and some */
#define ROUNDS 200000
#define TRIES 30

static volatile float sink;

__attribute__((target("avx512f"))) static void
multiply_add_512(void)
{
	__m512		acc[CHAINS];
	const __m512 a = _mm512_set1_ps(0.999f),
				b = _mm512_set1_ps(0.001f);
	float		sum = 0;

	for (int j = 0; j < CHAINS; j++)
		acc[j] = _mm512_set1_ps((float) j);
	for (int i = 0; i < ROUNDS; i++)
#pragma GCC unroll 12
		for (int j = 0; j < CHAINS; j++)
			acc[j] = _mm512_fmadd_ps(acc[j], a, b);
	for (int j = 0; j < CHAINS; j++)
		sum += _mm512_cvtss_f32(acc[j]);
	sink = sum;
}

__attribute__((target("avx2,fma"))) static void
multiply_add_256(void)
{
	__m256		acc[CHAINS];
	const __m256 a = _mm256_set1_ps(0.999f),
				b = _mm256_set1_ps(0.001f);
	float		sum = 0;

	for (int j = 0; j < CHAINS; j++)
		acc[j] = _mm256_set1_ps((float) j);
	for (int i = 0; i < ROUNDS; i++)
#pragma GCC unroll 12
		for (int j = 0; j < CHAINS; j++)
			acc[j] = _mm256_fmadd_ps(acc[j], a, b);
	for (int j = 0; j < CHAINS; j++)
		sum += _mm256_cvtss_f32(acc[j]);
	sink = sum;
}

/*
 * vpmaddwd and the addition of what it gives: what products of 8 bits without
 * VNNI cannot exceed.  Such a pair takes two of a core's vector units for 16
 * multiply-adds; on Zen they get into each other's way.  In assembly, for a
 * compiler sees that all products are the same.
 */
__attribute__((target("avx2"))) static void
multiply_add_widened(void)
{
	__m256i		acc[CHAINS];
	const __m256i a = _mm256_set1_epi16(3);

#pragma GCC unroll 12
	for (int j = 0; j < CHAINS; j++)
		acc[j] = a;
	for (int i = 0; i < ROUNDS; i++)
#pragma GCC unroll 12
		for (int j = 0; j < CHAINS; j++)
			__asm__ volatile("vpmaddwd %1, %1, %%ymm15\n\tvpaddd %%ymm15, %0, %0"
							 : "+x"(acc[j])
							 : "x"(a)
							 : "xmm15");
}

/*
 * Two vpmaddubsw, the sum of both, widened: what int7's products cannot exceed.
 */
__attribute__((target("avx2"))) static void
multiply_add_fours(void)
{
	__m256i		acc[CHAINS];
	const __m256i a = _mm256_set1_epi16(3);

#pragma GCC unroll 12
	for (int j = 0; j < CHAINS; j++)
		acc[j] = a;
	for (int i = 0; i < ROUNDS; i++)
#pragma GCC unroll 12
		for (int j = 0; j < CHAINS; j++)
			__asm__ volatile("vpmaddubsw %1, %1, %%ymm15\n\tvpmaddubsw %1, %1, %%ymm14\n\t"
							 "vpaddw %%ymm14, %%ymm15, %%ymm15\n\t"
							 "vpmaddwd %1, %%ymm15, %%ymm15\n\tvpaddd %%ymm15, %0, %0"
							 : "+x"(acc[j])
							 : "x"(a)
							 : "xmm14", "xmm15");
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/*
 * GFLOP/s of a function that does CHAINS times ROUNDS multiply-adds of so many
 * lanes; the best of some tries.
 */
static double
measure(void (*multiply_add) (void), int lanes)
{
	double		best = 0;

	for (int i = 0; i < TRIES; i++)
	{
		double		start = now(),
					rate;

		multiply_add();
		rate = 2e-9 * lanes * CHAINS * ROUNDS / (now() - start);
		best = rate > best ? rate : best;
	}
	return best;
}

double
dbert_machine_peak(const DbertKernels *table)
{
	const uint32_t features = dbert_machine_features();
	const bool	narrow = table == &dbert_kernels_avx2 || table == &dbert_kernels_avx2_vnni;

	/* OpenBLAS and the definition use the widest that there are. */
	if ((features & DBERT_CPU_AVX512) && !narrow)
		return measure(multiply_add_512, 16);
	return features & DBERT_CPU_AVX2 ? measure(multiply_add_256, 8) : 0;
}

double
dbert_machine_int8_peak(const DbertInt8Kernels *table)
{
	if (table == &dbert_int8_avx2)
		return measure(multiply_add_widened, 16);
	return table == &dbert_int7_avx2 ? measure(multiply_add_fours, 64) : 0;
}
