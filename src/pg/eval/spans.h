/*
 * spans.h -- entities in texts: from JSON or tags of words, to tags of tokens,
 * compared.
 */
#ifndef DISTILBERT_PG_SPANS_H
#define DISTILBERT_PG_SPANS_H

#include "pg/eval/examples.h"
#include "pg/eval/trainmetric.h"

/*
 * row's spans from a JSON array of objects with a label and either start and
 * end (characters from 0, the end exclusive, as in spaCy and transformers) or
 * start_pos and end_pos (from 1, the end included, as distil_entities gives
 * them: bytes in a SQL_ASCII database).  Raises for anything else, and for
 * places outside row's text.
 */
extern void distil_spans_read(const char *json, DistilExample *row);

/*
 * The tag of a token: 0 is O, 1 + 2 t and 2 + 2 t are B and I of entity type t.
 */
#define DISTIL_TAG_O		0
#define DISTIL_TAG_B(type)	(1 + 2 * (type))
#define DISTIL_TAG_I(type)	(2 + 2 * (type))
#define DISTIL_TAG_NONE		(-1)	/* pieces after a word's first, [CLS], [SEP]: not learnt */

/*
 * tags[n] of tokens; types[i] is the number of spans[i]'s label.  Of spans that
 * overlap the first counts.
 */
extern void distil_spans_tag(const DbertToken *tokens, size_t n, const DistilSpan *spans,
							 const int32 *types, int n_spans, int32 *tags);

/*
 * The entities in n tags said against those in n true ones, all types in one
 * count, as seqeval: an entity counts if type, beginning and end are right.
 * Tags index labels; where the true one is DISTIL_TAG_NONE neither counts.
 */
extern void distil_count_entities(const char *const *labels, const int32 *truth, const int32 *said,
								  int n, DistilClassCount *count);

/* An entity in tags. */
typedef struct DistilTagRun
{
	int			first;			/* tag */
	int			last;
	const char *type;			/* without the prefix */
} DistilTagRun;

/*
 * The entities in tags [n] of words, into chunks [at most n]; returns how many.
 * The rule is seqeval's in its default mode, which is conlleval's: B- and S-
 * begin one, E- and S- end it, I- or another type begins one, too, where none
 * of its type goes on.  L- and U- (BILOU) are E- and S-; plain types are I-.
 */
extern int	distil_find_tag_runs(const char *const *tags, int n, DistilTagRun *chunks);

/* row's spans from the tags [n_words] of its words. */
extern void distil_spans_of_tags(const char *const *tags, DistilExample *row);

#endif
