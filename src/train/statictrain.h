/*
 * statictrain.h -- static embeddings made of an encoder's vectors of single
 * tokens.
 *
 * The vectors lose their mean, their largest components, which say little of
 * meaning, and all components behind those that are wanted.  A token that is
 * frequent weighs less.  The result is a model2vec directory.
 */
#ifndef DBERT_TRAIN_STATICTRAIN_H
#define DBERT_TRAIN_STATICTRAIN_H

#include "train/train.h"

typedef struct DbertStaticTable DbertStaticTable;

/*
 * A table for vocab tokens, all zeros yet; E_INVALID unless the dimensions are
 * 1 .. dbert_static_most(width) for vectors of width.
 */
extern DbertStatus dbert_static_create(int vocab, int width, int dimensions,
									   const DbertAllocator *alloc, DbertStaticTable **table,
									   DbertError *err);
extern void dbert_static_free(DbertStaticTable *table);

/* The most dimensions that vectors of this width leave. */
extern int	dbert_static_most(int width);

/* Bytes that making a table takes, the vectors not counted. */
extern size_t dbert_static_bytes(int vocab, int width, int dimensions);

/*
 * Fill the table from the vectors [vocab, width] of all tokens, and from how
 * often each was seen, counts[vocab].  *kept = the share of the vectors'
 * variance that the components kept have, of all but those that were dropped.
 */
extern DbertStatus dbert_static_fill(DbertStaticTable *table, const float *vectors,
									 const int64_t *counts, const DbertPoll *poll, double *kept,
									 DbertError *err);

/*
 * Its files, with the tokenizer's of the teacher, whose source must outlive
 * them as the table must.  They follow what is filled in later.
 */
extern DbertStatus dbert_static_files(const DbertStaticTable *table, const DbertSource *teacher,
									  const DbertAllocator *alloc, const DbertPoll *poll,
									  DbertTrainedFiles **files, DbertError *err);

#endif
