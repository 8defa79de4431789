/*
 * replay.c -- runs a fuzz target over the files it is given, where there is no
 * libFuzzer: cc -Isrc -I. test/fuzz/replay.c test/fuzz/fuzz_model.c ... ;
 * ./a.out file...
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
	{
		FILE	   *f = fopen(argv[i], "rb");
		uint8_t    *data;
		long		size;

		if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0)
		{
			perror(argv[i]);
			return 1;
		}
		rewind(f);
		data = malloc((size_t) size + 1);
		if (data == NULL || fread(data, 1, (size_t) size, f) != (size_t) size)
			return 1;
		fclose(f);
		LLVMFuzzerTestOneInput(data, (size_t) size);
		free(data);
	}
	return 0;
}
