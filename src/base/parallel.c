/*
 * parallel.c -- see parallel.h.
 *
 * A loop is published under the lock with a new number; each worker takes part
 * in each number once, drawing parts from a common counter until there are no
 * more, and counts itself out; the owner waits for the last.  Parts differ in
 * length and the machine is shared, so they are drawn, not dealt.
 */
#include "base/parallel.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

typedef struct Worker
{
	DbertThreads  *pool;
	int			number;			/* 1 .. threads-1 */
	pthread_t	thread;
} Worker;

struct DbertThreads
{
	const DbertAllocator *alloc;
	int			threads;
	int			started;		/* of workers, the owner not counted */
	pthread_mutex_t lock;
	pthread_cond_t published;
	pthread_cond_t finished;

	/* under the lock */
	unsigned	loop;			/* number of the last loop published */
	int			busy;			/* workers that have not counted themselves out of it */
	bool		quit;

	/* the loop; written while busy is 0 */
	DbertWork	work;
	void	   *ctx;
	int			end;
	int			next;			/* atomic: the part to be drawn next */
	int			status;			/* atomic: DBERT_OK or the first failure */

	Worker		workers[];		/* [threads - 1] */
};

static void
draw_parts(DbertThreads *pool, int worker)
{
	while (__atomic_load_n(&pool->status, __ATOMIC_RELAXED) == DBERT_OK)
	{
		int			i = __atomic_fetch_add(&pool->next, 1, __ATOMIC_RELAXED);
		int			ok = DBERT_OK;
		DbertStatus status;

		if (i >= pool->end)
			break;
		status = pool->work(pool->ctx, i, worker);
		if (status != DBERT_OK)
			__atomic_compare_exchange_n(&pool->status, &ok, (int) status, false,
										__ATOMIC_RELAXED, __ATOMIC_RELAXED);
	}
}

static void *
worker_main(void *arg)
{
	Worker	   *worker = arg;
	DbertThreads  *pool = worker->pool;
	unsigned	seen = 0;

	pthread_mutex_lock(&pool->lock);
	for (;;)
	{
		while (pool->loop == seen && !pool->quit)
			pthread_cond_wait(&pool->published, &pool->lock);
		if (pool->quit)
			break;
		seen = pool->loop;
		pthread_mutex_unlock(&pool->lock);
		draw_parts(pool, worker->number);
		pthread_mutex_lock(&pool->lock);
		if (--pool->busy == 0)
			pthread_cond_signal(&pool->finished);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* ---- life ---- */

/* Start the workers with all signals blocked; they inherit the mask. */
static bool
start_workers(DbertThreads *pool)
{
	sigset_t	all,
				before;

	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return false;
	for (; pool->started < pool->threads - 1; pool->started++)
	{
		Worker	   *worker = &pool->workers[pool->started];

		worker->pool = pool;
		worker->number = pool->started + 1;
		if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0)
			break;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pool->started == pool->threads - 1;
}

DbertStatus
dbert_threads_create(int threads, const DbertAllocator *alloc, DbertThreads **pool, DbertError *err)
{
	DbertThreads  *p;

	if (threads < 2 || threads > DBERT_MAX_THREADS)
		return dbert_fail(err, DBERT_E_INVALID, "a pool cannot have %d threads", threads);
	p = dbert_alloc_zero(alloc, 1, sizeof(*p) + (threads - 1) * sizeof(Worker));
	if (p == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	p->alloc = alloc;
	p->threads = threads;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->published, NULL);
	pthread_cond_init(&p->finished, NULL);
	if (!start_workers(p))
	{
		dbert_threads_free(p);
		return dbert_fail(err, DBERT_E_NOMEM, "could not start %d threads", threads - 1);
	}
	*pool = p;
	return DBERT_OK;
}

void
dbert_threads_free(DbertThreads *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->quit = true;
	pthread_cond_broadcast(&pool->published);
	pthread_mutex_unlock(&pool->lock);
	for (int i = 0; i < pool->started; i++)
		pthread_join(pool->workers[i].thread, NULL);
	pthread_cond_destroy(&pool->finished);
	pthread_cond_destroy(&pool->published);
	pthread_mutex_destroy(&pool->lock);
	dbert_free(pool->alloc, pool);
}

int
dbert_threads_count(const DbertThreads *pool)
{
	return pool == NULL ? 1 : pool->threads;
}

/* ---- the loop ---- */

DbertStatus
dbert_parallel_for(DbertThreads *pool, int first, int end, DbertWork work, void *ctx)
{
	if (pool == NULL || end - first < 2)
	{
		for (int i = first; i < end; i++)
			DBERT_TRY(work(ctx, i, 0));
		return DBERT_OK;
	}

	pthread_mutex_lock(&pool->lock);
	pool->work = work;
	pool->ctx = ctx;
	pool->end = end;
	pool->next = first;
	pool->status = DBERT_OK;
	pool->busy = pool->threads - 1;
	pool->loop++;
	pthread_cond_broadcast(&pool->published);
	pthread_mutex_unlock(&pool->lock);

	draw_parts(pool, 0);

	pthread_mutex_lock(&pool->lock);
	while (pool->busy > 0)
		pthread_cond_wait(&pool->finished, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
	return (DbertStatus) pool->status;
}
