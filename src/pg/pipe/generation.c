/*
 * generation.c -- see generation.h.
 */
#include "postgres.h"

#include "storage/lmgr.h"
#include "utils/snapmgr.h"

#include "pg/bridge/compat.h"
#include "pg/pipe/generation.h"
#include "pg/store/catalog.h"

int
distil_generation_pin(FmgrInfo *flinfo, const DistilPipeline *p, DistilGeneration *g)
{
	DistilModel *model;

	LockRelationOid(distil_model_table(), RowExclusiveLock);
	PushActiveSnapshot(GetLatestSnapshot());
	model = distil_pipe_model(flinfo, g->model, g->sha256);
	PopActiveSnapshot();
	distil_pipe_check_model(p->task, model, g->options);
	return distil_pipe_width(p->task, model, g->options);
}

DistilModel *
distil_generation_model(FmgrInfo *flinfo, const DistilPipeline *p, const DistilGeneration *g)
{
	uint8		sha256[DISTIL_SHA256_BYTES];
	DistilModel *model = distil_pipe_model(flinfo, g->model, sha256);

	if (memcmp(sha256, g->sha256, DISTIL_SHA256_BYTES) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" is not the one that pipeline \"%s\" was made for", g->model,
						p->name),
				 errhint("Load the former model again, or give the pipeline this one with "
						 "distil_alter_pipeline.")));
	return model;
}

bool
distil_is_first_word(const char *word, const char *what, const char *first, const char *second)
{
	if (strcmp(word, first) == 0)
		return true;
	if (strcmp(word, second) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized %s of a pipeline: \"%s\"", what, word),
				 errhint("Available are \"%s\" and \"%s\".", first, second)));
	return false;
}

void
distil_pipeline_check_whole(const DistilPipeline *p)
{
	if (!p->whole)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pipeline \"%s\" is not complete", p->name),
				 errdetail("It is left alone: %s.", p->broken),
				 errhint("Drop it with distil_drop_pipeline and make it anew.")));
}

void
distil_pipeline_check_usable(const DistilPipeline *p)
{
	distil_pipeline_check_whole(p);
	distil_pipeline_check_owner(p);
}
