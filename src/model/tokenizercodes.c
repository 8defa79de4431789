/*
 * tokenizercodes.c -- vocab.txt and bpe.codes: BERTweet's and PhoBERT's.
 *
 * vocab.txt has lines "token count", ids from 4 on, behind <s>, <pad>, </s> and
 * <unk>.  bpe.codes has lines "left right count" by rank: texts that are
 * merged, with "</w>" at a word's end; inside a word tokens end with "@@".
 */
#include "model/tokenspec.h"

#include "text/utf8.h"

#include <stdlib.h>
#include <string.h>

#define END "</w>"
#define END_LEN (sizeof(END) - 1)

/* Longer than any text that is a token. */
#define TEXT_MAX 2048

/* What is merged: texts in order. */
typedef struct Symbols
{
	const char **texts;
	size_t		n;
} Symbols;

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* Index of a text, or -1. */
static int32_t
find_symbol(const Symbols *s, const char *text)
{
	const char **found = bsearch(&text, s->texts, s->n, sizeof(*s->texts), compare_texts);

	return found != NULL ? (int32_t) (found - s->texts) : -1;
}

/* The next line as a string, without white space at its end; NULL: none. */
static char *
next_line(char **at)
{
	char	   *line = *at,
			   *end;

	if (line == NULL || *line == '\0')
		return NULL;
	end = strchr(line, '\n');
	*at = end != NULL ? end + 1 : NULL;
	if (end == NULL)
		end = line + strlen(line);
	while (end > line && (end[-1] == ' ' || end[-1] == '\r' || end[-1] == '\t'))
		end--;
	*end = '\0';
	return line;
}

static size_t
count_lines(const char *text)
{
	size_t		n = 1;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

/* ---- vocab.txt ---- */

static DbertStatus
read_tokens(char *text, DbertTokenSpec *t, DbertError *err)
{
	static const char *const first[] = {"<s>", "<pad>", "</s>", "<unk>"};
	int64_t		id = 4;
	char		clip[DBERT_CLIP];

	for (int i = 0; i < 4; i++)
		DBERT_TRY(dbert_token_spec_put(t, i, first[i], strlen(first[i]), err));
	for (char *line; (line = next_line(&text)) != NULL; id++)
	{
		char	   *space = strrchr(line, ' ');

		if (space == NULL || space == line)
			return dbert_fail(err, DBERT_E_FORMAT, "%s: \"%s\" is no token with its count", t->file,
							  dbert_clip(line, clip));
		*space = '\0';
		DBERT_TRY(dbert_token_spec_put(t, id, line, strlen(line), err));
	}
	return dbert_token_spec_index_once(t, err);
}

/* ---- bpe.codes ---- */

/* Cut "left right count" into its first two; E_FORMAT if it is none. */
static DbertStatus
split_code(char *line, const char *where, char **right, DbertError *err)
{
	char	   *first = strchr(line, ' '),
			   *second = first != NULL ? strchr(first + 1, ' ') : NULL;
	char		clip[DBERT_CLIP];

	if (second == NULL || first == line || second == first + 1 || strchr(second + 1, ' ') != NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: \"%s\" is no code with its count", where,
						  dbert_clip(line, clip));
	if (strlen(line) >= TEXT_MAX)
		return dbert_fail(err, DBERT_E_LIMIT, "%s: \"%s\" is too long", where,
						  dbert_clip(line, clip));
	*first = *second = '\0';
	*right = first + 1;
	return DBERT_OK;
}

static const char *
join(DbertTokenSpec *t, const char *left, const char *right)
{
	size_t		n = strlen(left),
				m = strlen(right);
	char	   *text = dbert_arena_alloc(t->arena, n + m + 1, 1);

	if (text != NULL)
	{
		memcpy(text, left, n);
		memcpy(text + n, right, m);
	}
	return text;
}

/* Is the text one character?  *cp is which. */
static bool
is_character(const char *text, size_t len, uint32_t *cp)
{
	const uint8_t *p = (const uint8_t *) text;

	return len > 0 && dbert_utf8_decode(p, p + len, cp) == (int) len;
}

/* Symbols of the vocabulary's single characters, inside and last in a word. */
static DbertStatus
add_characters(DbertTokenSpec *t, Symbols *s, DbertError *err)
{
	uint32_t	cp;

	for (int32_t id = 4; id < t->spec.n_tokens; id++)
	{
		size_t		len = t->lens[id];
		const char *text = t->tokens[id];
		bool		inner = len > 2 && memcmp(text + len - 2, "@@", 2) == 0;

		if (text == NULL || !is_character(text, len - (inner ? 2 : 0), &cp))
			continue;
		s->texts[s->n] = inner ? dbert_arena_strndup(t->arena, text, len - 2) : join(t, text, END);
		if (s->texts[s->n++] == NULL)
			return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	}
	return DBERT_OK;
}

/* All texts that are merged or become so, in order, each once. */
static DbertStatus
collect_symbols(char **codes, size_t n, DbertTokenSpec *t, Symbols *s, DbertError *err)
{
	size_t		kept = 0;

	s->texts = dbert_arena_alloc(t->arena, 3 * n + (size_t) t->spec.n_tokens, sizeof(*s->texts));
	if (s->texts == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
	{
		s->texts[s->n++] = codes[2 * i];
		s->texts[s->n++] = codes[2 * i + 1];
		s->texts[s->n] = join(t, codes[2 * i], codes[2 * i + 1]);
		if (s->texts[s->n++] == NULL)
			return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	}
	DBERT_TRY(add_characters(t, s, err));
	if (s->n > 0)
		qsort(s->texts, s->n, sizeof(*s->texts), compare_texts);
	for (size_t i = 0; i < s->n; i++)
		if (kept == 0 || strcmp(s->texts[kept - 1], s->texts[i]) != 0)
			s->texts[kept++] = s->texts[i];
	s->n = kept;
	return DBERT_OK;
}

/* Is it a symbol of a word's end?  *len: without the mark. */
static bool
is_last(const char *text, size_t *len)
{
	*len = strlen(text);
	if (*len <= END_LEN || strcmp(text + *len - END_LEN, END) != 0)
		return false;
	*len -= END_LEN;
	return true;
}

static int
compare_chars(const void *a, const void *b)
{
	const DbertCodesChar *x = a,
			   *y = b;

	return (x->cp > y->cp) - (x->cp < y->cp);
}

/* Which token each symbol is, and which symbols the characters are. */
static DbertStatus
describe_symbols(const Symbols *s, DbertTokenSpec *t, DbertError *err)
{
	int32_t    *ids = dbert_arena_alloc(t->arena, s->n, sizeof(*ids));
	DbertCodesChar *chars = dbert_arena_alloc(t->arena, s->n, sizeof(*chars));
	int32_t		n = 0,
				kept = 0;

	if (ids == NULL || chars == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	for (size_t i = 0; i < s->n; i++)
	{
		size_t		len;
		bool		last = is_last(s->texts[i], &len);
		const char *token = last ? dbert_arena_strndup(t->arena, s->texts[i], len)
								 : join(t, s->texts[i], "@@");
		uint32_t	cp = 0;

		if (token == NULL)
			return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
		ids[i] = dbert_token_spec_find(t, token);
		if (is_character(s->texts[i], len, &cp))
			chars[n++] = (DbertCodesChar) {cp, last ? -1 : (int32_t) i, last ? (int32_t) i : -1};
	}
	if (n > 0)
		qsort(chars, (size_t) n, sizeof(*chars), compare_chars);
	for (int32_t i = 0; i < n; i++)
	{
		if (kept == 0 || chars[kept - 1].cp != chars[i].cp)
			chars[kept++] = chars[i];
		else if (chars[i].last >= 0)
			chars[kept - 1].last = chars[i].last;
		else
			chars[kept - 1].inner = chars[i].inner;
	}
	t->spec.n_symbols = (int32_t) s->n;
	t->spec.symbol_ids = ids;
	t->spec.n_chars = kept;
	t->spec.chars = chars;
	return DBERT_OK;
}

static DbertStatus
read_codes(char *text, const char *where, DbertTokenSpec *t, DbertError *err)
{
	size_t		lines = count_lines(text),
				n = 0;
	char	  **codes = dbert_arena_alloc(t->arena, 2 * lines, sizeof(*codes));
	Symbols		s = {NULL, 0};

	if (codes == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	for (char *line; (line = next_line(&text)) != NULL; n++)
	{
		DBERT_TRY(split_code(line, where, &codes[2 * n + 1], err));
		codes[2 * n] = line;
	}
	DBERT_TRY(collect_symbols(codes, n, t, &s, err));
	DBERT_TRY(describe_symbols(&s, t, err));
	DBERT_TRY(dbert_token_spec_merges(t, where, n, err));
	for (size_t i = 0; i < n; i++)
	{
		const char *merged = join(t, codes[2 * i], codes[2 * i + 1]);

		if (merged == NULL)
			return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
		t->merges[t->spec.n_merges++] = (DbertMerge) {find_symbol(&s, codes[2 * i]),
		find_symbol(&s, codes[2 * i + 1]), find_symbol(&s, merged)};
	}
	return DBERT_OK;
}

DbertStatus
dbert_vocab_codes_read(char *vocab, size_t len, char *codes, size_t codes_len,
					   const DbertJson *config, DbertTokenSpec *t, DbertError *err)
{
	bool		normalization = false;

	if (memchr(vocab, '\0', len) != NULL || memchr(codes, '\0', codes_len) != NULL)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: it or bpe.codes holds a zero byte", t->file);
	DBERT_TRY(dbert_json_bool(config, "normalization", &normalization, err));
	if (normalization)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: \"normalization\" is not supported",
						  config->where);
	t->spec.kind = DBERT_KIND_CODESBPE;
	t->spec.clean_text = t->spec.split_cjk = t->spec.lowercase = false;
	t->spec.split_by_steps = true;
	t->splitters[t->spec.n_splitters++].kind = DBERT_STEP_LINE_WORDS;
	DBERT_TRY(read_tokens(vocab, t, err));
	return read_codes(codes, "bpe.codes", t, err);
}
