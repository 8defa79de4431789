/*
 * trainfolder.c -- see trainfolder.h.
 */
#include "postgres.h"

#include <sys/stat.h>

#include "catalog/pg_authid.h"
#include "common/file_perm.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/acl.h"

#include "pg/train/trainfolder.h"

static int
make(const char *path)
{
	return MakePGDirectory(path) == 0 || errno == EEXIST ? 0 : -1;
}

int
distil_trainfolder_make(void)
{
	return make("distilbert") == 0 ? make(DISTIL_TRAIN_FOLDER) : -1;
}

static bool
ends_so(const char *name, const char *suffix)
{
	size_t		len = strlen(name);

	return len > strlen(suffix) && strcmp(name + len - strlen(suffix), suffix) == 0;
}

void
distil_trainfolder_visit(const char *suffix, void (*visit) (void *ctx, const char *path), void *ctx)
{
	DIR		   *folder = AllocateDir(DISTIL_TRAIN_FOLDER);
	struct dirent *entry;

	if (folder == NULL && errno == ENOENT)
		return;
	while ((entry = ReadDir(folder, DISTIL_TRAIN_FOLDER)) != NULL)
	{
		char		path[MAXPGPATH];
		struct stat st;

		CHECK_FOR_INTERRUPTS();
		if (!ends_so(entry->d_name, suffix))
			continue;
		snprintf(path, sizeof(path), "%s/%s", DISTIL_TRAIN_FOLDER, entry->d_name);
		if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
			visit(ctx, path);
	}
	FreeDir(folder);
}

pg_crc32c
distil_training_checksum(const void *data, size_t len)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, data, len);
	FIN_CRC32C(crc);
	return crc;
}

bool
distil_training_is_visible(Oid role)
{
	return has_privs_of_role(GetUserId(), role) ||
		   has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
}
