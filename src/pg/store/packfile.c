/*
 * packfile.c -- making, mapping and removing pack files.
 *
 * A mapped file that shrinks kills its readers, and one that is written
 * misleads them.  So a pack appears only by rename, complete and on disk, and
 * disappears only by unlink, which does not touch the mappings of its readers.
 *
 * Builders take turns by flock() on the folder.  This needs no file, no shared
 * memory and no WAL (standbys build packs, too).  It works between parallel
 * workers, where heavyweight locks do not, and the kernel releases it whatever
 * happens to the holder.  Any "*.tmp" that the holder finds in the folder is
 * the leftover of a builder that died.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/errors.h"
#include "pg/bridge/filesync.h"
#include "pg/bridge/kernels.h"
#include "pg/bridge/removefile.h"
#include "pg/store/packfile.h"

#define PACK_FOLDER "distilbert"
#define TEMP_SUFFIX ".tmp"

char *
distil_pack_path(const uint8 *sha256, const char *precision)
{
	char		hex[DISTIL_SHA256_HEX];
	DbertPrecision core;

	/* A model of an unknown precision has no pack, and can still be dropped. */
	(void) dbert_precision_parse(precision, &core);

	return psprintf("%s/%s-%d-%s.pack", PACK_FOLDER, distil_sha256_hex(sha256, hex),
					DBERT_PACK_VERSION, dbert_pack_layout(distil_kernels(), core));
}


/* ---- mapping ---- */

void
distil_pack_unmap(DistilMapping *mapping)
{
	if (mapping->image != NULL)
		munmap(mapping->image, mapping->size);
	mapping->image = NULL;
}

static void
unmap_callback(void *arg)
{
	distil_pack_unmap(arg);
}

/*
 * The callback is registered first: nothing may fail once the file is mapped.
 */
static DistilMapping *
map_file(MemoryContext context, int fd, size_t size, int protection)
{
	DistilMapping *mapping = MemoryContextAllocZero(context, sizeof(DistilMapping));
	void	   *image;

	mapping->size = size;
	mapping->callback.func = unmap_callback;
	mapping->callback.arg = mapping;
	MemoryContextRegisterResetCallback(context, &mapping->callback);

	image = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
	if (image == MAP_FAILED)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not map model pack of %zu bytes: %m", size)));
	mapping->image = image;
	return mapping;
}

DistilMapping *
distil_pack_map(const char *path, MemoryContext context)
{
	DistilMapping *mapping = NULL;
	int			fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return NULL;
	if (fd < 0 || fstat(fd, &st) != 0)
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("could not open file \"%s\": %m", path)));
	if (S_ISREG(st.st_mode) && st.st_size > 0)
		mapping = map_file(context, fd, st.st_size, PROT_READ);
	CloseTransientFile(fd);
	return mapping;
}

bool
distil_pack_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
}

void
distil_pack_remove(const char *path)
{
	if (unlink(path) != 0 && errno != ENOENT)
		ereport(LOG,
				(errcode_for_file_access(), errmsg("could not remove file \"%s\": %m", path)));
}


/* ---- building ---- */

/* Remove the files of builders that died.  The lock is held. */
static void
remove_leftovers(void)
{
	DIR		   *folder = AllocateDir(PACK_FOLDER);
	struct dirent *entry;

	while ((entry = ReadDirExtended(folder, PACK_FOLDER, LOG)) != NULL)
	{
		char		path[MAXPGPATH];
		size_t		len = strlen(entry->d_name);

		if (len <= strlen(TEMP_SUFFIX) ||
			strcmp(entry->d_name + len - strlen(TEMP_SUFFIX), TEMP_SUFFIX) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", PACK_FOLDER, entry->d_name);
		distil_pack_remove(path);
	}
	FreeDir(folder);
}

static void
wait_a_little(void)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 10L, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

int
distil_pack_lock(void)
{
	int			lock;

	if (MakePGDirectory(PACK_FOLDER) != 0 && errno != EEXIST)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create directory \"%s\": %m", PACK_FOLDER)));
	lock = OpenTransientFile(PACK_FOLDER, O_RDONLY);
	if (lock < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open directory \"%s\": %m", PACK_FOLDER)));

	while (flock(lock, LOCK_EX | LOCK_NB) != 0)
	{
		/* a file system without flock: builders may do the same work twice */
		if (errno != EWOULDBLOCK && errno != EINTR)
			return lock;
		wait_a_little();
	}
	remove_leftovers();
	return lock;
}

void
distil_pack_unlock(int lock)
{
	CloseTransientFile(lock);
}

/* A temporary file, removed with its context unless it was renamed. */
typedef struct TempFile
{
	char		path[MAXPGPATH];
	bool		exists;
	MemoryContextCallback callback;
} TempFile;

static void
remove_temp(void *arg)
{
	TempFile   *temp = arg;

	if (temp->exists)
		unlink(temp->path);
}

/*
 * Create the file with all its blocks, so that writing to its mapping cannot
 * fail.
 */
static int
create_temp(TempFile *temp, const char *path, uint64 size, MemoryContext context)
{
	int			fd;
	int			rc;

	snprintf(temp->path, sizeof(temp->path), "%s.%d%s", path, MyProcPid, TEMP_SUFFIX);
	temp->exists = false;
	temp->callback.func = remove_temp;
	temp->callback.arg = temp;
	MemoryContextRegisterResetCallback(context, &temp->callback);

	fd = OpenTransientFile(temp->path, O_RDWR | O_CREAT | O_EXCL | PG_BINARY);
	if (fd < 0)
		ereport(ERROR,
			(errcode_for_file_access(), errmsg("could not create file \"%s\": %m", temp->path)));
	temp->exists = true;
	do
	{
		rc = posix_fallocate(fd, 0, (off_t) size);
	} while (rc == EINTR);
	if (rc != 0)
	{
		errno = rc;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not allocate %llu bytes for file \"%s\": %m",
						(unsigned long long) size, temp->path)));
	}
	return fd;
}

static void
create_in(MemoryContext context, const char *path, DbertPack *pack, const char *subject)
{
	TempFile   *temp = MemoryContextAlloc(context, sizeof(TempFile));
	DistilMapping *mapping;
	uint64		size = dbert_pack_size(pack);
	int			fd = create_temp(temp, path, size, context);
	DbertError	err = {0};

	mapping = map_file(context, fd, size, PROT_READ | PROT_WRITE);
	if (dbert_pack_write(pack, mapping->image, distil_poll(), &err) != DBERT_OK)
		distil_raise(&err, subject);
	distil_pack_unmap(mapping);
	if (distil_fsync(fd) != 0)
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("could not write file \"%s\": %m", temp->path)));
	if (rename(temp->path, path) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rename file \"%s\" to \"%s\": %m", temp->path, path)));
	temp->exists = false;
	if (distil_fsync_renamed(fd, path) != 0)
		ereport(
			ERROR, (errcode_for_file_access(), errmsg("could not fsync file \"%s\": %m", path)));
	CloseTransientFile(fd);
}

void
distil_pack_create(const char *path, DbertPack *pack, const char *subject)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "distilbert pack file",
												  ALLOCSET_SMALL_SIZES);

	PG_TRY();
	{
		create_in(context, path, pack, subject);
	}
	PG_FINALLY();
	{
		MemoryContextDelete(context);
	}
	PG_END_TRY();
}


/* ---- the end of a transaction ---- */

void
distil_pack_remove_at_end(const uint8 *sha256, const char *precision, bool at_commit)
{
	distil_remove_file_at_end(distil_pack_path(sha256, precision), at_commit);
}
