/*
 * zeroshotvectors.c -- labels by their vectors: which of them a text is nearest
 * to.
 *
 * Each label, put into the template, is a text of its own, whose vector is
 * compared with that of the text.  Of several templates the vectors, scaled to
 * length 1, are added up (Radford et al. 2021, arXiv:2103.00020, section
 * 3.1.4).  Labels hardly ever change from row to row, so the call site keeps
 * their vectors, and each further row costs one text.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "pg/bridge/compat.h"
#include "pg/func/compare.h"
#include "pg/func/vector.h"
#include "pg/func/zeroshot.h"
#include "pg/run/many.h"

/* ---- what makes no sense ---- */

static void
check_labels(const DistilModel *model, const DistilQuestion *q, bool multi_label)
{
	if (multi_label)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("multi_label needs a model of natural language inference"),
				 errdetail("Model \"%s\" is one of embeddings, which tells the nearest label, and "
						   "of no label by itself whether it is true.", model->name),
				 errhint("Load such a model (one with a label that begins with \"entail\"), or "
						 "compare distil_similarity(text, label) with a threshold of your own.")));
	if (q->n < 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a model of embeddings needs two labels or more, not %d", q->n),
				 errhint("Add a label for texts of other kinds, or use "
						 "distil_similarity(text, label).")));
	for (int i = 0; i < q->n; i++)
	{
		if (VARSIZE_ANY_EXHDR(DatumGetPointer(q->labels[i])) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("label %d is empty", i + 1),
					 errhint("Describe each label in a word or a few.")));
	}
}

/* ---- the labels' vectors ---- */

/* Kept by the call site. */
typedef struct KeptLabels
{
	MemoryContext context;		/* of all that follows; NULL: there is nothing */
	uint64		model;			/* number of the model that gave them */
	DistilTextRules rules;		/* they were computed under */
	Datum		array;
	const char **templates;		/* [n_templates] */
	int			n_templates;
	float	   *vectors;		/* [n, width] */
	int			width;

	/* while they are computed */
	float	   *spare;			/* [width] */
	bool		failed;			/* one has none */
} KeptLabels;

static bool
same_templates(const KeptLabels *kept, const DistilQuestion *q)
{
	if (kept->n_templates != q->n_templates)
		return false;
	for (int t = 0; t < q->n_templates; t++)
	{
		if (strcmp(kept->templates[t], q->templates[t]) != 0)
			return false;
	}
	return true;
}

static bool
are_kept(const KeptLabels *kept, const DistilModel *model, const DistilQuestion *q)
{
	return kept->context != NULL && kept->model == model->number &&
		kept->rules.long_text == q->rules.long_text && kept->rules.on_error == q->rules.on_error &&
		same_templates(kept, q) && datum_image_eq(kept->array, q->array, false, -1);
}

static void
forget(KeptLabels *kept)
{
	if (kept->context != NULL)
		MemoryContextDelete(kept->context);
	kept->context = NULL;
}

/* Of a label in a template, by the number label * n_templates + template. */
static void
take_vector(void *ctx, int number, DbertBatch *batch, int i, const DistilText *texts)
{
	KeptLabels *kept = ctx;
	float	   *sum = kept->vectors + (Size) (number / kept->n_templates) * kept->width;

	memcpy(kept->spare, dbert_batch_embedding(batch, i), kept->width * sizeof(float));
	dbert_normalize(kept->spare, kept->width);
	for (int j = 0; j < kept->width; j++)
		sum[j] += kept->spare[j];
}

static void
no_vector(void *ctx, int number)
{
	((KeptLabels *) ctx)->failed = true;
}

static void
run_labels(KeptLabels *kept, DistilModel *model, const DistilQuestion *q)
{
	DistilMany	many = {
		.model = model,
		.want = DBERT_WANT_EMBEDDING,
		.item = DISTIL_ITEM_TEXT,
		.rules = q->rules,
		.cached = true,
		.free_texts = true,
		.take = take_vector,
		.none = no_vector,
		.ctx = kept
	};

	distil_many_begin(&many);
	for (int e = 0; e < q->n * q->n_templates && !kept->failed; e++)
	{
		Datum		filled = distil_hypothesis(q, e / q->n_templates, e % q->n_templates);
		DistilText	label = distil_text_get(filled, q->rules.on_error);

		distil_usage_count(model->usage, &(DistilUsage) {.rows = 1});
		distil_many_add(&many, e, &label);
	}
	distil_many_end(&many);
}

/* The labels' vectors become those of q; false: one has none. */
static bool
keep_labels(KeptLabels *kept, MemoryContext parent, DistilModel *model, const DistilQuestion *q)
{
	KeptLabels	new = {.model = model->number,.rules = q->rules,.n_templates = q->n_templates,
					   .width = model->core->config.dimensions};
	Size		floats = (q->n + 1) * (Size) new.width;
	MemoryContext old;

	forget(kept);
	new.context = AllocSetContextCreate(CurrentMemoryContext, "distilbert labels",
										ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(new.context);
	new.array = datumCopy(q->array, false, -1);
	new.templates = palloc_array(const char *, q->n_templates);
	for (int t = 0; t < q->n_templates; t++)
		new.templates[t] = pstrdup(q->templates[t]);
	new.vectors = palloc_extended(floats * sizeof(float), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	new.spare = new.vectors + q->n * (Size) new.width;
	MemoryContextSwitchTo(old);

	run_labels(&new, model, q);
	if (new.failed)
	{
		MemoryContextDelete(new.context);
		return false;
	}
	MemoryContextSetParent(new.context, parent);
	*kept = new;
	return true;
}

/* ---- scores ---- */

bool
distil_score_by_vectors(FmgrInfo *flinfo, DistilModel *model, const DistilQuestion *q,
						bool multi_label, float *scores)
{
	KeptLabels *kept = distil_call_memory(flinfo, sizeof(KeptLabels));
	DistilText	text;
	float	   *vector;

	check_labels(model, q, multi_label);
	if (!are_kept(kept, model, q) && !keep_labels(kept, flinfo->fn_mcxt, model, q))
		return false;
	text = distil_text_get(q->text, q->rules.on_error);
	vector = distil_text_vector(model, 0, &text, q->rules, CurrentMemoryContext);
	distil_text_free(&text);
	if (vector == NULL)
		return false;
	for (int i = 0; i < q->n; i++)
		scores[i] = distil_vector_cosine(vector, kept->vectors + (Size) i * kept->width,
										 kept->width);
	dbert_zero_shot_by_cosines(scores, q->n, scores);
	pfree(vector);
	return true;
}
