/*
 * removefile.h -- files that go when a transaction ends.
 */
#ifndef DISTILBERT_PG_REMOVEFILE_H
#define DISTILBERT_PG_REMOVEFILE_H

/*
 * Remove the file when the current (sub)transaction commits (what belonged to
 * something it drops), or when it aborts (what it made).  The path, relative to
 * the data directory, is copied.  That the file cannot be removed is no error.
 */
extern void distil_remove_file_at_end(const char *path, bool at_commit);

/* Called once by _PG_init. */
extern void distil_removefile_init(void);

#endif
