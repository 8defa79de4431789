/*
 * packimage.h -- the bytes of an image, as README.md draws them.
 *
 * An image belongs to the machine that wrote it: integers and floats are the
 * host's, and the magic read as a number tells another byte order.
 */
#ifndef DBERT_MODEL_PACKIMAGE_H
#define DBERT_MODEL_PACKIMAGE_H

#include "model/pack.h"

#include <stddef.h>
#include <stdint.h>

#define DBERT_PACK_MAGIC UINT64_C(0x6b63617054524244)	/* "DBRTpack" on little-endian */

typedef enum DbertPackSection
{
	DBERT_SECTION_CONFIG,		/* DbertConfig */
	DBERT_SECTION_LABELS,		/* n_labels strings, each ending in a zero */
	DBERT_SECTION_PROMPTS,		/* DBERT_PROMPTS strings, each ending in a zero */
	DBERT_SECTION_TOKENIZER,	/* dbert_tokenizer_compile's image */
	DBERT_SECTION_TYPES,		/* a byte for each slot, DbertWeightType (slots.h) */
	DBERT_SECTION_WEIGHTS,		/* arrays as slots.h plans them; last, with a checksum of its own */
	DBERT_SECTIONS
} DbertPackSection;

/* All that stands before the weights is read when an image is opened. */
#define DBERT_PACK_FRONT_MAX (UINT64_C(1) << 30)

#define DBERT_PACK_TIED 0x01	/* the decoder of a MASK head is the word embedding */

typedef struct DbertPackHeader
{
	uint64_t	magic;
	uint32_t	version;		/* DBERT_PACK_VERSION */
	uint32_t	flags;
	char		layout[32];		/* of the kernels, zero-padded */
	uint64_t	size;			/* of the image */
	uint64_t	checksum;		/* of all bytes before the weights, this field as 0 */
	uint64_t	weights_checksum;	/* base/checksum.h, of the weights section */
	uint8_t		content[DBERT_CONTENT_BYTES];	/* of dbert_pack_set_content, or zeros */
	uint32_t	family;			/* the config's */
	uint32_t	n_slots;		/* bytes of the section of types */
	uint64_t	unused[4];		/* zeros, for what a later version of the family needs */
	struct
	{
		uint64_t	offset;		/* a multiple of DBERT_PACK_ALIGN */
		uint64_t	size;
	}			sections[DBERT_SECTIONS];
} DbertPackHeader;

/*
 * Checksum of size bytes (a multiple of 8), 8-byte aligned, with the header's
 * checksum field taken as 0.  Any change within one 8-byte word changes it.
 */
extern uint64_t dbert_pack_checksum(const void *image, size_t size);

#endif
