/*
 * describe.c -- what a model is for, and what there is to say about it.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/errors.h"
#include "pg/bridge/quoted.h"
#include "pg/bridge/kernels.h"
#include "pg/store/describe.h"
#include "pg/store/modeltask.h"

DbertPrecision
distil_precision(const char *name)
{
	DbertPrecision precision;

	if (!dbert_precision_parse(name, &precision))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown precision \"%s\"", name),
				 errhint("Precisions are fp32, int8 and int7.")));
	return precision;
}

const char *
distil_core_task(const char *task)
{
	const DistilModelTask *known = task == NULL ? NULL : distil_loadable_task(task);

	return known == NULL ? NULL : distil_task_of_head(known->head)->name;
}

/* A pack that ends with its context. */
typedef struct HeldPack
{
	DbertAllocator allocator;
	DbertPack  *pack;
	MemoryContextCallback callback;
} HeldPack;

static void
end_pack(void *arg)
{
	HeldPack   *held = arg;

	if (held->pack != NULL)
		dbert_pack_end(held->pack);
	held->pack = NULL;
}

DbertPack *
distil_pack_begin(const DbertSource *source, const char *task, const char *precision,
				  const char *subject, MemoryContext context)
{
	HeldPack   *held = MemoryContextAllocZero(context, sizeof(HeldPack));
	DbertError	err = {0};

	held->allocator = distil_allocator(context);
	held->callback.func = end_pack;
	held->callback.arg = held;
	MemoryContextRegisterResetCallback(context, &held->callback);
	if (dbert_pack_begin(source, distil_core_task(task), distil_precision(precision),
						 distil_kernels(), &held->allocator, distil_poll(), &held->pack,
						 &err) != DBERT_OK)
	{
		held->pack = NULL;
		distil_raise(&err, subject);
	}
	return held->pack;
}

const char *const *
distil_pack_files(DbertPack *pack)
{
	const char **files;
	int			n = 0;

	while (dbert_pack_file(pack, n) != NULL)
		n++;
	files = palloc(sizeof(char *) * (n + 1));
	for (int i = 0; i <= n; i++)
		files[i] = dbert_pack_file(pack, i);
	return files;
}

/*
 * Only heads that give classes to texts or tokens have labels; other heads'
 * logits are of positions or words.  The row has labels in the encoding of the
 * database, the pack in UTF-8.
 */
static void
describe_labels(DbertPack *pack, const DbertConfig *config, DistilInfo *info)
{
	const char **labels;

	info->labels = NULL;
	info->n_labels = 0;
	if (!dbert_head_has_labels(config->head))
		return;
	labels = palloc(sizeof(char *) * Max(config->n_labels, 1));
	for (int i = 0; i < config->n_labels; i++)
	{
		const char *label = dbert_pack_label(pack, i);

		labels[i] = pstrdup(pg_any_to_server(label, strlen(label), PG_UTF8));
	}
	info->labels = labels;
	info->n_labels = config->n_labels;
}

static bool
has_sentiment(DbertPack *pack, const DbertConfig *config)
{
	const char **labels;

	if (config->head != DBERT_HEAD_SEQUENCE)
		return false;
	labels = palloc(sizeof(char *) * Max(config->n_labels, 1));
	for (int i = 0; i < config->n_labels; i++)
		labels[i] = dbert_pack_label(pack, i);
	return dbert_labels_have_sentiment(labels, config->n_labels);
}

/* So many labels are listed in a message. */
#define LABELS_SHOWN 10

static void
raise_no_sentiment(const DistilInfo *info)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("model \"%s\" has no sentiment labels", info->name),
			 errdetail("Its labels are: %s.",
					   distil_quoted_list(info->labels, info->n_labels, LABELS_SHOWN)),
			 errhint("%s; other classifiers have the task classify.", DISTIL_SENTIMENT_LABELS)));
}

void
distil_describe(DbertPack *pack, const char *name, const char *task, const char *precision,
				DistilInfo *info)
{
	const DbertConfig *config = dbert_pack_config(pack);
	bool		sentiment = has_sentiment(pack, config);

	memset(info, 0, sizeof(*info));
	info->name = name;
	describe_labels(pack, config, info);
	if (task != NULL && strcmp(task, "sentiment") == 0 && !sentiment)
		raise_no_sentiment(info);
	info->task = task != NULL ? task
				 : sentiment ? "sentiment" : distil_task_of_head(config->head)->name;
	info->architecture = pstrdup(config->architecture);
	info->layers = config->layers;
	info->hidden_size = config->hidden;
	info->dimensions = config->dimensions;
	info->parameters = (int64) config->parameters;
	info->max_tokens = config->max_tokens;
	info->precision = precision;
}
