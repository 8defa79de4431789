/*
 * fuzz_marian.c -- a translator, from damaged files to its translations.
 *
 * Byte 0 chooses a file of it and how it is damaged, byte 1 its precision and
 * the search, byte 2 how long a text is, which follows.  The rest is the file,
 * or edits of it (fuzzhelp.h).
 */
#include "test/fuzz/fuzzhelp.h"

#include <string.h>

#define STEPS 9

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Long texts end soon. */
static bool
stop_late(void *ctx)
{
	return --*(int *) ctx < 0;
}

static void
damage(MemModel *m, Bytes *in, unsigned how)
{
	MemFile    *f = &m->files[(how & 0x7f) % m->n_files];

	if (how & 0x80)
		mem_put_bytes(m, f->name, in->at, in->left);
	else
		while (take_edit(in, (uint8_t *) f->data, f->size))
			;
}

static void
look_at_texts(const DbertTranslation *t)
{
	DbertError	err;

	REQUIRE(dbert_translation_limited(t) >= 0);
	for (int i = 0; i < 2; i++)
	{
		char	   *text;
		size_t		len;
		DbertStatus status = dbert_translation_text(t, i, &text, &len, &err);

		REQUIRE(status == DBERT_OK || status == DBERT_E_NOT_FINITE);
		dbert_free(&dbert_malloc_allocator, text);
	}
}

/* A text, and the same once more: they go together. */
static void
translate(const DbertModel *model, const char *text, size_t len, unsigned search)
{
	DbertGeneration how = model->config.generation;
	int			left = 20000;
	DbertPoll	poll = {stop_late, &left};
	DbertTranslation *t;
	DbertError	err;
	size_t		bytes;

	how.beams = 1 + (int) (search % 5);
	if (how.max_length > STEPS)
		how.max_length = STEPS;
	REQUIRE(dbert_translation_create(model, &how, search & 0x10
									 ? dbert_language_token(model, "x", 1) : -1,
									 &dbert_malloc_allocator, &t, &err) == DBERT_OK);
	if (dbert_translation_add(t, text, len, &poll, &err) == DBERT_OK &&
		dbert_translation_add(t, text, len, &poll, &err) == DBERT_OK &&
		dbert_translation_prepare(t, &poll, &err) == DBERT_OK)
	{
		REQUIRE(dbert_translation_memory(t, DBERT_TRANSLATE_ROWS, 1, &bytes));
		if (dbert_translation_run(t, DBERT_TRANSLATE_ROWS, NULL, &poll, &err) == DBERT_OK)
			look_at_texts(t);
	}
	dbert_translation_free(t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Bytes		in = {data, size};
	unsigned	how = take_byte(&in),
				search = take_byte(&in);
	size_t		len = take_byte(&in),
				image_size;
	const char *text = (const char *) take(&in, &len);
	DbertModel *model;
	DbertError	err;
	MemModel	m;
	void	   *image;

	mem_model_marian(&m);
	damage(&m, &in, how);
	image = image_of(&m, search & 0x20 ? DBERT_PRECISION_INT8 : DBERT_PRECISION_FP32, &image_size);
	if (image != NULL)
	{
		REQUIRE(dbert_model_open(image, image_size, &dbert_kernels_scalar, &dbert_malloc_allocator,
								 &model, &err) == DBERT_OK);
		if (dbert_decoder_layers(&model->config) > 0)
			translate(model, text, len, search);
		dbert_model_close(model);
	}
	free(image);
	mem_free(&m);
	return 0;
}
