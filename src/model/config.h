/*
 * config.h -- what a model is: architecture, sizes, head, labels' count.
 *
 * Plain data without pointers: the pack file holds it as it stands.  Read
 * from config.json, from sentence-transformers' modules.json and the files it
 * names, and from tokenizer_config.json (max_tokens).
 */
#ifndef DBERT_MODEL_CONFIG_H
#define DBERT_MODEL_CONFIG_H

#include "kernel/act.h"
#include "model/head.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * How logits become scores: the rule of transformers'
 * TextClassificationPipeline.
 */
typedef enum DbertProblem
{
	DBERT_PROBLEM_SINGLE,		/* softmax */
	DBERT_PROBLEM_MULTI,		/* sigmoid each */
	DBERT_PROBLEM_REGRESSION	/* the logits themselves */
} DbertProblem;

typedef enum DbertPooling
{
	DBERT_POOL_MEAN,
	DBERT_POOL_CLS,
	DBERT_POOL_MAX,
	DBERT_POOL_MEAN_SQRT_LEN,	/* the sum by the root of the number of tokens */
	DBERT_POOL_WEIGHTED_MEAN,	/* token i weighs i + 1 */
	DBERT_POOL_LAST				/* [SEP] */
} DbertPooling;

/* What an embedding is for: some models want a text to begin by saying so. */
typedef enum DbertPrompt
{
	DBERT_PROMPT_DEFAULT,
	DBERT_PROMPT_QUERY,
	DBERT_PROMPT_PASSAGE,
	DBERT_PROMPTS
} DbertPrompt;

/* What the products with the encoder's weights are computed in. */
typedef enum DbertPrecision
{
	DBERT_PRECISION_FP32,
	DBERT_PRECISION_INT8,		/* kernel/int8.h; norms and heads stay fp32 */
	DBERT_PRECISION_INT7,
	DBERT_PRECISIONS
} DbertPrecision;

/*
 * What a pooled vector goes through, as sentence-transformers' modules of these
 * names.
 */
typedef enum DbertPooledStepKind
{
	DBERT_POOLED_STEP_DENSE,	/* act(W x + b), and the residual */
	DBERT_POOLED_STEP_NORM		/* LayerNorm */
} DbertPooledStepKind;

/* What is added to a Dense module's output. */
typedef enum DbertResidual
{
	DBERT_RESIDUAL_NONE,
	DBERT_RESIDUAL_SAME,		/* its input */
	DBERT_RESIDUAL_PROJECTED	/* R times its input */
} DbertResidual;

typedef struct DbertPooledStep
{
	int32_t		kind;			/* DbertPooledStepKind */
	int32_t		width;			/* of the vectors it gives */
	int32_t		bias;			/* 1: DENSE has one */
	int32_t		act;			/* DbertAct of DENSE */
	int32_t		residual;		/* DbertResidual of DENSE */
} DbertPooledStep;

#define DBERT_MAX_POOLED_STEPS		8

/* How tokens know where they stand if positions have no rows of their own. */
typedef enum DbertRotary
{
	DBERT_ROTARY_NONE,
	DBERT_ROTARY_PLAIN,
	DBERT_ROTARY_NTK,			/* stretched by rotary_factor, texts of any length */
	DBERT_ROTARY_DYNAMIC		/* stretched in texts of more than rotary_trained tokens */
} DbertRotary;

/* Parts of a model that may have no bias, each with a bit in no_bias. */
typedef enum DbertBias
{
	DBERT_BIAS_NORM = 0x01,		/* of all norms */
	DBERT_BIAS_ATTENTION = 0x02,
	DBERT_BIAS_FFN_IN = 0x04,
	DBERT_BIAS_FFN_OUT = 0x08,
	DBERT_BIAS_HEAD = 0x10,		/* of the head's dense layer */
	DBERT_BIAS_DECODER = 0x20,
	DBERT_BIAS_END = 0x40
} DbertBias;

/*
 * Vectors for distances, which queries and keys meet (kernel/scoring.h), as
 * the checkpoint has them: distances.h says which distance reads which row.
 */
typedef struct DbertDistances
{
	int32_t		queries;		/* 1: queries meet them, */
	int32_t		keys;			/* 1: keys do */
	int32_t		span;			/* rows for either side */
	int32_t		buckets;		/* far distances share rows, of so many; 0: each has its own */
	int32_t		most;			/* the distance from which on all share the last row */
	int32_t		own_layers;		/* 1: layers of their own project them, not those of words */
	int32_t		normed;			/* 1: by a norm, before that */
} DbertDistances;

/* When a search among beams stops. */
typedef enum DbertEarlyStop
{
	DBERT_STOP_LIKELY,			/* when the best unfinished one, as long as it is, is no better */
	DBERT_STOP_FULL,			/* when as many have ended as there are beams */
	DBERT_STOP_NEVER			/* when no longer one could be better */
} DbertEarlyStop;

#define DBERT_MAX_BEAMS 16
#define DBERT_MAX_FORBIDDEN 8

/* How a decoder writes: generation_config.json. */
typedef struct DbertGeneration
{
	int32_t		start;			/* the token before the first, */
	int32_t		end;			/* and the last one */
	int32_t		forced_end;		/* what a text that is too long ends with; -1: nothing */
	int32_t		max_length;		/* tokens, the start included */
	int32_t		beams;
	int32_t		early;			/* DbertEarlyStop */
	int32_t		renormalize;	/* 1: probabilities sum to 1 without forbidden tokens */
	float		length_penalty;
	int32_t		n_forbidden;
	int32_t		forbidden[DBERT_MAX_FORBIDDEN];
} DbertGeneration;

#define DBERT_LOCAL_WORDS 8		/* 32 layers each, DBERT_MAX_LAYERS in all */

#define DBERT_MAX_LABELS	65536
#define DBERT_MAX_LABEL		255 /* bytes of one */

typedef struct DbertConfig
{
	int32_t		family;			/* DbertFamilyId (family.h) */
	int32_t		head;			/* DbertHead */
	int32_t		act;			/* DbertAct of the feed-forward */
	int32_t		problem;		/* DbertProblem, HEAD_SEQUENCE only */
	int32_t		layers;			/* L */
	int32_t		hidden;			/* C */
	int32_t		heads;			/* H, divides C */
	int32_t		ffn;			/* F */
	int32_t		vocab;			/* V: rows of the word embedding */
	int32_t		positions;		/* rows of the position embedding */
	int32_t		embed_width;	/* W: of the embeddings' rows; C unless a layer projects them */
	int32_t		types;			/* rows of the token type embedding, 0: has none */
	int32_t n_labels; /* of SEQUENCE and TOKEN; 2 for SPAN (start, end); 0 for NONE and MASK */
	int32_t		max_tokens;		/* longest input, special tokens included */
	int32_t		pooling;		/* DbertPooling */
	int32_t		embedding;		/* E: width of an embedding; C unless steps change it */
	int32_t		dimensions;		/* of an embedding only so many are given, 1 .. E */
	int32_t		skip_prompt;	/* 1: tokens of a prompt, and [CLS] before them, are not pooled */
	int32_t		normalize;		/* 1: the embedding is scaled to length 1 */
	int32_t		precision;		/* DbertPrecision */
	int32_t		raw_scores;		/* 1: a cross-encoder whose scores are its logits */
	int32_t		n_steps;		/* behind the pooling */
	DbertPooledStep	steps[DBERT_MAX_POOLED_STEPS];
	int32_t		pooled_head;	/* 1: HEAD_SEQUENCE, and what the steps give are its logits */
	int32_t		first_position; /* row of the first token's position (dbert_next_position) */
	int32_t		pair_types;		/* 1: tokens of a pair's second text are of type 1; 0: all of 0 */
	int32_t		tie_words;		/* 1: without a decoder of its own it is the word embedding */
	int32_t		groups;			/* layers share weights in so many groups; 0: they do not */
	int32_t		inner_layers;	/* of a group; one after the other they are a layer of its own */
	int32_t		key_heads;		/* of keys and values, where heads share them; divides H; 0: H */
	int32_t		no_bias;		/* DbertBias of what has none */
	int32_t		head_mean;		/* 1: a head that reads one row a text reads the mean of all */
	int32_t		window;			/* a local layer's token sees so many on each side */
	uint32_t	local[DBERT_LOCAL_WORDS];	/* bit n: layer n is local */
	int32_t		rotary;			/* DbertRotary */
	int32_t		rotary_trained;
	float		rotary_base;
	float		rotary_local_base;	/* of local layers */
	float		rotary_factor;
	int32_t		bias_rows;		/* of the table of biases by distance; 0: none */
	int32_t		extra_terms;	/* a score's scale is 1 / sqrt((1 + extra_terms) D) */
	DbertDistances distances;
	int32_t		no_positions;	/* 1: no rows of positions, though the family has them */
	int32_t		conv;			/* tokens that the convolution beside layer 0 sees; 0: none */
	int32_t		conv_act;		/* DbertAct */
	int32_t		head_act;		/* DbertAct of a head whose family leaves it to the config */
	int32_t		other_mask_head;	/* 1: HEAD_MASK goes by the family's other names */
	int32_t		skip_unknown;	/* 1: unknown tokens are not pooled; of static embeddings */
	int32_t		max_chars;		/* a text that is to be truncated has at most so many; 0: any */
	int32_t		decoder_layers;	/* of HEAD_TRANSLATE; their sizes are the encoder's */
	int32_t		scale_words;	/* 1: rows of words are multiplied by sqrt(W) */
	DbertGeneration generation;
	float		norm_eps;
	uint64_t	parameters;		/* elements of all tensors used */
	char		architecture[64];	/* "DistilBertForSequenceClassification" */
} DbertConfig;

/* Heads of keys, and of values; the columns of all of them. */
static inline int
dbert_key_heads(const DbertConfig *config)
{
	return config->key_heads > 0 ? config->key_heads : config->heads;
}

static inline int
dbert_key_columns(const DbertConfig *config)
{
	return config->hidden / config->heads * dbert_key_heads(config);
}

/* Layers of the decoder, if the model has one. */
static inline int
dbert_decoder_layers(const DbertConfig *config)
{
	return config->head == DBERT_HEAD_TRANSLATE ? config->decoder_layers : 0;
}

static inline bool
dbert_layer_is_local(const DbertConfig *config, int layer)
{
	return config->local[layer / 32] >> layer % 32 & 1;
}

#endif
