/*
 * keptindex.h -- an index's keys against what its expressions give now.
 */
#ifndef DISTILBERT_PG_KEPTINDEX_H
#define DISTILBERT_PG_KEPTINDEX_H

/* What a comparison of kept results found. */
typedef struct DistilKept
{
	bool		compared;		/* false: it cannot be, or there is nothing kept */
	int64		checked;		/* rows that were looked at */
	int64		differ;			/* of these */
	bool		measured;		/* numbers were compared: */
	double		difference;		/* by so much they differ at most */
} DistilKept;

/* A sample is so many times as large as asked for, at most. */
#define DISTIL_SAMPLE_MOST 2

/* As the planner estimates them, of a table or an index. */
extern double distil_estimate_rows(Relation relation);

/*
 * Compare a sample of the index's entries, spread over all of it, with what the
 * expressions give for their rows.  The index and its table are open and
 * locked.
 */
extern DistilKept distil_check_index(Relation table, Relation index, int64 sample);

#endif
