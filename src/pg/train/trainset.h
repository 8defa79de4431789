/*
 * trainset.h -- the examples of a training: tokenised once, kept in memory.
 *
 * Where texts have labels an example is a text, cut at max_tokens; where they
 * have none it is a piece of up to max_tokens, and all of a text is in its
 * pieces.  Two texts for an embedding are an example, each cut for itself.
 */
#ifndef DISTILBERT_PG_TRAINSET_H
#define DISTILBERT_PG_TRAINSET_H

#include "pg/train/trainprogress.h"
#include "pg/train/traintask.h"

/* One example's places in the arrays. */
typedef struct DistilTrainText
{
	size_t		token;			/* its first one in ids */
	int32		n_tokens;
	int32		n_first;		/* of PAIR: of which so many are the first text */
	int32		n_labels;
	size_t		label;			/* its first one in labels; of NONE the row that it is a piece of */
	float		number;
	bool		unlabelled;
} DistilTrainText;

typedef struct DistilTrainSet
{
	MemoryContext context;
	const DbertTokenizer *tokenizer;
	int32		max_tokens;
	bool		takes_pairs;	/* does the model? */
	int64		limit;			/* bytes of all arrays together */
	DistilProgress *progress;	/* is told how many rows there are, or NULL */

	DistilTrainText *texts;
	int			n;
	int			n_capacity;
	int32	   *ids;
	size_t		n_ids,
				ids_capacity;
	uint8	   *types;			/* of pairs: which text each token in ids belongs to */
	size_t		types_capacity;
	int32	   *tags;			/* of SPANS: of each token in ids, see spans.h; names are types */
	size_t		tags_capacity;
	int32	   *labels;			/* indexes of names */
	size_t		n_label_refs,
				labels_capacity;
	int			truncated;		/* texts */
	int			n_unlabelled;	/* texts */
	struct DistilTrainSet *twin;	/* gets the same rows, cut into tokens its own way; or NULL */
	int			n_rows;			/* of NONE: those with pieces */
	int64		empty;			/* of NONE: texts of the last query without a token to learn */

	/* the classes, shared by training and validation set */
	struct HTAB *index;			/* name to number */
	const char **names;			/* [n_names] UTF-8 */
	int			n_names;
	int			names_capacity;

	DistilLabelKind kind;		/* of the first block; all others have it, too */
	bool		integers;
	bool		pairs;
} DistilTrainSet;

/*
 * For a model of that tokenizer and config.  limit as above; the tokenizer must
 * live as long.
 */
extern DistilTrainSet *distil_trainset_create(const DbertTokenizer *tokenizer,
											  const DbertConfig *config, int32 max_tokens,
											  int64 limit);

/*
 * Append the rows of a query.  Raises where there are none that are complete,
 * and where memory goes over the limit.
 */
extern void distil_trainset_read(DistilTrainSet *set, const char *query, const char *argument,
								 DistilLearn learn);

/*
 * Number the classes anew, as labels[n_labels] has them: all that rows have
 * must be among them.
 */
extern void distil_trainset_renumber(DistilTrainSet *set, const char *const *labels, int n_labels);

/* The names in order: integers by value, others as bytes. */
extern void distil_trainset_sort_names(DistilTrainSet *set);

/* The class of example i (kind ONE). */
static inline int32
distil_trainset_class(const DistilTrainSet *set, int i)
{
	return set->labels[set->texts[i].label];
}

/* Tokens of the longest text. */
extern int	distil_trainset_longest(const DistilTrainSet *set);

/* Bytes in use. */
extern int64 distil_trainset_bytes(const DistilTrainSet *set);

/* Raise if so many bytes more would take the set over its limit. */
extern void distil_trainset_check_limit(const DistilTrainSet *set, Size more);

/* Texts that an example is to the core. */
static inline int
distil_trainset_texts_each(const DistilTrainSet *set)
{
	return distil_train_kind(set->kind)->texts;
}

/* Of PAIR: do the n examples, all or none, have numbers? */
extern bool distil_trainset_have_numbers(const DistilTrainSet *set, const int32 *examples, int n);

/* Of ONE: counts[n_labels] of the classes of n examples; palloc'd. */
extern int64 *distil_trainset_count_classes(const DistilTrainSet *set, int n_labels,
											const int32 *examples, int n);

/* A word or a part of one, not a mark such as [CLS]: it can be masked. */
static inline bool
distil_maskable(const DbertTokenizer *t, int32 id)
{
	return id != t->cls_id && id != t->sep_id && id != t->unk_id && id != t->pad_id &&
		   id != t->mask_id;
}

#endif
