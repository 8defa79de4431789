/*
 * filesync.h -- files to the disk, and interrupts served meanwhile.
 *
 * fsync() takes as long as the disk likes, seconds perhaps, and no signal ends
 * it.  Here a thread of its own waits for the disk, on a duplicate of the
 * descriptor, while the backend waits for the thread: a cancel is served at
 * once and leaves the thread to end by itself.  It touches no memory of
 * PostgreSQL's.
 */
#ifndef DISTILBERT_PG_FILESYNC_H
#define DISTILBERT_PG_FILESYNC_H

/*
 * As pg_fsync: 0, or -1 and errno; nothing is done where the setting fsync is
 * off.  May raise what an interrupt raises.
 */
extern int	distil_fsync(int fd);

/*
 * After rename(): the file that fd has open, synced before, keeps its name
 * "path" through a crash.  Returns and raises as distil_fsync.
 */
extern int	distil_fsync_renamed(int fd, const char *path);

#endif
