/*
 * tokenizersplits.c -- tokenizer.json's pre-tokenizers that split by a pattern.
 *
 * There is no engine for regular expressions: the patterns in use are known by
 * their text, others are refused.
 */
#include "model/tokenspec.h"
#include "text/utf8.h"

#include <string.h>

static DbertStatus
add(const DbertJson *object, DbertTokenSpec *t, DbertStepSpec step, DbertError *err)
{
	return dbert_tokenizer_step_add(object, t->splitters, &t->spec.n_splitters, step, err);
}

/* ---- ByteLevel ---- */

/*
 * It turns characters into bytes, which is the kind's to do; so no other step
 * may come behind it.
 */
DbertStatus
dbert_read_byte_level(const DbertJson *object, DbertTokenSpec *t, DbertError *err)
{
	bool		space = true,
				regex = true;

	DBERT_TRY(dbert_json_bool(object, "add_prefix_space", &space, err));
	DBERT_TRY(dbert_json_bool(object, "use_regex", &regex, err));
	if (space)
		DBERT_TRY(add(object, t, (DbertStepSpec) {.kind = DBERT_STEP_SPACE_BEFORE}, err));
	if (regex)
		DBERT_TRY(add(object, t, (DbertStepSpec) {.kind = DBERT_STEP_REGEX,
				  .mode = DBERT_REGEX_SPACE_NUMBER}, err));
	t->bytes = true;
	t->bytes_at = t->spec.n_splitters;
	return DBERT_OK;
}

/* ---- Split ---- */

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)|"
#define MODERN	(DBERT_REGEX_CASELESS | DBERT_REGEX_ANY_BEFORE | DBERT_REGEX_LINES)

static const struct
{
	const char *pattern;
	int			mode;
}			patterns[] = {
	/* GPT-2 */
	{"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
	DBERT_REGEX_SPACE_NUMBER},
	/* Llama 3 */
	{CONTRACTIONS "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
	"\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", MODERN + 3 * DBERT_REGEX_NUMBERS},
	/* Qwen 2 */
	{CONTRACTIONS "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
	"\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", MODERN + DBERT_REGEX_NUMBERS},
	/* GPT-4: its possessive quantifiers change nothing */
	{CONTRACTIONS "[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|"
	"\\s*[\\r\\n]|\\s+(?!\\S)|\\s+", MODERN + 3 * DBERT_REGEX_NUMBERS}
};

static DbertStatus
add_regex(const DbertJson *object, const char *regex, bool removed, DbertTokenSpec *t,
		  DbertError *err)
{
	char		clip[DBERT_CLIP];

	if (strcmp(regex, "\\w+|[^\\w\\s]+") == 0 && removed)
		return add(object, t, (DbertStepSpec) {.kind = DBERT_STEP_WORDS, .mode = 1}, err);
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		if (strcmp(regex, patterns[i].pattern) == 0)
			return add(object, t, (DbertStepSpec) {.kind = DBERT_STEP_REGEX,
					   .mode = patterns[i].mode}, err);
	return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: pattern \"%s\" is not supported",
					  object->where, dbert_clip(regex, clip));
}

DbertStatus
dbert_tokenizer_behavior_read(const DbertJson *object, int32_t *behavior, DbertError *err)
{
	static const char *const names[DBERT_SPLIT_BEHAVIORS] = {
		[DBERT_SPLIT_ISOLATED] = "Isolated",
		[DBERT_SPLIT_REMOVED] = "Removed",
		[DBERT_SPLIT_CONTIGUOUS] = "Contiguous",
		[DBERT_SPLIT_WITH_PREVIOUS] = "MergedWithPrevious",
		[DBERT_SPLIT_WITH_NEXT] = "MergedWithNext"
	};
	const char *name = names[DBERT_SPLIT_ISOLATED];
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_string(object, "behavior", &name, err));
	for (*behavior = 0; strcmp(name, names[*behavior]) != 0;)
		if (++*behavior == DBERT_SPLIT_BEHAVIORS)
			return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: behavior \"%s\" is not supported",
							  object->where, dbert_clip(name, clip));
	return DBERT_OK;
}

/* At a single character. */
static DbertStatus
add_character(const DbertJson *object, const DbertJson *pattern, bool invert, DbertTokenSpec *t,
			  DbertError *err)
{
	DbertStepSpec step = {.kind = DBERT_STEP_SPLIT_AT};
	size_t		chars = 0;

	if (pattern->value != NULL)
		DBERT_TRY(dbert_json_string(pattern, "String", &step.text, err));
	step.len = step.text != NULL ? strlen(step.text) : 0;
	for (size_t i = 0; i < step.len; i++)
		chars += !dbert_utf8_is_tail((uint8_t) step.text[i]);
	if (chars != 1 || invert)
		return dbert_fail(err, DBERT_E_UNSUPPORTED,
						  "%s: a pattern that is neither a \"Regex\" nor one character is not "
						  "supported", object->where);
	DBERT_TRY(dbert_tokenizer_behavior_read(object, &step.mode, err));
	return add(object, t, step, err);
}

/* CharDelimiterSplit: a character that is dropped. */
DbertStatus
dbert_read_delimiter(const DbertJson *object, DbertTokenSpec *t, DbertError *err)
{
	DbertStepSpec step = {.kind = DBERT_STEP_SPLIT_AT, .mode = DBERT_SPLIT_REMOVED};

	DBERT_TRY(dbert_json_string(object, "delimiter", &step.text, err));
	step.len = step.text != NULL ? strlen(step.text) : 0;
	if (step.len == 0 || dbert_utf8_count(step.text, step.len) != 1)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: \"delimiter\" is not one character",
						  object->where);
	return add(object, t, step, err);
}

DbertStatus
dbert_read_split(const DbertJson *object, DbertTokenSpec *t, DbertError *err)
{
	const char *behavior = "",
			   *regex = NULL;
	bool		invert = false;
	DbertJson	pattern;
	char		clip[DBERT_CLIP];

	DBERT_TRY(dbert_json_child(object, "pattern", JSON_OBJECT, &pattern, err));
	DBERT_TRY(dbert_json_string(object, "behavior", &behavior, err));
	DBERT_TRY(dbert_json_bool(object, "invert", &invert, err));
	if (pattern.value != NULL)
		DBERT_TRY(dbert_json_string(&pattern, "Regex", &regex, err));
	if (regex == NULL)
		return add_character(object, &pattern, invert, t, err);
	/* of these patterns every character is in a match */
	if (strcmp(behavior, invert ? "Removed" : "Isolated") != 0)
		return dbert_fail(err, DBERT_E_UNSUPPORTED, "%s: behavior \"%s\" is not supported",
						  object->where, dbert_clip(behavior, clip));
	return add_regex(object, regex, invert, t, err);
}
