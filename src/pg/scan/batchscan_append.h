/*
 * batchscan_append.h -- batch nodes above asynchronous appends.
 */
#ifndef DISTILBERT_PG_BATCHSCAN_APPEND_H
#define DISTILBERT_PG_BATCHSCAN_APPEND_H

#include "pg/scan/batchscan_stages.h"

/*
 * The append with its children's calls taken out into batch nodes above it; or
 * append, as it was.
 */
extern Plan *distil_split_append(DistilRewrite *r, Append *append, DistilPlace at);

#endif
