/*
 * textvalue.h -- texts on their way from the server to the core, and back.
 */
#ifndef DISTILBERT_PG_TEXTVALUE_H
#define DISTILBERT_PG_TEXTVALUE_H

#include "pg/bridge/textrules.h"

/*
 * A text value in UTF-8, as the core takes it, beside the value as the server
 * has it.  Where neither detoasting nor conversion was needed, nothing is
 * copied.
 */
typedef struct DistilText
{
	const char *data;			/* UTF-8, len bytes, not terminated */
	size_t		len;
	text	   *stored;			/* detoasted, in the server's encoding */
	Datum		given;
} DistilText;

/*
 * Where errors are raised, raises when the value cannot be converted to UTF-8.
 * Otherwise it has bytes then that are not UTF-8, which the core refuses.
 */
extern DistilText distil_text_get(Datum value, DistilOnError on_error);

/* Releases the copies that distil_text_get made. */
extern void distil_text_free(DistilText *t);

/*
 * A text value from UTF-8 of the core; raises when the database cannot spell
 * it.
 */
extern text *distil_text_from_utf8(const char *s, size_t len);

/* The same, but NULL where the database cannot spell it. */
extern text *distil_text_spelt(const char *s, size_t len);

#endif
