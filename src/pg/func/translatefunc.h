/*
 * translatefunc.h -- the options of distil_translate, for those who call its
 * task.
 */
#ifndef DISTILBERT_PG_TRANSLATEFUNC_H
#define DISTILBERT_PG_TRANSLATEFUNC_H

enum
{
	DISTIL_TRANSLATE_MAX_TOKENS,
	DISTIL_TRANSLATE_BEAMS,
	DISTIL_TRANSLATE_LANGUAGE,
	DISTIL_TRANSLATE_OPTIONS
};

#endif
