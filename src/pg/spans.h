/*
 * spans.h -- entities in texts: from JSON, to tags of tokens, compared.
 */
#ifndef DISTILBERT_PG_SPANS_H
#define DISTILBERT_PG_SPANS_H

#include "pg/examples.h"
#include "pg/trainmetric.h"

/*
 * row's spans from a JSON array of objects with a label and either start and
 * end (characters from 0, the end exclusive, as in spaCy and transformers) or
 * start_pos and end_pos (from 1, the end included, as distil_entities gives
 * them: bytes in a SQL_ASCII database).  Raises for anything else, and for places outside row's text.
 */
extern void distil_spans_read(const char *json, DistilExample *row);

/* The tag of a token: 0 is O, 1 + 2 t and 2 + 2 t are B and I of entity type t. */
#define DISTIL_TAG_O		0
#define DISTIL_TAG_B(type)	(1 + 2 * (type))
#define DISTIL_TAG_I(type)	(2 + 2 * (type))
#define DISTIL_TAG_NONE		(-1)	/* pieces after a word's first, [CLS], [SEP]: not learnt */

/* tags[n] of tokens; types[i] is the number of spans[i]'s label.  Of spans that overlap the first counts. */
extern void distil_spans_tag(const DbertToken *tokens, size_t n, const DistilSpan *spans, const int32 *types,
							 int n_spans, int32 *tags);

/*
 * The entities in n tags said against those in n true ones, all types in one
 * count, as seqeval: an entity counts if type, beginning and end are right.
 * Tags index labels; where the true one is DISTIL_TAG_NONE neither counts.
 */
extern void distil_count_entities(const char *const *labels, const int32 *truth, const int32 *said, int n,
								  DistilClassCount *count);

/* The type of a tag without its prefix B-, I-, E- or S-; NULL for O. */
extern const char *distil_tag_type(const char *label);

#endif
