/*
 * state.h - the retail state of a thread: its cache, its slabs, and how others reach it.
 *
 * Layer: core. A state outlives its thread: a thread that ends abandons it whole, and the next thread adopts it, so
 * that slabs never change their owner and there are never more states than threads at the peak. Everything in a state
 * belongs to the thread that runs it, except the last group of fields. States are never given back.
 *
 *   RUNNING ---- thread ends ----> ABANDONED ---- next thread adopts ----> RUNNING
 *                                    |   ^
 *              a thread drains it:   v   |
 *                                  CLAIMED ---- popped meanwhile ----> CLAIMED_POPPED (the drainer puts it back)
 *
 *   TORN: in the child of a fork, the state of a thread that does not exist there; core/fork.c repairs it.
 */
#ifndef FH_STATE_H
#define FH_STATE_H

#include "atomics.h"
#include "cache.h"
#include "heap.h"
#include "limit.h"
#include "medium.h"
#include "moves.h"
#include "slab.h"

enum fh_state_status {
    FH_STATE_UNUSED = 0,
    FH_STATE_RUNNING,
    FH_STATE_ABANDONED,
    FH_STATE_CLAIMED,
    FH_STATE_CLAIMED_POPPED,
    FH_STATE_TORN
};

/* Blocks of one other owner that this thread has freed and not handed over yet. */
enum { FH_OUTGOING_AHEAD = 8 };
struct fh_outgoing {
    uint32_t owner;
    uint32_t count;
    uint32_t bytes;
    uint32_t next_last; /* in the ring of the last blocks; each tells of the one that was collected so many before */
    void *head;
    void *tail;
    void *last[FH_OUTGOING_AHEAD];
};
enum { FH_OUTGOING_SLOTS = 8, FH_OUTGOING_MOST = 32, FH_OUTGOING_MOST_BYTES = 4096 };

/*
 * The owner's way through a batch is from link to link, each a cache line that another thread wrote last. So a block
 * with room for a third word holds there which will come some links later, to be fetched meanwhile. Nothing but that is
 * done with the word, whatever the program may have written to it.
 */
enum { FH_AHEAD_LEAST = 32 };
FH_INLINE void fh_ahead_write(void *block, const void *later)
{
    ((fh_word *)block)[2] = (uintptr_t)later ^ fh_guard_mark(fh_guard.secret, block);
}
FH_INLINE void fh_ahead_fetch(const void *block)
{
    uintptr_t later = (uintptr_t)(((const fh_word *)block)[2] ^ fh_guard_mark(fh_guard.secret, block));
    __builtin_prefetch((const void *)later, 1);
}

/* Requests of a class that found the cache empty, counted up to this, since a block of another owner found it full: as
 * many as it takes for such blocks to be kept (remote.c). */
enum { FH_LACKS_ENOUGH = 2 };

/* A run of frees into one slab, of a class whose cache is full. Blocks between its start and `bytes` go straight onto
 * its list; when the run is counted, how many they were is added to the class's counter and, as room that each of them
 * took in vain, to the cache's bin. */
struct fh_run {
    struct fh_slab *slab;
    uint32_t bytes;   /* size of the slab, 0 when there is no run */
    uint32_t counted; /* the slab's free_count that the class's counter knows */
};

/* What a thread holds besides slabs, as of its last slow step; counters that others may read. */
struct fh_state_published {
    uint32_t cached[FH_CLASS_COUNT];        /* blocks in its cache, by class */
    size_t medium_bytes, medium_blocks;      /* usable bytes of medium blocks in its cache */
    size_t outgoing_bytes, outgoing_objects; /* small blocks on their way */
};

struct fh_state {
    struct fh_cache cache; /* first: a thread's cache pointer is its state pointer */
    struct fh_slab_owner slabs;
    struct fh_medium medium;
    struct fh_outgoing outgoing[FH_OUTGOING_SLOTS];
    uint8_t lacks[FH_CLASS_COUNT];     /* by class */
    struct fh_state_published published;
    struct fh_run runs[FH_CACHE_BINS]; /* by bin of frees: where blocks that the cache has no room for go */
    struct fh_heap *heap;              /* where new chunks come from */
    struct fh_sampling *sampling;      /* sampling.h; NULL while nothing was ever sampled */
    uintptr_t thread;                  /* fh_os_self() of the thread that runs it */
    size_t cache_bytes;                /* capacity of each class; 0 while a special mode is on */
    uint32_t id;                       /* from 1; the owner in the page map */
    uint32_t frozen_heaps;             /* between a fork's prepare and its end: how many heaps this thread froze */
    uint32_t unwanted_trims_seen;      /* of its heap; see route.c */
    struct fh_gate cut_gate;           /* giving back: return.c */
    uint32_t return_epoch;             /* the last of its heap's that it has seen */
    uint32_t return_steps;
    bool cutting;        /* sparse slabs are cut up */
    bool draining;       /* the cache is empty so that slabs become it */
    uint32_t cut_credit; /* blocks freed to slabs since the last look, or that no cut has been paid with yet */
    size_t sweep_bytes;  /* class that the sweep over all slabs has come to; above FH_SMALL_MOST at its end */
    size_t sweep_left;   /* slabs of it yet to be looked at, at most */
    size_t chunk_bytes;  /* usable bytes of chunks that the thread took from heaps, less those it gave back */
    uint32_t looks_after;       /* frees of chunks until the next look at what it hoards (hoard.c), */
    uint64_t hoarding_until_ms; /* and when that may be given up again */
    struct fh_moves moves;
    uint32_t trim_epoch; /* the last fh_trim_epoch that it has seen */

    /* Others write here. */
    FH_ALIGNED(FH_CACHE_LINE) void *inbox; /* atomic: blocks of this owner's slabs, freed by others (guard.h links) */
    uint32_t status;                       /* atomic: enum fh_state_status */
    uint32_t next_abandoned;               /* id of the next on the stack of abandoned states, 0 at its end */
};
FH_STATIC_ASSERT(offsetof(struct fh_state, cache) == 0, "cache and state share their address");

/* Of the class whose bin of frees is as far into the cache's bins. */
FH_INLINE struct fh_run *fh_run_of(struct fh_state *state, size_t place)
{
    return (struct fh_run *)(void *)((char *)state->runs + place);
}
FH_STATIC_ASSERT(sizeof(struct fh_run) == FH_ALIGNMENT, "the run of size s is s bytes into the array");

FH_INLINE struct fh_state *fh_state_of_cache(struct fh_cache *cache) { return (struct fh_state *)(void *)cache; }

/* Whether its allocations are counted for a profile: a special mode. */
FH_INLINE bool fh_state_is_sampled(const struct fh_state *state) { return fh_cache_is_aside(&state->cache); }

/* The calling thread's state if it is sampled and nothing else is to be done; else NULL. */
FH_INLINE struct fh_state *fh_state_if_sampled(void)
{
    struct fh_cache *cache = fh_cache_self();
    if (FH_UNLIKELY(!fh_cache_is_aside(cache))) return NULL; /* as of a thread that has none */
    struct fh_state *state = fh_state_of_cache(cache);
    return FH_LIKELY(state->trim_epoch == fh_load_relaxed(&fh_trim_epoch)) ? state : NULL;
}

/* Whether the calling thread, which has this cache, has a state that is in no special mode. */
FH_INLINE bool fh_state_is_plain(struct fh_cache *cache)
{
    if (FH_UNLIKELY(cache == &fh_cache_none || cache == &fh_cache_ended)) return false;
    struct fh_state *state = fh_state_of_cache(cache);
    return FH_LIKELY(state->cache_bytes && state->trim_epoch == fh_load_relaxed(&fh_trim_epoch));
}

/* The calling thread's state if it is so; else NULL, and the long way is to be taken. */
FH_INLINE struct fh_state *fh_state_if_plain(void)
{
    struct fh_cache *cache = fh_cache_self();
    return FH_LIKELY(fh_state_is_plain(cache)) ? fh_state_of_cache(cache) : NULL;
}

/* Bytes of small blocks in inboxes, between flush and drain. Atomic. */
extern size_t fh_transit_bytes, fh_transit_objects;

/* The calling thread's state, attached if need be; NULL when there is no memory for one or the thread is ending: then
 * fh_state_borrow has one for a moment. */
struct fh_state *fh_state_self(void);
/* The same and nothing else: what other threads or limits want done is not done now. */
struct fh_state *fh_state_attached(void);

/* For the length of one operation: fh_state_enter gives the thread's state, or a borrowed one to a thread that is past
 * its destructors, or NULL when there is none to be had. */
struct fh_state *fh_state_enter(void);
void fh_state_leave(struct fh_state *state);

/* Where the states are, for readers from outside (insight/root.c). */
struct fh_state_table {
    struct fh_state *first;   /* number 1 */
    struct fh_state **blocks; /* numbers from 2 on, `per_block` to each */
    uint32_t *id_end;
    uint32_t per_block;
};
extern FH_HIDDEN const struct fh_state_table fh_state_table;

/* By number; NULL when there is none of that number. */
struct fh_state *fh_state_by_id(uint32_t id);
/* Numbers from 1 up to below this have been given out. */
uint32_t fh_state_id_end(void);

/* The thread ends: gives back what it holds and abandons the state. */
void fh_state_abandon(struct fh_state *state);
/* Drains the inbox of an abandoned state and frees its empty slabs; does nothing if somebody runs it. */
void fh_state_settle(struct fh_state *state);
/* Takes back what an abandoned state keeps in its cache; does nothing if somebody runs it. */
void fh_state_reclaim(struct fh_state *state);
/* Puts a state on the stack of abandoned ones; its status must be ABANDONED. */
void fh_state_push_abandoned(struct fh_state *state);
void fh_state_forget_abandoned(void);
/* Everything anew but the number, for a state whose contents can't be trusted. */
void fh_state_reset(struct fh_state *state);
/* Registers the calling thread's end with libc, once the library's constructor has run. */
void fh_state_enable_thread_end(void);

/* Brings cache capacities of the calling thread in line with the options, after they have changed. */
void fh_state_apply_options(void);

/* Brings the published counts of the caller's cache up to date: of one class, at a slow step that has just seen it; of
 * all. */
FH_INLINE void fh_state_publish_class(struct fh_state *state, size_t class_bytes, int32_t room)
{
    int32_t held = fh_cache_capacity(class_bytes, state->cache_bytes) - room;
    fh_store_relaxed(&state->published.cached[class_bytes / FH_ALIGNMENT], (uint32_t)held);
}
void fh_state_publish(struct fh_state *state);
/* The capacity of the thread's cache for each class, with what is in it as it is. Not while it is 0. */
void fh_state_set_cache_bytes(struct fh_state *state, size_t bytes);
FH_INLINE void fh_chunk_store_publish(struct fh_state *state)
{
    fh_store_relaxed(&state->published.medium_bytes, state->medium.bytes);
    fh_store_relaxed(&state->published.medium_blocks, state->medium.blocks);
}
/* Whether it holds more than every thread may. */
FH_INLINE bool fh_chunk_store_holds_much(const struct fh_state *state)
{
    return state->medium.bytes > state->medium.base_bytes;
}
/* Empties cache, medium store and outgoing batches to where they came from. */
void fh_state_flush(struct fh_state *state);

#endif
