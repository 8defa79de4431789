/*
 * goldens.h -- folders with a model and a golden.json: what Hugging Face
 * computes for each of its cases, in float64.
 *
 * A case has the text (and pair), ids, offsets, and logits, pooled vectors or
 * hidden means.  goldens_walk calls a check for each folder below
 * test/fixtures/, or below the shared data where it is there; models of
 * families that are still to come are skipped.
 */
#ifndef DBERT_TEST_GOLDENS_H
#define DBERT_TEST_GOLDENS_H

#include "dbert.h"

#include <jansson.h>
#include <stdbool.h>

typedef struct Golden
{
	const char *dir;
	json_t	   *root;
	json_t	   *cases;
	int			n;
} Golden;

/* Calls check for each folder; a test of its own for either place. */
extern void goldens_of_fixtures(void (*check) (const Golden *g));
extern void goldens_of_shared_data(void (*check) (const Golden *g));

/*
 * For tests that would take minutes of them under sanitizers; the fixtures have
 * every family.
 */
#ifdef __SANITIZE_ADDRESS__
#define SHARED_GOLDENS false
#else
#define SHARED_GOLDENS true
#endif

extern bool golden_has_file(const Golden *g, const char *name);

/* ---- models ---- */

typedef struct Loaded
{
	void	   *image;
	DbertModel *model;
} Loaded;

/* false, and a failed check that names the folder, if it does not load. */
extern bool golden_load(Loaded *out, const Golden *g, const DbertSource *source,
						DbertPrecision precision, const DbertKernels *kernels);
extern void golden_unload(Loaded *loaded);

/* ---- batches ---- */

/*
 * count cases: from, from + step, ...  Not yet run; and run, with logits (if
 * the model has a head) and embeddings.  Freed by the caller.
 */
extern DbertBatch *golden_add(const DbertModel *model, const Golden *g, int want, int from,
							  int step, int count);
extern DbertBatch *golden_run(const DbertModel *model, const Golden *g, int from, int step,
							  int count);

/* The ids, offsets and types of case i, which is the batch's i-th text. */
extern void check_golden_tokens(const Golden *g, int i, const DbertBatch *batch);

/* Text i of a and text j of b have the same bits. */
extern bool same_results(const DbertModel *model, const DbertBatch *a, int i, const DbertBatch *b,
						 int j);

#endif
