/*
 * memtorch.h -- files of torch.save in memory, whole ones and such as no torch
 * would write.
 *
 * An archive is built entry by entry; a pickle by appending opcodes to a text
 * of bytes.
 */
#ifndef DBERT_TEST_MEMTORCH_H
#define DBERT_TEST_MEMTORCH_H

#include "test/support/memsource.h"

#include <stdbool.h>

typedef struct TorchBytes
{
	char	   *data;
	size_t		size;
	size_t		capacity;
} TorchBytes;

extern void torch_append(TorchBytes *b, const void *data, size_t size);
extern void torch_free(TorchBytes *b);

typedef struct TorchZip
{
	TorchBytes	file;
	TorchBytes	directory;
	int			n_entries;
	int			method;			/* of the entries to come: 0 stored */
	int			flags;
	bool		zip64;			/* an end record of zip64, too, as torch writes it */
} TorchZip;

/* An entry, behind those that are there. */
extern void torch_entry(TorchZip *z, const char *name, const void *data, size_t size);

/* The directory and the end records: z->file is whole. */
extern void torch_end(TorchZip *z);
extern void torch_zip_free(TorchZip *z);

/* data.pkl of a range of the tensors, tensor i in storage i. */
extern void torch_pickle(TorchBytes *b, const MemModel *m, int from, int to);

/* The archive of a range of the tensors with this pickle; NULL: its own. */
extern void torch_archive(TorchZip *z, const MemModel *m, int from, int to,
						  const TorchBytes *pickle);

/* A file of a range of the tensors, as torch.save would write it. */
extern void torch_save(MemModel *m, const char *file, int from, int to);

#endif
