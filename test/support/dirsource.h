/*
 * dirsource.h -- a DbertSource over a directory, with stdio, for tests, and the
 * model in one.
 *
 *     DbertSource source = dir_source("test/fixtures/x");
 *
 * A file is opened and closed again by every call: slow, and nothing to
 * release.
 */
#ifndef DBERT_TEST_DIRSOURCE_H
#define DBERT_TEST_DIRSOURCE_H

#include "model/pack.h"
#include "model/source.h"

/* dir stays the caller's and must outlive the source. */
extern DbertSource dir_source(const char *dir);

/* NULL and err if there is none; it is never released. */
extern DbertModel *dir_model(const char *dir, const DbertKernels *kernels, DbertPrecision precision,
							 DbertError *err);

#endif
