/*
 * filesync.c -- see filesync.h.
 *
 * The backend and the thread that syncs share one Sync.  It comes from malloc
 * and is freed by the last of the two, for an interrupted backend does not wait
 * for the thread.
 */
#include "postgres.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"

#include "pg/bridge/filesync.h"

/* How often the backend looks for interrupts while it waits. */
#define POLL_NANOSECONDS 5000000L

typedef struct Sync
{
	pthread_mutex_t lock;
	pthread_cond_t finished;
	int			fd;				/* the thread's own */
	int			error;			/* errno of fsync, 0 */
	bool		done;
	bool		abandoned;		/* by the backend */
} Sync;

/* Time is measured by a clock that nobody can set. */
static void
init_lock(Sync *sync)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&sync->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&sync->finished, &attributes);
	pthread_condattr_destroy(&attributes);
}

static void
free_sync(Sync *sync)
{
	pthread_cond_destroy(&sync->finished);
	pthread_mutex_destroy(&sync->lock);
	free(sync);
}

/* ---- threads ---- */

/* With all signals blocked: they are the backend's. */
static bool
start_thread(void *(*run) (void *), void *arg)
{
	pthread_attr_t attributes;
	pthread_t	thread;
	sigset_t	all,
				before;
	bool		started;

	if (pthread_attr_init(&attributes) != 0)
		return false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	started = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
		pthread_create(&thread, &attributes, run, arg) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return started;
}

static void *
sync_main(void *arg)
{
	Sync	   *sync = arg;
	int			error = fsync(sync->fd) == 0 ? 0 : errno;
	bool		abandoned;

	/* an unlinked file goes here, not in the backend */
	close(sync->fd);
	pthread_mutex_lock(&sync->lock);
	sync->error = error;
	sync->done = true;
	abandoned = sync->abandoned;
	pthread_cond_signal(&sync->finished);
	pthread_mutex_unlock(&sync->lock);
	if (abandoned)
		free_sync(sync);
	return NULL;
}

static void *
close_main(void *arg)
{
	close((int) (intptr_t) arg);
	return NULL;
}

/* ---- syncing ---- */

/* NULL: there is no thread, or no descriptor, to be had. */
static Sync *
start_sync(int fd)
{
	Sync	   *sync = calloc(1, sizeof(Sync));

	if (sync == NULL)
		return NULL;
	init_lock(sync);
	sync->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (sync->fd >= 0 && start_thread(sync_main, sync))
		return sync;
	if (sync->fd >= 0)
		close(sync->fd);
	free_sync(sync);
	return NULL;
}

static bool
wait_a_little(Sync *sync)
{
	struct timespec until;
	bool		done;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += POLL_NANOSECONDS;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;

	pthread_mutex_lock(&sync->lock);
	if (!sync->done)
		(void) pthread_cond_timedwait(&sync->finished, &sync->lock, &until);
	done = sync->done;
	pthread_mutex_unlock(&sync->lock);
	return done;
}

static void
abandon(Sync *sync)
{
	bool		done;

	pthread_mutex_lock(&sync->lock);
	sync->abandoned = true;
	done = sync->done;
	pthread_mutex_unlock(&sync->lock);
	if (done)
		free_sync(sync);
}

int
distil_fsync(int fd)
{
	Sync	   *sync;
	int			error;

	if (!enableFsync)
		return 0;
	sync = start_sync(fd);
	if (sync == NULL)
		return pg_fsync(fd);

	PG_TRY();
	{
		while (!wait_a_little(sync))
			CHECK_FOR_INTERRUPTS();
	}
	PG_CATCH();
	{
		abandon(sync);
		PG_RE_THROW();
	}
	PG_END_TRY();

	error = sync->error;
	free_sync(sync);
	errno = error;
	return error == 0 ? 0 : -1;
}

/* Some systems cannot sync a folder, and need not. */
static int
sync_parent(const char *path)
{
	char		folder[MAXPGPATH];
	int			fd,
				rc,
				saved_errno;

	strlcpy(folder, path, sizeof(folder));
	get_parent_directory(folder);
	fd = OpenTransientFile(folder[0] == '\0' ? "." : folder, O_RDONLY | PG_BINARY);
	if (fd < 0)
		return -1;
	rc = distil_fsync(fd);
	if (rc != 0 && (errno == EBADF || errno == EINVAL))
		rc = 0;
	saved_errno = errno;
	CloseTransientFile(fd);
	errno = saved_errno;
	return rc;
}

int
distil_fsync_renamed(int fd, const char *path)
{
	return distil_fsync(fd) != 0 ? -1 : sync_parent(path);
}

/* ---- giving up blocks ---- */

static int
open_to_close(const char *path)
{
	return open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

/* fd may be -1; errno stays. */
static void
close_aside(int fd)
{
	int			saved_errno = errno;

	if (fd >= 0 && !start_thread(close_main, (void *) (intptr_t) fd))
		close(fd);
	errno = saved_errno;
}

int
distil_unlink_aside(const char *path)
{
	int			fd = open_to_close(path);
	int			rc = unlink(path);

	close_aside(fd);
	return rc;
}

int
distil_rename_aside(const char *from, const char *to)
{
	int			fd = open_to_close(to);
	int			rc = rename(from, to);

	close_aside(fd);
	return rc;
}
