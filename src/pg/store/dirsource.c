/*
 * dirsource.c -- reading a model from a directory of the server.
 *
 * Three things must not happen: that the server reads files for a user who may
 * not read them, that a name means another file after it was checked, and that
 * opening something else than a file (a FIFO, a device) hangs or does
 * something.  So a path is resolved (realpath) and compared with the "root",
 * the folder it has to lie under.  Then it is opened step by step from the
 * root, and no symbolic link is followed on the way: what was put there since
 * the check is either a link, and refused, or lies under the root.  For those
 * who may read any file the root is "/".
 *
 * The callbacks run below the core and do not raise.  One file is kept open,
 * for a model's weights are read one after the other.  Its descriptor and that
 * of the root are closed by a callback of the memory context, which no error
 * skips.
 */
#include "postgres.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/guc.h"

#include "pg/store/dirsource.h"

/* To pass a directory one needs the right to search it, not to read it. */
#ifdef O_PATH
#define STEP_FLAGS	(O_PATH | O_DIRECTORY)
#else
#define STEP_FLAGS	(O_RDONLY | O_DIRECTORY)
#endif

static char *model_path;		/* folder of relative paths, or "" */

typedef struct DirSource
{
	DbertSource source;
	char		root[PATH_MAX]; /* resolved; "/" or without a trailing slash */
	char		dir[PATH_MAX];	/* absolute, as the user sees it */
	int			root_fd;
	int			fd;				/* of the file last read, or -1 */
	char		name[PATH_MAX]; /* its name */
	int64		size;			/* and size */
	MemoryContextCallback callback;
} DirSource;

static void
close_fd(int *fd)
{
	if (*fd < 0)
		return;
	close(*fd);
	ReleaseExternalFD();
	*fd = -1;
}

static void
close_source(void *arg)
{
	DirSource  *dir = arg;

	close_fd(&dir->fd);
	close_fd(&dir->root_fd);
}

/* The part of path below root, or NULL if it is not there.  Both resolved. */
static const char *
below_root(const char *root, const char *path)
{
	size_t		len = strlen(root);

	if (len == 1)
		return path + 1;
	if (strncmp(path, root, len) != 0)
		return NULL;
	if (path[len] == '\0')
		return path + len;
	return path[len] == '/' ? path + len + 1 : NULL;
}

/*
 * Open path, relative to root_fd and free of links; flags are those of the
 * last step.  -1 and errno on failure.
 */
static int
open_beneath(int root_fd, const char *path, int flags)
{
	char		step[NAME_MAX + 1];
	int			at = root_fd;

	for (;;)
	{
		size_t		len = strcspn(path, "/");
		bool		last = path[len] == '\0';
		int			next;
		int			save_errno;

		if (len > NAME_MAX)
		{
			errno = ENAMETOOLONG;
			next = -1;
		}
		else
		{
			memcpy(step, path, len);
			step[len] = '\0';
			next = openat(at, len > 0 ? step : ".",
						  O_NOFOLLOW | O_CLOEXEC | (last ? flags : STEP_FLAGS));
		}
		save_errno = errno;
		if (at != root_fd)
			close(at);
		errno = save_errno;
		if (next < 0 || last)
			return next;
		at = next;
		path += len + 1;
	}
}

/*
 * Open one of the directory's files.  *fd = -1 with DBERT_OK: there is none.
 */
static DbertStatus
open_file(DirSource *dir, const char *name, int *fd, int64 *size, DbertError *err)
{
	char		path[2 * PATH_MAX];
	char		resolved[PATH_MAX];
	const char *below;
	struct stat st;

	*fd = -1;
	snprintf(path, sizeof(path), "%s/%s", dir->dir, name);
	if (realpath(path, resolved) == NULL)
	{
		if (errno == ENOENT || errno == ENOTDIR)
			return DBERT_OK;
		return dbert_fail(err, DBERT_E_IO, "could not open file \"%s\": %s", name, strerror(errno));
	}
	below = below_root(dir->root, resolved);
	if (below == NULL)
		return dbert_fail(
			err, DBERT_E_INVALID,
			"file \"%s\" is a symbolic link that leaves the folder of distilbert.model_path", name);

	/* O_NONBLOCK: opening a FIFO would wait for its writer */
	*fd = open_beneath(dir->root_fd, below, O_RDONLY | O_NONBLOCK);
	if (*fd < 0)
		return dbert_fail(err, DBERT_E_IO, "could not open file \"%s\": %s", name, strerror(errno));
	if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= DISTIL_MAX_FILE_BYTES)
	{
		*size = st.st_size;
		return DBERT_OK;
	}
	close(*fd);
	*fd = -1;
	return dbert_fail(err, DBERT_E_INVALID,
					  "\"%s\" is not a regular file of at most 16 GB", name);
}

/* Make dir->fd the file of this name, or -1 if there is none. */
static DbertStatus
select_file(DirSource *dir, const char *name, DbertError *err)
{
	if (dir->fd >= 0 && strcmp(dir->name, name) == 0)
		return DBERT_OK;
	close_fd(&dir->fd);
	if (strlen(name) >= sizeof(dir->name))
		return dbert_fail(err, DBERT_E_INVALID, "file name is too long");

	DBERT_TRY(open_file(dir, name, &dir->fd, &dir->size, err));
	if (dir->fd >= 0)
	{
		ReserveExternalFD();
		strcpy(dir->name, name);
	}
	return DBERT_OK;
}

static DbertStatus
dir_size(void *ctx, const char *name, int64_t *size, DbertError *err)
{
	DirSource  *dir = ctx;

	DBERT_TRY(select_file(dir, name, err));
	*size = dir->fd >= 0 ? dir->size : -1;
	return DBERT_OK;
}

static DbertStatus
dir_read(void *ctx, const char *name, uint64_t offset, void *buf, size_t len, DbertError *err)
{
	DirSource  *dir = ctx;
	char	   *to = buf;

	DBERT_TRY(select_file(dir, name, err));
	if (dir->fd < 0)
		return dbert_fail(err, DBERT_E_IO, "file \"%s\" has disappeared", name);
	while (len > 0)
	{
		ssize_t		n = pread(dir->fd, to, len, (off_t) offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return dbert_fail(err, DBERT_E_IO, "could not read file \"%s\": %s", name,
							  strerror(errno));
		if (n == 0)
			return dbert_fail(err, DBERT_E_IO, "file \"%s\" became shorter while it was read",
							  name);
		to += n;
		offset += n;
		len -= n;
	}
	return DBERT_OK;
}

/* A source over dir below root, which is resolved; shown is for messages. */
static const DbertSource *
open_source(const char *root, const char *path, const char *shown, MemoryContext context)
{
	DirSource  *dir = MemoryContextAllocZero(context, sizeof(DirSource));
	char		resolved[PATH_MAX];
	const char *below;
	int			fd;

	dir->source.size = dir_size;
	dir->source.read = dir_read;
	dir->source.ctx = dir;
	dir->root_fd = dir->fd = -1;
	dir->callback.func = close_source;
	dir->callback.arg = dir;
	MemoryContextRegisterResetCallback(context, &dir->callback);
	strlcpy(dir->root, root, sizeof(dir->root));

	if (realpath(path, resolved) == NULL)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open model directory \"%s\": %m", shown)));
	below = below_root(root, resolved);
	if (below == NULL)
		ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg(
				 "model directory \"%s\" lies outside of the folder of \"distilbert.model_path\"",
				 shown)));
	strlcpy(dir->dir, resolved, sizeof(dir->dir));

	dir->root_fd = open(root, STEP_FLAGS | O_CLOEXEC);
	if (dir->root_fd >= 0)
		ReserveExternalFD();
	fd = dir->root_fd < 0 ? -1 : open_beneath(dir->root_fd, below, STEP_FLAGS);
	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open model directory \"%s\": %m", shown)));
	close(fd);
	return &dir->source;
}

static bool
may_read_any_file(void)
{
	return has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES);
}

static bool
has_parent_step(const char *path)
{
	for (;;)
	{
		size_t		len = strcspn(path, "/");

		if (len == 2 && path[0] == '.' && path[1] == '.')
			return true;
		if (path[len] == '\0')
			return false;
		path += len + 1;
	}
}

/* A relative path as an absolute one, or an error. */
static const char *
under_model_path(const char *path)
{
	if (model_path == NULL || model_path[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relative path \"%s\" cannot be resolved because \"distilbert.model_path\" "
						"is empty",
						path),
				 errhint("Set \"distilbert.model_path\" to the folder of the models, or give an "
						 "absolute path.")));
	if (has_parent_step(path))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("path \"%s\" must not contain \"..\"", path)));
	return psprintf("%s/%s", model_path, path);
}

const DbertSource *
distil_dirsource_open(const char *path, MemoryContext context)
{
	char		root[PATH_MAX] = "/";
	const char *absolute = path;

	if (path[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("path of the model directory must not be empty")));
	if (!is_absolute_path(path))
		absolute = under_model_path(path);
	else if (!may_read_any_file())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to load a model from an absolute path"),
				 errdetail("Only roles with privileges of the \"%s\" role may name any directory "
						   "of the server.",
						   "pg_read_server_files"),
				 errhint("Give a path relative to \"distilbert.model_path\".")));

	if (!may_read_any_file() && realpath(model_path, root) == NULL)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open the folder of \"distilbert.model_path\": %m")));
	return open_source(root, absolute, path, context);
}

const DbertSource *
distil_dirsource_installed(const char *path, MemoryContext context)
{
	return open_source("/", path, path, context);
}

static bool
check_model_path(char **newval, void **extra, GucSource source)
{
	if (**newval == '\0' || is_absolute_path(*newval))
		return true;
	GUC_check_errdetail("The folder must be given as an absolute path.");
	return false;
}

void
distil_dirsource_init(void)
{
	DefineCustomStringVariable(
		"distilbert.model_path", "Folder under which distil_load_model finds relative paths.",
		"Empty: only absolute paths, which need the rights of pg_read_server_files.",
		&model_path, "", PGC_SUSET, 0, check_model_path, NULL, NULL);
}
