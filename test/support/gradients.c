/*
 * gradients.c -- gradients against central differences, element by element.
 */
#include "test/support/trainfixture.h"

#include "test/support/testhelp.h"

/*
 * Every element of a slot against the difference; errors are measured by the
 * slot's largest gradient.
 */
static void
check_slot(Ref *r, int number)
{
	const DbertParams *p = &r->pass.trainer->params;
	const DbertSlot *slot = &p->slots.items[number];
	const float *g = p->gradients + p->learning.items[number].offset / sizeof(float);
	double	   *v = r->v + slot->offset / sizeof(float);
	const double h = 1e-5;
	double		largest = 0,
				worst = 0;

	if (p->learning.items[number].bytes == 0)
		return;
	for (int i = 0; i < slot->rows * slot->cols; i++)
	{
		double		at = v[i],
					up,
					slope;

		v[i] = at + h;
		up = ref_loss(r);
		v[i] = at - h;
		slope = (up - ref_loss(r)) / (2 * h);
		v[i] = at;
		largest = fmax(largest, fabs(slope));
		worst = fmax(worst, fabs(slope - g[i]));
	}
	CHECK_MSG(worst <= 2e-5 * largest + 2e-7, "slot %d: largest gradient %g, largest error %g",
			  number, largest, worst);
}

void
check_batch_gradients(const MemModel *model, const DbertTrainOptions *o, DbertTrainBatch batch)
{
	Rig			rig = {.model = *model};
	DbertError	err = {0};
	Ref			r;
	DbertPass	pass;
	double		loss,
				weight;

	if (!begin_rig(&rig, o))
		return;
	soften(rig.trainer);
	pass = pass_of(rig.trainer, &batch, true, &err);
	ref_begin(&r, &pass);
	CHECK(dbert_pass_forward(&pass) == DBERT_OK);
	CHECK(rig.trainer->steps->loss(&pass, true, &loss, &weight) == DBERT_OK);
	CHECK_NEAR(loss, ref_loss(&r), 1e-5);
	CHECK(dbert_pass_backward(&pass) == DBERT_OK);
	for (int i = 0; i < rig.trainer->params.slots.count; i++)
		check_slot(&r, i);
	ref_end(&r);
	end_rig(&rig);
}

void
check_gradients(const MemModel *model, const DbertTrainOptions *o)
{
	check_batch_gradients(model, o, tiny_batch(o));
}
