/*
 * dirsource.h -- a DbertSource over a directory, with stdio, for tests.
 *
 *     DbertSource source = dir_source("test/fixtures/x");
 *
 * A file is opened and closed again by every call: slow, and nothing to
 * release.
 */
#ifndef DBERT_TEST_DIRSOURCE_H
#define DBERT_TEST_DIRSOURCE_H

#include "model/source.h"

/* dir stays the caller's and must outlive the source. */
extern DbertSource dir_source(const char *dir);

#endif
