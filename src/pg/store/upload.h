/*
 * upload.h -- models that clients send in parts.
 */
#ifndef DISTILBERT_PG_UPLOAD_H
#define DISTILBERT_PG_UPLOAD_H

/* Called once by _PG_init. */
extern void distil_upload_init(void);

#endif
