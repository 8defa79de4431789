/*
 * statictrain.c -- see statictrain.h.
 *
 * A token's weight is a / (a + p), p its share of all tokens.  Shares are
 * counted, on top of what Zipf's law says of a vocabulary in the order of
 * frequency, as if so many tokens more had been seen: without any text these
 * are all there is.
 *
 * Of the constants, A and PRIOR were chosen on STS-B's development set, by
 * all-MiniLM-L6-v2; the number of components that are dropped is Mu's.
 *
 * Source: Arora, Liang and Ma 2017, "A simple but tough-to-beat baseline for
 * sentence embeddings" (the weight); Mu and Viswanath 2018 (arXiv:1702.01417),
 * "All-but-the-Top"; Tulkens and van Dongen 2024, "Model2Vec" (tokens' vectors,
 * Zipf's law).
 */
#include "train/statictrain.h"

#include "base/bytes.h"
#include "model/sentence.h"
#include "train/madefiles.h"
#include "train/principal.h"

#include <math.h>
#include <string.h>

/* Of the weight, and tokens that Zipf's law stands for. */
#define A 2e-4
#define PRIOR 1e5

/* One component in so many is dropped. */
#define DROP_SHARE 128

/* The poll is asked before each so many tokens. */
#define SOME_TOKENS 64

struct DbertStaticTable
{
	const DbertAllocator *alloc;
	int			vocab;
	int			width;			/* of the teacher's vectors */
	int			dimensions;
	uint16_t   *rows;			/* [vocab, dimensions] F16 */
};

static int
dropped(int width)
{
	return width / DROP_SHARE;
}

int
dbert_static_most(int width)
{
	return width - dropped(width);
}

size_t
dbert_static_bytes(int vocab, int width, int dimensions)
{
	return (size_t) vocab * (dimensions * sizeof(uint16_t) + sizeof(int64_t)) +
		   ((size_t) width + 40) * width * sizeof(double);
}

DbertStatus
dbert_static_create(int vocab, int width, int dimensions, const DbertAllocator *alloc,
					DbertStaticTable **table, DbertError *err)
{
	DbertStaticTable *t;

	*table = NULL;
	if (dimensions < 1 || dimensions > dbert_static_most(width))
		return dbert_fail(err, DBERT_E_INVALID,
						  "vectors of %d numbers leave 1 to %d dimensions, not %d", width,
						  dbert_static_most(width), dimensions);
	t = dbert_alloc_zero(alloc, 1, sizeof(*t));
	if (t == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	*t = (DbertStaticTable) {
		.alloc = alloc, .vocab = vocab, .width = width, .dimensions = dimensions
	};
	t->rows = dbert_alloc_zero(alloc, (size_t) vocab * dimensions, sizeof(*t->rows));
	if (t->rows == NULL)
	{
		dbert_static_free(t);
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	}
	*table = t;
	return DBERT_OK;
}

void
dbert_static_free(DbertStaticTable *table)
{
	if (table == NULL)
		return;
	dbert_free(table->alloc, table->rows);
	dbert_free(table->alloc, table);
}

/* ---- rows ---- */

/* What Zipf's law says of the token that is at this place, before division. */
static double
zipf(int i)
{
	return 1.0 / (i + 2);
}

/*
 * The rows of all tokens, scaled so that their mean square is 1: F16 has a
 * range.
 */
static DbertStatus
fill_rows(DbertStaticTable *t, const DbertPrincipal *p, const float *vectors,
		  const int64_t *counts, double *row, const DbertPoll *poll, DbertError *err)
{
	double		all = PRIOR,
				law = 0,
				square = 0;

	for (int i = 0; i < t->vocab; i++)
	{
		all += (double) counts[i];
		law += zipf(i);
	}
	for (int k = 0; k < t->dimensions; k++)
		square += p->variance[dropped(t->width) + k];
	square /= (double) t->vocab * t->dimensions;
	for (int i = 0; i < t->vocab; i++)
	{
		double		share = ((double) counts[i] + PRIOR * zipf(i) / law) / all,
					factor = square > 0 ? A / (A + share) / sqrt(square) : 0;

		if (i % SOME_TOKENS == 0 && dbert_stopped(poll))
			return dbert_fail(err, DBERT_E_CANCELLED, "cancelled");
		dbert_principal_project(p, vectors + (size_t) i * t->width, dropped(t->width),
								t->dimensions, row);
		for (int k = 0; k < t->dimensions; k++)
			t->rows[(size_t) i * t->dimensions + k] =
				dbert_f16_of_float((float) (row[k] * factor));
	}
	return DBERT_OK;
}

static double
share_kept(const DbertStaticTable *t, const DbertPrincipal *p)
{
	double		kept = 0,
				all = 0;

	for (int k = dropped(t->width); k < t->width; k++)
	{
		all += p->variance[k];
		if (k < dropped(t->width) + t->dimensions)
			kept += p->variance[k];
	}
	return all > 0 ? kept / all : 1;
}

DbertStatus
dbert_static_fill(DbertStaticTable *table, const float *vectors, const int64_t *counts,
				  const DbertPoll *poll, double *kept, DbertError *err)
{
	DbertPrincipal p;
	double	   *row = dbert_alloc_array(table->alloc, table->dimensions, sizeof(*row));
	DbertStatus status;

	status = dbert_principal_find(vectors, table->vocab, table->width, table->alloc, poll, &p, err);
	if (status == DBERT_OK && row == NULL)
		status = dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	if (status == DBERT_OK)
	{
		*kept = share_kept(table, &p);
		status = fill_rows(table, &p, vectors, counts, row, poll, err);
	}
	dbert_free(table->alloc, row);
	dbert_principal_free(&p);
	return status;
}

/* ---- files ---- */

/* model2vec's config.json and, for sentence-transformers, modules.json. */
static DbertStatus
add_json(DbertTrainedFiles *f, const DbertStaticTable *t, DbertError *err)
{
	DbertJsonTree config,
				modules;
	DbertStatus status;

	dbert_json_pool_begin(&config.pool, f->alloc);
	dbert_json_pool_begin(&modules.pool, f->alloc);
	dbert_json_pool_enter(&config.pool);
	config.root = json_pack("{s:s,s:[s],s:b,s:i,s:i}", "model_type", "model2vec", "architectures",
							"StaticModel", "normalize", true, "hidden_dim", t->dimensions,
							"apply_pca", t->dimensions);
	dbert_json_pool_leave(&config.pool);
	dbert_json_pool_enter(&modules.pool);
	modules.root = json_pack("[{s:i,s:s,s:s,s:s},{s:i,s:s,s:s,s:s}]", "idx", 0, "name", "0", "path",
							 ".", "type", "sentence_transformers.models.StaticEmbedding", "idx", 1,
							 "name", "1", "path", "1_Normalize", "type",
							 "sentence_transformers.models.Normalize");
	dbert_json_pool_leave(&modules.pool);
	status = dbert_madefiles_add(f, "config.json", &config, err);
	if (status == DBERT_OK)
		return dbert_madefiles_add(f, "modules.json", &modules, err);
	dbert_json_free(&modules);
	return status;
}

static DbertStatus
add_weights(DbertTrainedFiles *f, const DbertStaticTable *t, DbertError *err)
{
	DBERT_TRY(dbert_tensorfile_begin(&f->weights, 1, f->alloc, err));
	dbert_tensorfile_add_matrix(&f->weights, "embeddings", t->vocab, t->dimensions, "F16",
								sizeof(uint16_t), t->rows);
	return dbert_tensorfile_end(&f->weights, err);
}

/* The folder of the teacher's tokenizer is its encoder's. */
static DbertStatus
tokenizer_folder(const DbertSource *teacher, const DbertAllocator *alloc, const DbertPoll *poll,
				 char dir[DBERT_FILE_NAME_MAX], DbertError *err)
{
	DbertArena	arena = {alloc, NULL};
	DbertSentence sentence;
	DbertFileList list = {0};
	DbertStatus status = dbert_sentence_read(teacher, &arena, poll, &sentence, &list, err);

	if (status == DBERT_OK)
		memcpy(dir, sentence.dir, sizeof(sentence.dir));
	dbert_arena_end(&arena);
	return status;
}

DbertStatus
dbert_static_files(const DbertStaticTable *table, const DbertSource *teacher,
				   const DbertAllocator *alloc, const DbertPoll *poll, DbertTrainedFiles **files,
				   DbertError *err)
{
	char		dir[DBERT_FILE_NAME_MAX];
	DbertTrainedFiles *f;
	DbertStatus status;

	*files = NULL;
	DBERT_TRY(tokenizer_folder(teacher, alloc, poll, dir, err));
	DBERT_TRY(dbert_madefiles_begin(teacher, dir, alloc, &f, err));
	status = add_json(f, table, err);
	if (status == DBERT_OK)
		status = add_weights(f, table, err);
	if (status != DBERT_OK)
	{
		dbert_trained_free(f);
		return status;
	}
	*files = f;
	return DBERT_OK;
}
