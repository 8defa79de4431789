/*
 * models.h -- models as rows of the view distil_models.
 */
#ifndef DISTILBERT_PG_MODELS_H
#define DISTILBERT_PG_MODELS_H

#include "access/htup.h"
#include "access/tupdesc.h"

#include "pg/store/catalog.h"

/*
 * A row of desc, which has the columns of the view, or the first of them.
 */
extern HeapTuple distil_info_tuple(const DistilInfo *info, TupleDesc desc);

#endif
