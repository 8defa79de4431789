/*
 * act.h -- the activations that products and rows can end with.
 *
 * Plain numbers: images of models hold them, the kernels take them as int.
 */
#ifndef DBERT_KERNEL_ACT_H
#define DBERT_KERNEL_ACT_H

typedef enum DbertAct
{
	DBERT_ACT_NONE,
	DBERT_ACT_GELU,				/* x * Phi(x), by erf */
	DBERT_ACT_GELU_TANH,		/* "gelu_new", "gelu_pytorch_tanh" */
	DBERT_ACT_RELU,
	DBERT_ACT_TANH,				/* BERT's pooler */
	DBERT_ACT_SILU				/* x / (1 + e^-x), "silu", "swish" */
} DbertAct;

#endif
