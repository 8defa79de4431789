/*
 * tokencounts.h -- how often tokens occur in the texts of a user's query.
 */
#ifndef DISTILBERT_PG_TOKENCOUNTS_H
#define DISTILBERT_PG_TOKENCOUNTS_H

#include "dbert.h"
#include "pg/train/trainprogress.h"

/*
 * counts[vocab], palloc'd, of the tokens that are a text's own.  Raises where
 * the query gives no texts, and tells of rows that are left out.
 */
extern int64 *distil_count_tokens(const char *query, const DbertTokenizer *tokenizer, int32 vocab,
								  DistilProgress *progress);

#endif
