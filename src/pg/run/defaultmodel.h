/*
 * defaultmodel.h -- the models of calls that name none: the settings
 * "distilbert.<task>_model".
 */
#ifndef DISTILBERT_PG_DEFAULTMODEL_H
#define DISTILBERT_PG_DEFAULTMODEL_H

/*
 * The default model of a task ("sentiment", "answer", ...); raises, with
 * a hint that tells how to load one and which setting names it, when the
 * setting is empty.
 */
extern const char *distil_default_model(const char *task);

/* The setting itself, which may be empty. */
extern const char *distil_default_name(const char *task);

/* Defines the settings; called once by _PG_init. */
extern void distil_defaultmodel_init(void);

#endif
