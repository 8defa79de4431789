/*
 * filesync.h -- waiting for the disk in threads, so that interrupts are served.
 *
 * fsync() may take seconds, and so may removing a file of a gigabyte: the file
 * system gives up its blocks when its last name and descriptor are gone.  No
 * signal ends either.  Here a thread waits for the disk, with a descriptor of
 * its own and without PostgreSQL's memory.  A backend that is cancelled goes on
 * at once and leaves the thread to end by itself.
 */
#ifndef DISTILBERT_PG_FILESYNC_H
#define DISTILBERT_PG_FILESYNC_H

/*
 * As pg_fsync: 0, or -1 and errno.  Does nothing where the setting fsync is
 * off.  Raises what an interrupt raises.
 */
extern int	distil_fsync(int fd);

/*
 * After a rename: make sure that the file, which fd has open and which was
 * synced before, has the name path after a crash, too.  Returns and raises as
 * distil_fsync.
 */
extern int	distil_fsync_renamed(int fd, const char *path);

/*
 * As unlink and rename: 0, or -1 and errno.  If nobody else has the file open
 * that loses its name, a thread waits while its blocks are given up.
 */
extern int	distil_unlink_aside(const char *path);
extern int	distil_rename_aside(const char *from, const char *to);

#endif
