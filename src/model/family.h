/*
 * family.h -- what one family of models has that others have not: names, sizes
 * and habits, a const table for each.
 *
 * All code that reads, runs or trains models asks the table of the model's
 * family; none asks which family it is.  A family is one file,
 * family_<name>.c, and its line in DBERT_FAMILIES.  (README.md: how to add
 * one.)
 */
#ifndef DBERT_MODEL_FAMILY_H
#define DBERT_MODEL_FAMILY_H

#include "model/config.h"

#include <stddef.h>

/*
 * All families, by their ids: a pack holds the id, so a new one goes to the
 * end.
 */
#define DBERT_FAMILIES(X) \
	X(DISTILBERT, distilbert) \
	X(BERT, bert) \
	X(ELECTRA, electra) \
	X(ROBERTA, roberta) \
	X(XLM_ROBERTA, xlm_roberta) \
	X(CAMEMBERT, camembert) \
	X(DATA2VEC, data2vec) \
	X(ALBERT, albert) \
	X(MODERNBERT, modernbert) \
	X(NOMIC, nomic) \
	X(GTE, gte) \
	X(GTE_NEW, gte_new) \
	X(EUROBERT, eurobert) \
	X(MPNET, mpnet) \
	X(STATIC, static) \
	X(DEBERTA, deberta) \
	X(MARIAN, marian) \
	/* the end */

typedef enum DbertFamilyId
{
#define DBERT_FAMILY_ENUM(ID, name) DBERT_FAMILY_##ID,
	DBERT_FAMILIES(DBERT_FAMILY_ENUM)
#undef DBERT_FAMILY_ENUM
	DBERT_FAMILY_END
} DbertFamilyId;

/* Limits of every size; what is below them cannot overflow in 64 bits. */
#define DBERT_MAX_HIDDEN	16384
#define DBERT_MAX_FFN		65536
#define DBERT_MAX_LAYERS	(32 * DBERT_LOCAL_WORDS)
#define DBERT_MAX_HEADS		1024
#define DBERT_MAX_VOCAB		(4 << 20)
#define DBERT_MAX_POSITIONS (1 << 20)
#define DBERT_MAX_TYPES		1024
#define DBERT_MAX_DISTANCES (1 << 16)	/* rows of vectors for distances, for either side */
#define DBERT_MAX_RELATIVE	8192 /* positions of models that have them: a pack has one for each */
#define DBERT_MAX_CONV		31	/* tokens that a convolution sees */

/* [CLS] a [SEP] b and [SEP]: what a pair needs to keep anything at all */
#define DBERT_MIN_TOKENS	4

/*
 * An integer of config.json: its key, an alias that transformers accepts, and
 * its default there.
 */
typedef struct DbertSizeKey
{
	const char *key;			/* NULL ends a list */
	const char *alias;			/* or NULL */
	int32_t		preset;
	int32_t		min;
	int32_t		max;
	size_t		field;			/* an int32_t of DbertConfig */
} DbertSizeKey;

/* A size's field, by its name. */
#define DBERT_SIZE_OF(name) offsetof(DbertConfig, name)

#define DBERT_SIZE_KEYS 12		/* the last one ends the list */

/* Parts of an encoder, each a module of the checkpoint or three of them. */
typedef enum DbertModule
{
	DBERT_MODULE_WORD,			/* the embeddings: of words, */
	DBERT_MODULE_POSITION,		/* of positions, */
	DBERT_MODULE_TYPE,			/* of token types */
	DBERT_MODULE_EMBED_NORM,
	DBERT_MODULE_EMBED_PROJECT, /* where rows are not as wide as the hidden states */
	DBERT_MODULE_QKV,			/* of a layer: query, key and value, */
	DBERT_MODULE_ATTN_OUT,
	DBERT_MODULE_ATTN_NORM,
	DBERT_MODULE_FFN_IN,
	DBERT_MODULE_FFN_OUT,
	DBERT_MODULE_FFN_NORM,
	DBERT_MODULE_FINAL_NORM,	/* behind the last layer */
	DBERT_MODULE_DISTANCE_BIAS, /* of scores, one table for all layers */
	DBERT_MODULE_DISTANCES,		/* vectors for distances, for all layers, */
	DBERT_MODULE_DISTANCES_NORM,
	DBERT_MODULE_QUERY_ROWS,	/* a layer's projection of those that queries meet, */
	DBERT_MODULE_KEY_ROWS,		/* and of those that keys meet */
	DBERT_MODULE_CONV,			/* beside the first layer */
	DBERT_MODULE_CONV_NORM,
	DBERT_MODULE_CROSS_QUERY,	/* of a decoder's layer: what asks the encoder's states, */
	DBERT_MODULE_CROSS_KEYS,	/* their keys and values */
	DBERT_MODULE_CROSS_OUT,
	DBERT_MODULE_CROSS_NORM,
	DBERT_MODULES
} DbertModule;

/* The most modules that one part is made of. */
#define DBERT_MODULE_PARTS 3

/* Same as the feed-forward's. */
#define DBERT_ACT_OF_MODEL (-1)

/* The config's head_act. */
#define DBERT_ACT_OF_HEAD (-2)

/*
 * A head: logits = out(norm(act(dense(x)))).  Names are those of modules, which
 * have the tensors "<name>.weight" and "<name>.bias".
 */
typedef struct DbertHeadNames
{
	const char *dense;			/* NULL: the head has no such layer */
	bool		dense_in_encoder;	/* it stands below the family's prefix, as BERT's pooler */
	int			act;			/* DbertAct after it, OF_MODEL or OF_HEAD */
	const char *norm;			/* NULL: none */
	const char *out;			/* NULL: the family's models have no such head */
	const char *bias;			/* where out's bias is kept, if not beside its weight */
	bool		bias_is_tensor; /* bias is a tensor's name, and its shape [1, columns] */
	bool		embed_width;	/* dense makes rows as wide as the embeddings' */
	bool		drops_input;	/* training drops out what dense reads, too */
	const char *other_suffix;	/* another end of the architecture's name, or NULL */
} DbertHeadNames;

/* Feed-forwards whose rows are weighed by others, element by element. */
typedef enum DbertGate
{
	DBERT_GATE_NONE,			/* ffn_out(act(ffn_in(x))) */
	DBERT_GATE_FIRST,			/* of ffn_in's 2F rows the first F are activated */
	DBERT_GATE_LAST
} DbertGate;

struct DbertJson;

typedef struct DbertFamily
{
	const char *model_type;		/* as config.json has it: "distilbert" */
	const char *architecture;	/* how its architectures' names begin: "DistilBert" */
	const char *prefix;			/* below which the encoder may stand: "distilbert." */
	const char *layers;			/* below that, before a layer's number: "transformer.layer." */
	const char *decoder;		/* the same of a decoder's layers; NULL: there is none */
	const char *inner;			/* behind it, where a group has layers: "albert_layers." */
	const char *modules[DBERT_MODULES][DBERT_MODULE_PARTS]; /* NULL: it has no such part */
	DbertHeadNames heads[DBERT_HEADS];

	DbertSizeKey sizes[DBERT_SIZE_KEYS];
	const char *act_key;		/* of the feed-forward's activation, */
	const char *act_preset;		/* and its default; NULL: "gelu" */
	const char *eps_key;		/* of the norms' epsilon; NULL: it is 1e-12 */
	const char *tokenizer;		/* its class, if BERT's; it may have "Fast" behind it */

	/* Pairs need two token types: tokens of the second text have type 1. */
	bool		types_for_pairs;

	/* Training drops out the attention's output, as the feed-forward's. */
	bool		drops_after_attention;

	/*
	 * Positions are counted from the row behind that of the padding token's id,
	 * which is read from this key, with this default; without a key it is this,
	 * or, if that is 0, positions are counted from row 0.
	 */
	const char *pad_key;
	int32_t		pad_preset;

	/* Embeddings are projected even where they are as wide as hidden states. */
	bool		always_projects;

	/* Another prefix that some checkpoints have, or NULL. */
	const char *other_prefix;

	/*
	 * Layers are x + f(norm(x)), not norm(x + f(x)); a norm stands behind the
	 * last one, and perhaps none before the first one's attention.
	 */
	bool		norms_first;
	bool		bare_first_layer;

	bool		rms_norms;		/* norms neither subtract a mean nor shift */

	/* ffn_in has 2F rows, those that are activated first or last. */
	DbertGate	gate;

	/*
	 * Reads what its config.json has beside sizes, activation and epsilon, and
	 * refuses what there is no code for; NULL: nothing.
	 */
	DbertStatus (*read_config) (const struct DbertJson *root, DbertConfig *config,
								DbertError *err);

	/* Its head for masked words where config.other_mask_head says so. */
	DbertHeadNames other_mask_head;

	/* Embeddings are projected before their norm, without a bias. */
	bool		projects_first;

	/* Rows of positions are no tensors, but sines and cosines. */
	bool		sinusoids;

	bool		not_trained;	/* there is no code that trains its models */

	/* There are no layers: a text's vector is the mean of its tokens' rows. */
	bool		lookup;
} DbertFamily;

#define DBERT_FAMILY_DECLARE(ID, name) extern const DbertFamily dbert_family_##name;
DBERT_FAMILIES(DBERT_FAMILY_DECLARE)
#undef DBERT_FAMILY_DECLARE

/* The family of a model. */
extern const DbertFamily *dbert_family_of(const DbertConfig *config);

/* By id, 0 .. DBERT_FAMILY_END - 1. */
extern const DbertFamily *dbert_family(int id);

/* The id of a model_type, -1: none. */
extern int	dbert_family_find(const char *model_type);

/* config->architecture = transformers' name of such a model with this head. */
extern void dbert_family_name_architecture(DbertConfig *config, int head);

/* Rows of a feed-forward's first layer: F, or 2F with a gate. */
static inline int
dbert_ffn_rows(const DbertConfig *config)
{
	return dbert_family_of(config)->gate != DBERT_GATE_NONE ? 2 * config->ffn : config->ffn;
}

/* Have models of the family this head?  NONE they have all. */
extern bool dbert_family_has_head(const DbertFamily *family, int head);

/* The names of the model's head. */
extern const DbertHeadNames *dbert_head_names(const DbertConfig *config);

/* Does it read the mean of all states, where others read the first? */
extern bool dbert_head_reads_mean(const DbertConfig *config);

/* Its entry for the size in this field; key NULL: it reads no such size. */
extern const DbertSizeKey *dbert_family_size(const DbertFamily *family, size_t field);

/*
 * Layers whose weights a model has, and which of them a layer runs with: its
 * own, but where layers share theirs.
 */
extern int	dbert_config_stored_layers(const DbertConfig *config);
extern int	dbert_config_stored_layer(const DbertConfig *config, int layer);

/* Has it a layer behind the norm of the embeddings? */
extern bool dbert_config_projects(const DbertConfig *config);

/*
 * The row of a token's position, and *next for the token behind it: begin with
 * the config's first_position.  Where that is not 0, padding, should a text
 * spell it, has the row before the first, and is not counted.
 */
static inline int32_t
dbert_next_position(const DbertConfig *config, int32_t id, int32_t *next)
{
	if (config->first_position > 0 && id == config->first_position - 1)
		return id;
	return (*next)++;
}

/* Can a pair of texts be told from one text? */
extern bool dbert_config_takes_pairs(const DbertConfig *config);

#endif
