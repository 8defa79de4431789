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

/*
 * The hash of a model's content: the column sha256 of distil_models, the same
 * on every server.  Files of an installed model are read for it once, as
 * installedcontent.h says.  false: there is no model of this name, which says
 * no content.
 */
extern bool distil_find_content(const char *name, Snapshot snapshot, uint8 *sha256);

/*
 * The same of a name that may say its content (pinned.h).  Raises when there is
 * no such model.
 */
extern void distil_model_content(const char *name, Snapshot snapshot, uint8 *sha256);

#endif
