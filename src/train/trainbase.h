/* trainbase.h -- the inside of a DbertTrainBase, for src/train. */
#ifndef DBERT_TRAIN_TRAINBASE_H
#define DBERT_TRAIN_TRAINBASE_H

#include "model/packbuild.h"
#include "train/train.h"

struct DbertTrainBase
{
	const DbertAllocator *alloc;
	DbertPack  *pack;			/* begun, never written: files, config, tensors, tokenizer */
	DbertTokenizer tokenizer;
	char		dir[DBERT_FILE_NAME_MAX];	/* folder of config.json */
	bool		sentence;		/* it has sentence-transformers' files */
	bool		lowercases;		/* they say so */
};

#endif
