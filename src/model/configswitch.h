/*
 * configswitch.h -- switches of config.json that must stand as there is code
 * for.
 */
#ifndef DBERT_MODEL_CONFIGSWITCH_H
#define DBERT_MODEL_CONFIGSWITCH_H

#include "model/json.h"

/* A switch that there is code for in one position only. */
typedef struct DbertSwitch
{
	const char *key;			/* NULL ends a list */
	bool		only;
	bool		preset;			/* transformers' */
} DbertSwitch;

/* E_UNSUPPORTED, naming the first that stands otherwise. */
extern DbertStatus dbert_config_switches(const DbertJson *root, const DbertSwitch *list,
										 DbertError *err);

#endif
