/*
 * packimage.h -- the bytes of an image, as README.md draws them.
 *
 * An image belongs to the machine that wrote it: integers and floats are the
 * host's, and the magic read as a number tells another byte order.
 */
#ifndef DBERT_MODEL_PACKIMAGE_H
#define DBERT_MODEL_PACKIMAGE_H

#include <stddef.h>
#include <stdint.h>

#define DBERT_PACK_MAGIC UINT64_C(0x6b63617054524244)	/* "DBRTpack" on little-endian */

typedef enum DbertPackSection
{
	DBERT_SECTION_CONFIG,		/* DbertConfig */
	DBERT_SECTION_LABELS,		/* n_labels strings, each ending in a zero */
	DBERT_SECTION_PROMPTS,		/* DBERT_PROMPTS strings, each ending in a zero */
	DBERT_SECTION_TOKENIZER,	/* dbert_tokenizer_compile's image */
	DBERT_SECTION_WEIGHTS,		/* arrays as slots.h plans them; last, not in the checksum */
	DBERT_SECTIONS
} DbertPackSection;

#define DBERT_PACK_TIED 0x01	/* the decoder of a MASK head is the word embedding */

typedef struct DbertPackHeader
{
	uint64_t	magic;
	uint32_t	version;		/* DBERT_PACK_VERSION */
	uint32_t	flags;
	char		layout[32];		/* of the kernels, zero-padded */
	uint64_t	size;			/* of the image */
	uint64_t	checksum;		/* of all bytes before the weights, this field as 0 */
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
