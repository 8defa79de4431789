/*
 * memsource.h -- tiny models in memory, to be bent by tests.
 *
 * A MemModel is a set of files (a DbertSource reads them) and a list of
 * tensors from which model.safetensors is made.  mem_model_distilbert and
 * mem_model_bert fill in a whole model; a test then replaces a file or changes
 * a tensor, calls mem_model_save, and reads it.
 */
#ifndef DBERT_MEMSOURCE_H
#define DBERT_MEMSOURCE_H

#include "model/source.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEM_FILES	32
#define MEM_TENSORS 128

typedef struct MemFile
{
	char		name[128];
	char	   *data;
	size_t		size;
} MemFile;

typedef struct MemTensor
{
	char		name[128];
	const char *dtype;			/* "F32", "F16", "BF16", or another one of 8 bytes */
	int			rank;
	int64_t		shape[3];
	float		bad;			/* the last element, when not 0 */
} MemTensor;

typedef struct MemModel
{
	MemFile		files[MEM_FILES];
	int			n_files;
	MemTensor	tensors[MEM_TENSORS];
	int			n_tensors;
	int			fail_read;		/* the read that fails, counted down; 0: none */
} MemModel;

/* ---- files ---- */

static inline MemFile *
mem_find(MemModel *m, const char *name)
{
	for (int i = 0; i < m->n_files; i++)
		if (strcmp(m->files[i].name, name) == 0)
			return &m->files[i];
	return NULL;
}

static inline void
mem_put_bytes(MemModel *m, const char *name, const void *data, size_t size)
{
	MemFile    *f = mem_find(m, name);
	char	   *copy = malloc(size + 1);

	if (f == NULL)
	{
		f = &m->files[m->n_files++];
		snprintf(f->name, sizeof(f->name), "%s", name);
		f->data = NULL;
	}
	memcpy(copy, data, size);
	free(f->data);
	f->data = copy;
	f->size = size;
}

static inline void
mem_put(MemModel *m, const char *name, const char *text)
{
	mem_put_bytes(m, name, text, strlen(text));
}

static inline void
mem_drop(MemModel *m, const char *name)
{
	MemFile    *f = mem_find(m, name);

	if (f == NULL)
		return;
	free(f->data);
	*f = m->files[--m->n_files];
}

/* Replace the first occurrence of a text in a file. */
static inline void
mem_edit(MemModel *m, const char *name, const char *from, const char *to)
{
	MemFile    *f = mem_find(m, name);
	char	   *at;
	char	   *out;
	size_t		head;

	f->data[f->size] = '\0';
	at = strstr(f->data, from);
	if (at == NULL)
	{
		printf("mem_edit: no \"%s\" in %s\n", from, name);
		abort();
	}
	head = (size_t) (at - f->data);
	out = malloc(f->size + strlen(to) + 1);
	memcpy(out, f->data, head);
	strcpy(out + head, to);
	strcat(out + head, at + strlen(from));
	mem_put(m, name, out);
	free(out);
}

static inline void
mem_free(MemModel *m)
{
	for (int i = 0; i < m->n_files; i++)
		free(m->files[i].data);
	memset(m, 0, sizeof(*m));
}

static inline DbertStatus
mem_size(void *ctx, const char *name, int64_t *size, DbertError *err)
{
	MemFile    *f = mem_find(ctx, name);

	*size = f != NULL ? (int64_t) f->size : -1;
	return DBERT_OK;
}

static inline DbertStatus
mem_read(void *ctx, const char *name, uint64_t offset, void *buf, size_t len, DbertError *err)
{
	MemModel   *m = ctx;
	MemFile    *f = mem_find(m, name);

	if (m->fail_read > 0 && --m->fail_read == 0)
		return dbert_fail(err, DBERT_E_IO, "no reading today");
	if (f == NULL || offset > f->size || len > f->size - offset)
		abort();				/* the reader promised to stay inside */
	memcpy(buf, f->data + offset, len);
	return DBERT_OK;
}

static inline DbertSource
mem_source(MemModel *m)
{
	DbertSource source = {mem_size, mem_read, m};

	return source;
}

/* ---- tensors ---- */

/* Element i of a tensor: a multiple of 1/64 below 1, exact in every dtype. */
static inline float
mem_value(const char *name, size_t i)
{
	uint32_t	h = 2166136261u;

	for (; *name; name++)
		h = (h ^ (unsigned char) *name) * 16777619u;
	h = (h ^ (uint32_t) i) * 16777619u;
	h ^= h >> 15;
	return (float) ((int) (h % 127) - 63) / 64;
}

static inline MemTensor *
mem_tensor(MemModel *m, const char *name)
{
	for (int i = 0; i < m->n_tensors; i++)
		if (strcmp(m->tensors[i].name, name) == 0)
			return &m->tensors[i];
	return NULL;
}

static inline void
mem_drop_tensor(MemModel *m, const char *name)
{
	*mem_tensor(m, name) = m->tensors[m->n_tensors - 1];
	m->n_tensors--;
}

/* rows 0: a vector of cols */
static inline void __attribute__((format(printf, 4, 5)))
mem_add_tensor(MemModel *m, int rows, int cols, const char *fmt,...)
{
	MemTensor  *t = &m->tensors[m->n_tensors++];
	va_list		args;

	memset(t, 0, sizeof(*t));
	va_start(args, fmt);
	vsnprintf(t->name, sizeof(t->name), fmt, args);
	va_end(args);
	t->dtype = "F32";
	t->rank = rows > 0 ? 2 : 1;
	t->shape[0] = rows > 0 ? rows : cols;
	t->shape[1] = rows > 0 ? cols : 0;
}

static inline size_t
mem_width(const MemTensor *t)
{
	return strcmp(t->dtype, "F32") == 0 ? 4 : strstr(t->dtype, "F16") != NULL ? 2 : 8;
}

static inline size_t
mem_count(const MemTensor *t)
{
	size_t		n = 1;

	for (int i = 0; i < t->rank; i++)
		n *= (size_t) t->shape[i];
	return n;
}

/* Multiples of 1/64 below 1, infinity and NaN only. */
static inline uint16_t
mem_half(float x)
{
	uint32_t	bits;
	int			exponent;

	memcpy(&bits, &x, 4);
	exponent = (int) (bits >> 23 & 0xff);
	if (exponent == 0xff)
		return (uint16_t) (bits >> 16 & 0x8000) | 0x7c00 | (bits & 0x7fffff ? 0x200 : 0);
	if (exponent == 0)
		return 0;
	return (uint16_t) ((bits >> 16 & 0x8000) | (uint32_t) (exponent - 112) << 10 |
					   (bits >> 13 & 0x3ff));
}

static inline void
mem_store(const MemTensor *t, size_t i, float x, char *at)
{
	uint32_t	bits;
	uint16_t	half;

	memcpy(&bits, &x, 4);
	if (strcmp(t->dtype, "F32") == 0)
		memcpy(at + 4 * i, &bits, 4);	/* little-endian hosts run these tests */
	else if (strcmp(t->dtype, "F16") == 0)
	{
		half = mem_half(x);
		memcpy(at + 2 * i, &half, 2);
	}
	else if (strcmp(t->dtype, "BF16") == 0)
	{
		half = (uint16_t) (bits >> 16);
		memcpy(at + 2 * i, &half, 2);
	}
	else
		memset(at + 8 * i, 0, 8);
}

/* A safetensors file of a range of the tensors. */
static inline void
mem_save(MemModel *m, const char *file, int from, int to)
{
	size_t		cap = 1 << 16,
				n = 8,
				data = 0;
	char	   *out;

	for (int i = from; i < to; i++)
		cap += 300 + mem_count(&m->tensors[i]) * mem_width(&m->tensors[i]);
	out = malloc(cap);
	n += (size_t) sprintf(out + n, "{\"__metadata__\":{\"format\":\"pt\"}");
	for (int i = from; i < to; i++)
	{
		const MemTensor *t = &m->tensors[i];
		size_t		bytes = mem_count(t) * mem_width(t);

		n += (size_t) sprintf(out + n, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", t->name, t->dtype);
		for (int d = 0; d < t->rank; d++)
			n += (size_t) sprintf(out + n, "%s%" PRId64, d ? "," : "", t->shape[d]);
		n += (size_t) sprintf(out + n, "],\"data_offsets\":[%zu,%zu]}", data, data + bytes);
		data += bytes;
	}
	n += (size_t) sprintf(out + n, "}");
	while (n % 8 != 0)
		out[n++] = ' ';
	for (int i = 0; i < 8; i++)
		out[i] = (char) ((n - 8) >> (8 * i));
	for (int i = from; i < to; i++)
	{
		const MemTensor *t = &m->tensors[i];
		size_t		count = mem_count(t);

		for (size_t j = 0; j < count; j++)
			mem_store(t, j, j + 1 == count && t->bad != 0 ? t->bad : mem_value(t->name, j),
					  out + n);
		n += count * mem_width(t);
	}
	mem_put_bytes(m, file, out, n);
	free(out);
}

static inline void
mem_model_save(MemModel *m)
{
	mem_save(m, "model.safetensors", 0, m->n_tensors);
}

/*
 * model.safetensors.index.json: the tensors up to split are in one shard, the
 * others in another.
 */
static inline void
mem_put_index(MemModel *m, int split, const char *first, const char *second)
{
	char		index[MEM_TENSORS * 200];
	size_t		n = (size_t) sprintf(index, "{\"metadata\":{\"total_size\":1},\"weight_map\":{");

	for (int i = 0; i < m->n_tensors; i++)
		n += (size_t) sprintf(index + n, "%s\"%s\":\"%s\"", i ? "," : "", m->tensors[i].name,
							  i < split ? first : second);
	sprintf(index + n, "}}");
	mem_put(m, "model.safetensors.index.json", index);
}

/* ---- whole models ---- */

#define MEM_C	8
#define MEM_F	12
#define MEM_V	14
#define MEM_P	16
#define MEM_L	2

static const char *const mem_vocab =
	"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nworld\n!\n##ly\nfine\na\nb\n##b\n"; /* 13: smaller
																					   is fine */

static const char *const mem_tokenizer_json =
	"{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":["
	"{\"id\":0,\"content\":\"[PAD]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
	"\"normalized\":false,\"special\":true},"
	"{\"id\":1,\"content\":\"[UNK]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
	"\"normalized\":false,\"special\":true},"
	"{\"id\":2,\"content\":\"[CLS]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
	"\"normalized\":false,\"special\":true},"
	"{\"id\":3,\"content\":\"[SEP]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
	"\"normalized\":false,\"special\":true},"
	"{\"id\":4,\"content\":\"[MASK]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
	"\"normalized\":false,\"special\":true}],"
	"\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
	"\"strip_accents\":null,\"lowercase\":true},"
	"\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
	"\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"["
	"CLS]\",\"type_id\":0}},"
	"{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":0}"
	"}],"
	"\"pair\":[{\"SpecialToken\":{\"id\":\"[CLS]\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\","
	"\"type_id\":0}},"
	"{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":0}},{\"Sequence\":{\"id\":\"B\",\"type_id\":1}"
	"},"
	"{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":1}}],\"special_tokens\":{}},"
	"\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true},"
	"\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##"
	"\","
	"\"max_input_chars_per_word\":100,\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,"
	"\"[MASK]\":4,"
	"\"hello\":5,\"world\":6,\"!\":7,\"##ly\":8,\"fine\":9,\"a\":10,\"b\":11,\"##b\":12}}}";

static inline void
mem_add_span_head(MemModel *m, const char *suffix)
{
	if (strcmp(suffix, "ForQuestionAnswering") != 0)
		return;
	mem_add_tensor(m, 2, MEM_C, "qa_outputs.weight");
	mem_add_tensor(m, 0, 2, "qa_outputs.bias");
}

/*
 * Architecture "DistilBert..." of that suffix; n_labels 0 for heads without
 * labels.
 */
static inline void
mem_model_distilbert(MemModel *m, const char *suffix, int n_labels)
{
	char		config[1024];
	const char *p = "distilbert.";

	memset(m, 0, sizeof(*m));
	snprintf(config, sizeof(config),
			 "{\"model_type\":\"distilbert\",\"architectures\":[\"DistilBert%s\"],\"dim\":%d,"
			 "\"n_layers\":%d,\"n_heads\":2,\"hidden_dim\":%d,\"vocab_size\":%d,"
			 "\"max_position_embeddings\":%d,\"activation\":\"gelu\"%s}",
			 suffix, MEM_C, MEM_L, MEM_F, MEM_V, MEM_P,
			 n_labels == 3 ? ",\"id2label\":{\"0\":\"O\",\"1\":\"B-X\",\"2\":\"I-X\"}" : "");
	mem_put(m, "config.json", config);
	mem_put(m, "vocab.txt", mem_vocab);
	mem_put(m, "tokenizer_config.json", "{\"do_lower_case\":true,\"model_max_length\":12}");
	mem_add_tensor(m, MEM_V, MEM_C, "%sembeddings.word_embeddings.weight", p);
	mem_add_tensor(m, MEM_P, MEM_C, "%sembeddings.position_embeddings.weight", p);
	mem_add_tensor(m, 0, MEM_C, "%sembeddings.LayerNorm.weight", p);
	mem_add_tensor(m, 0, MEM_C, "%sembeddings.LayerNorm.bias", p);
	for (int l = 0; l < MEM_L; l++)
	{
		static const char *const lin[] = {"q_lin", "k_lin", "v_lin", "out_lin"};
		static const char *const norm[] = {"sa_layer_norm", "output_layer_norm"};

		for (int i = 0; i < 4; i++)
		{
			mem_add_tensor(m, MEM_C, MEM_C, "%stransformer.layer.%d.attention.%s.weight", p, l,
						   lin[i]);
			mem_add_tensor(m, 0, MEM_C, "%stransformer.layer.%d.attention.%s.bias", p, l, lin[i]);
		}
		for (int i = 0; i < 2; i++)
		{
			mem_add_tensor(m, 0, MEM_C, "%stransformer.layer.%d.%s.weight", p, l, norm[i]);
			mem_add_tensor(m, 0, MEM_C, "%stransformer.layer.%d.%s.bias", p, l, norm[i]);
		}
		mem_add_tensor(m, MEM_F, MEM_C, "%stransformer.layer.%d.ffn.lin1.weight", p, l);
		mem_add_tensor(m, 0, MEM_F, "%stransformer.layer.%d.ffn.lin1.bias", p, l);
		mem_add_tensor(m, MEM_C, MEM_F, "%stransformer.layer.%d.ffn.lin2.weight", p, l);
		mem_add_tensor(m, 0, MEM_C, "%stransformer.layer.%d.ffn.lin2.bias", p, l);
	}
	if (strcmp(suffix, "ForSequenceClassification") == 0)
	{
		mem_add_tensor(m, MEM_C, MEM_C, "pre_classifier.weight");
		mem_add_tensor(m, 0, MEM_C, "pre_classifier.bias");
	}
	if (n_labels > 0)
	{
		mem_add_tensor(m, n_labels, MEM_C, "classifier.weight");
		mem_add_tensor(m, 0, n_labels, "classifier.bias");
	}
	mem_add_span_head(m, suffix);
	if (strcmp(suffix, "ForMaskedLM") == 0)
	{
		mem_add_tensor(m, MEM_C, MEM_C, "vocab_transform.weight");
		mem_add_tensor(m, 0, MEM_C, "vocab_transform.bias");
		mem_add_tensor(m, 0, MEM_C, "vocab_layer_norm.weight");
		mem_add_tensor(m, 0, MEM_C, "vocab_layer_norm.bias");
		mem_add_tensor(m, 0, MEM_V, "vocab_projector.bias");
	}
	mem_model_save(m);
}

/* The same of BERT; prefix "" or "bert.". */
static inline void
mem_model_bert(MemModel *m, const char *suffix, const char *prefix, int n_labels)
{
	char		config[1024];

	memset(m, 0, sizeof(*m));
	snprintf(config, sizeof(config),
			 "{\"model_type\":\"bert\",\"architectures\":[\"Bert%s\"],\"hidden_size\":%d,"
			 "\"num_hidden_layers\":%d,\"num_attention_heads\":2,\"intermediate_size\":%d,"
			 "\"vocab_size\":%d,\"max_position_embeddings\":%d,\"type_vocab_size\":2,"
			 "\"layer_norm_eps\":1e-7,\"hidden_act\":\"gelu\"%s}",
			 suffix, MEM_C, MEM_L, MEM_F, MEM_V, MEM_P,
			 n_labels == 3 ? ",\"id2label\":{\"0\":\"O\",\"1\":\"B-X\",\"2\":\"I-X\"}" : "");
	mem_put(m, "config.json", config);
	mem_put(m, "tokenizer.json", mem_tokenizer_json);
	mem_add_tensor(m, MEM_V, MEM_C, "%sembeddings.word_embeddings.weight", prefix);
	mem_add_tensor(m, MEM_P, MEM_C, "%sembeddings.position_embeddings.weight", prefix);
	mem_add_tensor(m, 2, MEM_C, "%sembeddings.token_type_embeddings.weight", prefix);
	mem_add_tensor(m, 0, MEM_C, "%sembeddings.LayerNorm.weight", prefix);
	mem_add_tensor(m, 0, MEM_C, "%sembeddings.LayerNorm.bias", prefix);
	for (int l = 0; l < MEM_L; l++)
	{
		static const char *const lin[] = {"self.query", "self.key", "self.value", "output.dense"};

		for (int i = 0; i < 4; i++)
		{
			mem_add_tensor(m, MEM_C, MEM_C, "%sencoder.layer.%d.attention.%s.weight", prefix, l,
						   lin[i]);
			mem_add_tensor(m, 0, MEM_C, "%sencoder.layer.%d.attention.%s.bias", prefix, l, lin[i]);
		}
		mem_add_tensor(m, 0, MEM_C, "%sencoder.layer.%d.attention.output.LayerNorm.weight", prefix,
					   l);
		mem_add_tensor(m, 0, MEM_C, "%sencoder.layer.%d.attention.output.LayerNorm.bias", prefix,
					   l);
		mem_add_tensor(m, MEM_F, MEM_C, "%sencoder.layer.%d.intermediate.dense.weight", prefix, l);
		mem_add_tensor(m, 0, MEM_F, "%sencoder.layer.%d.intermediate.dense.bias", prefix, l);
		mem_add_tensor(m, MEM_C, MEM_F, "%sencoder.layer.%d.output.dense.weight", prefix, l);
		mem_add_tensor(m, 0, MEM_C, "%sencoder.layer.%d.output.dense.bias", prefix, l);
		mem_add_tensor(m, 0, MEM_C, "%sencoder.layer.%d.output.LayerNorm.weight", prefix, l);
		mem_add_tensor(m, 0, MEM_C, "%sencoder.layer.%d.output.LayerNorm.bias", prefix, l);
	}
	if (strcmp(suffix, "ForSequenceClassification") == 0)
	{
		mem_add_tensor(m, MEM_C, MEM_C, "%spooler.dense.weight", prefix);
		mem_add_tensor(m, 0, MEM_C, "%spooler.dense.bias", prefix);
	}
	if (n_labels > 0)
	{
		mem_add_tensor(m, n_labels, MEM_C, "classifier.weight");
		mem_add_tensor(m, 0, n_labels, "classifier.bias");
	}
	mem_add_span_head(m, suffix);
	if (strcmp(suffix, "ForMaskedLM") == 0)
	{
		mem_add_tensor(m, MEM_C, MEM_C, "cls.predictions.transform.dense.weight");
		mem_add_tensor(m, 0, MEM_C, "cls.predictions.transform.dense.bias");
		mem_add_tensor(m, 0, MEM_C, "cls.predictions.transform.LayerNorm.weight");
		mem_add_tensor(m, 0, MEM_C, "cls.predictions.transform.LayerNorm.bias");
		mem_add_tensor(m, 0, MEM_V, "cls.predictions.bias");
	}
	mem_model_save(m);
}

#endif
