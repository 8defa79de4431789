/*
 * testhelp.c -- the counters of a test program, which its checks share with
 * those of the files it links.
 */
#include "test/support/testhelp.h"

int			tests_passed,
			tests_failed,
			checks_failed,
			test_skipped;
