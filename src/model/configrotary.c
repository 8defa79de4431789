/*
 * configrotary.c -- see configrotary.h.
 *
 * transformers once kept the base of the angles at a key of its own, and since
 * version 5 in an object beside what stretches them.  Files may have either, or
 * both.
 *
 * Source: Su et al. 2021 (arXiv:2104.09864); transformers'
 * modeling_rope_utils.py.
 */
#include "model/configrotary.h"

#include <string.h>

#define BASE_MAX 1e12

/* What stretches or cuts the rotation has no code, wherever it is said. */
static DbertStatus
check_parameters(const DbertJson *at, DbertError *err)
{
	const char *type = "default";
	double		share = 1;
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_string(at, "type", &type, err));
	DBERT_TRY(dbert_json_string(at, "rope_type", &type, err));
	if (strcmp(type, "default") != 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: rotary positions of type \"%s\" are not supported", at->where,
						  dbert_clip(type, clip));
	DBERT_TRY(dbert_json_real(at, "partial_rotary_factor", 0, 1, &share, err));
	if (share != 1)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: a \"partial_rotary_factor\" of %g is not supported", at->where,
						  share);
	return DBERT_OK;
}

/* *base is left as it is where there are no parameters. */
static DbertStatus
read_parameters(const DbertJson *root, const char *kind, double *base, DbertError *err)
{
	DbertJson	all,
				own;

	DBERT_TRY(dbert_json_child(root, "rope_parameters", JSON_OBJECT, &all, err));
	if (all.value == NULL)
		return DBERT_OK;
	own = all;
	if (kind != NULL)
		DBERT_TRY(dbert_json_child(&all, kind, JSON_OBJECT, &own, err));
	if (own.value == NULL)
		return DBERT_OK;
	DBERT_TRY(check_parameters(&own, err));
	return dbert_json_real(&own, "rope_theta", 1, BASE_MAX, base, err);
}

DbertStatus
dbert_config_rotary_base(const DbertJson *root, const char *key, const char *kind, double preset,
						 float *base, DbertError *err)
{
	double		old = 0,
				new = 0;

	DBERT_TRY(dbert_json_real(root, key, 1, BASE_MAX, &old, err));
	DBERT_TRY(read_parameters(root, kind, &new, err));
	if (old > 0 && new > 0 && old != new)
		return dbert_fail(err, DBERT_E_FORMAT,
						  "%s: \"%s\" is %.10g, but \"rope_theta\" of \"rope_parameters\" is %.10g",
						  root->where, key, old, new);
	*base = (float) (new > 0 ? new : old > 0 ? old : preset);
	if (*base == 0)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: no \"%s\"", root->where, key);
	return DBERT_OK;
}

DbertStatus
dbert_config_refuse_scaling(const DbertJson *root, DbertError *err)
{
	DbertJson	scaling;

	DBERT_TRY(dbert_json_child(root, "rope_scaling", JSON_OBJECT, &scaling, err));
	return scaling.value != NULL ? check_parameters(&scaling, err) : DBERT_OK;
}
