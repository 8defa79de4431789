/*
 * dbert.h -- the core of distilbert as src/pg sees it.
 *
 * Life of a model: dbert_pack_begin / _write / _end turn files into an image
 * (model/pack.h), dbert_model_open opens an image that the caller has mapped.
 * Life of a query: a DbertBatch takes texts and runs them (nn/batch.h), the
 * headers of task/ turn what comes out into answers.  Life of a training:
 * train/train.h.
 *
 * This file only lists the rooms' public headers; no room includes it.
 *
 * No function here allocates but through the DbertAllocator it was given,
 * keeps state outside its arguments, or jumps.
 */
#ifndef DBERT_H
#define DBERT_H

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "base/parallel.h"
#include "base/status.h"
#include "kernel/kernel.h"
#include "model/config.h"
#include "model/family.h"
#include "model/pack.h"
#include "model/source.h"
#include "nn/batch.h"
#include "nn/teacher.h"
#include "nn/tokenvectors.h"
#include "nn/translate.h"
#include "task/answer.h"
#include "task/bleu.h"
#include "task/chrf.h"
#include "task/classify.h"
#include "task/entities.h"
#include "task/fill_mask.h"
#include "task/marks.h"
#include "task/pair.h"
#include "task/sentiment.h"
#include "task/translation.h"
#include "text/chunk.h"
#include "text/tokenizer.h"
#include "text/utf8.h"
#include "train/random.h"
#include "train/statictrain.h"
#include "train/train.h"
#include "train/trim.h"

#endif
