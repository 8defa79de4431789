/*
 * shareddata.h -- the folder of shared test data: larger goldens and corpora,
 * not part of the repository.  Tests that read it are skipped without it.
 */
#ifndef DBERT_TEST_SHAREDDATA_H
#define DBERT_TEST_SHAREDDATA_H

#include "base/status.h"

#include <stdbool.h>

/* DBERT_SHARED, else ../shared; NULL when it is absent. */
extern const char *shared_dir(void);

/*
 * It holds models of families that are still to come.  May this one have been
 * refused with this error?  It is then skipped.  The families that were always
 * there are known by name, so that the skip hides no break.
 */
extern bool may_be_refused(const char *dir, const DbertError *err);

#endif
