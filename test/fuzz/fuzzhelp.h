/*
 * fuzzhelp.h -- what the targets share: tiny good models to be damaged, edits
 * that an input describes, and all questions that a model can be asked.
 */
#ifndef DBERT_TEST_FUZZHELP_H
#define DBERT_TEST_FUZZHELP_H

#include "dbert.h"
#include "test/support/memsource.h"

#include <stdlib.h>

/* What must hold for any input. */
#define REQUIRE(cond) do { if (!(cond)) abort(); } while (0)

/* ---- bytes of an input ---- */

typedef struct Bytes
{
	const uint8_t *at;
	size_t		left;
} Bytes;

/* 0 behind the end */
extern unsigned take_byte(Bytes *b);
extern unsigned take_two(Bytes *b);

/* *len becomes what is left, where that is less. */
extern const uint8_t *take(Bytes *b, size_t *len);

/*
 * An edit of a range of bytes: where (two bytes), how many (one byte), and
 * these bytes.  false: no more edits.
 */
extern bool take_edit(Bytes *b, uint8_t *range, size_t size);

/* ---- models ---- */

/*
 * The image of a model in 64-byte aligned memory, to be freed; NULL: the model
 * is refused.  Values that are not finite are left out of account only by the
 * loader: write may refuse them.
 */
extern void *image_of(MemModel *m, DbertPrecision precision, size_t *size);

/* Make an image's header and checksums right, as far as a header can be. */
extern void mend_image(void *image, size_t size);

/* ---- questions ---- */

/* A text, alone and with another one, through everything the model does. */
extern void ask_model(const DbertModel *model, const char *text, size_t len, const char *pair,
					  size_t pair_len);

#endif
