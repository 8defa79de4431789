/*
 * test_golden_company.c -- a text's answers do not depend on what else is in
 * the batch: with each table of kernels every case of the goldens has the same
 * bits alone, with all others and in reverse order.  In int8 the answers are
 * near those of fp32, and again the same bits in any company.  Tables that are
 * said to have the same bits have them.
 */
#include "dbert.h"
#include "nn/logits.h"
#include "test/support/dirsource.h"
#include "test/support/goldens.h"
#include "test/support/kerneltables.h"
#include "test/support/testhelp.h"

#define INT8_COSINE 0.99
#define INT8_TOLERANCE 0.2		/* root mean squares: of errors by that of logits, or by 1 */

static void
check_company(const Golden *g, const DbertModel *model, const DbertBatch *all)
{
	DbertBatch *reverse = golden_run(model, g, g->n - 1, -1, g->n);

	for (int i = 0; i < g->n; i++)
	{
		DbertBatch *alone = golden_run(model, g, i, 1, 1);

		CHECK_MSG(same_results(model, all, i, alone, 0),
				  "%s, %s: case %d has other bits alone", g->dir, model->kernels->name, i);
		CHECK_MSG(same_results(model, all, i, reverse, g->n - 1 - i),
				  "%s, %s: case %d has other bits in reverse", g->dir, model->kernels->name, i);
		dbert_batch_free(alone);
	}
	dbert_batch_free(reverse);
}

/* ---- tables of the same bits ---- */

/* Results of the folder's cases by the table before, of each precision. */
static struct
{
	const char *bits;			/* NULL: no table yet */
	Loaded		loaded;
	DbertBatch *all;
}			before[DBERT_PRECISIONS];

static void
forget_before(void)
{
	for (int i = 0; i < DBERT_PRECISIONS; i++)
		if (before[i].bits != NULL)
		{
			dbert_batch_free(before[i].all);
			golden_unload(&before[i].loaded);
			before[i].bits = NULL;
		}
}

/* Takes over loaded and all, for the next table. */
static void
check_tables(const Golden *g, Loaded *loaded, DbertBatch *all)
{
	int			which = loaded->model->config.precision;
	const DbertKernels *kernels = loaded->model->kernels;

	if (before[which].bits != NULL)
	{
		bool		same = strcmp(before[which].bits, kernels->bits) == 0;

		for (int i = 0; i < g->n && same; i++)
			CHECK_MSG(same_results(loaded->model, all, i, before[which].all, i),
					  "%s, %s: case %d has other bits than by %s", g->dir, kernels->name, i,
					  before[which].loaded.model->kernels->name);
		dbert_batch_free(before[which].all);
		golden_unload(&before[which].loaded);
	}
	before[which].bits = kernels->bits;
	before[which].loaded = *loaded;
	before[which].all = all;
}

/* ---- 8 bits ---- */

/* The angle between the pooled vectors, and the logits. */
static void
check_close(const Golden *g, int i, const DbertModel *model, const DbertBatch *fp32,
			const DbertBatch *int8)
{
	const float *a = dbert_batch_embedding(fp32, i),
			   *b = dbert_batch_embedding(int8, i);
	double		aa = 0,
				bb = 0,
				ab = 0,
				square = 0,
				error = 0;
	int			rows,
				n;

	for (int j = 0; j < model->config.embedding; j++)
	{
		aa += (double) a[j] * a[j];
		bb += (double) b[j] * b[j];
		ab += (double) a[j] * b[j];
	}
	CHECK_MSG(ab / sqrt(aa * bb) >= INT8_COSINE, "%s, %s case %d: cosine of int8 is %.5f", g->dir,
			  model->kernels->name, i, ab / sqrt(aa * bb));
	a = dbert_batch_logits(fp32, i, &rows);
	b = dbert_batch_logits(int8, i, &rows);
	n = rows * dbert_head_columns(model);
	for (int j = 0; j < n; j++)
	{
		error += pow(a[j] - b[j], 2) / n;
		square += (double) a[j] * a[j] / n;
	}
	CHECK_MSG(sqrt(error) <= INT8_TOLERANCE * fmax(1, sqrt(square)),
			  "%s, %s case %d: logits of int8 off by %.4f", g->dir, model->kernels->name, i,
			  sqrt(error));

}

/*
 * The same model in 8 bits: the same bits in any company; int8 is close to
 * fp32 even in models as small as these.
 */
static void
check_8_bits(const Golden *g, const DbertKernels *kernels, DbertPrecision precision,
			 const DbertBatch *fp32)
{
	DbertSource source = dir_source(g->dir);
	Loaded		loaded;
	DbertBatch *all;

	if (!golden_load(&loaded, g, &source, precision, kernels))
		return;
	CHECK(loaded.model->weights.layers[0].qkv.w8 != NULL && loaded.model->weights.word == NULL);
	all = golden_run(loaded.model, g, 0, 1, g->n);
	for (int i = 0; i < g->n && precision == DBERT_PRECISION_INT8; i++)
		check_close(g, i, loaded.model, fp32, all);
	check_company(g, loaded.model, all);
	check_tables(g, &loaded, all);
}

static void
check_with_kernels(const Golden *g, const DbertKernels *kernels)
{
	DbertSource source = dir_source(g->dir);
	Loaded		loaded;
	DbertBatch *all;

	if (!golden_load(&loaded, g, &source, DBERT_PRECISION_FP32, kernels))
		return;
	all = golden_run(loaded.model, g, 0, 1, g->n);
	check_company(g, loaded.model, all);
	check_8_bits(g, kernels, DBERT_PRECISION_INT8, all);
	check_8_bits(g, kernels, DBERT_PRECISION_INT7, all);
	check_tables(g, &loaded, all);
}

static void
check_folder(const Golden *g)
{
	const DbertKernels *kernels;

	for (int at = 0; (kernels = kernels_next(&at, KERNELS_NAME)) != NULL;)
		check_with_kernels(g, kernels);
	forget_before();
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
	if (SHARED_GOLDENS)
		RUN(test_shared_goldens);
	return tests_end();
}
