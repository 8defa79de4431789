/*
 * configswitch.c -- see configswitch.h.
 */
#include "model/configswitch.h"

DbertStatus
dbert_config_switches(const DbertJson *root, const DbertSwitch *list, DbertError *err)
{
	for (; list->key != NULL; list++)
	{
		bool		value = list->preset;

		DBERT_TRY(dbert_json_bool(root, list->key, &value, err));
		if (value != list->only)
			return dbert_fail(err, DBERT_E_UNSUPPORTED,
							  "%s: \"%s\" must be %s, anything else is not supported", root->where,
							  list->key, list->only ? "true" : "false");
	}
	return DBERT_OK;
}
