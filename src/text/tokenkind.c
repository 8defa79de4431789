/* tokenkind.c -- the table of kinds: see tokenkind.h. */
#include "text/tokenkind.h"

static const DbertTokenKind *const kinds[DBERT_KINDS] = {
	[DBERT_KIND_WORDPIECE] = &dbert_kind_wordpiece,
	[DBERT_KIND_BYTEBPE] = &dbert_kind_bytebpe,
	[DBERT_KIND_CHARBPE] = &dbert_kind_charbpe,
	[DBERT_KIND_CODESBPE] = &dbert_kind_codesbpe,
	[DBERT_KIND_UNIGRAM] = &dbert_kind_unigram,
};

const DbertTokenKind *
dbert_token_kind(int32_t kind)
{
	return kind >= 0 && kind < DBERT_KINDS ? kinds[kind] : NULL;
}
