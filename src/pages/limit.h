/*
 * limit.h - how much may be held of the kernel, when that is too much, and how urgent it is.
 *
 * Layer: pages. No locks; all of it is atomic. Everything that buys of the kernel asks here first (hard limit) and
 * tells afterwards (soft limit, cgroup). Nothing is given back from here: a request is noted, and the epoch that
 * threads compare at every slow step rises; the next of them does the work (core/trim.c).
 */
#ifndef FH_LIMIT_H
#define FH_LIMIT_H

#include "atomics.h"
#include "base.h"

/* As in the public header: how much of what is free may stay. */
enum fh_urgency { FH_URGENCY_NONE, FH_URGENCY_SOME, FH_URGENCY_FULL };

struct fh_limit {
    uint32_t urgency;       /* enum fh_urgency: of the program, or of how near the limits are */
    uint32_t wanted;        /* 1: somebody is to give back what can be spared */
    uint32_t look;          /* 1: somebody is to look at the cgroup, without locks */
    size_t next_soft_bytes; /* held from which on the soft limit is passed once more; 0: the limit's own value */
    size_t next_look_bytes; /* held from which on the cgroup is looked at; 0: at the first size that is worth it */
    size_t group_bytes;     /* the cgroup's limit; 0: not known yet, SIZE_MAX: none */
};
extern FH_HIDDEN struct fh_limit fh_limit;

/* Raised when all threads are asked to empty their caches. */
extern uint32_t fh_trim_epoch;

/* Bytes that count: obtained, not returned, without what the library needs for itself. */
size_t fh_limit_held(void);
/* Whether so many more may be asked of the kernel. */
bool fh_limit_allows(size_t bytes);
/* They came. */
void fh_limit_note_growth(void);
/* Looks at the cgroup if that is due. No lock may be held: it reads files. */
void fh_limit_look(void);
/* Asks for what can be spared, at the next slow step of any thread. */
void fh_limit_want(void);
/* What was wanted is done: not again before as much more is held. */
void fh_limit_note_relief(void);

FH_INLINE uint32_t fh_limit_urgency(void) { return fh_load_relaxed(&fh_limit.urgency); }

#endif
