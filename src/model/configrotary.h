/*
 * configrotary.h -- what config.json says of rotary positions.
 */
#ifndef DBERT_MODEL_CONFIGROTARY_H
#define DBERT_MODEL_CONFIGROTARY_H

#include "model/config.h"
#include "model/json.h"

/*
 * *base = what angles are powers of: at this key of the root, or "rope_theta"
 * of "rope_parameters" (of the object of this kind in it; NULL: there is one
 * for all layers).  Both must agree (E_FORMAT); neither: the preset, and if
 * that is 0, E_FORMAT.  E_UNSUPPORTED for parameters of any type but the
 * default.
 */
extern DbertStatus dbert_config_rotary_base(const DbertJson *root, const char *key,
											const char *kind, double preset, float *base,
											DbertError *err);

/* E_UNSUPPORTED where rotary positions are stretched. */
extern DbertStatus dbert_config_refuse_scaling(const DbertJson *root, DbertError *err);

#endif
