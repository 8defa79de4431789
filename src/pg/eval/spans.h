/*
 * spans.h -- entities in texts: from JSON or tags of words, to tags of tokens,
 * compared.
 */
#ifndef DISTILBERT_PG_SPANS_H
#define DISTILBERT_PG_SPANS_H

#include "dbert.h"
#include "pg/eval/example.h"
#include "pg/eval/metric.h"

/*
 * row's spans from a JSON array of objects.  Each has a label, and its place
 * either as start and end (characters from 0, the end exclusive, as in spaCy
 * and transformers) or as start_pos and end_pos (from 1, the end included, as
 * distil_entities gives them: bytes in a SQL_ASCII database).  Raises for
 * anything else, and for places outside row's text.
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
 * Compare n tags that were said with n true ones, as seqeval does: add their
 * entities to count, of all types together.  An entity is a hit if its type,
 * beginning and end are right.  Tags index labels; a token whose true tag is
 * DISTIL_TAG_NONE is left out.
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
 * The entities in tags [n] of words, into runs [at most n]; returns how many.
 * The rule is seqeval's in its default mode, which is conlleval's: B- and S-
 * begin an entity, E- and S- end it; I- goes on with one of its type, or begins
 * one where there is none.  L- and U- (BILOU) are E- and S-; plain types I-.
 */
extern int	distil_find_tag_runs(const char *const *tags, int n, DistilTagRun *runs);

/* row's spans from the tags [n_words] of its words. */
extern void distil_spans_of_tags(const char *const *tags, DistilExample *row);

#endif
