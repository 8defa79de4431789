/*
 * base64.h -- bytes written as base64 (RFC 4648, with padding, no line ends).
 */
#ifndef DBERT_MODEL_BASE64_H
#define DBERT_MODEL_BASE64_H

#include "base/arena.h"
#include "base/status.h"

/*
 * *bytes[*size] of the arena; E_FORMAT, which names what: "file: key".
 */
extern DbertStatus dbert_base64_read(const char *text, size_t len, const char *what,
									 DbertArena *arena, uint8_t **bytes, size_t *size,
									 DbertError *err);

#endif
