/*
 * medium.h - a thread's own store of freed medium blocks, so that random churn takes no lock and coalesces nothing.
 *
 * Layer: cache. Blocks stay chunks in use as their heap sees it; here they are on LIFO lists by size class, eight
 * classes to a doubling, found through a bitmap. Their words: link, mark (guard.h), size. The size is the caller's
 * (usable bytes); this file knows nothing of chunks. Bounded in bytes; what the bound should be is learned elsewhere
 * (core/store.c), from what is noted here.
 */
#ifndef FH_MEDIUM_H
#define FH_MEDIUM_H

#include "base.h"

enum {
    FH_MEDIUM_LEAST = 1032,           /* usable bytes; what is smaller is a small block */
    FH_MEDIUM_MOST = 256 * 1024 - 1,  /* usable bytes; larger ones go to their heap at once */
    FH_MEDIUM_STEPS_SHIFT = 3,
    FH_MEDIUM_FIRST_DOUBLING = 10,
    FH_MEDIUM_BINS = 64,
    FH_MEDIUM_BINS_ABOVE = 2,         /* bins above its own that may serve a request */
    FH_MEDIUM_LOOKS = 3,              /* blocks of its own bin that are looked at, since some may be too small */
    FH_MEDIUM_WINDOW = 1024           /* blocks offered from one look of core/store.c to the next */
};

enum { FH_ALIGNED_LOOKS = 4 }; /* blocks of a list that a search for an aligned one looks at */

struct fh_medium {
    uint64_t filled;  /* bit b: bins[b] is not empty */
    uint64_t given;   /* bit b: it has given a block since the last look */
    uint64_t refused; /* bit b: a block of it was not kept for want of room, since then */
    size_t bytes;     /* usable bytes held */
    size_t blocks;    /* held */
    size_t most_bytes;
    size_t base_bytes;   /* of these, what every thread may keep */
    uint32_t until_look; /* blocks yet to be offered */
    void *bins[FH_MEDIUM_BINS];
};

FH_INLINE bool fh_medium_accepts(size_t usable_bytes)
{
    return usable_bytes - FH_MEDIUM_LEAST <= FH_MEDIUM_MOST - FH_MEDIUM_LEAST;
}

/* The bin of a size that is accepted. */
FH_INLINE unsigned fh_medium_bin(size_t bytes)
{
    unsigned doubling = fh_log2_floor(bytes);
    unsigned step = (unsigned)(bytes >> (doubling - FH_MEDIUM_STEPS_SHIFT)) & ((1u << FH_MEDIUM_STEPS_SHIFT) - 1);
    return ((doubling - FH_MEDIUM_FIRST_DOUBLING) << FH_MEDIUM_STEPS_SHIFT) + step;
}
FH_STATIC_ASSERT(FH_MEDIUM_BINS <= 64, "one word tells which bins are filled");
FH_STATIC_ASSERT((17 - FH_MEDIUM_FIRST_DOUBLING + 1) << FH_MEDIUM_STEPS_SHIFT == FH_MEDIUM_BINS, "bins reach 256 KiB");
FH_STATIC_ASSERT(FH_MEDIUM_LEAST >= 1 << FH_MEDIUM_FIRST_DOUBLING, "the first doubling holds the least block");

void fh_medium_init(struct fh_medium *medium, size_t base_bytes);
/* A kept block of at least `request_bytes` and at most three eighths more (rounded up), or NULL. The request is not
 * larger than FH_MEDIUM_MOST. */
void *fh_medium_take(struct fh_medium *medium, size_t request_bytes);
/* The same on a multiple of `alignment`, if one of the first few is. */
void *fh_medium_take_aligned(struct fh_medium *medium, size_t request_bytes, size_t alignment);
/* Keeps the block if it is of a medium size, there is room, and it takes no more than half of all room. */
bool fh_medium_put(struct fh_medium *medium, void *block, size_t usable_bytes);
/* Any kept block of these bins (bit b: bin b), for giving all of them back; NULL when there is none. */
void *fh_medium_take_any(struct fh_medium *medium, uint64_t bins);
/* The bins whose blocks are all larger than the request. */
uint64_t fh_medium_larger(const struct fh_medium *medium, size_t request_bytes);
/* Whether a block that might have served the request was refused lately; forgets about it. */
bool fh_medium_was_refused(struct fh_medium *medium, size_t request_bytes);

#endif
