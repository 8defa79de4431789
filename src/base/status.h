/*
 * status.h -- how the core reports failure.
 *
 * Every fallible function of the core returns a DbertStatus and, when that is
 * not DBERT_OK, has filled the caller's DbertError with one sentence in
 * PostgreSQL's message style (lower case, no full stop).  The core never
 * prints, exits or jumps.  src/pg/bridge/errors.c alone turns a DbertError into
 * ereport().
 */
#ifndef DBERT_BASE_STATUS_H
#define DBERT_BASE_STATUS_H

#include <stddef.h>

/* X(code, what it means to a user) */
#define DBERT_STATUS_MAP(X) \
	X(OK, "ok") \
	X(E_NOMEM, "out of memory") \
	X(E_IO, "cannot read model file") \
	X(E_FORMAT, "malformed model file") \
	X(E_SHAPE, "tensor has an unexpected shape") \
	X(E_UNSUPPORTED, "unsupported model") \
	X(E_ENCODING, "text is not valid UTF-8") \
	X(E_LIMIT, "input too large") \
	X(E_TOO_LONG, "text has too many tokens") \
	X(E_NOT_FINITE, "result is not finite") \
	X(E_CANCELLED, "cancelled") \
	X(E_CORRUPT, "model pack is damaged") \
	X(E_INVALID, "invalid argument") \
	X(E_INTERNAL, "internal error")

typedef enum DbertStatus
{
#define DBERT_STATUS_ENUM(code, text) DBERT_##code,
	DBERT_STATUS_MAP(DBERT_STATUS_ENUM)
#undef DBERT_STATUS_ENUM
} DbertStatus;

/* Caller-owned, needs no release. */
typedef struct DbertError
{
	DbertStatus code;
	char		msg[512];		/* always terminated; control bytes replaced */
} DbertError;

/* Fill err (which may be NULL) and return code: "return dbert_fail(...)". */
extern DbertStatus dbert_fail(DbertError *err, DbertStatus code, const char *fmt,...)
			__attribute__((format(printf, 3, 4)));

/* The sentence of the table above. */
extern const char *dbert_status_text(DbertStatus code);

/* Pass a failure up. */
#define DBERT_TRY(call) \
	do { \
		DbertStatus dbert_try_status = (call); \
		if (dbert_try_status != DBERT_OK) \
			return dbert_try_status; \
	} while (0)

#endif
