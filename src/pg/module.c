/*
 * module.c -- loading the library into a backend.
 *
 * Loading must succeed anywhere (preloaded, in a worker, in binary upgrade,
 * on a standby) and so does next to nothing: settings and callbacks.  Kernels
 * are chosen and models opened when a query first asks for them.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/guc.h"

#include "pg/bridge/compat.h"
#include "pg/bridge/kernels.h"
#include "pg/bridge/memorylimit.h"
#include "pg/bridge/removefile.h"
#include "pg/bridge/textrules.h"
#include "pg/bridge/threads.h"
#include "pg/pipe/capture.h"
#include "pg/pipe/pipelauncher.h"
#include "pg/pipe/pipesettings.h"
#include "pg/pipe/pipeshared.h"
#include "pg/pipe/pipesync.h"
#include "pg/pipe/pipewake.h"
#include "pg/pipe/watched.h"
#include "pg/run/defaultmodel.h"
#include "pg/run/modelcache.h"
#include "pg/run/modelmemory.h"
#include "pg/run/resultcache.h"
#include "pg/run/sharedcache.h"
#include "pg/scan/batchscan.h"
#include "pg/stats/usage.h"
#include "pg/store/dirsource.h"
#include "pg/store/installedcontent.h"
#include "pg/store/packtrust.h"
#include "pg/store/restoring.h"
#include "pg/store/upload.h"
#include "pg/train/trainsettings.h"

DISTIL_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	/* bridge */
	distil_kernels_init();
	distil_memorylimit_init();
	distil_removefile_init();
	distil_textrules_init();
	distil_threads_init();

	/* stats, store, run */
	distil_stats_init();
	distil_dirsource_init();
	distil_installedcontent_init();
	distil_packtrust_init();
	distil_restoring_init();
	distil_upload_init();
	distil_defaultmodel_init();
	distil_modelcache_init();
	distil_modelmemory_init();
	distil_resultcache_init();
	distil_sharedcache_init();

	/* scan, train, pipe */
	distil_scan_init();
	distil_trainsettings_init();
	distil_capture_init();
	distil_sync_init();
	distil_watched_init();
	distil_pipesettings_init();
	distil_pipeshared_init();
	distil_pipelauncher_init();
	distil_pipewake_init();

	/* whatever else begins like this is a mistake */
	MarkGUCPrefixReserved("distilbert");
}
