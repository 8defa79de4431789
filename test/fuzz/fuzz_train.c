/*
 * fuzz_train.c -- a training that goes on from a damaged checkpoint.
 *
 * Byte 0 chooses the model and what it learns, byte 1 how many steps were done
 * and whether best values were kept; then come edits of the blocks, each with
 * a byte that says of which.  Afterwards a step, the best values, an
 * evaluation; and the files are a base again.
 */
#include "test/fuzz/fuzzhelp.h"
#include "test/support/trainfixture.h"

#include <string.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
damage_blocks(DbertTrainer *t, Bytes *in)
{
	int			n = 0;
	DbertTrainerBlock block;

	while (dbert_trainer_block(t, n, &block))
		n++;
	while (in->left > 4)
	{
		REQUIRE(dbert_trainer_block(t, (int) (take_byte(in) % (unsigned) n), &block));
		take_edit(in, block.data, block.bytes);
	}
}

static void
write_and_open(const DbertTrainer *t)
{
	DbertTrainedFiles *files;
	DbertTrainBase *base;
	DbertError	err;

	if (dbert_trainer_files(t, &dbert_malloc_allocator, NULL, &files, &err) != DBERT_OK)
		return;
	REQUIRE(dbert_trainbase_open(dbert_trained_source(files), NULL, &dbert_malloc_allocator, NULL, &base,
								 &err) == DBERT_OK);
	dbert_trainbase_close(base);
	dbert_trained_free(files);
}

static void
go_on(DbertTrainer *t, const DbertTrainOptions *o, Bytes *in)
{
	DbertTrainBatch batch = tiny_batch(o);
	unsigned	done = take_byte(in);
	bool		kept = done & 0x80;
	const float *logits;
	double		loss,
				weight;
	DbertError	err;

	if (dbert_trainer_continue(t, (done & 0x7f) % 12, kept, NULL, &err) != DBERT_OK)
		return;
	REQUIRE(dbert_trainer_kept(t) == kept);
	damage_blocks(t, in);
	if (dbert_trainer_step(t, &batch, NULL, &loss, &err) != DBERT_OK)
		return;
	REQUIRE(isfinite(loss));
	if (kept)
		REQUIRE(dbert_trainer_restore(t, NULL, &err) == DBERT_OK);
	(void) dbert_trainer_evaluate(t, &batch, NULL, &logits, &loss, &weight, &err);
	write_and_open(t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const DbertHead heads[] = { DBERT_HEAD_SEQUENCE, DBERT_HEAD_TOKEN, DBERT_HEAD_MASK,
									   DBERT_HEAD_NONE };
	Bytes		in = {data, size};
	unsigned	kind = take_byte(&in);
	DbertTrainOptions o =
		tiny_options(heads[kind / MEM_KINDS % 4], (DbertProblem) (kind / (4 * MEM_KINDS) % 3));
	DbertTrainBase *base;
	DbertTrainer *t;
	DbertError	err;
	DbertSource source;
	MemModel	m;

	if (o.head == DBERT_HEAD_MASK || o.head == DBERT_HEAD_NONE)
		o.n_labels = 0;
	o.keep_best = true;
	mem_model_kind(&m, kind);
	source = mem_source(&m);
	REQUIRE(dbert_trainbase_open(&source, NULL, &dbert_malloc_allocator, NULL, &base, &err) == DBERT_OK);
	if (dbert_trainer_create(base, &o, &dbert_malloc_allocator, NULL, &t, &err) == DBERT_OK)
		go_on(t, &o, &in);
	dbert_trainer_free(t);
	dbert_trainbase_close(base);
	mem_free(&m);
	return 0;
}
