/*
 * tokenvectors.c -- see tokenvectors.h.
 */
#include "nn/tokenvectors.h"

#include "nn/teacher.h"

#include <string.h>

/* Texts that are asked about together. */
#define BATCH 512

/* What a run needs beside the teacher. */
typedef struct Texts
{
	const DbertTemplate *around;	/* what stands around a text */
	int32_t		length;			/* of a text, these included */
	int32_t    *ids;			/* [BATCH, length] */
	int32_t    *cu;				/* [BATCH + 1] */
} Texts;

/* Texts of one token each, count of them from this token on. */
static void
lay_out(Texts *t, int32_t first, int32_t count)
{
	int32_t    *id = t->ids;

	for (int32_t b = 0; b < count; b++)
	{
		t->cu[b] = b * t->length;
		for (int i = 0; i < t->around->head; i++)
			*id++ = t->around->ids[i];
		*id++ = first + b;
		for (int i = 0; i < t->around->tail; i++)
			*id++ = t->around->ids[t->around->head + t->around->middle + i];
	}
	t->cu[count] = count * t->length;
}

static DbertStatus
ask_all(DbertTeacher *teacher, Texts *t, int32_t first, int32_t count, int width,
		DbertThreads *pool, const DbertPoll *poll, float *out, DbertError *err)
{
	for (int32_t done = 0; done < count; done += BATCH)
	{
		int32_t		n = count - done < BATCH ? count - done : BATCH;
		DbertTeacherBatch batch = {.n_texts = n,.cu = t->cu,.ids = t->ids};

		lay_out(t, first + done, n);
		DBERT_TRY(dbert_teacher_run(teacher, &batch, pool, poll, err));
		memcpy(out + (size_t) done * width, dbert_teacher_outputs(teacher),
			   (size_t) n * width * sizeof(float));
	}
	return DBERT_OK;
}

DbertStatus
dbert_token_vectors(const DbertModel *model, int32_t first, int32_t count, DbertThreads *pool,
					const DbertAllocator *alloc, const DbertPoll *poll, float *out,
					DbertError *err)
{
	DbertModel	raw = *model;	/* but for the scaling */
	DbertTeacher *teacher = NULL;
	Texts		t = {.around = model->tokenizer.single};
	DbertTeacherOptions options = {.max_texts = BATCH};
	DbertStatus status;

	raw.config.normalize = 0;
	t.length = t.around->head + 1 + t.around->tail;
	t.ids = dbert_alloc_array(alloc, (size_t) BATCH * t.length, sizeof(*t.ids));
	t.cu = dbert_alloc_array(alloc, BATCH + 1, sizeof(*t.cu));
	options.max_tokens = BATCH * t.length;
	options.max_text_tokens = t.length;
	options.threads = dbert_threads_count(pool);
	if (t.ids == NULL || t.cu == NULL)
		status = dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	else
		status = dbert_teacher_create(&raw, &options, alloc, &teacher, err);
	if (status == DBERT_OK)
		status = ask_all(teacher, &t, first, count, model->config.dimensions, pool, poll, out, err);
	dbert_teacher_free(teacher);
	dbert_free(alloc, t.ids);
	dbert_free(alloc, t.cu);
	return status;
}
