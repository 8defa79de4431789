/*
 * stats.c -- the view distil_stats: what each model was used for.
 *
 * Every process counts for itself (usage.h).  Where the library is preloaded,
 * there is also a table in shared memory.  A process adds to it what it has
 * counted since the last time: at the end of each transaction (parallel workers
 * do, too) and when the view is read.  The view then shows the counts of the
 * server.  Without that table it shows those of this process, not those of its
 * parallel workers.
 *
 * Each row belongs to a database and a content: a name that was replaced has
 * two.  The shared table has a fixed number of rows; the model that was used
 * longest ago gives way to a new one.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "pg/bridge/preload.h"
#include "pg/bridge/sha256.h"
#include "pg/stats/usage.h"

#define SHARED_MODELS 256

/* A model in this process. */
typedef struct OwnStats
{
	uint8		sha256[DISTIL_SHA256_BYTES];	/* key */
	char		name[NAMEDATALEN];
	DistilUsage usage;
	DistilUsage reported;		/* what is in shared memory already, or was reset */
} OwnStats;

typedef struct SharedModel
{
	Oid			database;
	uint8		sha256[DISTIL_SHA256_BYTES];
	char		name[NAMEDATALEN];
	uint64		used;			/* when, counted in reports */
	DistilUsage usage;
} SharedModel;

typedef struct SharedStats
{
	int			n;
	uint64		reports;
	SharedModel models[SHARED_MODELS];
} SharedStats;

DistilUsage distil_usage_total;

static HTAB *own = NULL;
static SharedStats *shared = NULL;	/* NULL: not preloaded */
static int	shared_part;		/* of preload.h */

PG_FUNCTION_INFO_V1(distil_stats);
PG_FUNCTION_INFO_V1(distil_stats_reset);

/* ---- counting ---- */

void
distil_usage_add(DistilUsage *sum, const DistilUsage *part)
{
	sum->calls += part->calls;
	sum->rows += part->rows;
	sum->texts += part->texts;
	sum->tokens += part->tokens;
	sum->truncated += part->truncated;
	sum->batches += part->batches;
	sum->cache_hits += part->cache_hits;
	sum->errors += part->errors;
	sum->tokenizer_ms += part->tokenizer_ms;
	sum->encoder_ms += part->encoder_ms;
	sum->load_ms += part->load_ms;
}

DistilUsage
distil_usage_since(const DistilUsage *now, const DistilUsage *before)
{
	return (DistilUsage)
	{
		.calls = now->calls - before->calls,
		.rows = now->rows - before->rows,
		.texts = now->texts - before->texts,
		.tokens = now->tokens - before->tokens,
		.truncated = now->truncated - before->truncated,
		.batches = now->batches - before->batches,
		.cache_hits = now->cache_hits - before->cache_hits,
		.errors = now->errors - before->errors,
		.tokenizer_ms = now->tokenizer_ms - before->tokenizer_ms,
		.encoder_ms = now->encoder_ms - before->encoder_ms,
		.load_ms = now->load_ms - before->load_ms
	};
}

void
distil_usage_count(DistilUsage *of_model, const DistilUsage *part)
{
	distil_usage_add(of_model, part);
	distil_usage_add(&distil_usage_total, part);
}

DistilUsage *
distil_usage_of(const uint8 *sha256, const char *name)
{
	OwnStats   *entry;
	bool		found;

	if (own == NULL)
	{
		HASHCTL ctl = { .keysize = DISTIL_SHA256_BYTES,
						.entrysize = sizeof(OwnStats),
						.hcxt = TopMemoryContext };

		own = hash_create("distilbert statistics", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(own, sha256, HASH_ENTER, &found);
	if (!found)
	{
		memset(&entry->usage, 0, sizeof(DistilUsage));
		memset(&entry->reported, 0, sizeof(DistilUsage));
	}
	strlcpy(entry->name, name, NAMEDATALEN);
	return &entry->usage;
}

/* ---- shared memory ---- */

static Size
shared_size(void)
{
	return sizeof(SharedStats);
}

static void
start_shared(void)
{
	bool		found;

	shared = ShmemInitStruct("distilbert statistics", sizeof(SharedStats), &found);
	if (!found)
		memset(shared, 0, sizeof(SharedStats));
}

static SharedModel *
least_recently_used(void)
{
	SharedModel *least = &shared->models[0];

	for (int i = 1; i < shared->n; i++)
	{
		if (shared->models[i].used < least->used)
			least = &shared->models[i];
	}
	return least;
}

/* The row of a model, which may be new; the lock is held. */
static SharedModel *
shared_model(const OwnStats *o)
{
	SharedModel *m;

	for (int i = 0; i < shared->n; i++)
	{
		m = &shared->models[i];
		if (m->database == MyDatabaseId && memcmp(m->sha256, o->sha256, DISTIL_SHA256_BYTES) == 0)
			return m;
	}
	m = shared->n < SHARED_MODELS ? &shared->models[shared->n++] : least_recently_used();
	memset(m, 0, sizeof(SharedModel));
	m->database = MyDatabaseId;
	memcpy(m->sha256, o->sha256, DISTIL_SHA256_BYTES);
	return m;
}

static bool
has_news(const OwnStats *o)
{
	return memcmp(&o->usage, &o->reported, sizeof(DistilUsage)) != 0;
}

static void
report_model(OwnStats *o)
{
	DistilUsage news = distil_usage_since(&o->usage, &o->reported);
	SharedModel *m;

	LWLockAcquire(distil_preload_lock(shared_part), LW_EXCLUSIVE);
	m = shared_model(o);
	memcpy(m->name, o->name, NAMEDATALEN);
	m->used = ++shared->reports;
	distil_usage_add(&m->usage, &news);
	LWLockRelease(distil_preload_lock(shared_part));
	o->reported = o->usage;
}

static void
report(void)
{
	HASH_SEQ_STATUS scan;
	OwnStats   *o;

	if (shared == NULL || own == NULL)
		return;
	hash_seq_init(&scan, own);
	while ((o = hash_seq_search(&scan)) != NULL)
	{
		if (has_news(o))
			report_model(o);
	}
}

static void
at_xact_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			report();
			break;
		default:
			break;
	}
}

void
distil_stats_init(void)
{
	RegisterXactCallback(at_xact_end, NULL);
	shared_part = distil_preload_add(shared_size, start_shared);
}

/* ---- the view ---- */

/* Rounded to microseconds. */
static Datum
ms_datum(double ms)
{
	return Float8GetDatum(rint(ms * 1000) / 1000);
}

static void
put_row(ReturnSetInfo *rsinfo, const char *name, const uint8 *sha256, const DistilUsage *u)
{
	Datum		values[14];
	bool		nulls[14] = {false};
	char		hex[DISTIL_SHA256_HEX];
	int			n = 0;

	values[n++] = CStringGetTextDatum(name);
	values[n++] = Int64GetDatum(u->calls);
	values[n++] = Int64GetDatum(u->rows);
	values[n++] = Int64GetDatum(u->texts);
	values[n++] = Int64GetDatum(u->tokens);
	values[n++] = Int64GetDatum(u->truncated);
	values[n++] = Int64GetDatum(u->batches);
	values[n++] = Int64GetDatum(u->cache_hits);
	values[n++] = Int64GetDatum(u->errors);
	values[n++] = ms_datum(u->tokenizer_ms);
	values[n++] = ms_datum(u->encoder_ms);
	values[n++] = ms_datum(u->load_ms);
	values[n++] = CStringGetTextDatum(shared != NULL ? "server" : "backend");
	values[n++] = CStringGetTextDatum(distil_sha256_hex(sha256, hex));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static void
put_own(ReturnSetInfo *rsinfo)
{
	HASH_SEQ_STATUS scan;
	OwnStats   *o;

	if (own == NULL)
		return;
	hash_seq_init(&scan, own);
	while ((o = hash_seq_search(&scan)) != NULL)
	{
		DistilUsage since = distil_usage_since(&o->usage, &o->reported);

		if (has_news(o))
			put_row(rsinfo, o->name, o->sha256, &since);
	}
}

/* Rows are copied under the lock: making tuples may raise. */
static void
put_shared(ReturnSetInfo *rsinfo)
{
	SharedStats *copy = palloc(sizeof(SharedStats));

	report();
	LWLockAcquire(distil_preload_lock(shared_part), LW_SHARED);
	memcpy(copy, shared, sizeof(SharedStats));
	LWLockRelease(distil_preload_lock(shared_part));
	for (int i = 0; i < copy->n; i++)
	{
		SharedModel *m = &copy->models[i];

		if (m->database == MyDatabaseId)
			put_row(rsinfo, m->name, m->sha256, &m->usage);
	}
	pfree(copy);
}

Datum
distil_stats(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	if (shared != NULL)
		put_shared(rsinfo);
	else
		put_own(rsinfo);
	return (Datum) 0;
}

/* This database's rows. */
static void
reset_shared(void)
{
	int			kept = 0;

	LWLockAcquire(distil_preload_lock(shared_part), LW_EXCLUSIVE);
	for (int i = 0; i < shared->n; i++)
	{
		if (shared->models[i].database != MyDatabaseId)
			shared->models[kept++] = shared->models[i];
	}
	shared->n = kept;
	LWLockRelease(distil_preload_lock(shared_part));
}

Datum
distil_stats_reset(PG_FUNCTION_ARGS)
{
	HASH_SEQ_STATUS scan;
	OwnStats   *o;

	if (shared != NULL)
		reset_shared();
	if (own != NULL)
	{
		hash_seq_init(&scan, own);
		while ((o = hash_seq_search(&scan)) != NULL)
			o->reported = o->usage;
	}
	PG_RETURN_VOID();
}
