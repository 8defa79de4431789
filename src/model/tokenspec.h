/*
 * tokenspec.h -- a tokenizer being read: shared by the readers of its files.
 *
 * tokenizerfiles.c conducts; tokenizerjson.c (with tokenizersteps.c and
 * tokenizertemplate.c) and vocabfile.c fill in what their file says.  Strings
 * point into the JSON roots and the vocabulary's text, which live as long as
 * the reading.
 */
#ifndef DBERT_MODEL_TOKENSPEC_H
#define DBERT_MODEL_TOKENSPEC_H

#include "model/json.h"
#include "text/tokenizer.h"

/* More added tokens than any vocabulary of this family has. */
#define DBERT_MAX_ADDED 4096

/* The tokens with a role. */
typedef enum DbertSpecialToken
{
	DBERT_SPECIAL_UNK,
	DBERT_SPECIAL_CLS,
	DBERT_SPECIAL_SEP,
	DBERT_SPECIAL_PAD,
	DBERT_SPECIAL_MASK,
	DBERT_SPECIAL_BOS,				/* of no use in BERT, but matched when named */
	DBERT_SPECIAL_EOS,
	DBERT_SPECIALS
} DbertSpecialToken;

typedef struct DbertTokenSpec
{
	DbertArena  *arena;
	const DbertPoll *poll;
	DbertTokenizerSpec spec;
	const char **tokens;		/* [limit], spec.tokens */
	size_t	   *lens;
	DbertAddedToken *added;		/* [DBERT_MAX_ADDED], spec.added */
	int32_t		limit;			/* rows of the word embedding */
	struct DbertVocabEntry *sorted; /* [n_sorted] by text: the vocabulary without the added */
	size_t		n_sorted;
	double	   *scores;			/* [limit], spec.scores; of Unigram */
	bool		own_unknown;	/* the unknown token is a piece, not an added token */
	const char *role[DBERT_SPECIALS];	/* names of the tokens with a role */
	int			strip_accents;	/* -1: as lowercase */
	bool		bert_normalizer;	/* it has BertNormalizer's flags */
	DbertStepSpec normalizers[DBERT_MAX_STEPS], /* spec.normalizers, spec.splitters */
				splitters[DBERT_MAX_STEPS];
	DbertMerge *merges;			/* spec.merges */
	bool		bytes;			/* the model is of bytes: the last pre-tokenizer is ByteLevel */
	int32_t		bytes_at;		/* splitters up to it */
	DbertTemplate single,		/* spec.single, spec.pair where they were read */
				pair;
	bool		bare;			/* the template's tokens do not count: it may be missing */
	const char *file;			/* that the vocabulary came from, for messages */
} DbertTokenSpec;

/* E_CANCELLED when the poll says so, asked at some of many tokens or merges. */
extern DbertStatus dbert_token_spec_poll(const DbertTokenSpec *t, int64_t i, DbertError *err);

/* tokens[id] = text; E_SHAPE beyond the embedding, E_FORMAT for a used id. */
extern DbertStatus dbert_token_spec_put(DbertTokenSpec *t, int64_t id, const char *text,
										size_t len, DbertError *err);

/*
 * To be called when the vocabulary is complete: makes it searchable.  Of equal
 * texts the last id keeps the token.
 */
extern DbertStatus dbert_token_spec_index(DbertTokenSpec *t, DbertError *err);

/* The same where equal texts are refused, E_FORMAT. */
extern DbertStatus dbert_token_spec_index_once(DbertTokenSpec *t, DbertError *err);

/* Make room for scores. */
extern DbertStatus dbert_token_spec_scores(DbertTokenSpec *t, DbertError *err);

/* Id of a token of the vocabulary or of the added ones, -1: none. */
extern int32_t dbert_token_spec_find(const DbertTokenSpec *t, const char *text);

/*
 * Append an added token.  Its text is either in the vocabulary, then id must
 * be that id, or new, then it must be the next id; id -1: whichever is right.
 * A text that was added before is left as it was.
 */
extern DbertStatus dbert_token_spec_add(DbertTokenSpec *t, const DbertAddedToken *token,
										DbertError *err);

/* By their ids, for qsort. */
extern int	dbert_compare_added(const void *a, const void *b);

/* The flags of an added token written as an object; content is its text. */
extern DbertStatus dbert_token_flags(const DbertJson *object, DbertAddedToken *token,
									 DbertError *err);

/* tokenizerjson.c */
extern DbertStatus dbert_tokenizer_json_read(const DbertJson *root, DbertTokenSpec *t,
											 DbertError *err);

/* An object: token -> id; and the one that a model has as "vocab". */
extern DbertStatus dbert_tokenizer_vocab_read(const DbertJson *vocab, DbertTokenSpec *t,
											  DbertError *err);
extern DbertStatus dbert_tokenizer_model_vocab(const DbertJson *model, DbertTokenSpec *t,
											   DbertError *err);

/* tokenizerbpe.c */
extern DbertStatus dbert_tokenizer_bpe_read(const DbertJson *model, DbertTokenSpec *t,
											DbertError *err);

/*
 * RoBERTa's tokenizer of vocab.json and merges.txt, whose text is changed;
 * config: tokenizer_config.json.
 */
extern DbertStatus dbert_vocab_merges_read(const DbertJson *vocab, char *merges, size_t len,
										   const DbertJson *config, DbertTokenSpec *t,
										   DbertError *err);

/* BERTweet's tokenizer of vocab.txt and bpe.codes, whose texts are changed. */
extern DbertStatus dbert_vocab_codes_read(char *vocab, size_t len, char *codes, size_t codes_len,
										  const DbertJson *config, DbertTokenSpec *t,
										  DbertError *err);

/* Make room for n merges; where: for errors. */
extern DbertStatus dbert_token_spec_merges(DbertTokenSpec *t, const char *where, size_t n,
										   DbertError *err);

/* The value of "type"; "" when there is none. */
extern DbertStatus dbert_tokenizer_json_type(const DbertJson *object, const char **type,
											 DbertError *err);

/* Element i of a list of objects. */
extern DbertStatus dbert_tokenizer_json_item(const DbertJson *list, size_t i, DbertJson *item,
											 DbertError *err);

/* E_UNSUPPORTED for a type that has no code. */
extern DbertStatus dbert_tokenizer_json_unknown(const DbertJson *object, const char *type,
												DbertError *err);

/* tokenizersplits.c: pre-tokenizers */
extern DbertStatus dbert_read_byte_level(const DbertJson *object, DbertTokenSpec *t,
										 DbertError *err);
extern DbertStatus dbert_read_delimiter(const DbertJson *object, DbertTokenSpec *t,
										DbertError *err);
extern DbertStatus dbert_read_split(const DbertJson *object, DbertTokenSpec *t, DbertError *err);

/* tokenizersteps.c: normalizer and pre-tokenizer */
extern DbertStatus dbert_tokenizer_steps_read(const DbertJson *root, DbertTokenSpec *t,
											  DbertError *err);

/* Append a step to normalizers (n: &spec.n_normalizers) or to splitters. */
extern DbertStatus dbert_tokenizer_step_add(const DbertJson *object, DbertStepSpec *list,
											int32_t *n, DbertStepSpec step, DbertError *err);

/* tokenizersplits.c: a step's "behavior", a DbertSplitBehavior. */
extern DbertStatus dbert_tokenizer_behavior_read(const DbertJson *object, int32_t *behavior,
												 DbertError *err);

/* tokenizerspaces.c: steps of SentencePiece's kinds */
extern DbertStatus dbert_read_precompiled(const DbertJson *object, DbertTokenSpec *t,
										  DbertError *err);
extern DbertStatus dbert_read_replace(const DbertJson *object, DbertTokenSpec *t, DbertError *err);
extern DbertStatus dbert_read_strip(const DbertJson *object, DbertTokenSpec *t, DbertError *err);
extern DbertStatus dbert_read_prepend(const DbertJson *object, DbertTokenSpec *t, DbertError *err);
extern DbertStatus dbert_read_metaspace(const DbertJson *object, DbertTokenSpec *t,
										DbertError *err);

/* A step of these bytes, if they are a character map; what: for errors. */
extern DbertStatus dbert_token_spec_charsmap(const char *bytes, size_t size, const char *what,
											 DbertStepSpec *step, DbertError *err);

/* tokenizertemplate.c: post-processor */
extern DbertStatus dbert_tokenizer_template_read(const DbertJson *root, DbertTokenSpec *t,
												 DbertError *err);

/* vocabfile.c: text is changed (lines become strings) and must outlive t */
extern DbertStatus dbert_vocab_file_read(char *text, size_t len, DbertTokenSpec *t,
										 DbertError *err);

#endif
