/*
 * sampling.h - choosing allocations for a profile, without an instruction on the fast path.
 *
 * Layer: core. An allocation of u usable bytes is chosen with the probability 1 - exp(-u / interval), independently of
 * all others: a Poisson process over the bytes, so each chosen block stands for 1 / probability blocks of its size.
 *
 * How it costs nothing where it matters: of each size class, the number of blocks until the next chosen one is drawn
 * ahead (it is geometric), and malloc's bin is filled with at most that many. Frees go to a bin of their own
 * (cache.h, FH_CACHE_ASIDE), from which malloc's is refilled when it is empty: so every block that malloc pops has been
 * counted, and both fast paths run the instructions they always run. The chosen block itself comes the slow way, as a
 * chunk even if it is small: so its free comes the slow way too, by the page map, and only there are chosen blocks
 * looked up. Blocks beyond 1 KiB come the slow way always, and are counted one by one.
 *
 * What is done with a chosen block is the business of the hooks, in the layer above. They are called without any lock.
 */
#ifndef FH_SAMPLING_H
#define FH_SAMPLING_H

#include "atomics.h"
#include "cache.h"
#include "state.h"

/* How allocations of a thread state are chosen; in a mapping of its own, touched by the state's thread alone. */
struct fh_sampling {
    uint64_t random;                      /* state of the generator */
    uint64_t bytes_left;                  /* beyond 1 KiB: bytes until the next chosen block */
    size_t capacity_bytes;                /* what may be kept of each class, */
    uint32_t capacity[FH_CLASS_COUNT];    /* in blocks */
    uint32_t blocks_left[FH_CLASS_COUNT]; /* by class: blocks until the next chosen one, less those in malloc's bin */
};

struct fh_sampling_mode {
    uint32_t on;             /* atomic; never goes off again */
    bool all;                /* every block is reported, chosen or not */
    uint64_t interval_bytes; /* mean bytes between chosen blocks; 0: none is chosen */
    uint64_t seed;           /* not 0: the same blocks are chosen in each run */
    /* A block of `usable_bytes` was allocated. */
    void (*taken)(void *pointer, size_t usable_bytes, bool chosen);
    /* A block that is no slab's is about to be freed; it may have been chosen: true if it was. */
    bool (*freed)(void *pointer);
};
extern FH_HIDDEN struct fh_sampling_mode fh_sampling_mode;

/* How many chosen blocks live, by their address: of nearly all frees this tells at once that they are of none. What
 * lies together shares a cache line here, too. */
enum { FH_SAMPLING_MARKS = 1 << 15, FH_SAMPLING_GRAIN_SHIFT = 10 };
extern FH_HIDDEN uint32_t fh_sampling_marks[FH_SAMPLING_MARKS]; /* atomic */
FH_INLINE uint32_t *fh_sampling_mark_of(const void *pointer)
{
    return &fh_sampling_marks[((uintptr_t)pointer >> FH_SAMPLING_GRAIN_SHIFT) % FH_SAMPLING_MARKS];
}
FH_INLINE bool fh_sampling_is_on(void) { return fh_load_acquire(&fh_sampling_mode.on); }

/* Turns it on, for this thread at once and for others at their next slow step. The mode is filled in but for `on`. */
void fh_sampling_start(void);

/* How many blocks of its size a chosen one stands for: 1 / probability. 0 when nothing is chosen. */
double fh_sampling_weight(size_t usable_bytes);

/* A state with an empty cache begins to be sampled; false without memory. */
bool fh_sampling_begin(struct fh_state *state);

/* While sampling, the cases that matter for speed, of any size below the mmap threshold, chosen or not: from what the
 * thread has, or its heap. Counted and reported. NULL: the long way. *zeroed tells that all usable bytes are zero. */
void *fh_sampling_take(size_t request_bytes, bool *zeroed);

/* What is to be reported of a new block. */
struct fh_sampling_choice {
    size_t usable_bytes; /* what the profile takes for its size; 0: nothing to report */
    bool chosen;
};
/* A block of up to 1 KiB; NULL when it is larger, or strangely aligned, or there is no memory. */
void *fh_sampling_alloc(struct fh_state *state, size_t request_bytes, size_t alignment, bool *zeroed,
                        struct fh_sampling_choice *choice);
/* Counts a block that came another way. */
void fh_sampling_count(struct fh_state *state, size_t usable_bytes, struct fh_sampling_choice *choice);
/* Reports a new block. */
void fh_sampling_report(void *pointer, size_t usable_bytes, bool chosen);
/* A block is about to be freed, or to be resized where it stands or by moving its pages: then it is counted again
 * afterwards, as if it had been allocated. */
void fh_sampling_count_again(void *pointer);
void fh_sampling_forget(void *pointer);
FH_INLINE void fh_sampling_resized(void *pointer)
{
    if (FH_UNLIKELY(fh_sampling_is_on())) fh_sampling_count_again(pointer);
}
FH_INLINE void fh_sampling_freed(void *pointer)
{
    if (FH_UNLIKELY(fh_sampling_is_on() && fh_load_relaxed(fh_sampling_mark_of(pointer)))) fh_sampling_forget(pointer);
}
/* As fh_state_publish_class and fh_state_publish. */
void fh_sampling_publish_class(struct fh_state *state, size_t class_bytes);
void fh_sampling_publish(struct fh_state *state);
/* What malloc's bins hold is about to go back: as if it had not been counted. */
void fh_sampling_flush(struct fh_state *state);

#endif
