/* status.c -- texts of the status codes, and filling a DbertError. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

const char *
dbert_status_text(DbertStatus code)
{
	switch (code)
	{
#define DBERT_STATUS_CASE(code, text) case DBERT_##code: return text;
			DBERT_STATUS_MAP(DBERT_STATUS_CASE)
#undef DBERT_STATUS_CASE
	}
	return "unknown status";
}

DbertStatus
dbert_fail(DbertError *err, DbertStatus code, const char *fmt,...)
{
	va_list		args;

	if (err == NULL)
		return code;
	err->code = code;
	va_start(args, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, args);
	va_end(args);

	/* Names out of hostile files end in a terminal or a log. */
	for (char *p = err->msg; *p; p++)
		if ((unsigned char) *p < 0x20 || *p == 0x7f)
			*p = '?';
	return code;
}
