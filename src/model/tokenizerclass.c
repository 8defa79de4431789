/* tokenizerclass.c -- see tokenizerclass.h. */
#include "model/tokenizerclass.h"

#include <string.h>

/* unk, cls, sep, pad, mask, bos, eos */
#define ROBERTA_ROLES {"<unk>", "<s>", "</s>", "<pad>", "<mask>", "<s>", "</s>"}
#define MPNET_ROLES {"[UNK]", "<s>", "</s>", "<pad>", "<mask>", "<s>", "</s>"}
#define DEBERTA_ROLES {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", "[CLS]", "[SEP]"}
#define ALBERT_ROLES {"<unk>", "[CLS]", "[SEP]", "<pad>", "[MASK]", "[CLS]", "[SEP]"}

#define MARIAN_ROLES {"<unk>", "", "</s>", "<pad>", "", "", "</s>"}

#define ALL_ROLES ((1 << DBERT_SPECIALS) - 1)

static const DbertTokenizerClass classes[] = {
	{ "XLMRoberta",
	  "xlm-roberta",
	  DBERT_VOCAB_PIECES,
	  ROBERTA_ROLES,
	  .mask_lstrip = true,
	  .separators = 2 },
	{ "Camembert",
	  "camembert",
	  DBERT_VOCAB_PIECES,
	  ROBERTA_ROLES,
	  .mask_lstrip = true,
	  .separators = 2 },
	{ "DebertaV2",
	  "deberta-v2",
	  DBERT_VOCAB_PIECES,
	  DEBERTA_ROLES,
	  .adds_mask = true,
	  .normalized = 1 << DBERT_SPECIAL_UNK,
	  .separators = 1,
	  .second_type = 1 },
	{ "Albert",
	  "albert",
	  DBERT_VOCAB_PIECES,
	  ALBERT_ROLES,
	  .mask_lstrip = true,
	  .separators = 1,
	  .second_type = 1 },
	{ "Roberta",
	  "roberta",
	  DBERT_VOCAB_MERGES,
	  ROBERTA_ROLES,
	  .mask_lstrip = true,
	  .normalized = ALL_ROLES & ~(1 << DBERT_SPECIAL_MASK),
	  .separators = 2 },
	{ "Bertweet",
	  "bertweet",
	  DBERT_VOCAB_CODES,
	  ROBERTA_ROLES,
	  .adds_mask = true,
	  .separators = 2 },
	{ "Phobert",
	  "phobert",
	  DBERT_VOCAB_CODES,
	  ROBERTA_ROLES,
	  .adds_mask = true,
	  .separators = 2 },
	{ "Marian", "marian", DBERT_VOCAB_TWO, MARIAN_ROLES, .separators = 0 },
	{ "MPNet", "mpnet", DBERT_VOCAB_LINES, MPNET_ROLES, .mask_lstrip = true, .separators = 2 },
};

/* name is class, perhaps with an ending. */
static bool
is_named(const char *class, const char *name)
{
	size_t		n = strlen(class);

	return strncmp(name, class, n) == 0 && (strcmp(name + n, "Tokenizer") == 0 ||
											strcmp(name + n, "TokenizerFast") == 0);
}

const DbertTokenizerClass *
dbert_tokenizer_class(const char *name, const char *model_type)
{
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (name != NULL ? is_named(classes[i].name, name)
						 : strcmp(classes[i].model_type, model_type) == 0)
			return &classes[i];
	return NULL;
}

void
dbert_tokenizer_class_template(const DbertTokenizerClass *class, DbertTokenSpec *t)
{
	int32_t		cls = t->spec.cls_id,
				sep = t->spec.sep_id;
	uint8_t		second = class->second_type;

	t->single = (DbertTemplate) {.ids = {cls, sep}, .head = 1, .tail = 1};
	t->pair = (DbertTemplate) {.ids = {cls, sep, sep, sep}, .head = 1,
	.middle = class->separators, .tail = 1, .text_types = {0, second}};
	t->pair.types[1 + class->separators] = second;
	t->spec.single = &t->single;
	t->spec.pair = &t->pair;
}
