/*
 * madefiles.h -- a new model's files: some JSON, a model.safetensors that is
 * made as it is read, and the tokenizer's files of the model it was made from.
 */
#ifndef DBERT_TRAIN_MADEFILES_H
#define DBERT_TRAIN_MADEFILES_H

#include "model/modelfiles.h"
#include "train/tensorfile.h"
#include "train/train.h"

#define DBERT_MADE_FILES 8

/* A file of JSON. */
typedef struct DbertMadeFile
{
	const char *name;
	char	   *data;
	size_t		size;
} DbertMadeFile;

struct DbertTrainedFiles
{
	const DbertAllocator *alloc;
	DbertSource source;			/* of the new model */
	const DbertSource *base;	/* of the one that it was made from, */
	char		dir[DBERT_FILE_NAME_MAX];	/* whose tokenizer lies in this folder */
	DbertMadeFile made[DBERT_MADE_FILES];
	int			n_made;
	DbertTensorFile weights;	/* begun by the caller */
};

/* base must outlive the files.  To be freed by dbert_trained_free. */
extern DbertStatus dbert_madefiles_begin(const DbertSource *base, const char *dir,
										 const DbertAllocator *alloc, DbertTrainedFiles **files,
										 DbertError *err);

/* A file of tree, which is released; name is a literal.  E_NOMEM. */
extern DbertStatus dbert_madefiles_add(DbertTrainedFiles *f, const char *name,
									   DbertJsonTree *tree, DbertError *err);

#endif
