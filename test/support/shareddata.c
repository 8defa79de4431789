/*
 * shareddata.c -- the folder of shared test data, which is not part of the
 * repository.
 */
#include "test/support/shareddata.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *
shared_dir(void)
{
	const char *dir = getenv("DBERT_SHARED");
	struct stat st;

	if (dir == NULL)
		dir = "../shared";
	return stat(dir, &st) == 0 && S_ISDIR(st.st_mode) ? dir : NULL;
}

bool
may_be_refused(const char *dir, const DbertError *err)
{
	static const char *const known[] = {
		"distilbert-", "bert-base", "bert-ner", "bert-sentiment", "electra-base", "electra-ner",
		"electra-sentiment", "static-"
	};
	const char *name = strrchr(dir, '/');

	name = name == NULL ? dir : name + 1;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(name, known[i], strlen(known[i])) == 0)
			return false;
	return err->code == DBERT_E_UNSUPPORTED;
}
