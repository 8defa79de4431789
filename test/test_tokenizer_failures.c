/*
 * test_tokenizer_failures.c -- memory that ends, and cancelling, while the
 * tokenizers of test/fixtures are read, used and asked for a text again.
 *
 * Each allocation fails once: that must be told as such, and nothing may stay
 * allocated.
 */
#include "model/tokenizerfiles.h"
#include "test/support/counting.h"
#include "test/support/dirsource.h"
#include "test/support/testhelp.h"
#include "text/tokenizer.h"

#include <dirent.h>

static const char text[] =
	"\x01 The film was A\xcc\x88\xcc\x81 delight: \xef\xac\x81ne \xe2\x85\xa7, \xf0\x9f\x98\x80 <mask> [MASK] "
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/* Tokenise, decode what came of it. */
static DbertStatus
use(const DbertTokenizer *t, const DbertAllocator *alloc, const DbertPoll *poll, DbertError *err)
{
	DbertTokenList list = {0};
	bool		truncated;
	char	   *decoded = NULL;
	size_t		len;
	int32_t		ids[8] = {0};
	DbertStatus status = dbert_tokenize(t, text, sizeof(text) - 1, text, 20, DBERT_NO_LIMIT,
										alloc, poll, &list, &truncated, err);

	for (size_t i = 0; i < 8 && i < list.count; i++)
		ids[i] = list.items[i].id;
	if (status == DBERT_OK)
		status = dbert_decode(t, ids, 8, false, alloc, &decoded, &len, err);
	dbert_free(alloc, decoded);
	dbert_token_list_free(&list, alloc);
	return status;
}

static DbertStatus
read_files(const char *dir, const DbertAllocator *alloc, DbertTokenizerFiles *out, DbertError *err)
{
	DbertSource source = dir_source(dir);
	DbertArena	arena = {alloc, NULL};
	DbertFileList list = {0};
	DbertStatus status = dbert_tokenizer_files_read(&source, "", "bert", 4096, alloc, &arena, NULL,
													out, &list, err);

	dbert_arena_end(&arena);
	return status;
}

static void
check_reading(const char *dir)
{
	DbertStatus status = DBERT_E_NOMEM;

	/* the first calls one by one, then some of the many */
	for (long at = 1; status != DBERT_OK; at += at < 60 ? 1 : at / 8)
	{
		Counter		counter = {.fail_at = at};
		DbertAllocator alloc = counting(&counter);
		DbertTokenizerFiles files = {0};
		DbertError	err = {0};

		status = read_files(dir, &alloc, &files, &err);
		CHECK_MSG(status == DBERT_OK || status == DBERT_E_NOMEM, "%s: call %ld: %s", dir, at,
				  err.msg);
		dbert_free(&alloc, files.image);
		CHECK_MSG(counter.live == 0, "%s: call %ld: %ld live", dir, at, counter.live);
		if (status != DBERT_OK && status != DBERT_E_NOMEM)
			return;
	}
}

static bool
stop_at(void *ctx)
{
	return --*(int *) ctx < 0;
}

static bool
open_tokenizer(const char *dir, DbertTokenizerFiles *files, DbertTokenizer *t)
{
	DbertError	err = {0};
	DbertStatus status = read_files(dir, &dbert_malloc_allocator, files, &err);

	if (status == DBERT_OK)
		status = dbert_tokenizer_open(files->image, files->image_size, t, &err);
	CHECK_MSG(status == DBERT_OK, "%s: %s", dir, err.msg);
	return status == DBERT_OK;
}

static void
check_using(const char *dir)
{
	DbertTokenizerFiles files = {0};
	DbertTokenizer t;
	DbertError	err = {0};
	DbertStatus status = DBERT_E_NOMEM;

	if (!open_tokenizer(dir, &files, &t))
		return;
	for (long at = 1; status == DBERT_E_NOMEM; at++)
	{
		Counter		counter = {.fail_at = at};
		DbertAllocator alloc = counting(&counter);

		status = use(&t, &alloc, NULL, &err);
		CHECK_MSG(counter.live == 0, "%s: call %ld: %ld live", dir, at, counter.live);
		CHECK_MSG(status == DBERT_OK || status == DBERT_E_NOMEM, "%s: %s", dir, err.msg);
	}
	dbert_free(&dbert_malloc_allocator, files.image);
}

/* A long word, cancelled at each poll: there are enough of them. */
static void
check_cancelling(const char *dir)
{
	static char word[60000];
	DbertTokenizerFiles files = {0};
	DbertTokenizer t;
	DbertError	err = {0};
	DbertStatus status = DBERT_E_CANCELLED;
	int			polls = 0;

	memset(word, 'a', sizeof(word));
	if (!open_tokenizer(dir, &files, &t))
		return;
	for (; status == DBERT_E_CANCELLED && polls < 10000; polls++)
	{
		int			left = polls;
		Counter		counter = {0};
		DbertAllocator alloc = counting(&counter);
		DbertPoll	poll = {stop_at, &left};
		int64_t		count;

		status = dbert_count_tokens(&t, word, sizeof(word), &alloc, &poll, &count, &err);
		CHECK_MSG(status == DBERT_OK || status == DBERT_E_CANCELLED, "%s: %s", dir, err.msg);
		CHECK(counter.live == 0);
	}
	CHECK_MSG(status == DBERT_OK && polls > 12, "%s: %d polls", dir, polls);
	dbert_free(&dbert_malloc_allocator, files.image);
}

static void
for_each(void (*check) (const char *dir))
{
	DIR		   *folder = opendir("test/fixtures");
	int			n = 0;

	for (struct dirent *e; folder != NULL && (e = readdir(folder)) != NULL;)
	{
		char		dir[512];

		if (strncmp(e->d_name, "tokenizer-", 10) != 0)
			continue;
		snprintf(dir, sizeof(dir), "test/fixtures/%s", e->d_name);
		check(dir);
		n++;
	}
	CHECK(n > 0);
	if (folder != NULL)
		closedir(folder);
}

static void
test_reading(void)
{
	for_each(check_reading);
}

static void
test_using(void)
{
	for_each(check_using);
}

static void
test_cancelling(void)
{
	for_each(check_cancelling);
}

int
main(void)
{
	RUN(test_reading);
	RUN(test_using);
	RUN(test_cancelling);
	return tests_end();
}
