/*
 * testhelp.h -- the unit tests' harness: one program a room, test functions in
 * one flat list, a line for each failed check, "# N passed, N failed" at the
 * end.
 *
 * A test that cannot run here leaves by SKIP and counts neither way.
 *
 *     static void test_x(void) { CHECK(1 + 1 == 2); }
 *     int main(void) { RUN(test_x); return tests_end(); }
 */
#ifndef DBERT_TEST_TESTHELP_H
#define DBERT_TEST_TESTHELP_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* testhelp.c */
extern int	tests_passed,
			tests_failed,
			checks_failed,
			test_skipped;

/* In a function of type void: this test cannot run here. */
#define SKIP(...) \
	do { \
		printf("# skipped: "); \
		printf(__VA_ARGS__); \
		printf("\n"); \
		test_skipped = 1; \
		return; \
	} while (0)

#define CHECK(cond) CHECK_MSG(cond, "%s", #cond)

#define CHECK_MSG(cond, ...) \
	do { \
		if (!(cond)) \
		{ \
			checks_failed++; \
			printf("  %s:%d: ", __FILE__, __LINE__); \
			printf(__VA_ARGS__); \
			printf("\n"); \
		} \
	} while (0)

/* |got - want| <= tol, false for NaN */
#define CHECK_NEAR(got, want, tol) \
	CHECK_MSG(fabs((double) (got) - (double) (want)) <= (tol), "%s: got %.9g, want %.9g", \
			  #got, (double) (got), (double) (want))

#define CHECK_STR(got, want) \
	CHECK_MSG(strcmp(got, want) == 0, "%s: got \"%s\", want \"%s\"", #got, got, want)

#define RUN(test)                                                                                  \
	do                                                                                             \
	{                                                                                              \
		int before = checks_failed;                                                                \
		test_skipped = 0;                                                                          \
		test();                                                                                    \
		if (checks_failed != before)                                                               \
			tests_failed++;                                                                        \
		else if (!test_skipped)                                                                    \
			tests_passed++;                                                                        \
		printf("%s - %s\n",                                                                        \
			   checks_failed != before ? "not ok"                                                  \
			   : test_skipped          ? "skipped"                                                 \
									   : "ok",                                                     \
			   #test);                                                                             \
		fflush(stdout);                                                                            \
	} while (0)

static inline int
tests_end(void)
{
	printf("# %d passed, %d failed\n", tests_passed, tests_failed);
	return tests_failed > 0;
}

#endif
