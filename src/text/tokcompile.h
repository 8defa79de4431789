/*
 * tokcompile.h -- a tokenizer being compiled: shared by tokcompile.c, which
 * conducts, toklayout.c and the kinds.
 */
#ifndef DBERT_TEXT_TOKCOMPILE_H
#define DBERT_TEXT_TOKCOMPILE_H

#include "text/tokimage.h"

typedef struct DbertTokCompiler
{
	const DbertTokenizerSpec *spec;
	const DbertAllocator *alloc;
	const DbertPoll *poll;
	DbertError *err;
	DbertTrieBuilder trie;
	DbertTrieKey *keys;			/* room for all tokens and all added tokens */
	uint8_t    *normalized;		/* texts of added tokens after normalisation */
	size_t		normalized_size;
	size_t		normalized_capacity;
	DbertImageStep steps[2 * DBERT_MAX_STEPS];
	uint8_t    *data;			/* of the steps: head.data_size bytes */
	void	   *model;			/* the kind's block, made with alloc: head.model_size bytes */
	DbertTokImage head;
} DbertTokCompiler;

/* Where the next count * size bytes stand in a block: *total grows. */
extern bool dbert_tok_reserve(uint64_t *at, size_t *total, size_t count, size_t size);

/*
 * The kind's block, c->model: total bytes that begin with head[head_size], the
 * others are 0.
 */
extern DbertStatus dbert_tok_make_block(DbertTokCompiler *c, const void *head, size_t head_size,
										size_t total);

/* E_CANCELLED when the poll says so, asked at every 1024th of many things. */
extern DbertStatus dbert_tok_poll(const DbertTokCompiler *c, int32_t i);

/* E_FORMAT unless id is a token's, or -1 where none is needed. */
extern DbertStatus dbert_tok_check_id(const DbertTokenizerSpec *s, const char *what, int32_t id,
									  bool needed, DbertError *err);

/*
 * tokbytes.c: the ids of "<0x00>" ... "<0xFF>", -1 for those that are no
 * token; whether all are.
 */
extern bool dbert_tok_find_bytes(const DbertTokCompiler *c, int32_t ids[256]);

/*
 * toklayout.c: all of it in one allocation.  added_of[id] is the index of the
 * added token with this id, or -1.
 */
extern DbertStatus dbert_tok_lay_out(DbertTokCompiler *c, const int32_t *added_of, void **image);

#endif
