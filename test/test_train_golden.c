/*
 * test_train_golden.c -- training steps against PyTorch's losses, which
 * test/train_parity.py --golden has written with their batches.
 */
#include "test/support/dirsource.h"
#include "test/support/testhelp.h"
#include "test/support/trainjson.h"

static const char *
text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static DbertTrainer *
trainer_of(const json_t *object, const DbertSource *source, const char **labels,
		   DbertTrainBase **base)
{
	const json_t *names = json_object_get(object, "labels");
	DbertTrainOptions o;
	DbertTrainer *trainer = NULL;
	DbertError	err = {0};

	for (size_t i = 0; i < json_array_size(names); i++)
		labels[i] = json_string_value(json_array_get(names, i));
	o = train_json_options(text_of(object, "head"), text_of(object, "problem"),
						   (int) json_array_size(names), labels);
	o.learning_rate = (float) json_number_value(json_object_get(object, "learning_rate"));
	o.weight_decay = (float) json_number_value(json_object_get(object, "weight_decay"));
	o.warmup = (float) json_number_value(json_object_get(object, "warmup"));
	o.steps = (int64_t) json_array_size(json_object_get(object, "losses"));
	if (dbert_kernels_choose(NULL, &o.kernels, &err) != DBERT_OK ||
		dbert_trainbase_open(source, NULL, &dbert_malloc_allocator, NULL, base, &err) != DBERT_OK ||
		dbert_trainer_create(*base, &o, &dbert_malloc_allocator, NULL, &trainer, &err) != DBERT_OK)
		CHECK_MSG(false, "%s", err.msg);
	return trainer;
}

static void
check_case(const json_t *object)
{
	char		dir[256];
	DbertSource source;
	const char *labels[64];
	const json_t *batches = json_object_get(object, "batches");
	DbertTrainBase *base = NULL;
	DbertTrainer *trainer;
	DbertTrainOptions shape;

	snprintf(dir, sizeof(dir), "test/fixtures/%s", text_of(object, "fixture"));
	source = dir_source(dir);
	trainer = trainer_of(object, &source, labels, &base);
	shape = train_json_options(text_of(object, "head"), text_of(object, "problem"),
							   (int) json_array_size(json_object_get(object, "labels")), labels);
	for (size_t i = 0; trainer != NULL && i < json_array_size(batches); i++)
	{
		TrainJson	batch = train_json_of(json_array_get(batches, i), &shape);
		double		loss = -1;
		DbertError	err = {0};

		CHECK_MSG(dbert_trainer_step(trainer, &batch.batch, NULL, &loss, &err) == DBERT_OK, "%s",
				  err.msg);
		CHECK_NEAR(loss, json_number_value(json_array_get(json_object_get(object, "losses"), i)),
				   1e-4);
		train_json_free(&batch);
	}
	dbert_trainer_free(trainer);
	dbert_trainbase_close(base);
}

static void
test_losses(void)
{
	json_t	   *cases = json_load_file("test/golden/train.json", 0, NULL);

	CHECK(json_array_size(cases) == 7);
	for (size_t i = 0; i < json_array_size(cases); i++)
		check_case(json_array_get(cases, i));
	json_decref(cases);
}

int
main(void)
{
	RUN(test_losses);
	return tests_end();
}
