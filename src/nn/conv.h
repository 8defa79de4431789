/*
 * conv.h -- the convolution beside the first layer, which the largest of
 * DeBERTa's second version have: x1 = norm(x1 + act(conv(x0))).
 */
#ifndef DBERT_NN_CONV_H
#define DBERT_NN_CONV_H

#include "nn/layers.h"

/* Does one stand beside this layer? */
static inline bool
dbert_has_conv(const DbertModel *model, const DbertLayer *layer)
{
	return model->weights.conv.n > 0 && layer == model->weights.layers;
}

/*
 * Of a span before the layer, into scratch; and added to what the layer has
 * made of it, which is normed.  Nothing where there is no convolution.
 */
extern DbertStatus dbert_conv_begin(const DbertRun *run, const DbertLayer *layer,
									const DbertSpan *span);
extern void dbert_conv_end(const DbertRun *run, const DbertLayer *layer, const DbertSpan *span);

#endif
