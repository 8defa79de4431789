/*
 * tokenizer.h -- from texts to token ids, exactly as Hugging Face's tokenizers.
 *
 * A tokenizer is of a kind (how words become tokens: WordPiece, byte-level BPE,
 * ...), has steps that a text goes through before (normalizers, then
 * pre-tokenizers, which mark where words begin) and templates of the tokens to
 * put around one text and around two.
 *
 * It is compiled once, from the files of a model, into a relocatable image:
 * plain bytes without pointers that the pack file carries and every backend
 * maps.  Opening an image allocates nothing and parses nothing.
 *
 * Text is UTF-8.  Offsets count characters (code points) of the original
 * text, start inclusive, end exclusive, as tokenizers' char offsets do.
 *
 * Source: Devlin et al. 2018 (arXiv:1810.04805), tokenization.py; Hugging Face
 * tokenizers (src/README.md's sources of each kind stand in its file).
 */
#ifndef DBERT_TEXT_TOKENIZER_H
#define DBERT_TEXT_TOKENIZER_H

#include "base/memory.h"
#include "base/status.h"

/* ---- compiling ---- */

/* A token that is found in the raw text before any normalisation. */
typedef struct DbertAddedToken
{
	const char *text;			/* UTF-8, len bytes */
	size_t		len;
	int32_t		id;
	bool		special;
	bool		single_word;	/* only between non-word characters */
	bool		lstrip;			/* takes the white space before it along */
	bool		rstrip;
	bool		normalized;		/* matched in the normalised text instead */
} DbertAddedToken;

/* How words become tokens: a file and a line in tokenkind.c each. */
typedef enum DbertTokenKindId
{
	DBERT_KIND_WORDPIECE,
	DBERT_KIND_BYTEBPE,
	DBERT_KIND_CHARBPE,
	DBERT_KIND_UNIGRAM,
	DBERT_KIND_CODESBPE,
	DBERT_KINDS
} DbertTokenKindId;

/* What a text goes through: a function and a line in chain.c each. */
typedef enum DbertStepKind
{
	/* normalizers */
	DBERT_STEP_LOWERCASE,
	DBERT_STEP_NFC,
	DBERT_STEP_NFD,
	DBERT_STEP_NFKC,
	DBERT_STEP_NFKD,
	DBERT_STEP_STRIP_ACCENTS,
	DBERT_STEP_CHARSMAP,		/* text: the map's bytes */
	DBERT_STEP_REPLACE,			/* text by more; DbertReplaceMode */
	DBERT_STEP_STRIP,			/* DBERT_STRIP_* */
	DBERT_STEP_PREPEND,			/* text */
	DBERT_STEP_NMT,

	/* pre-tokenizers */
	DBERT_STEP_BERT_WORDS,
	DBERT_STEP_REGEX,			/* DBERT_REGEX_* */
	DBERT_STEP_SPACE_BEFORE,	/* ByteLevel's add_prefix_space */
	DBERT_STEP_WHITESPACE,		/* WhitespaceSplit */
	DBERT_STEP_SPLIT_AT,		/* text: a character, or punctuation; DbertSplitBehavior */
	DBERT_STEP_DIGITS,			/* DbertSplitBehavior */
	DBERT_STEP_LINE_WORDS,		/* WhitespaceSplit, but words take one line's end along */
	DBERT_STEP_WORDS,			/* Whitespace, or 1: its pattern as a Split */
	DBERT_STEP_METASPACE,		/* DBERT_METASPACE_* */

	/* a normalizer again: SentencePiece's own way to use a map */
	DBERT_STEP_LONGEST_MAP,		/* text: the map's bytes */
	DBERT_STEPS
} DbertStepKind;

/* What DBERT_STEP_REPLACE replaces. */
typedef enum DbertReplaceMode
{
	DBERT_REPLACE_TEXT,			/* the step's text */
	DBERT_REPLACE_EACH,			/* each of its characters, ASCII, by its own text of more, which
								 * a zero byte ends */
	DBERT_REPLACE_SPACES,		/* the regular expression " {2,}" */
	DBERT_REPLACE_WHITE_RUN,	/* "\\s+" */
	DBERT_REPLACE_WHITE			/* "\\s{2,}|[\\n\\r\\t]" */
} DbertReplaceMode;

#define DBERT_STRIP_LEFT	1
#define DBERT_STRIP_RIGHT	2

/*
 * How DBERT_STEP_REGEX differs from what stepregex.c says of GPT-2's, which is
 * DBERT_REGEX_SPACE_NUMBER; and how many numbers a match has at most times
 * DBERT_REGEX_NUMBERS, 0: any.
 */
#define DBERT_REGEX_SPACE_NUMBER	1	/* a space may stand before numbers */
#define DBERT_REGEX_CASELESS		2	/* contractions in capitals, too */
#define DBERT_REGEX_ANY_BEFORE		4	/* letters take any one character along */
#define DBERT_REGEX_LINES			8	/* ends of lines end what comes before them */
#define DBERT_REGEX_NUMBERS			16

/* What becomes of the characters that DBERT_STEP_SPLIT_AT splits at. */
typedef enum DbertSplitBehavior
{
	DBERT_SPLIT_ISOLATED,
	DBERT_SPLIT_REMOVED,
	DBERT_SPLIT_CONTIGUOUS,
	DBERT_SPLIT_WITH_PREVIOUS,
	DBERT_SPLIT_WITH_NEXT,
	DBERT_SPLIT_BEHAVIORS
} DbertSplitBehavior;

/* Before which pieces DBERT_STEP_METASPACE puts a space, and a flag. */
#define DBERT_METASPACE_NEVER	0
#define DBERT_METASPACE_FIRST	1
#define DBERT_METASPACE_ALWAYS	2
#define DBERT_METASPACE_SCHEME	3
#define DBERT_METASPACE_SPLIT	4

typedef struct DbertStepSpec
{
	DbertStepKind kind;
	int32_t		mode;			/* the kind's own: a behaviour, a scheme */
	const char *text;			/* the kind's own: a pattern, a map */
	size_t		len;
	const char *more;			/* what a pattern is replaced with */
	size_t		more_len;
} DbertStepSpec;

#define DBERT_STEP_TEXT_MAX 1024	/* bytes of a text that a step matches or puts */
#define DBERT_MAX_STEPS 32		/* of a text, normalizers and pre-tokenizers each */

/*
 * Tokens to put around one text, or around and between two: ids[0 .. head) come
 * before the first, middle of them between the two, tail at the end.
 */
#define DBERT_TEMPLATE_MAX 16

typedef struct DbertTemplate
{
	int32_t		ids[DBERT_TEMPLATE_MAX];
	uint8_t		types[DBERT_TEMPLATE_MAX];
	int32_t		head,
				middle,
				tail;
	uint8_t		text_types[2];	/* of the texts' own tokens */
	uint8_t		unused[2];		/* 0 */
} DbertTemplate;

/* The tokens left and right become merged. */
typedef struct DbertMerge
{
	int32_t		left,
				right,
				merged;
} DbertMerge;

/* Symbols that a character is in fastBPE's codes, -1: none. */
typedef struct DbertCodesChar
{
	uint32_t	cp;
	int32_t		inner,			/* inside a word */
				last;			/* at its end */
} DbertCodesChar;

/* What the model room has read from the tokenizer files. */
typedef struct DbertTokenizerSpec
{
	DbertTokenKindId kind;

	int32_t		n_tokens;		/* ids 0 .. n_tokens-1, those of added tokens included */
	const char *const *tokens;	/* by id, UTF-8: what words are cut into; NULL for an id
								 * that only an added token has, or none */
	const size_t *token_lens;
	int32_t		n_known;		/* ids from here on are pieces that the model does not know, for it
								 * they are unk_id; 0: it knows all */

	int32_t		n_added;
	const DbertAddedToken *added;

	/* of WordPiece */
	const char *prefix;			/* of continuing pieces, "##" */
	int32_t		max_word_chars; /* longer words become [UNK]; 100 */

	/* of Unigram */
	const double *scores;		/* by id, of those with a token; -INFINITY: no text has it */
	bool		float_sums;		/* scores add up as floats do, as in SentencePiece itself */
	bool		byte_fallback;	/* unknown characters become bytes, if all have tokens */

	/* of the kinds that merge pairs */
	int32_t		n_merges;
	const DbertMerge *merges;	/* by rank; all ids are tokens */
	int32_t		unknown_id;		/* what a character without a token becomes, -1: nothing */
	int32_t		n_symbols;		/* of codes: merges are of symbols, which are not tokens */
	const int32_t *symbol_ids;	/* the token that a symbol is, -1: none */
	int32_t		n_chars;
	const DbertCodesChar *chars;	/* ascending */
	bool		ignore_merges;	/* a word that is a token stays whole */
	bool		fuse_unk;		/* unknown characters in a row are one token */

	/* BertNormalizer, which comes before the other steps */
	bool		clean_text;
	bool		split_cjk;		/* handle_chinese_chars */
	bool		lowercase;
	bool		strip_accents;	/* "null" in the file means: as lowercase */

	const DbertStepSpec *normalizers;
	int32_t		n_normalizers;
	const DbertStepSpec *splitters; /* pre-tokenizers */
	int32_t		n_splitters;
	bool		split_by_steps; /* false: by BertPreTokenizer, and there are no splitters */

	const DbertTemplate *single,	/* NULL: BERT's, of cls_id and sep_id */
			   *pair;
	bool		trim_offsets;	/* white space at a token's ends is no part of it, ... */
	bool		trim_keeps_first;	/* ... but the first of a text: add_prefix_space */

	int32_t		unk_id;			/* -1: none; WordPiece has one */
	int32_t		cls_id;			/* -1: none, if there are templates; so sep_id */
	int32_t		sep_id;
	int32_t		pad_id;			/* -1: none */
	int32_t		mask_id;		/* -1: none */
} DbertTokenizerSpec;

/*
 * Build the image.  *image is allocated from alloc, 8-byte aligned, its bytes
 * depend on the spec alone.  E_FORMAT when two ids carry the same token, a
 * special id is out of range, a token is not UTF-8 or there is none; E_LIMIT
 * for a token of more than 1024 bytes or a max_word_chars above 16384.
 */
extern DbertStatus dbert_tokenizer_compile(const DbertTokenizerSpec *spec,
										   const DbertAllocator *alloc, const DbertPoll *poll,
										   void **image, size_t *image_size, DbertError *err);

/* ---- using ---- */

/* A view of an image; copy freely, valid as long as the image. */
typedef struct DbertTokenizer
{
	const void *image;
	/* fields below are filled by dbert_tokenizer_open from the image */
	int32_t		n_tokens;		/* that the model knows */
	int32_t		unk_id,			/* -1: none, of these all */
				cls_id,
				sep_id,
				pad_id,
				mask_id;
	const DbertTemplate *single,	/* what stands around one text, */
			   *pair;			/* and around two */
} DbertTokenizer;

/*
 * Checks every size and index it relies on (E_CORRUPT); image is 8-byte
 * aligned.
 */
extern DbertStatus dbert_tokenizer_open(const void *image, size_t image_size,
										DbertTokenizer *out, DbertError *err);

/* The same texts are the same tokens to both. */
extern bool dbert_tokenizer_same(const DbertTokenizer *a, const DbertTokenizer *b);

/* The text of a token, not terminated; NULL for an id without a token. */
extern const char *dbert_token_text(const DbertTokenizer *t, int32_t id, size_t *len);

/* Id of a token given by its exact text ("[MASK]", "##ing"), or -1. */
extern int32_t dbert_token_id(const DbertTokenizer *t, const char *text, size_t len);

/* Do its tokens tell by a prefix ("##") that they continue a word? */
extern bool dbert_tokenizer_has_pieces(const DbertTokenizer *t);

/*
 * Does a token go on with the word of the token before it?  By its text:
 * "##ing" does; of kinds that write the space before a word, what has none; and
 * what follows "work@@".
 */
extern bool dbert_token_continues(const DbertTokenizer *t, int32_t before, int32_t id);

/*
 * The text of n tokens, as Hugging Face's decode gives it (decode.c); without
 * special tokens if skip_special.  *text is allocated from alloc, not
 * terminated.
 */
extern DbertStatus dbert_decode(const DbertTokenizer *t, const int32_t *ids, size_t n,
								bool skip_special, const DbertAllocator *alloc, char **text,
								size_t *len, DbertError *err);

/* One token in a text. */
typedef struct DbertToken
{
	int32_t		id;
	int32_t		start;			/* characters of its own text (or pair); 0,0 for [CLS], [SEP] */
	int32_t		end;
	int32_t word; /* number of the word it belongs to (HF's word_ids), -1 for specials */
	uint8_t		type;			/* token type, as the template says */
	uint8_t		special;		/* 1: added by the template ([CLS], [SEP]) */
	uint8_t		text;			/* 1: of the pair, or behind it; else 0 */
	uint8_t		joined;			/* 1: no space at or before it; set by whoever needs it */
} DbertToken;

/* A growing list of tokens; start with zeroes, release with _free. */
typedef struct DbertTokenList
{
	DbertToken *items;
	size_t		count;
	size_t		capacity;
} DbertTokenList;

/* How many tokens a template has of its own. */
static inline int32_t
dbert_template_size(const DbertTemplate *t)
{
	return t->head + t->middle + t->tail;
}

extern void dbert_token_list_free(DbertTokenList *list, const DbertAllocator *alloc);

#define DBERT_NO_LIMIT	INT32_MAX

/*
 * Tokenise text, or the pair (text, pair) when pair is not NULL, as the
 * template says ("[CLS] text [SEP]", "[CLS] text [SEP] pair [SEP]"), and append
 * to list.
 *
 * max_tokens bounds the result, specials included (at least one more than
 * those; DBERT_NO_LIMIT: none): a longer single text keeps its beginning, a
 * longer pair loses tokens from its longer part, one by one (longest first), as
 * transformers' truncation=True.  A truncated single text stops being read
 * soon after the limit: time does not grow with what is cut off.
 *
 * *truncated tells whether tokens were left out.  E_ENCODING for invalid
 * UTF-8 in what was read, E_CANCELLED by poll, E_NOMEM, E_LIMIT for a text of
 * more than INT32_MAX characters.  On failure the list is as it was.
 */
extern DbertStatus dbert_tokenize(const DbertTokenizer *t,
								  const char *text, size_t len,
								  const char *pair, size_t pair_len,
								  int32_t max_tokens,
								  const DbertAllocator *alloc, const DbertPoll *poll,
								  DbertTokenList *list, bool *truncated,
								  DbertError *err);

/* The number of tokens of a text, the template's included, storing none. */
extern DbertStatus dbert_count_tokens(const DbertTokenizer *t, const char *text, size_t len,
									  const DbertAllocator *alloc, const DbertPoll *poll,
									  int64_t *count, DbertError *err);

#endif
