/*
 * packbuild.h -- a model between dbert_pack_begin and _end: pack_begin.c makes
 * it, pack_write.c writes it.
 */
#ifndef DBERT_MODEL_PACKBUILD_H
#define DBERT_MODEL_PACKBUILD_H

#include "model/pack.h"
#include "model/packimage.h"
#include "model/slots.h"
#include "model/statictable.h"
#include "model/tokenizerfiles.h"

struct DbertPack
{
	/* immutable after dbert_pack_begin */
	DbertSource source;
	DbertPrecision precision;
	const DbertKernels *kernels;
	const DbertAllocator *alloc;
	DbertArena	arena;			/* owns tensors, labels, file names */
	DbertConfig config;
	const char **labels;		/* [config.n_labels] */
	DbertTensorSet tensors;
	DbertTensorSet steps[DBERT_MAX_POOLED_STEPS];	/* of the modules behind the pooling */
	int64_t		static_tokens;	/* of static embeddings: read of a text, 0: all */
	DbertTokenRows token_rows;	/* of the word embedding; of static embeddings, too */
	const char *prompts[DBERT_PROMPTS];
	DbertTokenizerFiles tokenizer;
	DbertSlots	slots;
	DbertFileList files;
	DbertPackHeader header;		/* but for the checksums */
};

/*
 * A layer's vectors for distances to at; those they are projected from stand in
 * weights.  block: DBERT_READ_BLOCK bytes.
 */
extern DbertStatus dbert_write_distances(const DbertPack *pack, const DbertSlot *slot,
										 const DbertWeights *weights, float *at, void *block,
										 const DbertPoll *poll, DbertError *err);

#endif
