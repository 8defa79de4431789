/*
 * pack.h -- from a model's files to one mappable image, and back to a model.
 *
 * Building: dbert_pack_begin reads and checks everything but the weights'
 * values (configuration, tokenizer, the tensors' names, shapes, types and
 * places); dbert_pack_write then streams the weights into the image, checking
 * that every value is finite, and rounding those that are to have 8 bits.
 * Weights of 16 bits stay as they are where the kernels can read them.  The
 * image is the same bytes for the same files, precision, format version and
 * kernel layout.
 *
 * The layout of the image (header, table of sections, sections on 64-byte
 * boundaries) is drawn in src/model/README.md.
 */
#ifndef DBERT_MODEL_PACK_H
#define DBERT_MODEL_PACK_H

#include "base/memory.h"
#include "base/status.h"
#include "kernel/kernel.h"
#include "model/precision.h"
#include "model/source.h"
#include "model/weights.h"
#include "text/tokenizer.h"

/* Part of a pack file's name; raise it with every change of the image. */
#define DBERT_PACK_VERSION 10

/* Bytes of what names a model's content: a SHA-256. */
#define DBERT_CONTENT_BYTES 32

typedef struct DbertPack DbertPack;

/*
 * The layout of an image of this precision: the other part of a pack file's
 * name.
 */
extern const char *dbert_pack_layout(const DbertKernels *kernels, DbertPrecision precision);

/*
 * task: NULL (what config.json's architecture says), or "embed", "classify",
 * "entities", "answer", "fill_mask": "embed" drops a head that is there, the
 * others need theirs (E_UNSUPPORTED otherwise).
 */
extern DbertStatus dbert_pack_begin(const DbertSource *source, const char *task,
									DbertPrecision precision, const DbertKernels *kernels,
									const DbertAllocator *alloc, const DbertPoll *poll,
									DbertPack **pack, DbertError *err);

extern const DbertConfig *dbert_pack_config(const DbertPack *pack);
extern const char *dbert_pack_label(const DbertPack *pack, int i);	/* of n_labels, UTF-8 */

/*
 * The model's files, sorted by name: those read, and those known that a later
 * version may read (config_sentence_transformers.json, ...).  NULL past the
 * end.
 */
extern const char *dbert_pack_file(const DbertPack *pack, int i);

/* Bytes of the image. */
extern uint64_t dbert_pack_size(const DbertPack *pack);

/* What the image is to say of the content that it is made of. */
extern void dbert_pack_set_content(DbertPack *pack,
								   const uint8_t content[DBERT_CONTENT_BYTES]);

/* Fill image (dbert_pack_size bytes, 64-byte aligned); NULL: only check the
 * values (E_FORMAT naming the tensor that holds NaN or infinity). */
extern DbertStatus dbert_pack_write(DbertPack *pack, void *image,
									const DbertPoll *poll, DbertError *err);

extern void dbert_pack_end(DbertPack *pack);

/* ---- an opened model ---- */

typedef struct DbertModel
{
	DbertConfig config;
	DbertWeights weights;
	DbertTokenizer tokenizer;
	const DbertKernels *kernels;
	const char *const *labels;	/* [n_labels] */
	const char *prompts[DBERT_PROMPTS]; /* what is put before a text, "" for nothing */
	const DbertAllocator *alloc;
} DbertModel;

/*
 * Open an image.  Checks magic, version, layout, sizes, checksum of everything
 * but the weights' values (E_CORRUPT: rebuild the pack).  The image must stay
 * mapped, unchanged, while the model is in use; it is never written.
 */
extern DbertStatus dbert_model_open(const void *image, size_t image_size,
									const DbertKernels *kernels,
									const DbertAllocator *alloc,
									DbertModel **model, DbertError *err);

/*
 * Of an image that was opened: what it is made of, and where its weights stand,
 * with the checksum (base/checksum.h, seed 0) that they had when they were
 * written.  To compare it is the caller's affair: it reads all of the image.
 */
typedef struct DbertPackWeights
{
	const uint8_t *content;		/* [DBERT_CONTENT_BYTES], in the image */
	uint64_t	offset;
	uint64_t	size;
	uint64_t	checksum;
} DbertPackWeights;

extern void dbert_pack_weights(const void *image, DbertPackWeights *out);

/*
 * Whether a file of file_size bytes that begins with these len bytes may be an
 * image, told without reading further.
 */
extern bool dbert_pack_may_be(const void *front, size_t len, uint64_t file_size);

/* Bytes that dbert_pack_may_be needs. */
#define DBERT_PACK_FRONT 64

extern void dbert_model_close(DbertModel *model);

#endif
