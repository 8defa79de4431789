/*
 * textvalue.h -- texts on their way from the server to the core, and back.
 */
#ifndef DISTILBERT_PG_TEXTVALUE_H
#define DISTILBERT_PG_TEXTVALUE_H

/* What happens when a text cannot be evaluated: distilbert.on_error. */
typedef enum DistilOnError
{
	DISTIL_ERROR_RAISE,
	DISTIL_ERROR_NULL
} DistilOnError;

extern int	distil_guc_long_text;	/* DbertLongText */
extern int	distil_guc_on_error;	/* DistilOnError */

/* Defines both settings; called once by _PG_init. */
extern void distil_textvalue_init(void);

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

/* Raises when the database is SQL_ASCII and the bytes are not UTF-8. */
extern DistilText distil_text_get(Datum value);

/* Releases the copies that distil_text_get made. */
extern void distil_text_free(DistilText *t);

/*
 * A text value from UTF-8 of the core; raises when the database cannot spell
 * it.
 */
extern text *distil_text_from_utf8(const char *s, size_t len);

#endif
