/*
 * trainfolder.h -- files of trainings: $PGDATA/distilbert/pgsql_tmp_training.
 *
 * What another session reads, or what must outlive an aborted transaction or
 * the server itself, is a file here.  The name begins as PostgreSQL's temporary
 * files do, which keeps the folder out of base backups and pg_rewind.
 */
#ifndef DISTILBERT_PG_TRAINFOLDER_H
#define DISTILBERT_PG_TRAINFOLDER_H

#include "port/pg_crc32c.h"

#define DISTIL_TRAIN_FOLDER "distilbert/pgsql_tmp_training"

/* Make it if it is not there: 0, or -1 and errno. */
extern int	distil_trainfolder_make(void);

/*
 * Call visit with the path of each regular file whose name ends so; none
 * where there is no folder.
 */
extern void distil_trainfolder_visit(const char *suffix, void (*visit)(void *ctx, const char *path),
									 void *ctx);

/* By which a reader knows that a record is whole. */
extern pg_crc32c distil_training_checksum(const void *data, size_t len);

/*
 * May the current user read about a training of this role?  Its own, those of
 * roles whose rights it has, and all with pg_read_all_stats.
 */
extern bool distil_training_is_visible(Oid role);

#endif
