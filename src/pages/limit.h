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
    size_t held_bytes;      /* what counts, with what is just being asked for; see fh_limit_held */
    uint32_t asked_urgency; /* enum fh_urgency: as the program says */
    uint32_t group_urgency; /* the same: of how near the cgroup's limit is */
    uint32_t wanted;        /* 1: somebody is to give back what can be spared */
    uint32_t look;          /* 1: somebody is to look at the cgroup, without locks */
    size_t next_soft_bytes; /* held from which on the soft limit is passed once more; 0: the limit's own value */
    size_t next_look_bytes; /* held from which on the cgroup is looked at; 0: at the first size that is worth it;
                             * SIZE_MAX: that is passed, and the look says when next */
    size_t looked_bytes;    /* held at the last look */
    size_t group_bytes;     /* the cgroup's limit; 0: not known yet, SIZE_MAX: none. Tells that os.h knows the group */
};
extern FH_HIDDEN struct fh_limit fh_limit;

/* Raised when all threads are asked to empty their caches. */
extern uint32_t fh_trim_epoch;

/* Bytes that count: obtained, not returned, without what the library needs for itself and what is stranded. */
size_t fh_limit_held(void);
/* Before the kernel is asked for so many more: they count from now on. False when the hard limit forbids it. */
bool fh_limit_take(size_t bytes);
/* They were refused, or went back. */
void fh_limit_give(size_t bytes);
/* They came. */
void fh_limit_note_growth(void);
/* How many more may be held before the soft limit or the cgroup has something done: what is bought in reserve keeps
 * below that, so that only a real need passes it. */
size_t fh_limit_room(void);
/* Looks at the cgroup if that is due. No lock may be held: it reads files. */
void fh_limit_look(void);
/* Asks for what can be spared, at the next slow step of any thread. */
void fh_limit_want(void);
/* What was wanted is done: not again before as much more is held. */
void fh_limit_note_relief(void);
/* In the child of a fork: what other threads were in the middle of is over. */
void fh_limit_after_fork(void);

FH_INLINE uint32_t fh_limit_urgency(void)
{
    return fh_max(fh_load_relaxed(&fh_limit.asked_urgency), fh_load_relaxed(&fh_limit.group_urgency));
}

#endif
