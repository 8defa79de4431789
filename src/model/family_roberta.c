/*
 * family_roberta.c -- RoBERTa, and the families that are RoBERTa by other
 * names: XLM-RoBERTa, CamemBERT, data2vec's for texts.
 *
 * BERT's layers.  Positions begin behind the row of the padding token's id, so
 * a table of 514 rows is for 512 tokens.  All tokens are of type 0, those of a
 * pair's second text, too: two separators stand between the texts.  The
 * classifier has a dense layer of its own; the pooler that base models have is
 * used by nobody.
 *
 * Source: Liu et al. 2019 (arXiv:1907.11692); Conneau et al. 2019
 * (arXiv:1911.02116); transformers' modeling_roberta.py, RobertaConfig and its
 * namesakes.
 */
#include "model/bertlayers.h"

#define ROBERTA(type_, architecture_, prefix_, vocab_) { \
	.model_type = type_, \
	.architecture = architecture_, \
	.prefix = prefix_, \
	.layers = "encoder.layer.", \
	.modules = {DBERT_BERT_MODULES}, \
	.heads = {DBERT_ROBERTA_HEADS}, \
	.sizes = { \
		DBERT_BERT_SIZES(vocab_, 12, 12, 768, 3072), \
		{"type_vocab_size", NULL, 2, 1, DBERT_MAX_TYPES, DBERT_SIZE_OF(types)}, \
	}, \
	.act_key = "hidden_act", \
	.eps_key = "layer_norm_eps", \
	.drops_after_attention = true, \
	.pad_key = "pad_token_id", \
	.pad_preset = 1, \
}

const DbertFamily dbert_family_roberta =
	ROBERTA("roberta", "Roberta", "roberta.", 50265);

const DbertFamily dbert_family_xlm_roberta =
	ROBERTA("xlm-roberta", "XLMRoberta", "roberta.", 30522);

const DbertFamily dbert_family_camembert =
	ROBERTA("camembert", "Camembert", "roberta.", 30522);

const DbertFamily dbert_family_data2vec =
	ROBERTA("data2vec-text", "Data2VecText", "data2vec_text.", 30522);
