/*
 * examples.c -- see examples.h.
 *
 * The query runs by SPI as the user who called: what he may not read, he cannot
 * train on.  A cursor hands out blocks of rows, fewer if they are large, so
 * that memory grows neither with the table nor with its texts.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/eval/exampleread.h"
#include "pg/eval/examples.h"

/* A block has at most so many rows, fewer if they take more memory. */
#define BLOCK_ROWS 256
#define BLOCK_BYTES ((Size) 16 * 1024 * 1024)

typedef struct RowBlock
{
	DistilExampleReader reader;
	DistilExample *rows;		/* [n] */
	int			n;
	DistilExampleCounts counts; /* of all blocks so far */
} RowBlock;

static void
read_row(RowBlock *b, HeapTuple tuple)
{
	DistilLack	lack = distil_reader_read(&b->reader, tuple, &b->rows[b->n]);

	b->counts.rows++;
	b->counts.null_texts += lack == DISTIL_LACKS_TEXT;
	b->counts.null_labels += lack == DISTIL_LACKS_LABEL;
	b->n += lack == DISTIL_LACKS_NOTHING;
}

/*
 * The rows just fetched; scratch is emptied after them.  Returns the bytes that
 * they took.
 */
static Size
visit_block(RowBlock *b, MemoryContext scratch, DistilExampleVisitor visitor, void *ctx)
{
	MemoryContext old = MemoryContextSwitchTo(scratch);
	Size		bytes;

	b->rows = palloc(sizeof(DistilExample) * SPI_processed);
	b->n = 0;
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		CHECK_FOR_INTERRUPTS();
		read_row(b, SPI_tuptable->vals[i]);
	}
	if (b->n > 0)
		visitor(ctx, b->reader.kind, b->reader.integers, b->rows, b->n);
	bytes = MemoryContextMemAllocated(scratch, true) +
			MemoryContextMemAllocated(SPI_tuptable->tuptabcxt, true);
	MemoryContextSwitchTo(old);
	MemoryContextReset(scratch);
	return bytes;
}

/* Rows of the next block, when so many took these bytes: texts may be long. */
static uint64
next_rows(uint64 rows, Size bytes)
{
	Size		fit = Max(rows * BLOCK_BYTES / bytes, 1);

	return Min(Min(fit, 2 * rows), BLOCK_ROWS);
}

DistilExampleCounts
distil_examples_visit(const char *query, const char *argument, DistilLearn learn,
					  DistilExampleVisitor visitor, void *ctx)
{
	RowBlock	b = {.counts.optional = learn & DISTIL_LEARN_OPTIONAL};
	MemoryContext scratch;
	Portal		cursor;
	uint64		rows = 1;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	scratch = AllocSetContextCreate(CurrentMemoryContext, "distilbert examples",
									ALLOCSET_DEFAULT_SIZES);
	cursor = SPI_cursor_open_with_args(NULL, query, 0, NULL, NULL, NULL, false,
									   CURSOR_OPT_NO_SCROLL);
	distil_reader_begin(&b.reader, cursor->tupDesc, learn, argument);
	b.counts.only_texts = (!b.reader.labelled && !b.reader.optional) ||
		b.reader.kind == DISTIL_LABEL_REFERENCE;
	for (;;)
	{
		Size		bytes;

		SPI_cursor_fetch(cursor, true, (long) rows);
		if (SPI_processed == 0)
			break;
		bytes = visit_block(&b, scratch, visitor, ctx);
		rows = next_rows(SPI_processed, bytes);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(cursor);
	SPI_finish();
	return b.counts;
}

void
distil_examples_report(const DistilExampleCounts *counts)
{
	int64		sum = counts->null_texts + counts->null_labels + counts->null_answers;

	if (counts->null_answers > 0 && counts->only_texts)
		ereport(NOTICE,
				(errmsg("%lld of %lld rows are left out: %lld without a text, %lld without an "
						"answer",
						(long long) sum, (long long) counts->rows, (long long) counts->null_texts,
						(long long) counts->null_answers)));
	else if (counts->null_texts > 0 && counts->only_texts)
		ereport(NOTICE,
				(errmsg("%lld of %lld rows are left out: they have no text",
						(long long) counts->null_texts, (long long) counts->rows)));
	else if (sum > 0)
		ereport(NOTICE,
				(errmsg("%lld of %lld rows are left out: %lld without a text, %lld without a "
						"label%s",
						(long long) sum, (long long) counts->rows, (long long) counts->null_texts,
						(long long) counts->null_labels,
						counts->null_answers == 0 ? "" :
						psprintf(", %lld without an answer", (long long) counts->null_answers))));
}
