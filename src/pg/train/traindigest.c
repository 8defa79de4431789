/*
 * traindigest.c -- see traindigest.h.
 *
 * What is hashed is what steps are made of: token ids, not texts; options as
 * the trainer has them; not what the result is called, nor threads, which
 * change no bit.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "miscadmin.h"

#include "pg/train/trainjob.h"

/* Some milliseconds' work. */
#define BLOCK_BYTES (1024 * 1024)
#define BLOCK_TEXTS 16384

static void
add(pg_cryptohash_ctx *ctx, const void *data, size_t len)
{
	const uint8 *at = data;

	for (size_t n; len > 0; at += n, len -= n)
	{
		n = Min(len, BLOCK_BYTES);
		CHECK_FOR_INTERRUPTS();
		if (pg_cryptohash_update(ctx, at, n) < 0)
			elog(ERROR, "could not compute SHA-256: %s", pg_cryptohash_error(ctx));
	}
}

#define ADD(ctx, field) add(ctx, &(field), sizeof(field))

static void
add_string(pg_cryptohash_ctx *ctx, const char *s)
{
	add(ctx, s, strlen(s) + 1);
}

/*
 * An error leaves the context to its resource owner, or to the memory context.
 */
static pg_cryptohash_ctx *
begin(void)
{
	pg_cryptohash_ctx *ctx = pg_cryptohash_create(PG_SHA256);

	if (ctx == NULL || pg_cryptohash_init(ctx) < 0)
		elog(ERROR, "could not initialize SHA-256");
	return ctx;
}

static void
end(pg_cryptohash_ctx *ctx, uint8 *digest)
{
	if (pg_cryptohash_final(ctx, digest, DISTIL_SHA256_BYTES) < 0)
		elog(ERROR, "could not compute SHA-256: %s", pg_cryptohash_error(ctx));
	pg_cryptohash_free(ctx);
}

static void
digest_base(const DistilTrainJob *job, uint8 *digest)
{
	pg_cryptohash_ctx *ctx = begin();

	add(ctx, job->source.sha256, DISTIL_SHA256_BYTES);
	if (job->teacher != NULL)
		add(ctx, job->teacher->model->sha256, DISTIL_SHA256_BYTES);
	end(ctx, digest);
}

/* Of a distillation: the student as it begins, and what it is told. */
static void
add_teacher(pg_cryptohash_ctx *ctx, const DistilTrainJob *job)
{
	const DistilTeacher *t = job->teacher;

	add(ctx, t->model->sha256, DISTIL_SHA256_BYTES);
	ADD(ctx, dbert_trainbase_config(job->base)->layers);
	ADD(ctx, dbert_trainbase_config(job->base)->hidden);
	ADD(ctx, t->distill.temperature);
	ADD(ctx, t->distill.soft);
	ADD(ctx, t->distill.hard);
	ADD(ctx, t->distill.cosine);
	ADD(ctx, t->distill.hidden);
	ADD(ctx, t->distill.attention);
}

static void
digest_options(const DistilTrainJob *job, uint8 *digest)
{
	pg_cryptohash_ctx *ctx = begin();
	const DbertTrainOptions *o = &job->options;
	const DistilTrainArgs *a = &job->args;
	bool		weighted = o->class_weights != NULL;

	add_string(ctx, job->command);
	add_string(ctx, a->task);
	ADD(ctx, a->epochs);
	ADD(ctx, a->early_stopping);
	ADD(ctx, a->validation);
	ADD(ctx, a->seed);
	ADD(ctx, a->mask_share);
	ADD(ctx, a->whole_word);
	ADD(ctx, o->head);
	ADD(ctx, o->problem);
	ADD(ctx, o->embedding_loss);
	ADD(ctx, weighted);
	if (weighted)
		add(ctx, o->class_weights, sizeof(float) * o->n_labels);
	ADD(ctx, o->head_only);
	ADD(ctx, o->freeze_embeddings);
	ADD(ctx, o->dropout);
	ADD(ctx, o->learning_rate);
	ADD(ctx, o->weight_decay);
	ADD(ctx, o->warmup);
	ADD(ctx, o->max_grad_norm);
	ADD(ctx, a->batch_size);
	ADD(ctx, a->batch_tokens);
	ADD(ctx, a->max_tokens);
	if (job->teacher != NULL)
		add_teacher(ctx, job);
	end(ctx, digest);
}

static void
add_texts(pg_cryptohash_ctx *ctx, const DistilTrainSet *set)
{
	for (int i = 0; i < set->n; i++)
	{
		const DistilTrainText *t = &set->texts[i];
		uint64		label = t->label;

		if (i % BLOCK_TEXTS == 0)
			CHECK_FOR_INTERRUPTS();
		ADD(ctx, t->n_tokens);
		ADD(ctx, t->n_first);
		ADD(ctx, t->n_first);
		ADD(ctx, t->n_labels);
		ADD(ctx, label);
		ADD(ctx, t->number);
		ADD(ctx, t->unlabelled);
		ADD(ctx, t->unlabelled);
	}
}

static void
digest_rows(const DistilTrainJob *job, uint8 *digest)
{
	pg_cryptohash_ctx *ctx = begin();
	const DistilTrainSet *set = job->set;

	ADD(ctx, set->kind);
	ADD(ctx, set->pairs);
	ADD(ctx, set->n);
	ADD(ctx, job->n_training);
	ADD(ctx, job->n_labels);
	for (int i = 0; i < job->n_labels; i++)
		add_string(ctx, job->labels[i]);
	add_texts(ctx, set);
	add(ctx, set->ids, sizeof(int32) * set->n_ids);
	if (set->pairs)
		add(ctx, set->types, set->n_ids);
	if (set->tags != NULL)
		add(ctx, set->tags, sizeof(int32) * set->n_ids);
	add(ctx, set->labels, sizeof(int32) * set->n_label_refs);
	end(ctx, digest);
}

void
distil_train_digests(const DistilTrainJob *job, DistilTrainDigests *digests)
{
	digest_base(job, digests->base);
	digest_options(job, digests->options);
	digest_rows(job, digests->rows);
}
