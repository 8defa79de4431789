/*
 * memsource.h -- tiny models in memory, to be bent by tests.
 *
 * A MemModel is a set of files (a DbertSource reads them) and a list of
 * tensors from which model.safetensors is made.  mem_model_distilbert and
 * mem_model_bert fill in a whole model; a test then replaces a file or changes
 * a tensor, calls mem_model_save, and reads it.  mem_free at the end.
 */
#ifndef DBERT_TEST_MEMSOURCE_H
#define DBERT_TEST_MEMSOURCE_H

#include "model/source.h"

#include <stddef.h>
#include <stdint.h>

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
	const char *dtype;			/* "F64", "F32", "F16", "BF16", or another one of 8 bytes */
	int			rank;
	int64_t		shape[3];
	double		bad;			/* the last element, when not 0 */
} MemTensor;

typedef struct MemModel
{
	MemFile		files[MEM_FILES];
	int			n_files;
	MemTensor	tensors[MEM_TENSORS];
	int			n_tensors;
	int			fail_read;		/* the read that fails, counted down; 0: none */
} MemModel;

/* The model stays the caller's and must outlive the source. */
extern DbertSource mem_source(MemModel *m);
extern void mem_free(MemModel *m);

/* ---- files ---- */

/* A new file, or another content; the bytes are copied. */
extern void mem_put(MemModel *m, const char *name, const char *text);
extern void mem_put_bytes(MemModel *m, const char *name, const void *data, size_t size);

/* Nothing happens if there is none. */
extern void mem_drop(MemModel *m, const char *name);

/* Replace the first occurrence of a text in a file; it must be there. */
extern void mem_edit(MemModel *m, const char *name, const char *from, const char *to);

/* ---- tensors ---- */

/* Element i of a tensor: a multiple of 1/64 below 1, exact in every dtype. */
extern float mem_value(const char *name, size_t i);

/* NULL: there is none. */
extern MemTensor *mem_tensor(MemModel *m, const char *name);

/* rows 0: a vector of cols */
extern void mem_add_tensor(MemModel *m, int rows, int cols, const char *fmt,...)
	__attribute__((format(printf, 4, 5)));
extern void mem_drop_tensor(MemModel *m, const char *name);

/* model.safetensors of all tensors */
extern void mem_model_save(MemModel *m);

/* Bytes of its elements, and they: [mem_bytes(t)]. */
extern size_t mem_bytes(const MemTensor *t);
extern void mem_fill(const MemTensor *t, char *out);

/* A safetensors file of a range of the tensors. */
extern void mem_save(MemModel *m, const char *file, int from, int to);

/*
 * model.safetensors.index.json: the tensors up to split are in one shard, the
 * others in another.
 */
extern void mem_put_index(MemModel *m, int split, const char *first, const char *second);

/* ---- whole models (memmodel.c) ---- */

/* Their sizes: width, of the feed-forward layer, tokens, positions, layers. */
#define MEM_C	8
#define MEM_F	12
#define MEM_V	14
#define MEM_P	16
#define MEM_L	2

/* 13 tokens, the same in either file: the vocabulary may be below MEM_V. */
extern const char mem_vocab[];
extern const char mem_tokenizer_json[];

/*
 * Architecture "DistilBert..." of that suffix; n_labels 0 for heads without
 * labels.
 */
extern void mem_model_distilbert(MemModel *m, const char *suffix, int n_labels);

/* The same of BERT; prefix "" or "bert.". */
extern void mem_model_bert(MemModel *m, const char *suffix, const char *prefix, int n_labels);

/* The same of ELECTRA, whose embeddings have width numbers. */
extern void mem_model_electra(MemModel *m, const char *suffix, int width, int n_labels);

/*
 * The same of RoBERTa: its padding token is 1, so that it takes MEM_P - 2
 * tokens.
 */
extern void mem_model_roberta(MemModel *m, const char *suffix, int n_labels);

/* The same of MPNet, which takes as many. */
extern void mem_model_mpnet(MemModel *m, const char *suffix, int n_labels);

/*
 * The same of DeBERTa-v2, without positions and types: four vectors for
 * distances to either side.  more: further keys, each behind a comma.
 */
extern void mem_model_deberta(MemModel *m, const char *suffix, const char *more, int n_labels);

/*
 * The same of ALBERT, whose embeddings have 6 numbers; layers in groups of so
 * many inner ones.
 */
extern void mem_model_albert(MemModel *m, const char *suffix, int layers, int groups, int inner);

/*
 * The same of ModernBERT, in sizes of its own; the first and each third layer
 * is global, the others see two tokens to each side.
 */
extern void mem_model_modernbert(MemModel *m, const char *suffix, int hidden, int layers,
								 int positions, int n_labels);

/*
 * A Marian translator, whose SentencePiece models have the pieces of
 * vocab.json.
 */
extern void mem_model_marian(MemModel *m);

/* DistilBERT and BERT by turns, with each head; further numbers begin anew. */
#define MEM_KINDS 10

extern void mem_model_kind(MemModel *m, unsigned kind);

#endif
