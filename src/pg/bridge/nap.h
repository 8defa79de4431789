/*
 * nap.h -- waiting for what gives no sign when it comes.
 *
 * It is looked for again and again.  The naps in between grow with the wait, so
 * that it is seen late by a small part of the wait, however long that is.
 */
#ifndef DISTILBERT_PG_NAP_H
#define DISTILBERT_PG_NAP_H

/* A wait begins with {0}. */
typedef struct DistilWait
{
	long		waited_ms;
} DistilWait;

/* One nap, of so many milliseconds.  Serves interrupts: it may raise. */
extern void distil_nap(DistilWait *wait, long shortest_ms, long longest_ms);

#endif
