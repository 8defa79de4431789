/*
 * runtext.h -- a text through a model: the model of a call, one text or pair,
 * what a batch is given, and what is counted on the way.
 */
#ifndef DISTILBERT_PG_RUNTEXT_H
#define DISTILBERT_PG_RUNTEXT_H

#include "fmgr.h"

#include "dbert.h"
#include "pg/bridge/textvalue.h"
#include "pg/run/modelcache.h"

/*
 * The model of a call: the one that argument argno names or, when argno is
 * negative, the default model of the task, which then must not be NULL.
 */
extern DistilModel *distil_call_model(FunctionCallInfo fcinfo, int argno, const char *task);

/*
 * Does the call come before the model that this argument names, while a dump is
 * restored?  Then its result is NULL (store/restoring.h).
 */
extern bool distil_call_is_early(FunctionCallInfo fcinfo, int argno);

/* Raise unless the model has this head; function is the caller's SQL name. */
extern void distil_require_head(const DistilModel *model, DbertHead head, const char *function);

/* The same of functions that take a model of embeddings (no head), too. */
extern void distil_require_head_or_none(const DistilModel *model, DbertHead head,
										const char *function);

/*
 * How a function with so many texts and options was called.  Its arguments are
 * the texts, the model's name unless a setting says it, the options, and, where
 * a model is named, perhaps long_text and on_error, or on_error alone.  The
 * latter two must not be NULL.
 */
typedef struct DistilCallForm
{
	int			model;			/* argument that names the model; -1: none does */
	int			option;			/* the first one */
	DistilTextRules rules;
} DistilCallForm;

extern DistilCallForm distil_call_form(FunctionCallInfo fcinfo, int n_texts, int n_options);

/* The same of arguments [n_args]; no texts are looked at. */
extern DistilCallForm distil_form_of(const NullableDatum *args, int n_args, int n_texts,
									 int n_options);

/* Is an argument of such a function NULL?  Its last option may be. */
extern bool distil_asks_nothing(FunctionCallInfo fcinfo, int n_texts, int n_options);

/*
 * dbert_batch_add as the rules say, of one text or of a pair (pair: texts[0]
 * and texts[1]).  The first leaves it to the caller to raise; false of the
 * others: the text's answer is NULL, as the rules say, and a warning has told
 * why.
 */
extern DbertStatus distil_batch_try_add(DbertBatch *batch, const DistilText *texts, bool pair,
										DistilTextRules rules, DbertError *err);
extern bool distil_batch_add(DbertBatch *batch, const DistilText *texts, bool pair,
							 DistilTextRules rules);

/* The same for a pair of which truncation cuts the first text alone. */
extern bool distil_batch_add_first_cut(DbertBatch *batch, const DistilText *texts,
									   DistilTextRules rules);

/*
 * dbert_batch_run; the first leaves it to the caller to raise.  What they do is
 * counted.
 */
extern DbertStatus distil_batch_try_run(DbertBatch *batch, DbertError *err);
extern void distil_batch_run(DbertBatch *batch);

/*
 * Has text i of a batch that has run finite results?  False as
 * distil_batch_add's.
 */
extern bool distil_batch_has_answer(const DbertBatch *batch, int i, DistilTextRules rules);

/*
 * One text, or pair of texts, through the model, or its results from the result
 * cache (of sequence heads and embeddings alone; then the batch has no tokens).
 * The answer is text 0 of the returned batch, to be read at once: the batch
 * belongs to the whole backend.  NULL as distil_batch_add's false.
 */
extern DbertBatch *distil_run_text(DistilModel *model, int want, const DistilText *texts,
								   bool pair, DistilTextRules rules);

#endif
