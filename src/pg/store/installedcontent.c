/*
 * installedcontent.c -- see installedcontent.h.
 */
#include "postgres.h"

#include "storage/shmem.h"

#include "pg/bridge/preload.h"
#include "pg/store/installedcontent.h"

/* Those of more models are read again now and then. */
#define MOST_REMEMBERED 16

typedef struct Remembered
{
	int			n;
	int			next;			/* to be written */
	uint8		keys[MOST_REMEMBERED][DISTIL_SHA256_BYTES];
	DistilContent contents[MOST_REMEMBERED];
} Remembered;

static Remembered own;			/* where there is no shared memory */
static Remembered *shared = NULL;
static int	shared_part;		/* of preload.h */

static bool
recall(const Remembered *r, const uint8 *key, DistilContent *content)
{
	for (int i = 0; i < r->n; i++)
	{
		if (memcmp(r->keys[i], key, DISTIL_SHA256_BYTES) != 0)
			continue;
		*content = r->contents[i];
		return true;
	}
	return false;
}

static void
remember(Remembered *r, const uint8 *key, const DistilContent *content)
{
	memcpy(r->keys[r->next], key, DISTIL_SHA256_BYTES);
	r->contents[r->next] = *content;
	r->next = (r->next + 1) % MOST_REMEMBERED;
	r->n = Min(r->n + 1, MOST_REMEMBERED);
}

bool
distil_content_recall(const uint8 *key, DistilContent *content)
{
	bool		found;

	if (shared == NULL)
		return recall(&own, key, content);
	LWLockAcquire(distil_preload_lock(shared_part), LW_SHARED);
	found = recall(shared, key, content);
	LWLockRelease(distil_preload_lock(shared_part));
	return found;
}

void
distil_content_remember(const uint8 *key, const DistilContent *content)
{
	if (shared == NULL)
	{
		remember(&own, key, content);
		return;
	}
	LWLockAcquire(distil_preload_lock(shared_part), LW_EXCLUSIVE);
	remember(shared, key, content);
	LWLockRelease(distil_preload_lock(shared_part));
}

static Size
shared_size(void)
{
	return sizeof(Remembered);
}

static void
start_shared(void)
{
	bool		found;

	shared = ShmemInitStruct("distilbert contents", sizeof(Remembered), &found);
	if (!found)
		memset(shared, 0, sizeof(Remembered));
}

void
distil_installedcontent_init(void)
{
	shared_part = distil_preload_add(shared_size, start_shared);
}
