/*
 * builtin.c -- finding installed models.
 *
 * Installed files belong to the administrator and are trusted as the library
 * is.  Every new backend that uses such a model has to know whether the pack
 * that it finds belongs to the files that are installed now.  To read megabytes
 * for this would cost more than the query.  So the key is made of what stat
 * says, for an upgrade changes the times of the files.
 */
#include "postgres.h"

#include <sys/stat.h>

#include "miscadmin.h"
#include "storage/fd.h"

#include "pg/bridge/sha256.h"
#include "pg/store/builtin.h"
#include "pg/store/names.h"

static void
models_folder(char *path)
{
	char		share[MAXPGPATH];

	get_share_path(my_exec_path, share);
	snprintf(path, MAXPGPATH, "%s/distilbert/models", share);
}

static bool
is_regular(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

char *
distil_builtin_path(const char *name)
{
	char		folder[MAXPGPATH];
	char	   *config;

	/* one step down from the folder, and nowhere else */
	if (!distil_valid_name(name) || strchr(name, '/') != NULL)
		return NULL;
	models_folder(folder);
	config = psprintf("%s/%s/config.json", folder, name);
	if (!is_regular(config))
		return NULL;
	return psprintf("%s/%s", folder, name);
}

List *
distil_builtin_names(void)
{
	char		folder[MAXPGPATH];
	DIR		   *dir;
	struct dirent *entry;
	List	   *names = NIL;

	models_folder(folder);
	dir = AllocateDir(folder);
	if (dir == NULL)
		return NIL;				/* nothing was installed */
	while ((entry = ReadDir(dir, folder)) != NULL)
	{
		if (distil_builtin_path(entry->d_name) != NULL)
			names = lappend(names, pstrdup(entry->d_name));
	}
	FreeDir(dir);
	distil_sort_strings(names);
	return names;
}

/* One line for each regular file of a folder and its sub-folders. */
static List *
list_files(const char *folder, int depth, List *lines)
{
	DIR		   *dir = AllocateDir(folder);
	struct dirent *entry;

	if (dir == NULL)
		return lines;
	while ((entry = ReadDir(dir, folder)) != NULL)
	{
		char	   *path = psprintf("%s/%s", folder, entry->d_name);
		struct stat st;

		if (entry->d_name[0] == '.' || stat(path, &st) != 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth > 0)
			lines = list_files(path, depth - 1, lines);
		else if (S_ISREG(st.st_mode))
			lines = lappend(lines, psprintf("%s %lld %lld.%09ld %lld.%09ld\n", path,
											(long long) st.st_size,
											(long long) st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
											(long long) st.st_ctim.tv_sec, st.st_ctim.tv_nsec));
	}
	FreeDir(dir);
	return lines;
}

void
distil_builtin_key(const char *path, uint8 *key)
{
	List	   *lines = list_files(path, 1, NIL);
	DistilSha256 *sha = distil_sha256_begin();
	ListCell   *lc;

	distil_sort_strings(lines);
	foreach(lc, lines)
		distil_sha256_add(sha, lfirst(lc), strlen(lfirst(lc)));
	distil_sha256_end(sha, key);
}
