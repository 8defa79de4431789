/*
 * moderatecolumns.h -- the columns that triggers of distil_moderate name.
 */
#ifndef DISTILBERT_PG_MODERATECOLUMNS_H
#define DISTILBERT_PG_MODERATECOLUMNS_H

#include "utils/rel.h"

/*
 * Let a trigger of distil_moderate depend on the columns of its table that its
 * arguments name, as on those of UPDATE OF, unless it does.  Raises where there
 * is no such column.
 */
extern void distil_depend_on_columns(const Trigger *trigger, Relation rel);

#endif
