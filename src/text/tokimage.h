/*
 * tokimage.h -- the layout of a compiled tokenizer.
 *
 *     header | trie units | ends of the tokens' texts | added tokens | texts
 *            | steps | the steps' data | the kind's block
 *
 * Offsets count bytes from the header; the image may lie at any address that
 * is a multiple of 8.  It is made for the machine that made it (byte order).
 */
#ifndef DBERT_TEXT_TOKIMAGE_H
#define DBERT_TEXT_TOKIMAGE_H

#include "text/normalize.h"
#include "text/tokenizer.h"
#include "text/trie.h"

#define DBERT_TOKIMAGE_MAGIC	0x6b6f7444u /* "Dtok" */
#define DBERT_TOKIMAGE_VERSION	5

/*
 * What no real vocabulary comes near; they bound the work between two polls.
 * (BERT's longest token has some 40 bytes, its longest word 100 characters.)
 */
#define DBERT_MAX_TOKEN_BYTES	1024
#define DBERT_MAX_WORD_CHARS	16384

typedef struct DbertImageAdded
{
	int32_t		id;
	uint8_t		single_word,
				lstrip,
				rstrip,
				special;
} DbertImageAdded;

/* A DbertStepSpec; places count from the steps' data, are multiples of 8. */
typedef struct DbertImageStep
{
	int32_t		kind,
				mode;
	uint32_t	text_at,
				len,
				more_at,
				more_len;
} DbertImageStep;

typedef struct DbertTokImage
{
	uint32_t	magic,
				version;
	uint64_t	size;			/* of the whole image */
	uint64_t	units_at,
				ends_at,
				added_at,
				texts_at,
				texts_size,
				steps_at,
				data_at,
				data_size,
				model_at,		/* the kind's block, made and read in its file */
				model_size;
	int32_t		kind;
	int32_t		n_units,
				n_tokens,
				n_known,		/* of them: the others become unk_id */
				n_added,
				n_normalizers,	/* the first steps */
				n_splitters;	/* the others */
	int32_t		max_word_chars; /* more of a word are not kept; WordPiece's */
	int32_t		unk_id,
				cls_id,
				sep_id,
				pad_id,
				mask_id;

	DbertTemplate single,
				pair;

	/* nodes of the trie, -1: no such trie; values are ids except where said */
	int32_t		words;			/* the vocabulary */
	int32_t		pieces;			/* node of "##" in words, of WordPiece */
	int32_t		names;			/* texts of added tokens outside the vocabulary */
	int32_t		raw;			/* added tokens found in the raw text; values index added[] */
	int32_t		normalized;		/* added tokens found in normalised text; same */

	uint8_t		clean_text,
				split_cjk,
				strip_accents,
				lowercase;
	uint8_t		any_lstrip;		/* of raw */
	uint8_t		split_by_steps, /* else by BertPreTokenizer */
				trim_offsets,
				trim_keeps_first;
	uint8_t		may_vanish;		/* a word may have no token */
	uint8_t		space_before;	/* a step puts U+2581 before a text */
	uint8_t		unused[3];
	uint8_t		raw_first[256]; /* 1: a key of raw begins with this byte */
} DbertTokImage;

static inline const void *
dbert_image_at(const DbertTokImage *image, uint64_t offset)
{
	return (const char *) image + offset;
}

static inline const DbertTrieUnit *
dbert_image_units(const DbertTokImage *image)
{
	return dbert_image_at(image, image->units_at);
}

static inline const DbertImageAdded *
dbert_image_added(const DbertTokImage *image)
{
	return dbert_image_at(image, image->added_at);
}

static inline const DbertImageStep *
dbert_image_steps(const DbertTokImage *image)
{
	return dbert_image_at(image, image->steps_at);
}

static inline const void *
dbert_image_data(const DbertTokImage *image)
{
	return dbert_image_at(image, image->data_at);
}

/* The kind's block. */
static inline const void *
dbert_image_model(const DbertTokImage *image)
{
	return dbert_image_at(image, image->model_at);
}

/* Bytes of a token's text, by where the texts end. */
static inline uint32_t
dbert_image_text_len(const uint32_t *ends, int32_t id)
{
	return ends[id] - (id > 0 ? ends[id - 1] : 0);
}

static inline DbertNormRules
dbert_image_rules(const DbertTokImage *image)
{
	return (DbertNormRules) { image->clean_text, image->split_cjk, image->strip_accents,
							  image->lowercase };
}

#endif
