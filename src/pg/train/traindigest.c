/*
 * traindigest.c -- see traindigest.h.
 *
 * What is hashed is what steps are made of: token ids, not texts; options as
 * the trainer has them; not what the result is called, nor threads, which
 * change no bit.
 */
#include "postgres.h"

#include "pg/bridge/sha256.h"
#include "pg/train/traindigest.h"
#include "pg/train/trainteacher.h"

#define ADD(sha, field) distil_sha256_add(sha, &(field), sizeof(field))

static void
digest_base(const DistilTrainJob *job, uint8 *digest)
{
	DistilSha256 *sha = distil_sha256_begin();

	distil_sha256_add(sha, job->source.sha256, DISTIL_SHA256_BYTES);
	if (job->teacher != NULL)
		distil_sha256_add(sha, job->teacher->model->sha256, DISTIL_SHA256_BYTES);
	distil_sha256_end(sha, digest);
}

/* Of a distillation: the student as it begins, and what it is told. */
static void
add_teacher(DistilSha256 *sha, const DistilTrainJob *job)
{
	const DistilTeacher *t = job->teacher;

	ADD(sha, dbert_trainbase_config(job->base)->layers);
	ADD(sha, dbert_trainbase_config(job->base)->hidden);
	ADD(sha, t->distill.temperature);
	ADD(sha, t->distill.soft);
	ADD(sha, t->distill.hard);
	ADD(sha, t->distill.cosine);
	ADD(sha, t->distill.hidden);
	ADD(sha, t->distill.attention);
}

static void
digest_options(const DistilTrainJob *job, uint8 *digest)
{
	DistilSha256 *sha = distil_sha256_begin();
	const DbertTrainOptions *o = &job->options;
	const DistilTrainArgs *a = &job->args;
	bool		weighted = o->class_weights != NULL;

	distil_sha256_add_string(sha, job->command);
	distil_sha256_add_string(sha, a->task != NULL ? a->task->name : "");
	ADD(sha, a->epochs);
	ADD(sha, a->early_stopping);
	ADD(sha, a->validation);
	ADD(sha, a->seed);
	ADD(sha, a->mask_share);
	ADD(sha, a->whole_word);
	ADD(sha, o->head);
	ADD(sha, o->problem);
	ADD(sha, o->embedding_loss);
	ADD(sha, weighted);
	if (weighted)
		distil_sha256_add(sha, o->class_weights, sizeof(float) * o->n_labels);
	ADD(sha, o->head_only);
	ADD(sha, o->freeze_embeddings);
	ADD(sha, o->dropout);
	ADD(sha, o->learning_rate);
	ADD(sha, o->weight_decay);
	ADD(sha, o->warmup);
	ADD(sha, o->max_grad_norm);
	ADD(sha, a->batch_size);
	ADD(sha, a->batch_tokens);
	ADD(sha, a->max_tokens);
	if (job->teacher != NULL)
		add_teacher(sha, job);
	distil_sha256_end(sha, digest);
}

static void
add_texts(DistilSha256 *sha, const DistilTrainSet *set)
{
	for (int i = 0; i < set->n; i++)
	{
		const DistilTrainText *t = &set->texts[i];
		uint64		label = t->label;

		ADD(sha, t->n_tokens);
		ADD(sha, t->n_first);
		ADD(sha, t->n_labels);
		ADD(sha, label);
		ADD(sha, t->number);
		ADD(sha, t->unlabelled);
	}
}

static void
digest_rows(const DistilTrainJob *job, uint8 *digest)
{
	DistilSha256 *sha = distil_sha256_begin();
	const DistilTrainSet *set = job->set;

	ADD(sha, set->kind);
	ADD(sha, set->pairs);
	ADD(sha, set->n);
	ADD(sha, job->n_training);
	ADD(sha, job->n_labels);
	for (int i = 0; i < job->n_labels; i++)
		distil_sha256_add_string(sha, job->labels[i]);
	add_texts(sha, set);
	distil_sha256_add(sha, set->ids, sizeof(int32) * set->n_ids);
	if (set->pairs)
		distil_sha256_add(sha, set->types, set->n_ids);
	if (set->tags != NULL)
		distil_sha256_add(sha, set->tags, sizeof(int32) * set->n_ids);
	distil_sha256_add(sha, set->labels, sizeof(int32) * set->n_label_refs);
	distil_sha256_end(sha, digest);
}

void
distil_train_digests(const DistilTrainJob *job, DistilTrainDigests *digests)
{
	digest_base(job, digests->base);
	digest_options(job, digests->options);
	digest_rows(job, digests->rows);
}
