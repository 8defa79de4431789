/*
 * usage.h -- what models are used for, counted in this process.
 *
 * Counting neither fails nor rolls back.  What was counted stays when models
 * are closed.
 */
#ifndef DISTILBERT_PG_USAGE_H
#define DISTILBERT_PG_USAGE_H

#include "portability/instr_time.h"

typedef struct DistilUsage
{
	int64		calls;			/* of SQL functions, or what a batch node does for one */
	int64		rows;			/* texts (or pairs) that were asked about */
	int64		texts;			/* of these, went through the model */
	int64		tokens;			/* of these texts */
	int64		truncated;
	int64		batches;		/* runs of the encoder */
	int64		cache_hits;		/* texts whose results were in the result cache */
	int64		errors;			/* raised for a text or a run */
	double		tokenizer_ms;
	double		encoder_ms;		/* with head and pooling */
	double		load_ms;		/* opening, and packing where there was no pack */
} DistilUsage;

/* Of all models together, since the process began. */
extern DistilUsage distil_usage_total;

/* *sum += *part */
extern void distil_usage_add(DistilUsage *sum, const DistilUsage *part);

/* now - before */
extern DistilUsage distil_usage_since(const DistilUsage *now, const DistilUsage *before);

/* Add to a model's counters and to the total. */
extern void distil_usage_count(DistilUsage *of_model, const DistilUsage *part);

/* The counters of a model with this hash, which live as long as the process. */
extern DistilUsage *distil_usage_of(const unsigned char *sha256, const char *name);

/* Milliseconds since INSTR_TIME_SET_CURRENT(start). */
static inline double
distil_ms_since(instr_time start)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return INSTR_TIME_GET_MILLISEC(now);
}

/* Called once by _PG_init. */
extern void distil_stats_init(void);

#endif
