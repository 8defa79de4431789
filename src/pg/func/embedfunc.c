/*
 * embedfunc.c -- embeddings in SQL.
 *
 *	   distil_embed(text [, model], normalized, dimensions)			real[]
 *	   distil_embed_query(...), distil_embed_passage(...)			the same
 *	   distilbert.cosine(real[], real[])							real
 *
 * The three differ in the prompt that the model's files name, which the core
 * puts before the text (dbert_prompt).  The options are those of
 * sentence-transformers' encode: dimensions cuts a vector to its beginning,
 * for models trained so that it can stand alone (Kusupati et al. 2022,
 * arXiv:2205.13147); normalized scales what then is there to length 1.  NULL:
 * all dimensions; scaled if the model does it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "pg/bridge/compat.h"
#include "pg/func/task.h"
#include "pg/func/vector.h"

enum
{
	OPTION_NORMALIZED,
	OPTION_DIMENSIONS,
	N_OPTIONS
};

PG_FUNCTION_INFO_V1(distil_cosine);

/* ---- the options ---- */

/* Floats of an embedding. */
static int
width_of(const DistilModel *model, const NullableDatum *options)
{
	if (options[OPTION_DIMENSIONS].isnull)
		return model->core->config.embedding;
	return DatumGetInt32(options[OPTION_DIMENSIONS].value);
}

/* Any model's hidden states can be pooled, whatever stands on top of them. */
static void
check_embed(const DistilTask *task, const DistilModel *model, const NullableDatum *options)
{
	int			width = model->core->config.embedding;
	int			dimensions = width_of(model, options);

	if (dimensions < 1 || dimensions > width)
		ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("dimensions must be between 1 and %d for model \"%s\"", width, model->name)));
}

/* The embedding of the batch's text i, as the options say. */
static void
put_embedding(const DistilRun *run, int i, float4 *out)
{
	const DbertConfig *config = &run->model->core->config;
	const NullableDatum *normalized = &run->options[OPTION_NORMALIZED];
	int			width = width_of(run->model, run->options);
	bool		cut = width < config->embedding;

	memcpy(out, dbert_batch_embedding(run->batch, i), width * sizeof(float4));
	/* what has length 1 is left as it is, to the bit */
	if (normalized->isnull ? config->normalize && cut
		: DatumGetBool(normalized->value) && (cut || !config->normalize))
		dbert_normalize(out, width);
}

/* ---- the tasks ---- */

static bool
answer_embedding(const DistilRun *run, int i, const DistilText *texts, Datum *answer)
{
	ArrayType  *array = distil_vector(width_of(run->model, run->options));

	put_embedding(run, i, distil_array_floats(array));
	*answer = PointerGetDatum(array);
	return true;
}

#define EMBED_TASK(name, what) \
	{ \
		.function = name, \
		.setting = "embed", \
		.want = DBERT_WANT_EMBEDDING | (what), \
		.type = FLOAT4ARRAYOID, \
		.n_options = N_OPTIONS, \
		.check = check_embed, \
		.answer = answer_embedding, \
		.width = width_of, \
		.put = put_embedding \
	}

const DistilTask distil_task_embed = EMBED_TASK("distil_embed", 0);
const DistilTask distil_task_embed_query = EMBED_TASK("distil_embed_query", DBERT_WANT_QUERY);
const DistilTask distil_task_embed_passage = EMBED_TASK("distil_embed_passage", DBERT_WANT_PASSAGE);

/* ---- cosine ---- */

static const float4 *
vector_floats(ArrayType *array, int *n)
{
	if (ARR_NDIM(array) != 1 || array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("a vector must be an array of one dimension without nulls")));
	*n = ARR_DIMS(array)[0];
	return distil_array_floats(array);
}

Datum
distil_cosine(PG_FUNCTION_ARGS)
{
	int			n,
				m;
	const float4 *a = vector_floats(PG_GETARG_ARRAYTYPE_P(0), &n);
	const float4 *b = vector_floats(PG_GETARG_ARRAYTYPE_P(1), &m);

	if (n != m)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different vector dimensions %d and %d", n, m)));
	PG_RETURN_FLOAT4(distil_vector_cosine(a, b, n));
}
