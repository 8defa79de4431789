/*
 * filesync.h -- files to the disk and from it, and interrupts served meanwhile.
 *
 * fsync() takes as long as the disk likes, seconds perhaps, and so does giving
 * up a gigabyte's blocks when a file loses its last name and descriptor; no
 * signal ends it.  Here threads of their own wait for the disk, with
 * descriptors of their own; a cancel is served at once and leaves them to end
 * by themselves.  They touch no memory of PostgreSQL's.
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

/*
 * As unlink and rename, 0 or -1 and errno; the blocks of the file that loses
 * its name are given up by a thread, if nobody else has it open.
 */
extern int	distil_unlink_aside(const char *path);
extern int	distil_rename_aside(const char *from, const char *to);

#endif
