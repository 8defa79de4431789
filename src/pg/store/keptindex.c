/*
 * keptindex.c -- see keptindex.h.
 *
 * Every n-th entry of the index is read with its key, the row is fetched for
 * it, and the expressions are computed anew; a partial index's condition, too.
 * So it is seen whether the server computes what it computed when the entry was
 * made.  Rows that have no entry are not looked for: where results differ at
 * all, entries differ as well.
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "access/itup.h"
#include "access/relscan.h"
#include "access/tableam.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/plancat.h"
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/bridge/compat.h"
#include "pg/store/keptindex.h"

/* One run. */
typedef struct Check
{
	Relation	index;
	IndexInfo  *info;
	EState	   *estate;
	ExprState  *condition;
	TupleTableSlot *slot;
	DistilKept	kept;
} Check;

/* ---- how far two keys are apart ---- */

static double
distance_of_arrays(ArrayType *a, ArrayType *b)
{
	int			n = ArrayGetNItems(ARR_NDIM(a), ARR_DIMS(a));
	const float4 *x = (const float4 *) ARR_DATA_PTR(a);
	const float4 *y = (const float4 *) ARR_DATA_PTR(b);
	double		most = 0;

	if (n != ArrayGetNItems(ARR_NDIM(b), ARR_DIMS(b)) || ARR_HASNULL(a) || ARR_HASNULL(b))
		return NAN;
	for (int i = 0; i < n; i++)
		most = Max(most, fabs((double) x[i] - y[i]));
	return most;
}

/* NaN: of this type it is not known. */
static double
distance(Oid type, Datum a, Datum b)
{
	switch (type)
	{
		case FLOAT4OID:
			return fabs((double) DatumGetFloat4(a) - DatumGetFloat4(b));
		case FLOAT8OID:
			return fabs(DatumGetFloat8(a) - DatumGetFloat8(b));
		case FLOAT4ARRAYOID:
			return distance_of_arrays(DatumGetArrayTypeP(a), DatumGetArrayTypeP(b));
		default:
			return NAN;
	}
}

/* ---- one entry ---- */

/* Is column i of the index an expression? */
static bool
is_expression(const Check *c, int i)
{
	return c->info->ii_IndexAttrNumbers[i] == 0;
}

/* Does column i have another value in the entry than now? */
static bool
column_differs(Check *c, int i, Datum kept, bool kept_null, Datum now, bool now_null)
{
	Form_pg_attribute column = TupleDescAttr(RelationGetDescr(c->index), i);
	double		apart;

	if (kept_null || now_null)
		return kept_null != now_null;
	apart = distance(column->atttypid, kept, now);
	if (!isnan(apart))
	{
		c->kept.measured = true;
		c->kept.difference = Max(c->kept.difference, apart);
	}
	return !datum_image_eq(kept, now, column->attbyval, column->attlen);
}

/* The entry that the scan stands at, whose row is in the slot. */
static void
check_entry(Check *c, IndexScanDesc scan)
{
	Datum		values[INDEX_MAX_KEYS],
				now[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS],
				now_null[INDEX_MAX_KEYS];
	ExprContext *econtext = GetPerTupleExprContext(c->estate);
	MemoryContext old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	bool		differs;

	index_deform_tuple(scan->xs_itup, scan->xs_itupdesc, values, nulls);
	econtext->ecxt_scantuple = c->slot;
	differs = !ExecQual(c->condition, econtext);
	FormIndexDatum(c->info, c->slot, c->estate, now, now_null);
	for (int i = 0; i < c->info->ii_NumIndexKeyAttrs; i++)
	{
		if (is_expression(c, i))
			differs |= column_differs(c, i, values[i], nulls[i], now[i], now_null[i]);
	}
	c->kept.checked++;
	c->kept.differ += differs;
	MemoryContextSwitchTo(old);
	ResetPerTupleExprContext(c->estate);
}

/* ---- all of it ---- */

/* Has each entry its row's keys, as they were computed? */
static bool
has_keys(Relation index)
{
	return index->rd_index->indisvalid && index->rd_rel->relam == BTREE_AM_OID;
}

static IndexScanDesc
begin_scan(Relation table, Relation index)
{
#if PG_VERSION_NUM >= 180000
	return index_beginscan(table, index, GetActiveSnapshot(), NULL, 0, 0);
#else
	return index_beginscan(table, index, GetActiveSnapshot(), 0, 0);
#endif
}

double
distil_estimate_rows(Relation relation)
{
	BlockNumber pages;
	double		rows,
				visible;

	estimate_rel_size(relation, NULL, &pages, &rows, &visible);
	return rows;
}

/* Of each so many entries one is checked. */
static int64
stride_of(Relation index, int64 sample)
{
	double		entries = distil_estimate_rows(index);

	return entries > DISTIL_SAMPLE_MOST * sample ? (int64) (entries / sample) : 1;
}

static void
walk_index(Check *c, Relation table, int64 sample)
{
	int64		stride = stride_of(c->index, sample),
				at = 0;
	IndexScanDesc scan = begin_scan(table, c->index);

	scan->xs_want_itup = true;
	index_rescan(scan, NULL, 0, NULL, 0);
	while (c->kept.checked < DISTIL_SAMPLE_MOST * sample &&
		   index_getnext_tid(scan, ForwardScanDirection) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (at++ % stride == 0 && scan->xs_itup != NULL && index_fetch_heap(scan, c->slot))
			check_entry(c, scan);
	}
	index_endscan(scan);
}

DistilKept
distil_check_index(Relation table, Relation index, int64 sample)
{
	Check		c = {.index = index,.info = BuildIndexInfo(index)};

	if (!has_keys(index))
		return c.kept;
	c.kept.compared = true;
	c.estate = CreateExecutorState();
	c.condition = ExecPrepareQual(c.info->ii_Predicate, c.estate);
	c.slot = table_slot_create(table, NULL);
	walk_index(&c, table, sample);
	ExecDropSingleTupleTableSlot(c.slot);
	FreeExecutorState(c.estate);
	return c.kept;
}
