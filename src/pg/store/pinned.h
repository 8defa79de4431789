/*
 * pinned.h -- names that say which content they mean.
 *
 * "m@93cd2c70" is the model "m" if the sha256 of its content, as the view
 * distil_models shows it, begins with these digits; 8 at least.  Where the name
 * stands for anything else it is an error, so that servers that compute one
 * statement together never use two contents of a name.
 */
#ifndef DISTILBERT_PG_PINNED_H
#define DISTILBERT_PG_PINNED_H

#include "c.h"

typedef struct DistilPinned
{
	const char *name;			/* of the model, alone */
	const char *digits;			/* in lower case; NULL: whatever content it has */
} DistilPinned;

/*
 * Take a name apart that may say its content.  The name of one that does is
 * palloc'd.  Raises when what follows the "@" is not as it must be.
 */
extern DistilPinned distil_unpin(const char *name);

/* The name with the first digits of its content: "m@93cd2c70"; palloc'd. */
extern char *distil_pin(const char *name, const uint8 *sha256);

/* Raise unless this is the content that the name says. */
extern void distil_check_pinned(const DistilPinned *pinned, const uint8 *sha256);

/* Does this name, with or without content, mean that model?  Never raises. */
extern bool distil_names_model(const char *name, const char *model);

#endif
