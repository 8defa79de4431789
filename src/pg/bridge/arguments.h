/*
 * arguments.h -- arguments of SQL functions that are not strict.
 */
#ifndef DISTILBERT_PG_ARGUMENTS_H
#define DISTILBERT_PG_ARGUMENTS_H

#include "fmgr.h"

/* A text, palloc'd; raises where it is NULL: "<what> must not be null". */
extern char *distil_text_argument(FunctionCallInfo fcinfo, int i, const char *what);

/* NULL is false. */
extern bool distil_bool_argument(FunctionCallInfo fcinfo, int i);

#endif
