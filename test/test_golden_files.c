/*
 * test_golden_files.c -- the models of the goldens from other files.  Without
 * tokenizer.json, from vocab.txt, the ids are the same, and the other way
 * round.  Copies of the weights in F16 and BF16 give the bits that F32 copies
 * of the rounded values give.
 */
#include "base/bytes.h"
#include "dbert.h"
#include "test/support/dirsource.h"
#include "test/support/goldens.h"
#include "test/support/testhelp.h"

/* ---- files changed on the way ---- */

/* A source that hides one file, or gives other bytes for one. */
typedef struct ChangedSource
{
	DbertSource base;
	const char *name;
	const unsigned char *bytes; /* NULL: hide the file */
	size_t		size;
} ChangedSource;

static DbertStatus
changed_size(void *ctx, const char *name, int64_t *size, DbertError *err)
{
	ChangedSource *s = ctx;

	if (strcmp(name, s->name) != 0)
		return s->base.size(s->base.ctx, name, size, err);
	*size = s->bytes ? (int64_t) s->size : -1;
	return DBERT_OK;
}

static DbertStatus
changed_read(void *ctx, const char *name, uint64_t offset, void *buf, size_t len, DbertError *err)
{
	ChangedSource *s = ctx;

	if (strcmp(name, s->name) != 0)
		return s->base.read(s->base.ctx, name, offset, buf, len, err);
	memcpy(buf, s->bytes + offset, len);
	return DBERT_OK;
}

/*
 * MPNet's tokenizer.json finds "<unk>" in a text.  With vocab.txt alone what is
 * unknown is "[UNK]", and "<unk>" is three pieces, as transformers has it.
 */
static bool
spells_unknown(const Golden *g, int i)
{
	json_t	   *text = json_object_get(json_array_get(g->cases, i), "text");

	return json_is_string(text) && strstr(json_string_value(text), "<unk>") != NULL;
}

/* Each of the two tokenizer files alone gives the golden ids. */
static void
check_tokenizer_files(const Golden *g, const DbertKernels *kernels)
{
	static const char *const files[] = {"tokenizer.json", "vocab.txt"};

	if (!golden_has_file(g, files[0]) || !golden_has_file(g, files[1]))
		return;
	for (int f = 0; f < 2; f++)
	{
		ChangedSource changed = {dir_source(g->dir), files[f], NULL, 0};
		DbertSource source = {changed_size, changed_read, &changed};
		Loaded		loaded;
		DbertBatch *batch;

		if (!golden_load(&loaded, g, &source, DBERT_PRECISION_FP32, kernels))
			continue;
		batch = golden_add(loaded.model, g, DBERT_WANT_EMBEDDING, 0, 1, g->n);
		for (int i = 0; i < g->n; i++)
			if (!spells_unknown(g, i))
				check_golden_tokens(g, i, batch);
		dbert_batch_free(batch);
		golden_unload(&loaded);
	}
}

/* ---- F16 and BF16 ---- */

static uint32_t
bits_of(float f)
{
	uint32_t	u;

	memcpy(&u, &f, sizeof(u));
	return u;
}

/* Round to nearest even; the weights here are far from the limits. */
static uint16_t
bf16_of(float f)
{
	uint32_t	u = bits_of(f);

	return (uint16_t) ((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static uint16_t
f16_of(float f)
{
	int			sign = bits_of(f) >> 16 & 0x8000;
	double		a = fabs(f);
	int			e;

	if (a < 0x1p-14)
		return (uint16_t) (sign | (int) nearbyint(a * 0x1p24));
	frexp(a, &e);
	/* 1024 .. 2048; a carry runs into the exponent, as it should */
	return (uint16_t) (sign | (((e + 13) << 10) + (int) nearbyint(ldexp(a, 11 - e))));
}

/*
 * F32 numbers to dtype, or, as_f32, to dtype's values in F32; returns the bytes
 * written.
 */
static size_t
convert_floats(unsigned char *out, const unsigned char *in, size_t bytes, const char *dtype,
			   bool as_f32)
{
	bool		f16 = strcmp(dtype, "F16") == 0;
	size_t		used = 0;

	for (size_t i = 0; i < bytes; i += 4)
	{
		float		f = dbert_float_of_bits(dbert_load_u32(in + i));
		uint16_t	h = f16 ? f16_of(f) : bf16_of(f);
		float		r = f16 ? dbert_float_of_f16(h) : dbert_float_of_bf16(h);

		memcpy(out + used, as_f32 ? (void *) &r : (void *) &h, as_f32 ? 4 : 2);
		used += as_f32 ? 4 : 2;
	}
	return used;
}

static size_t
begin_of(json_t *tensor)
{
	return json_integer_value(json_array_get(json_object_get(tensor, "data_offsets"), 0));
}

/*
 * Convert a tensor's data to the end of out and tell its header the new place.
 */
static void
convert_tensor(json_t *tensor, const unsigned char *data, unsigned char *out, size_t *used,
			   const char *dtype, bool as_f32)
{
	size_t begin = begin_of(tensor),
		   end = json_integer_value(json_array_get(json_object_get(tensor, "data_offsets"), 1)),
		   start = *used;

	*used += convert_floats(out + start, data + begin, end - begin, dtype, as_f32);
	json_object_set_new(tensor, "dtype", json_string(as_f32 ? "F32" : dtype));
	json_object_set_new(tensor, "data_offsets",
						json_pack("[I,I]", (json_int_t) start, (json_int_t) *used));
}

/*
 * A copy of a safetensors file of F32 tensors with values rounded to dtype,
 * stored as dtype or as F32 again; NULL when the file has other tensors.
 */
static unsigned char *
convert_weights(const unsigned char *file, size_t size, const char *dtype, bool as_f32,
				size_t *out_size)
{
	uint64_t	header_len = dbert_load_u64(file);
	json_t	   *header = json_loadb((const char *) file + 8, header_len, 0, NULL);
	unsigned char *converted = malloc(size),
			   *out = NULL;
	size_t		used = 0,
				text_len;
	const char *name;
	json_t	   *tensor;
	char	   *text;

	json_object_del(header, "__metadata__");
	json_object_foreach(header, name, tensor)
	{
		if (strcmp(json_string_value(json_object_get(tensor, "dtype")), "F32") != 0)
			goto done;
		convert_tensor(tensor, file + 8 + header_len, converted, &used, dtype, as_f32);
	}
	text = json_dumps(header, JSON_COMPACT);
	text_len = strlen(text);
	*out_size = 8 + text_len + used;
	out = malloc(*out_size);
	for (int i = 0; i < 8; i++)
		out[i] = (unsigned char) ((uint64_t) text_len >> 8 * i);
	memcpy(out + 8, text, text_len);
	memcpy(out + 8 + text_len, converted, used);
	free(text);
done:
	free(converted);
	json_decref(header);
	return out;
}

static DbertBatch *
run_with_weights(const Golden *g, Loaded *loaded, const unsigned char *file, size_t size,
				 const DbertKernels *kernels)
{
	ChangedSource changed = {dir_source(g->dir), "model.safetensors", file, size};
	DbertSource source = {changed_size, changed_read, &changed};

	if (!golden_load(loaded, g, &source, DBERT_PRECISION_FP32, kernels))
		return NULL;
	return golden_run(loaded->model, g, 0, 1, g->n);
}

/* 16-bit weights: the bits that the same values as F32 give. */
static void
check_short_floats(const Golden *g, const DbertKernels *kernels)
{
	static const char *const dtypes[] = {"F16", "BF16"};
	DbertSource source = dir_source(g->dir);
	int64_t		size;
	unsigned char *file;

	if (!golden_has_file(g, "model.safetensors"))
		return;
	source.size(source.ctx, "model.safetensors", &size, NULL);
	file = malloc(size);
	CHECK(source.read(source.ctx, "model.safetensors", 0, file, size, NULL) == DBERT_OK);

	for (int d = 0; d < 2; d++)
	{
		size_t		short_size,
					long_size;
		unsigned char *as_short = convert_weights(file, size, dtypes[d], false, &short_size),
				   *as_long = convert_weights(file, size, dtypes[d], true, &long_size);
		Loaded		a = {NULL, NULL},
					b = {NULL, NULL};
		DbertBatch *batch_a =
					   as_short ? run_with_weights(g, &a, as_short, short_size, kernels) : NULL,
				   *batch_b = as_long ? run_with_weights(g, &b, as_long, long_size, kernels) : NULL;

		for (int i = 0; batch_a && batch_b && i < g->n; i++)
			CHECK_MSG(same_results(a.model, batch_a, i, batch_b, i),
					  "%s case %d: %s weights give other bits than their values", g->dir, i,
					  dtypes[d]);
		dbert_batch_free(batch_a);
		dbert_batch_free(batch_b);
		golden_unload(&a);
		golden_unload(&b);
		free(as_short);
		free(as_long);
	}
	free(file);
}

/* Once, with the best table. */
static void
check_folder(const Golden *g)
{
	const DbertKernels *kernels;
	DbertError	err = {0};

	CHECK_MSG(dbert_kernels_choose(NULL, &kernels, &err) == DBERT_OK, "%s", err.msg);
	check_tokenizer_files(g, kernels);
	check_short_floats(g, kernels);
}

static void
test_fixtures(void)
{
	goldens_of_fixtures(check_folder);
}

static void
test_shared_goldens(void)
{
	goldens_of_shared_data(check_folder);
}

int
main(void)
{
	RUN(test_fixtures);
	RUN(test_shared_goldens);
	return tests_end();
}
