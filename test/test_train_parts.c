/*
 * test_train_parts.c -- what a step is made of: activations, random numbers,
 * the optimizer, half precision.
 */
#include "base/bytes.h"
#include "test/support/kerneltables.h"
#include "test/support/testhelp.h"
#include "test/support/trainfixture.h"
#include "train/adamw.h"

/* ---- activations ---- */

static void
test_exponential(void)
{
	for (float x = 0; x > -86; x -= 0.01f)
		CHECK_NEAR(dbert_exp_negative(x) / exp(x), 1, 4e-7);
	CHECK(dbert_exp_negative(0) == 1);
	CHECK(dbert_exp_negative(-1000) >= 0 && dbert_exp_negative(-INFINITY) < 1e-37);
}

static double
ref_slope(int act, double x)
{
	return act == DBERT_ACT_RELU ? x > 0 : (ref_act(act, x + 1e-5) - ref_act(act, x - 1e-5)) / 2e-5;
}

/* Values and slopes, with every table of kernels that runs here. */
static void
test_activations(void)
{
	enum {N = 2003};
	DbertTrainRun run = {0};
	float		x[N],
				y[N],
				dy[N],
				dx[N];

	for (int i = 0; i < N; i++)
	{
		x[i] = (float) (i - N / 2) / 100 + (i % 2 ? 1e-4f : 0);
		dy[i] = (float) (i % 7) - 3;
	}
	for (int at = 0; (run.kernels = kernels_next(&at, KERNELS_FP32)) != NULL;)
		for (int act = DBERT_ACT_GELU; act <= DBERT_ACT_SILU; act++)
		{
			CHECK(dbert_act_forward(&run, act, x, 1, N, y) == DBERT_OK);
			CHECK(dbert_act_backward(&run, act, x, y, dy, 1, N, dx) == DBERT_OK);
			for (int i = 0; i < N; i++)
			{
				CHECK_NEAR(y[i], ref_act(act, x[i]), 1e-6 * (1 + fabs(x[i])));
				CHECK_NEAR(dx[i],
						   dy[i] * (x[i] == 0 && act == DBERT_ACT_RELU ? 0 : ref_slope(act, x[i])),
						   5e-6);
			}
		}
}

/* ---- random numbers ---- */

static void
test_random(void)
{
	DbertDropout d = dbert_dropout(dbert_random_key(1, 2, 3), 0.3f);
	int			n = 100000,
				dropped = 0;
	double		sum = 0,
				square = 0;
	int32_t		order[50],
				again[50];
	bool		seen[50] = {false};

	for (int i = 0; i < n; i++)
	{
		double		x = dbert_random_normal(11, i);

		dropped += dbert_dropout_factor(&d, i) == 0;
		sum += x;
		square += x * x;
	}
	CHECK_NEAR(dropped / (double) n, 0.3, 0.01);
	CHECK_NEAR(dbert_dropout(1, 0.3f).scale, 1 / 0.7, 1e-6);
	CHECK_NEAR(sum / n, 0, 0.02);
	CHECK_NEAR(square / n, 1, 0.02);
	dbert_random_shuffle(order, 50, 5);
	dbert_random_shuffle(again, 50, 5);
	CHECK(memcmp(order, again, sizeof(order)) == 0);
	dbert_random_shuffle(again, 50, 6);
	CHECK(memcmp(order, again, sizeof(order)) != 0);
	for (int i = 0; i < 50; i++)
		seen[order[i]] = true;
	for (int i = 0; i < 50; i++)
		CHECK(seen[i]);
}

/* ---- the optimizer ---- */

/* AdamW's formulas for one parameter over steps with given gradients. */
static double
ref_adamw(double w, const double *g, int steps, double rate, const double *course, double decay)
{
	double		m = 0,
				v = 0;

	for (int i = 0; i < steps; i++)
	{
		double		lr = rate * course[i];

		w -= lr * decay * w;
		m = 0.9 * m + 0.1 * g[i];
		v = 0.999 * v + 0.001 * g[i] * g[i];
		w -= lr * (m / (1 - pow(0.9, i + 1))) / (sqrt(v / (1 - pow(0.999, i + 1))) + 1e-8);
	}
	return w;
}

/*
 * Two parameters get gradients: an element of a matrix, which decays, and of a
 * bias, which does not.
 */
static void
test_adamw(void)
{
	DbertTrainOptions o = tiny_options(DBERT_HEAD_SEQUENCE, DBERT_PROBLEM_SINGLE);
	DbertTrainBatch batch = tiny_batch(&o);
	Rig			rig;
	DbertError	err = {0};
	DbertPass	pass;
	const double g[4] = {0.3, -0.1, 0.2, 6.0};
	const double clipped[4] = {0.3, -0.1, 0.2, 6.0 / (hypot(6.0, 6.0 * 0.5) + 1e-6)};
	const double half[4] = {0.15, -0.05, 0.1, 3.0 / (hypot(6.0, 6.0 * 0.5) + 1e-6)};
	const double course[4] = {0, 0.5, 1, 7.0 / 8};	/* two warm-up steps of ten */
	const DbertLinear *w,
			   *d;
	double		matrix,
				bias;

	mem_model_distilbert(&rig.model, "ForSequenceClassification", 3);
	o.warmup = 0.2f;
	if (!begin_rig(&rig, &o))
		return;
	w = &rig.trainer->params.w.head_out;
	d = &rig.trainer->params.g.head_out;
	matrix = w->w[1];
	bias = w->b[1];
	pass = pass_of(rig.trainer, &batch, true, &err);
	memset(rig.trainer->params.gradients, 0, rig.trainer->params.learning.bytes);
	for (int i = 0; i < 4; i++)
	{
		((float *) d->w)[1] = (float) g[i];
		((float *) d->b)[1] = (float) (g[i] / 2);
		CHECK(dbert_adamw_step(&pass) == DBERT_OK);
		rig.trainer->step++;
	}
	CHECK_NEAR(w->w[1], ref_adamw(matrix, clipped, 4, 0.01, course, 0.1), 1e-6);
	CHECK_NEAR(w->b[1], ref_adamw(bias, half, 4, 0.01, course, 0), 1e-6);
	((float *) d->b)[1] = NAN;
	CHECK(dbert_adamw_step(&pass) == DBERT_E_INVALID);
	end_rig(&rig);
}

/* ---- half precision ---- */

static void
test_f16(void)
{
	for (uint32_t h = 0; h < 0x7c00; h++)
	{
		float		f = dbert_float_of_f16((uint16_t) h),
					next = dbert_float_of_f16((uint16_t) (h + 1 < 0x7c00 ? h + 1 : h));

		CHECK(dbert_f16_of_float(f) == h && dbert_f16_of_float(-f) == (h | 0x8000));
		CHECK(dbert_f16_of_float(f + (next - f) * 0.49f) == h);
		CHECK(dbert_f16_of_float((f + next) / 2) == (h + 1 < 0x7c00 ? (h + 1) / 2 * 2 : h));
	}
	CHECK(dbert_f16_of_float(1e30f) == 0x7bff && dbert_f16_of_float(-INFINITY) == 0xfbff);
}

int
main(void)
{
	RUN(test_exponential);
	RUN(test_activations);
	RUN(test_random);
	RUN(test_adamw);
	RUN(test_f16);
	return tests_end();
}
