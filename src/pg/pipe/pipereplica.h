/*
 * pipereplica.h -- tables that a subscription of logical replication fills.
 */
#ifndef DISTILBERT_PG_PIPEREPLICA_H
#define DISTILBERT_PG_PIPEREPLICA_H

/* Does a subscription of this database write the table, or a part of it? */
extern bool distil_is_subscribed(Oid relation);

#endif
