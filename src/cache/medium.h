/*
 * medium.h - a thread's own store of freed medium blocks, so that random churn takes no lock and coalesces nothing.
 *
 * Layer: cache. Blocks stay chunks in use as their heap sees it; here they are on LIFO lists by size class, eight
 * classes to a doubling, found through a bitmap. Their words: link, mark (guard.h), size. The size is the caller's
 * (usable bytes); this file knows nothing of chunks. Bounded in bytes.
 */
#ifndef FH_MEDIUM_H
#define FH_MEDIUM_H

#include "base.h"

enum {
    FH_MEDIUM_LEAST = 1040,          /* usable bytes; below, the cache has lists by exact size */
    FH_MEDIUM_MOST = 32 * 1024 + 64, /* usable bytes; larger ones go to their heap at once */
    FH_MEDIUM_STEPS_SHIFT = 3,
    FH_MEDIUM_FIRST_DOUBLING = 10,
    FH_MEDIUM_BINS = 48
};

enum { FH_ALIGNED_LOOKS = 4 }; /* blocks of a list, here or in the cache, that a search for an aligned one looks at */

struct fh_medium {
    uint64_t filled; /* bit b: bins[b] is not empty */
    size_t bytes;    /* usable bytes held */
    size_t blocks;   /* held */
    size_t most_bytes;
    void *bins[FH_MEDIUM_BINS];
};

void fh_medium_init(struct fh_medium *medium, size_t most_bytes);
FH_INLINE bool fh_medium_accepts(size_t usable_bytes)
{
    return usable_bytes >= FH_MEDIUM_LEAST && usable_bytes <= FH_MEDIUM_MOST;
}
/* A kept block of at least `request_bytes` and at most an eighth more (rounded up), or NULL. */
void *fh_medium_take(struct fh_medium *medium, size_t request_bytes);
/* The same on a multiple of `alignment`, if one of the first few is. */
void *fh_medium_take_aligned(struct fh_medium *medium, size_t request_bytes, size_t alignment);
/* Keeps the block if it is of a medium size and there is room. */
bool fh_medium_put(struct fh_medium *medium, void *block, size_t usable_bytes);
/* Any kept block, for giving all of them back; NULL when there is none. */
void *fh_medium_take_any(struct fh_medium *medium);

#endif
