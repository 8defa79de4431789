/*
 * fuzz_answers.c -- a whole model, from damaged files to its answers.
 *
 * Byte 0 chooses the model and its precision, byte 1 a file of it and how the
 * file is damaged, bytes 2 and 3 how long a text and its pair are, which
 * follow.  The rest is the file, or edits of it (fuzzhelp.h).
 */
#include "test/fuzz/fuzzhelp.h"

#include <string.h>

static const char *const pooling = "{\"pooling_mode_mean_tokens\":true}";

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Bytes		in = {data, size};
	unsigned	kind = take_byte(&in),
				how = take_byte(&in);
	size_t		len = take_byte(&in),
				pair_len = take_byte(&in),
				image_size;
	const char *text = (const char *) take(&in, &len),
			   *pair = (const char *) take(&in, &pair_len);
	DbertModel *model;
	DbertError	err;
	MemModel	m;
	void	   *image;

	mem_model_kind(&m, kind);
	if (kind % MEM_KINDS >= MEM_KINDS - 2)
	{
		mem_put(&m, "modules.json",
				"[{\"type\":\"Transformer\",\"path\":\"\"},{\"type\":\"Pooling\",\"path\":\"1_"
				"Pooling\"}]");
		mem_put(&m, "1_Pooling/config.json", pooling);
	}
	damage(&m, &in, how);
	image = image_of(&m, kind >= 128 ? DBERT_PRECISION_INT8 : DBERT_PRECISION_FP32, &image_size);
	if (image != NULL)
	{
		REQUIRE(dbert_model_open(image, image_size, &dbert_kernels_scalar, &dbert_malloc_allocator,
								 &model, &err) == DBERT_OK);
		ask_model(model, text, len, pair, pair_len);
		dbert_model_close(model);
	}
	free(image);
	mem_free(&m);
	return 0;
}
