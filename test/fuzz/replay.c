/*
 * replay.c -- a fuzz target's kept inputs, or the files that it is given, once
 * each, where there is no libFuzzer.
 *
 * Without arguments a program fuzz_x takes the files of test/fuzz/corpus/x.  An
 * input that is wrong ends the program, and its name was printed before.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* fuzz_pack.c's mutator calls it; nothing here calls the mutator. */
extern size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

size_t
LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
	(void) data;
	(void) max_size;
	return size;
}

static int
replay(const char *path)
{
	FILE	   *f = fopen(path, "rb");
	uint8_t    *data;
	long		size;

	printf("%s\n", path);
	fflush(stdout);
	if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0)
	{
		perror(path);
		return 1;
	}
	rewind(f);
	/* as large as the input: a read behind it is seen */
	data = malloc(size > 0 ? (size_t) size : 1);
	if (data == NULL || fread(data, 1, (size_t) size, f) != (size_t) size)
		return 1;
	fclose(f);
	LLVMFuzzerTestOneInput(data, (size_t) size);
	free(data);
	return 0;
}

static int
replay_folder(const char *folder, int *count)
{
	DIR		   *dir = opendir(folder);
	struct dirent *entry;
	char		path[4096];
	int			failed = 0;

	if (dir == NULL)
	{
		perror(folder);
		return 1;
	}
	while ((entry = readdir(dir)) != NULL)
	{
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		failed |= replay(path);
		++*count;
	}
	closedir(dir);
	return failed;
}

int
main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	char		folder[256];
	int			failed = 0,
				count = argc - 1;

	name = strstr(name == NULL ? argv[0] : name, "fuzz_");
	if (argc == 1 && name != NULL)
	{
		snprintf(folder, sizeof(folder), "test/fuzz/corpus/%s", name + strlen("fuzz_"));
		failed = replay_folder(folder, &count);
	}
	for (int i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	failed |= count == 0;
	printf("%s - %d inputs\n# %d passed, %d failed\n", failed ? "not ok" : "ok", count, !failed,
		   failed);
	return failed;
}
