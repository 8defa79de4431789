/*
 * test_tokenizerfiles.c -- tokenizer.json, vocab.txt and the files beside them.
 *
 * What was read shows in how a text is tokenised: ids are given as one line,
 * "2 5 3".  The vocabulary is memsource.h's: [PAD] [UNK] [CLS] [SEP] [MASK]
 * hello world ! ##ly fine a b ##b.
 */
#include "test/support/memsource.h"
#include "test/support/packhelp.h"
#include "test/support/testhelp.h"

/* Read m, tokenise text; out is the ids, or the error's sentence. */
static DbertStatus
ids_of(MemModel *m, const char *text, char out[512])
{
	DbertSource source = mem_source(m);
	DbertError	err = {0};
	Built		b;
	DbertTokenList list = {0};
	bool		cut;
	size_t		n = 0;
	DbertStatus status = build(&source, NULL, &dbert_kernels_scalar, &b, &err);

	if (status == DBERT_OK)
		status = dbert_tokenize(&b.model->tokenizer, text, strlen(text), NULL, 0, DBERT_NO_LIMIT,
								&dbert_malloc_allocator, NULL, &list, &cut, &err);
	snprintf(out, 512, "%s", err.msg);
	for (size_t i = 0; i < list.count; i++)
		n += (size_t) snprintf(out + n, 512 - n, "%s%d", i ? " " : "", list.items[i].id);
	dbert_token_list_free(&list, &dbert_malloc_allocator);
	release(&b);
	return status;
}

static void
check_ids(MemModel *m, const char *text, const char *want)
{
	char		out[512];

	ids_of(m, text, out);
	CHECK_MSG(strcmp(out, want) == 0, "\"%s\": got %s, want %s", text, out, want);
}

static void
check_refused(MemModel *m, DbertStatus want, const char *words)
{
	char		out[512];
	DbertStatus status = ids_of(m, "", out);

	CHECK_MSG(status == want && strstr(out, words) != NULL,
			  "expected %d \"%s\", got %d \"%s\"", want, words, status, out);
}

/* ---- vocab.txt ---- */

static void
test_vocab_lines(void)
{
	MemModel	m;

	mem_model_distilbert(&m, "Model", 0);
	check_ids(&m, "Hello finely [MASK]", "2 5 9 8 4 3");
	mem_put(&m, "vocab.txt", "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\n[MASK]\r\nhello\r\n");
	check_ids(&m, "hello you", "2 5 1 3");
	mem_put(&m, "vocab.txt",
			"[PAD]\n[UNK]\n[CLS]\n[SEP]\n\nhello \t\nfine\xe3\x80\x80\nb\xc2\xa0\nlast");
	check_ids(&m, "hello fine b last", "2 5 6 7 8 3");
	/* of equal lines the last counts */
	mem_put(&m, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\nhello\nfine\nhello\n");
	check_ids(&m, "hello fine", "2 6 5 3");
	mem_free(&m);
}

static void
test_bad_vocab(void)
{
	MemModel	m;

	mem_model_distilbert(&m, "Model", 0);
	mem_put(&m, "vocab.txt", "");
	check_refused(&m, DBERT_E_FORMAT, "vocab.txt: holds no token");
	mem_put(&m, "vocab.txt", "\n\n");
	check_refused(&m, DBERT_E_FORMAT, "vocab.txt: holds no token");
	mem_put(&m, "vocab.txt", "a\nb\n");
	check_refused(&m, DBERT_E_FORMAT, "the vocabulary has no token \"[UNK]\"");
	mem_put(&m, "vocab.txt", "[UNK]\n[CLS]\n");
	check_refused(&m, DBERT_E_FORMAT, "the vocabulary has no token \"[SEP]\"");
	mem_put_bytes(&m, "vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\0b\n", 22);
	check_refused(&m, DBERT_E_FORMAT, "zero byte");
	mem_put(&m, "vocab.txt", "[UNK]\n[CLS]\n[SEP]\n\xff\xfe\n");
	check_refused(&m, DBERT_E_FORMAT, "vocab.txt: ");
	mem_free(&m);
}

static void
test_config_flags(void)
{
	MemModel	m;

	mem_model_distilbert(&m, "Model", 0);
	mem_drop(&m, "tokenizer_config.json");
	check_ids(&m, "HELLO h\xc3\xa9llo", "2 5 5 3");
	mem_put(&m, "tokenizer_config.json", "{\"do_lower_case\":false}");
	check_ids(&m, "HELLO hello h\xc3\xa9llo", "2 1 5 1 3");
	mem_put(&m, "tokenizer_config.json", "{\"do_lower_case\":false,\"strip_accents\":true}");
	check_ids(&m, "HELLO h\xc3\xa9llo", "2 1 5 3");
	mem_put(&m, "tokenizer_config.json", "{\"strip_accents\":false}");
	check_ids(&m, "HELLO h\xc3\xa9llo", "2 5 1 3");
	mem_put(&m, "tokenizer_config.json",
			"{\"strip_accents\":null,\"tokenize_chinese_chars\":true}");
	check_ids(&m, "h\xc3\xa9llo\xe4\xb8\xad" "hello", "2 5 1 5 3");
	mem_put(&m, "tokenizer_config.json", "{\"tokenize_chinese_chars\":false}");
	check_ids(&m, "hello\xe4\xb8\xad" "hello", "2 1 3");
	mem_put(&m, "tokenizer_config.json", "{\"do_lower_case\":\"yes\"}");
	check_refused(&m, DBERT_E_FORMAT, "\"do_lower_case\" must be true or false");
	mem_put(&m, "tokenizer_config.json", "{\"strip_accents\":3}");
	check_refused(&m, DBERT_E_FORMAT, "strip_accents");
	mem_put(&m, "tokenizer_config.json", "{\"tokenizer_class\":\"BertJapaneseTokenizer\"}");
	check_refused(&m, DBERT_E_UNSUPPORTED, "tokenizer class \"BertJapaneseTokenizer\"");
	mem_put(&m, "tokenizer_config.json", "[]");
	check_refused(&m, DBERT_E_FORMAT, "tokenizer_config.json must be an object");
	mem_free(&m);
}

static void
test_named_tokens(void)
{
	MemModel	m;

	mem_model_distilbert(&m, "Model", 0);
	mem_put(&m, "vocab.txt", "<p>\n<u>\n<s>\n</s>\n<m>\nhello\n");
	check_refused(&m, DBERT_E_FORMAT, "the vocabulary has no token \"[UNK]\"");
	mem_put(&m, "tokenizer_config.json",
			"{\"unk_token\":\"<u>\",\"cls_token\":\"<s>\",\"sep_token\":{\"content\":\"</s>\"},"
			"\"mask_token\":{\"__type\":\"AddedToken\",\"content\":\"<m>\",\"lstrip\":true}}");
	check_ids(&m, "hello <m> you", "2 5 4 1 3");
	/* the older file names them too, and wins */
	mem_put(&m, "tokenizer_config.json", "{\"unk_token\":\"[UNK]\"}");
	mem_put(&m, "special_tokens_map.json",
			"{\"unk_token\":\"<u>\",\"cls_token\":\"<s>\",\"sep_token\":{\"content\":\"</s>\"},"
			"\"additional_special_tokens\":[\"hello\",\"<x>\"]}");
	check_ids(&m, "HELLO hello<x>", "2 5 5 6 3");
	/* unless tokenizer_config.json lists the added tokens */
	mem_put(&m, "tokenizer_config.json", "{\"unk_token\":\"[UNK]\",\"added_tokens_decoder\":{}}");
	check_refused(&m, DBERT_E_FORMAT, "the vocabulary has no token \"[UNK]\"");
	mem_put(&m, "tokenizer_config.json", "{\"unk_token\":7}");
	check_refused(&m, DBERT_E_FORMAT, "\"unk_token\" must be");
	mem_free(&m);
}

static void
test_added_tokens(void)
{
	MemModel	m;

	mem_model_distilbert(&m, "Model", 0);
	mem_put(&m, "tokenizer_config.json",
			"{\"added_tokens_decoder\":{\"13\":{\"content\":\"Zz\",\"normalized\":false,\"single_"
			"word\":true},"
			"\"4\":{\"content\":\"[MASK]\",\"special\":true}}}");
	check_ids(&m, "a Zz aZz", "2 10 13 1 3");
	mem_put(&m, "tokenizer_config.json",
			"{\"added_tokens_decoder\":{\"12\":{\"content\":\"Zz\"}}}");
	check_refused(&m, DBERT_E_FORMAT, "added token \"Zz\" has id 12, expected 13");
	mem_put(&m, "tokenizer_config.json",
			"{\"added_tokens_decoder\":{\"13\":{\"content\":\"hello\"}}}");
	check_refused(&m, DBERT_E_FORMAT, "added token \"hello\" has id 13, expected 5");
	mem_put(&m, "tokenizer_config.json",
			"{\"added_tokens_decoder\":{\"x\":{\"content\":\"hello\"}}}");
	check_refused(&m, DBERT_E_FORMAT, "\"x\" is no token id");
	mem_put(&m, "tokenizer_config.json",
			"{\"added_tokens_decoder\":{\"99999999999\":{\"content\":\"hello\"}}}");
	check_refused(&m, DBERT_E_FORMAT, "is no token id");
	mem_put(&m, "tokenizer_config.json", "{\"added_tokens_decoder\":{\"13\":\"Zz\"}}");
	check_refused(&m, DBERT_E_FORMAT, "must be an object");
	mem_put(&m, "tokenizer_config.json",
			"{\"added_tokens_decoder\":{\"13\":{\"content\":\"Y\"},\"14\":{\"content\":\"Z\"}}}");
	check_refused(&m, DBERT_E_SHAPE, "token \"Z\" has id 14, but the word embedding has 14 rows");
	mem_put(&m, "tokenizer_config.json", "{\"extra_special_tokens\":{\"image_token\":\"<i>\"}}");
	check_ids(&m, "a<i>", "2 10 13 3");
	mem_put(&m, "tokenizer_config.json", "{}");
	mem_put(&m, "added_tokens.json", "{\"<n>\":13}");
	check_ids(&m, "a<N>b", "2 10 13 11 3");
	mem_put(&m, "added_tokens.json", "{\"<n>\":-1}");
	check_refused(&m, DBERT_E_FORMAT, "added_tokens.json: a value is no token id");
	mem_free(&m);
}

/* ---- tokenizer.json ---- */

static void
bend(const char *from, const char *to, DbertStatus want, const char *words)
{
	MemModel	m;

	mem_model_bert(&m, "Model", "", 0);
	mem_edit(&m, "tokenizer.json", from, to);
	check_refused(&m, want, words);
	mem_free(&m);
}

static void
test_tokenizer_json(void)
{
	MemModel	m;

	mem_model_bert(&m, "Model", "", 0);
	check_ids(&m, "HELLO finely h\xc3\xa9llo[MASK]", "2 5 9 8 5 4 3");
	/* it goes before vocab.txt */
	mem_put(&m, "vocab.txt", "other\n");
	check_ids(&m, "hello", "2 5 3");
	/*
	 * flags that tokenizer_config.json says go before its own, for BERT's
	 * classes
	 */
	mem_put(&m, "tokenizer_config.json",
			"{\"do_lower_case\":false,\"tokenizer_class\":\"DistilBertTokenizerFast\"}");
	check_ids(&m, "HELLO h\xc3\xa9llo", "2 1 1 3");
	mem_put(&m, "tokenizer_config.json",
			"{\"do_lower_case\":false,\"tokenizer_class\":\"PreTrainedTokenizerFast\"}");
	check_ids(&m, "HELLO h\xc3\xa9llo", "2 5 5 3");
	mem_put(&m, "tokenizer_config.json", "{}");
	mem_edit(&m, "tokenizer.json", "\"lowercase\":true", "\"lowercase\":false");
	check_ids(&m, "HELLO hello h\xc3\xa9llo", "2 1 5 1 3");
	mem_edit(&m, "tokenizer.json", "\"strip_accents\":null", "\"strip_accents\":true");
	check_ids(&m, "h\xc3\xa9llo", "2 5 3");
	mem_edit(&m, "tokenizer.json", "\"max_input_chars_per_word\":100",
			 "\"max_input_chars_per_word\":3");
	check_ids(&m, "hello a", "2 1 10 3");
	mem_free(&m);
}

static void
test_tokenizer_json_variants(void)
{
	MemModel	m;

	mem_model_bert(&m, "Model", "", 0);
	mem_edit(&m, "tokenizer.json", "\"post_processor\":{\"type\":\"TemplateProcessing\"",
			 "\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"[CLS]\",2],\"sep\":[\"["
			 "SEP]\",3]},\"old\":{\"type\":\"x\"");
	check_ids(&m, "hello", "2 5 3");
	mem_edit(&m, "tokenizer.json", "\"cls\":[\"[CLS]\",2]", "\"cls\":[\"[CLS]\",4]");
	check_refused(&m, DBERT_E_FORMAT, "\"[CLS]\" has id 4, in the vocabulary 2");
	mem_edit(&m, "tokenizer.json", "\"cls\":[\"[CLS]\",4]", "\"cls\":[4]");
	check_refused(&m, DBERT_E_FORMAT, "no token with its id");
	mem_free(&m);

	mem_model_bert(&m, "Model", "", 0);
	mem_edit(&m, "tokenizer.json", "\"type\":\"WordPiece\",\"unk", "\"unk");
	check_ids(&m, "hello", "2 5 3");
	mem_edit(&m, "tokenizer.json", "\"normalizer\":{", "\"normalizer\":null,\"old\":{");
	check_ids(&m, "hello HELLO", "2 5 1 3");
	mem_edit(&m, "tokenizer.json", "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}",
			 "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
			 "\"BertPreTokenizer\"}]}");
	check_ids(&m, "hello!", "2 5 7 3");
	mem_edit(&m, "tokenizer.json", "\"post_processor\":{", "\"post_processor\":null,\"older\":{");
	check_ids(&m, "hello", "2 5 3");
	mem_free(&m);

	/* without a pre-tokenizer a text is one word */
	mem_model_bert(&m, "Model", "", 0);
	mem_edit(&m, "tokenizer.json", "\"pre_tokenizer\":{", "\"pre_tokenizer\":null,\"x\":{");
	check_ids(&m, "hello[MASK]hello hello", "2 5 4 1 3");
	mem_free(&m);

	/* other templates */
	mem_model_bert(&m, "Model", "", 0);
	mem_edit(&m, "tokenizer.json", "\"special_tokens\":{}",
			 "\"special_tokens\":{\"[CLS]\":{\"id\":\"[CLS]\",\"ids\":[2,7]}}");
	check_ids(&m, "hello", "2 7 5 3");
	mem_edit(&m, "tokenizer.json", "{\"SpecialToken\":{\"id\":\"[CLS]\",\"type_id\":0}},", "");
	check_ids(&m, "hello", "5 3");
	mem_free(&m);

	/* ids need not be dense */
	mem_model_bert(&m, "Model", "", 0);
	mem_edit(&m, "tokenizer.json", "\"hello\":5", "\"hello\":13");
	check_ids(&m, "hello world", "2 13 6 3");
	mem_free(&m);
}

static void
test_tokenizer_json_unsupported(void)
{
	bend("\"type\":\"WordPiece\",\"unk", "\"type\":\"WordLevel\",\"unk", DBERT_E_UNSUPPORTED,
		 "tokenizer.json: model: type \"WordLevel\"");
	bend("BertNormalizer", "Nfc", DBERT_E_UNSUPPORTED, "normalizer: type \"Nfc\"");
	bend("\"normalizer\":{\"type\":\"BertNormalizer\"",
		 "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Lowercase\"},{}]",
		 DBERT_E_UNSUPPORTED, "normalizers: item 1: type \"\"");
	bend("\"normalizer\":{\"type\":\"BertNormalizer\"",
		 "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Lowercase\"},{\"type\":"
		 "\"BertNormalizer\"}]",
		 DBERT_E_UNSUPPORTED, "behind another normalizer");
	bend("BertPreTokenizer", "UnicodeScripts", DBERT_E_UNSUPPORTED,
		 "pre_tokenizer: type \"UnicodeScripts\"");
	bend("\"TemplateProcessing\"", "\"OtherProcessing\"", DBERT_E_UNSUPPORTED,
		 "post_processor: type \"OtherProcessing\"");
	/* templates that do not hold each text once */
	bend("{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}",
		 "{\"Sequence\":{\"id\":\"A\",\"type_id\":1}}", DBERT_E_UNSUPPORTED, "template \"pair\"");
	bend("{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{", "{", DBERT_E_UNSUPPORTED,
		 "template \"single\"");
	bend("\"single\":[", "\"single\":[7,", DBERT_E_FORMAT, "piece 0 of a template");
	bend("\"special_tokens\":{}", "\"special_tokens\":{\"[SEP]\":{\"id\":\"[SEP]\",\"ids\":[14]}}",
		 DBERT_E_FORMAT, "an id of \"[SEP]\" is outside the vocabulary of 13");
	bend("\"special_tokens\":{}", "\"special_tokens\":{\"[SEP]\":{\"id\":\"[SEP]\"}}", DBERT_E_FORMAT,
		 "\"special_tokens\" has no ids of \"[SEP]\"");
	bend("{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":0}}]",
		 "{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":2}}]", DBERT_E_UNSUPPORTED,
		 "gives tokens a type that the model");
}

static void
test_tokenizer_json_broken(void)
{
	bend("{\"version\"", "{{\"version\"", DBERT_E_FORMAT, "tokenizer.json: line 1");
	bend("\"hello\":5", "\"hello\":6", DBERT_E_FORMAT, "both have id 6");
	bend("\"hello\":5", "\"hello\":-5", DBERT_E_FORMAT, "token \"hello\" has the negative id -5");
	bend("\"hello\":5", "\"hello\":5.0", DBERT_E_FORMAT, "id of \"hello\" is not an integer");
	bend("\"hello\":5", "\"hello\":4294967301", DBERT_E_SHAPE,
		 "has id 4294967301, but the word embedding has 14 rows");
	bend("\"hello\":5", "\"hello\":5,\"hello\":13", DBERT_E_FORMAT, "duplicate");
	bend("\"hello\":5", "\"hel\\udc00lo\":5", DBERT_E_FORMAT, "tokenizer.json: line 1");
	bend("\"hello\":5", "\"hel\\u0000lo\":5", DBERT_E_FORMAT, "tokenizer.json: line 1");
	bend("\"vocab\":{", "\"vocab\":{},\"x\":{", DBERT_E_FORMAT, "holds no token");
	bend("\"vocab\":{", "\"x\":{", DBERT_E_FORMAT, "no \"vocab\"");
	bend("\"vocab\":{", "\"vocab\":[],\"x\":{", DBERT_E_FORMAT, "\"vocab\" must be an object");
	bend("\"model\":{", "\"x\":{", DBERT_E_FORMAT, "no \"model\"");
	bend("\"unk_token\":\"[UNK]\"", "\"unk_token\":\"[unk]\"", DBERT_E_FORMAT,
		 "the vocabulary has no token \"[unk]\"");
	bend("\"max_input_chars_per_word\":100", "\"max_input_chars_per_word\":0", DBERT_E_FORMAT,
		 "found 0");
	bend("\"id\":4,\"content\":\"[MASK]\"", "\"id\":5,\"content\":\"[MASK]\"", DBERT_E_FORMAT,
		 "\"[MASK]\" has id 5, expected 4");
	bend("\"id\":4,\"content\":\"[MASK]\"", "\"id\":4", DBERT_E_FORMAT,
		 "added token 4: no \"content\"");
	bend("\"id\":4,\"content\":\"[MASK]\"", "\"id\":14,\"content\":\"x\"", DBERT_E_FORMAT,
		 "has id 14, expected 13");
	bend("\"added_tokens\":[", "\"added_tokens\":[3,", DBERT_E_FORMAT,
		 "added token 0 must be an object");
	bend("\"clean_text\":true", "\"clean_text\":1", DBERT_E_FORMAT,
		 "normalizer: \"clean_text\" must be true or false");
	bend("\"normalizer\":{", "\"normalizer\":[],\"x\":{", DBERT_E_FORMAT,
		 "\"normalizer\" must be an object");
}

/* ---- byte-level BPE ---- */

#define BPE_VOCAB "{\"<s>\":0,\"</s>\":1,\"h\":2,\"e\":3,\"l\":4,\"o\":5,\"\xc4\xa0\":6,\"he\":7,\"ll\":8," \
	"\"hell\":9,\"hello\":10,\"<pad>\":11,\"<mask>\":12}"

static void
put_bpe(MemModel *m)
{
	mem_model_bert(m, "Model", "", 0);
	mem_drop(m, "tokenizer_config.json");
	mem_put(m, "tokenizer.json",
			"{\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
			"\"use_regex\":true},\"post_processor\":{\"type\":\"RobertaProcessing\",\"sep\":[\"</s>\",1],"
			"\"cls\":[\"<s>\",0],\"trim_offsets\":true,\"add_prefix_space\":false},\"model\":{\"type\":"
			"\"BPE\",\"unk_token\":null,\"vocab\":" BPE_VOCAB ",\"merges\":[\"h e\",\"l l\",\"he ll\","
			"[\"hell\",\"o\"]]}}");
}

static void
bend_bpe(const char *from, const char *to, DbertStatus want, const char *words)
{
	MemModel	m;

	put_bpe(&m);
	mem_edit(&m, "tokenizer.json", from, to);
	check_refused(&m, want, words);
	mem_free(&m);
}

static void
test_bpe(void)
{
	MemModel	m;

	put_bpe(&m);
	check_ids(&m, "hello hole", "0 10 6 2 5 4 3 1");
	/* a byte without a token is left out, if there is no unknown one */
	check_ids(&m, "hexell", "0 7 3 8 1");
	mem_edit(&m, "tokenizer.json", "\"unk_token\":null", "\"unk_token\":\"<pad>\"");
	check_ids(&m, "hexell", "0 7 11 3 8 1");
	check_ids(&m, "xx", "0 11 11 1");
	mem_edit(&m, "tokenizer.json", "\"unk_token\"", "\"fuse_unk\":true,\"unk_token\"");
	check_ids(&m, "xx", "0 11 1");
	mem_edit(&m, "tokenizer.json", "[\"hell\",\"o\"]", "[\"hell\",\"o\"],[\"l\",\"l\"]");
	check_ids(&m, "hello", "0 10 1");
	mem_free(&m);
}

static void
test_bpe_broken(void)
{
	bend_bpe("\"h e\"", "\"h x\"", DBERT_E_FORMAT,
			 "tokenizer.json: model: merges: merge 0 needs \"x\", which is no token");
	bend_bpe("\"l l\"", "\"o o\"", DBERT_E_FORMAT, "merge 1 needs \"oo\", which is no token");
	bend_bpe("\"h e\"", "\"he\"", DBERT_E_FORMAT, "\"he\" is no merge of two tokens");
	bend_bpe("\"h e\"", "\"h e l\"", DBERT_E_FORMAT, "is no merge of two tokens");
	bend_bpe("\"h e\"", "7", DBERT_E_FORMAT, "merge 0 is no pair of tokens");
	bend_bpe("\"h e\"", "[\"h\",\"e\",\"l\"]", DBERT_E_FORMAT, "merge 0 is no pair of tokens");
	bend_bpe("\"merges\":[", "\"merges\":7,\"x\":[", DBERT_E_FORMAT, "\"merges\" must be an array");
	bend_bpe("\"merges\":[", "\"x\":[", DBERT_E_FORMAT, "no \"merges\"");
	bend_bpe("\"unk_token\":null", "\"unk_token\":\"x\"", DBERT_E_FORMAT,
			 "\"unk_token\" is no token");
	bend_bpe("\"unk_token\":null", "\"dropout\":0.1", DBERT_E_UNSUPPORTED, "\"dropout\"");
	bend_bpe("\"unk_token\":null", "\"continuing_subword_prefix\":\"##\"", DBERT_E_UNSUPPORTED,
			 "\"continuing_subword_prefix\"");
	bend_bpe("\"type\":\"BPE\"", "\"type\":\"WordPiece\"", DBERT_E_UNSUPPORTED,
			 "behind \"ByteLevel\" is not supported");
	bend_bpe("{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}",
			 "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\"},{\"type\":\"Digits\"}]}",
			 DBERT_E_UNSUPPORTED, "a pre-tokenizer behind \"ByteLevel\"");
	bend_bpe("{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}",
			 "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a|b)\"},\"behavior\":\"Isolated\"}",
			 DBERT_E_UNSUPPORTED, "pattern \"(a|b)\" is not supported");
	bend_bpe("\"sep\":[\"</s>\",1]", "\"sep\":[\"</s>\",2]", DBERT_E_FORMAT,
			 "\"</s>\" has id 2, in the vocabulary 1");
	bend_bpe("\"sep\":[\"</s>\",1]", "\"sep\":[\"none\",-1]", DBERT_E_FORMAT, "\"none\" has id -1");
}

static void
test_vocab_merges(void)
{
	MemModel	m;

	put_bpe(&m);
	mem_drop(&m, "tokenizer.json");
	mem_put(&m, "tokenizer_config.json", "{\"tokenizer_class\":\"RobertaTokenizerFast\"}");
	mem_put(&m, "vocab.json", BPE_VOCAB);
	mem_put(&m, "merges.txt", "#version: 0.2\r\nh e\nl l\r\nhe ll\nhell o");
	check_ids(&m, "hello hole <mask>", "0 10 6 2 5 4 3 12 1");
	mem_put(&m, "tokenizer_config.json",
			"{\"tokenizer_class\":\"RobertaTokenizer\",\"add_prefix_space\":true}");
	check_ids(&m, "hello", "0 6 10 1");
	mem_put(&m, "merges.txt", "#version: 0.2\nh e\n\nl l\n");
	check_ids(&m, "hello", "0 6 7 8 5 1");
	mem_put(&m, "merges.txt", "#version: 0.2\nh e\nh h\n");
	check_refused(&m, DBERT_E_FORMAT, "merges.txt: merge 1 needs \"hh\", which is no token");
	mem_put(&m, "merges.txt", "h e l");
	check_refused(&m, DBERT_E_FORMAT, "merges.txt: \"h e l\" is no merge");
	mem_put_bytes(&m, "merges.txt", "h e\0l l", 7);
	check_refused(&m, DBERT_E_FORMAT, "merges.txt: holds a zero byte");
	mem_put(&m, "merges.txt", "");
	check_ids(&m, "he", "0 6 2 3 1");
	mem_put(&m, "vocab.json", "{\"h\":0}");
	check_refused(&m, DBERT_E_FORMAT, "vocab.json: the vocabulary has no token \"<s>\"");
	mem_put(&m, "vocab.json", "[]");
	check_refused(&m, DBERT_E_FORMAT, "vocab.json must be an object");
	mem_put(&m, "vocab.json", BPE_VOCAB);
	mem_put(&m, "tokenizer_config.json", "{\"tokenizer_class\":\"GPT2Tokenizer\"}");
	check_refused(&m, DBERT_E_UNSUPPORTED, "tokenizer class \"GPT2Tokenizer\" is not supported");
	/* half of it is none */
	mem_drop(&m, "merges.txt");
	mem_drop(&m, "vocab.txt");
	check_refused(&m, DBERT_E_FORMAT, "the model has neither \"tokenizer.json\" nor");
	mem_free(&m);
}

/* ---- BERTweet's vocab.txt and bpe.codes ---- */

static void
test_codes(void)
{
	MemModel	m;

	mem_model_bert(&m, "Model", "", 0);
	mem_drop(&m, "tokenizer.json");
	mem_drop(&m, "tokenizer_config.json");
	/* <s> <pad> </s> <unk> 0 .. 3, <mask> behind the last one */
	mem_put(&m, "vocab.txt", "he@@ 9\nllo 8\nl@@ 7\no 6\nhello 5\nh 4\n");
	mem_put(&m, "bpe.codes", "h e 9\nl l 8\nll o</w> 7\n");
	check_ids(&m, "hello helo hel", "0 4 5 4 6 7 4 3 2");
	check_ids(&m, "h  ho\x1ch x<mask>", "0 9 3 7 9 3 10 2");
	/* a line's end is a part of the word before it */
	check_ids(&m, "o\no\n\n h", "0 3 3 3 3 9 2");
	mem_put(&m, "bpe.codes", "h e 9\nl l 8\nll o</w> 7\nhe llo</w> 6\n");
	check_ids(&m, "hello", "0 8 2");
	mem_put(&m, "tokenizer_config.json", "{\"normalization\":true}");
	check_refused(&m, DBERT_E_UNSUPPORTED, "\"normalization\" is not supported");
	mem_put(&m, "tokenizer_config.json", "{\"tokenizer_class\":\"BertTokenizer\"}");
	check_refused(&m, DBERT_E_UNSUPPORTED, "tokenizer class \"BertTokenizer\"");
	mem_drop(&m, "tokenizer_config.json");
	mem_put(&m, "bpe.codes", "h e\n");
	check_refused(&m, DBERT_E_FORMAT, "bpe.codes: \"h e\" is no code with its count");
	mem_put(&m, "bpe.codes", "h e 9 9\n");
	check_refused(&m, DBERT_E_FORMAT, "is no code with its count");
	mem_put_bytes(&m, "bpe.codes", "h\0e 9\n", 7);
	check_refused(&m, DBERT_E_FORMAT, "holds a zero byte");
	mem_put(&m, "bpe.codes", "");
	check_ids(&m, "oh", "0 3 9 2");
	mem_put(&m, "vocab.txt", "he@@ 9\nhe@@ 8\n");
	check_refused(&m, DBERT_E_FORMAT, "vocab.txt: piece 4, \"he@@\", is there a second time");
	mem_put(&m, "vocab.txt", "he@@\n");
	check_refused(&m, DBERT_E_FORMAT, "vocab.txt: \"he@@\" is no token with its count");
	mem_free(&m);
}

/* Names and nesting as long as a file can make them. */
static void
test_long(void)
{
	MemModel	m;
	static char text[1 << 20];

	mem_model_distilbert(&m, "Model", 0);
	sprintf(text, "{\"additional_special_tokens\":[\"%0*d\"]}", 100000, 7);
	mem_put(&m, "tokenizer_config.json", text);
	check_refused(&m, DBERT_E_LIMIT, "longer than");
	sprintf(text, "{\"added_tokens_decoder\":{\"%0*d\":1}}", 100000, 7);
	mem_put(&m, "tokenizer_config.json", text);
	check_refused(&m, DBERT_E_FORMAT, "must be an object");
	memset(text, '[', 1 << 19);
	text[1 << 19] = '\0';
	mem_put(&m, "tokenizer_config.json", text);
	check_refused(&m, DBERT_E_FORMAT, "nested deeper than 64");
	mem_free(&m);
}

int
main(void)
{
	RUN(test_vocab_lines);
	RUN(test_bad_vocab);
	RUN(test_config_flags);
	RUN(test_named_tokens);
	RUN(test_added_tokens);
	RUN(test_tokenizer_json);
	RUN(test_tokenizer_json_variants);
	RUN(test_tokenizer_json_unsupported);
	RUN(test_tokenizer_json_broken);
	RUN(test_bpe);
	RUN(test_bpe_broken);
	RUN(test_vocab_merges);
	RUN(test_codes);
	RUN(test_long);
	return tests_end();
}
