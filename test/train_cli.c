/*
 * train_cli.c -- the core's training as a filter, for comparisons
 * (test/train_parity.py) and for the golden losses of test_train_golden.c.
 *
 *     train_cli DIR OUT HEAD PROBLEM LEARNING_RATE WEIGHT_DECAY WARMUP STEPS \
 *         DROPOUT LABEL...
 *
 * HEAD is sequence, token or mask, PROBLEM single, multi or regression.  Reads
 * one batch per line, {"ids": [[...], ...], "y": [...]}: y has a class for each
 * text, a list of numbers for each text, or a class for each token of each
 * text; of mask the id that was there before it was masked, or -1.  Prints the
 * loss of each step and the processor's seconds it took; OUT, unless "-", gets
 * the trained model's files.
 */
#include "dbert.h"
#include "test/support/dirsource.h"
#include "test/support/trainjson.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double
processor_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static void __attribute__((noreturn))
die(const DbertError *err)
{
	fprintf(stderr, "%s: %s\n", dbert_status_text(err->code), err->msg);
	exit(1);
}

static void
write_file(const DbertSource *source, const char *dir, const char *name)
{
	char		path[8192];
	DbertError	err;
	int64_t		size;
	char	   *data;
	FILE	   *f;

	if (source->size(source->ctx, name, &size, &err) != DBERT_OK)
		die(&err);
	if (size < 0)
		return;
	data = malloc((size_t) size + 1);
	if (source->read(source->ctx, name, 0, data, (size_t) size, &err) != DBERT_OK)
		die(&err);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	if (f == NULL || fwrite(data, 1, (size_t) size, f) != (size_t) size || fclose(f) != 0)
		abort();
	free(data);
}

static void
write_model(const DbertTrainer *trainer, const char *dir)
{
	static const char *const names[] = {
		"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt",
		"special_tokens_map.json", "added_tokens.json"
	};
	DbertTrainedFiles *files;
	DbertError	err;

	if (dbert_trainer_files(trainer, &dbert_malloc_allocator, NULL, &files, &err) != DBERT_OK)
		die(&err);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		write_file(dbert_trained_source(files), dir, names[i]);
	dbert_trained_free(files);
}

int
main(int argc, char **argv)
{
	DbertSource source;
	DbertTrainBase *base;
	DbertTrainer *trainer;
	DbertError	err;
	DbertTrainOptions o;
	char	   *line = NULL;
	size_t		capacity = 0;
	const DbertAllocator *a = &dbert_malloc_allocator;

	if (argc < 11)
		return 2;
	source = dir_source(argv[1]);
	o = train_json_options(argv[3], argv[4], argc - 10, (const char *const *) argv + 10);
	o.learning_rate = strtof(argv[5], NULL);
	o.weight_decay = strtof(argv[6], NULL);
	o.warmup = strtof(argv[7], NULL);
	o.steps = atol(argv[8]);
	o.dropout = strtof(argv[9], NULL);
	o.max_batch_tokens = 4096;
	if (dbert_kernels_choose(NULL, &o.kernels, &err) != DBERT_OK ||
		dbert_trainbase_open(&source, NULL, a, NULL, &base, &err) != DBERT_OK)
		die(&err);
	o.max_text_tokens = dbert_trainbase_config(base)->max_tokens;
	if (dbert_trainer_create(base, &o, a, NULL, &trainer, &err) != DBERT_OK)
		die(&err);
	while (getline(&line, &capacity, stdin) > 0)
	{
		TrainJson	batch = train_json_read(line, &o);
		double		loss,
					start = processor_seconds();

		if (dbert_trainer_step(trainer, &batch.batch, NULL, &loss, &err) != DBERT_OK)
			die(&err);
		printf("%.9g %.6f\n", loss, processor_seconds() - start);
		fflush(stdout);
		train_json_free(&batch);
	}
	if (strcmp(argv[2], "-") != 0)
		write_model(trainer, argv[2]);
	dbert_trainer_free(trainer);
	dbert_trainbase_close(base);
	free(line);
	return 0;
}
