/*
 * compat.h -- the differences between PostgreSQL 15 and 18 that src/pg meets.
 */
#ifndef DISTILBERT_PG_COMPAT_H
#define DISTILBERT_PG_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "distilbert needs PostgreSQL 15 or later"
#endif

/* varlena macros left postgres.h in 16 */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/*
 * one function for all kinds of objects came in 16; we ask for privileges on
 * functions and for owners of relations
 */
#if PG_VERSION_NUM < 160000
#define object_aclcheck(class_id, object_id, role_id, mode) \
	pg_proc_aclcheck(object_id, role_id, mode)
#define object_ownercheck(class_id, object_id, role_id) \
	pg_class_ownercheck(object_id, role_id)
#endif

/* 18 records the module's name and version */
#if PG_VERSION_NUM >= 180000
#define DISTIL_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "distilbert")
#else
#define DISTIL_MODULE_MAGIC PG_MODULE_MAGIC
#endif

/* 18 puts it before the declaration, the older attribute stood behind */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

#endif
