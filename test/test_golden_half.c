/*
 * test_golden_half.c -- models of 16 bits give the bits of the same weights as
 * floats: the models of the goldens, their tensors saved anew in F16, in BF16
 * and mixed, with each table of kernels; also in 8 bits, where the images are
 * the same.
 */
#include "base/bytes.h"
#include "dbert.h"
#include "model/packimage.h"
#include "model/safetensors.h"
#include "test/support/dirsource.h"
#include "test/support/goldens.h"
#include "test/support/kerneltables.h"
#include "test/support/testhelp.h"

#define FILE_NAME "model.safetensors"

/* What becomes of the tensors. */
typedef enum Saving
{
	SAVED_F16,
	SAVED_BF16,
	SAVED_MIXED,				/* F16, BF16, F32 by turns */
	SAVINGS
} Saving;

/* Sanitizers take long: there all types are in one model. */
#ifdef __SANITIZE_ADDRESS__
#define FIRST_SAVING SAVED_MIXED
#else
#define FIRST_SAVING SAVED_F16
#endif

/* A directory, one file of which is another. */
typedef struct Resaved
{
	DbertSource dir;
	char	   *data;
	size_t		size;
} Resaved;

static DbertStatus
resaved_size(void *ctx, const char *name, int64_t *size, DbertError *err)
{
	Resaved    *r = ctx;

	if (strcmp(name, FILE_NAME) != 0)
		return r->dir.size(r->dir.ctx, name, size, err);
	*size = (int64_t) r->size;
	return DBERT_OK;
}

static DbertStatus
resaved_read(void *ctx, const char *name, uint64_t offset, void *buf, size_t len, DbertError *err)
{
	Resaved    *r = ctx;

	if (strcmp(name, FILE_NAME) != 0)
		return r->dir.read(r->dir.ctx, name, offset, buf, len, err);
	memcpy(buf, r->data + offset, len);
	return DBERT_OK;
}

static DbertSource
resaved_source(Resaved *r)
{
	return (DbertSource) {resaved_size, resaved_read, r};
}

/* ---- saving ---- */

/* A tensor is saved with the numbers of one dtype, as that or as F32. */
static DbertDtype
dtype_of(const DbertTensor *t, size_t which, Saving saving)
{
	static const DbertDtype turns[] = {DBERT_DTYPE_F16, DBERT_DTYPE_BF16, DBERT_DTYPE_F32};

	if (t->dtype == DBERT_DTYPE_OTHER || t->dtype == DBERT_DTYPE_I8)
		return t->dtype;
	return saving == SAVED_F16 ? DBERT_DTYPE_F16 : saving == SAVED_BF16 ? DBERT_DTYPE_BF16
																		: turns[which % 3];
}

static const char *
dtype_name(DbertDtype dtype)
{
	return dtype == DBERT_DTYPE_F16 ? "F16" : dtype == DBERT_DTYPE_BF16 ? "BF16" : "F32";
}

static void
put(Resaved *r, const void *bytes, size_t size)
{
	memcpy(r->data + r->size, bytes, size);
	r->size += size;
}

/* A number as dtype has it, in that dtype or as a float. */
static void
put_number(Resaved *r, float x, DbertDtype dtype, bool as_floats)
{
	uint32_t	bits;
	uint16_t	half;

	memcpy(&bits, &x, sizeof(bits));
	half = dtype == DBERT_DTYPE_F16 ? dbert_f16_of_float(x) : (uint16_t) (bits >> 16);
	if (dtype != DBERT_DTYPE_F32 && !as_floats)
	{
		put(r, &half, sizeof(half));
		return;
	}
	if (dtype != DBERT_DTYPE_F32)
		x = dtype == DBERT_DTYPE_F16 ? dbert_float_of_f16(half) : dbert_float_of_bf16(half);
	put(r, &x, sizeof(x));
}

static void
put_tensor(Resaved *r, const DbertTensor *t, DbertDtype dtype, bool as_floats)
{
	float	   *values = malloc((t->count + 1) * sizeof(float));
	void	   *block = malloc(DBERT_READ_BLOCK);
	DbertError	err = {0};

	if (dtype == t->dtype && (dtype == DBERT_DTYPE_OTHER || dtype == DBERT_DTYPE_I8))
	{
		(void) r->dir.read(r->dir.ctx, FILE_NAME, t->offset, r->data + r->size, t->bytes, &err);
		r->size += t->bytes;
	}
	else if (dbert_tensor_read(&r->dir, t, values, block, NULL, &err) == DBERT_OK)
		for (uint64_t i = 0; i < t->count; i++)
			put_number(r, values[i], dtype, as_floats);
	CHECK_MSG(err.code == DBERT_OK, "%s", err.msg);
	free(values);
	free(block);
}

/* The header's entry of a tensor of so many bytes; its length. */
static int
entry(char *out, size_t room, const DbertTensor *t, const char *dtype, uint64_t at, uint64_t bytes)
{
	char		shape[DBERT_SHAPE_TEXT];

	return snprintf(out, room, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%llu,%llu]}",
					at > 0 ? "," : "{", t->name, dtype, dbert_shape_text(t->shape, t->rank, shape),
					(unsigned long long) at, (unsigned long long) (at + bytes));
}

static void
save(Resaved *r, const DbertTensorSet *set, Saving saving, bool as_floats)
{
	size_t		room = 8 + set->count * 600 + 2;
	uint64_t	bytes = 0,
				length = 8;

	for (size_t i = 0; i < set->count; i++)
		room += set->items[i].bytes * 4;
	r->data = malloc(room);
	for (size_t i = 0; i < set->count; i++)
	{
		const DbertTensor *t = &set->items[i];
		DbertDtype	dtype = dtype_of(t, i, saving);
		bool		kept = dtype == DBERT_DTYPE_OTHER || dtype == DBERT_DTYPE_I8;
		DbertDtype	written = as_floats ? DBERT_DTYPE_F32 : dtype;
		uint64_t	size = kept ? t->bytes : t->count * dbert_dtype_size(written);

		length += entry(r->data + length, room - length, t, kept ? t->dtype_name : dtype_name(written),
						bytes, size);
		bytes += size;
	}
	r->data[length++] = '}';
	r->size = length;
	length -= 8;
	memcpy(r->data, &length, 8);
	for (size_t i = 0; i < set->count; i++)
		put_tensor(r, &set->items[i], dtype_of(&set->items[i], i, saving), as_floats);
}

static bool
resave(Resaved *r, const Golden *g, Saving saving, bool as_floats)
{
	DbertArena	arena = {.alloc = &dbert_malloc_allocator};
	DbertFileList list = {0};
	DbertTensorSet set;
	DbertError	err = {0};
	bool		good;

	memset(r, 0, sizeof(*r));
	r->dir = dir_source(g->dir);
	good = dbert_tensors_open(&r->dir, "", &arena, NULL, &set, &list, &err) == DBERT_OK;
	CHECK_MSG(good, "%s: %s", g->dir, err.msg);
	if (good)
		save(r, &set, saving, as_floats);
	dbert_arena_end(&arena);
	return good;
}

/* ---- comparing ---- */

static bool
load(Loaded *out, const Golden *g, Saving saving, bool as_floats, DbertPrecision precision,
	 const DbertKernels *kernels)
{
	Resaved		r;
	DbertSource source = resaved_source(&r);
	bool		good = resave(&r, g, saving, as_floats) &&
		golden_load(out, g, &source, precision, kernels);

	free(r.data);
	return good;
}

static void
compare_runs(const Golden *g, const Loaded *halves, const Loaded *floats, Saving saving)
{
	DbertBatch *a = golden_run(halves->model, g, 0, 1, g->n),
			   *b = golden_run(floats->model, g, 0, 1, g->n);

	for (int i = 0; i < g->n; i++)
	{
		DbertBatch *alone = golden_run(halves->model, g, i, 1, 1);

		CHECK_MSG(same_results(halves->model, a, i, b, i) &&
				  same_results(halves->model, alone, 0, b, i),
				  "%s, %s: case %d has other bits in 16 bits (%d)", g->dir,
				  halves->model->kernels->name, i, saving);
		dbert_batch_free(alone);
	}
	dbert_batch_free(a);
	dbert_batch_free(b);
}

/* Does any of the model's matrices or tables have 16 bits? */
static bool
has_halves(const DbertModel *model)
{
	const DbertWeights *w = &model->weights;

	return w->word16.at != NULL || w->position16.at != NULL ||
		   (model->config.layers > 0 && w->layers[0].ffn_in.w16.at != NULL);
}

static bool
same_images(const Loaded *a, const Loaded *b)
{
	const DbertPackHeader *h = a->image;

	return memcmp(a->image, b->image, h->size) == 0;
}

static void
check_saving(const Golden *g, Saving saving, const DbertKernels *kernels)
{
	for (int precision = 0; precision <= DBERT_PRECISION_INT7; precision++)
	{
		Loaded		halves,
					floats;

		if (!load(&halves, g, saving, false, precision, kernels))
			return;
		if (load(&floats, g, saving, true, precision, kernels))
		{
			bool		keeps = kernels->half != NULL && precision == DBERT_PRECISION_FP32;

			CHECK(!has_halves(floats.model) && has_halves(halves.model) <= keeps);
			CHECK(saving == SAVED_MIXED || !keeps || halves.model->config.layers == 0 ||
				  has_halves(halves.model));
			CHECK(keeps || same_images(&halves, &floats));
			compare_runs(g, &halves, &floats, saving);
			golden_unload(&floats);
		}
		golden_unload(&halves);
	}
}

static void
check_folder(const Golden *g)
{
	const DbertKernels *kernels;

	if (!golden_has_file(g, FILE_NAME))
		return;
	for (int at = 0; (kernels = kernels_next(&at, KERNELS_FP32)) != NULL;)
		for (int saving = FIRST_SAVING; saving < SAVINGS; saving++)
			check_saving(g, (Saving) saving, kernels);
}

static void
test_fixtures(void)
{
	goldens_of_fixtures(check_folder);
}

/* Larger models, once: with the best table. */
static void
check_large_folder(const Golden *g)
{
	const DbertKernels *kernels;
	DbertError	err = {0};

	CHECK_MSG(dbert_kernels_choose(NULL, &kernels, &err) == DBERT_OK, "%s", err.msg);
	for (int saving = 0; golden_has_file(g, FILE_NAME) && saving < SAVINGS; saving++)
		check_saving(g, (Saving) saving, kernels);
}

static void
test_shared_goldens(void)
{
	goldens_of_shared_data(check_large_folder);
}

int
main(void)
{
	RUN(test_fixtures);
	if (SHARED_GOLDENS)
		RUN(test_shared_goldens);
	return tests_end();
}
