/*
 * cache.h - the thread cache: the fast path of malloc for blocks up to 1 KiB, and of free for small ones.
 *
 * Layer: cache. One LIFO list for each size class, touched by its thread alone, without atomics and without a look at
 * the slab. The lists are made of free blocks (guard.h). A thread finds its cache through one pointer-sized
 * thread-local variable, which holds the distance from the empty cache below: so it is right when it is all zero,
 * before the loader has copied the thread-local image, and the fast path needs no "is it set up?" test.
 *
 * Conservation: blocks on list i = capacity of class i - bins[i].room - blocks that frees took room for in vain and
 * that has not been given back yet (core/fast.h). Room goes below zero when a whole slab's list was taken at once;
 * frees then bypass the cache until it has been used up.
 */
#ifndef FH_CACHE_H
#define FH_CACHE_H

#include "base.h"
#include "classes.h"
#include "guard.h"
#include "pagemap.h"

struct fh_cache_bin {
    void *head;
    int32_t room;   /* blocks that may still be put here */
    uint32_t magic; /* of the class: classes.h */
};
FH_STATIC_ASSERT(sizeof(struct fh_cache_bin) == 16, "the bin of size s is s bytes into the array");

/*
 * While allocations are counted for a profile (core/sampling.h), frees must not feed the bins that malloc pops from, or
 * blocks would go round and round uncounted. So this bit is set in the thread's tag: push then finds its bin this much
 * further on, with not one instruction more. Only small blocks are ever pushed, so bins beyond the last class suffice.
 */
enum { FH_CACHE_ASIDE = 0x800, FH_CACHE_BINS = (FH_CACHE_ASIDE + FH_SMALL_MOST) / 16 + 1 };
FH_STATIC_ASSERT((int)FH_CACHE_ASIDE > (int)FH_SMALL_MOST, "a bin aside is no class's own");
FH_STATIC_ASSERT((FH_CACHE_ASIDE & FH_SMALL_MOST) == 0, "setting the bit is adding it");

struct fh_cache {
    uint64_t secret; /* copies of fh_guard's: same cache line as the bins */
    uint64_t bad_bits;
    uint32_t tag; /* page map entry of this thread's slabs, size 0, or FH_CACHE_ASIDE while sampling */
    uint32_t unused;
    struct fh_cache_bin bins[FH_CACHE_BINS];
};

/* The cache of a thread that has none yet, and of one whose thread-local destructors have run. Always empty, matches
 * no page: everything takes the slow path. */
extern struct fh_cache fh_cache_none, fh_cache_ended;

extern __thread uintptr_t fh_cache_offset __attribute__((tls_model("initial-exec")));

FH_INLINE struct fh_cache *fh_cache_self(void)
{
    return (struct fh_cache *)((uintptr_t)&fh_cache_none + fh_cache_offset);
}
FH_INLINE void fh_cache_set_self(struct fh_cache *cache)
{
    fh_cache_offset = (uintptr_t)cache - (uintptr_t)&fh_cache_none;
}

FH_INLINE struct fh_cache_bin *fh_cache_bin_of(struct fh_cache *cache, size_t class_bytes)
{
    return (struct fh_cache_bin *)(void *)((char *)cache->bins + class_bytes);
}

/* Whether frees are kept apart from what malloc takes; and where frees of a small class go. */
FH_INLINE bool fh_cache_is_aside(const struct fh_cache *cache) { return cache->tag & FH_CACHE_ASIDE; }
FH_INLINE struct fh_cache_bin *fh_cache_free_bin(struct fh_cache *cache, size_t class_bytes)
{
    return fh_cache_bin_of(cache, class_bytes ^ (cache->tag & FH_CACHE_ASIDE));
}

/* A block for the request, or NULL: nothing cached, not small, or a damaged link. */
FH_INLINE void *fh_cache_pop(size_t request_bytes)
{
    size_t class_bytes = fh_align_up(request_bytes, FH_ALIGNMENT);
    if (FH_UNLIKELY(request_bytes > FH_FINE_MOST)) {
        if (request_bytes > FH_SMALL_MOST) return NULL;
        class_bytes = fh_class_size_coarse(request_bytes);
    }
    struct fh_cache *cache = fh_cache_self();
    struct fh_cache_bin *bin = fh_cache_bin_of(cache, class_bytes);
    fh_word *block = bin->head;
    if (FH_UNLIKELY(!block)) return NULL;
    uint64_t mark = fh_guard_mark(cache->secret, block);
    if (FH_UNLIKELY(block[1] != mark)) return NULL;
    uint64_t next = block[0] ^ mark;
    if (FH_UNLIKELY(next & cache->bad_bits)) return NULL;
    bin->head = (void *)(uintptr_t)next;
    bin->room++;
    block[1] = 0;
    return block;
}

/* Where a freed block went, or why it did not. */
enum fh_cache_push_result {
    FH_CACHE_PUSHED,
    FH_CACHE_FULL,   /* it is a block of this thread's own slabs and all is well with it, but its class has no room;
                      * room has been taken all the same, and the caller sees to it that it is given back */
    FH_CACHE_REFUSED /* not this thread's, or something is wrong */
};

/* What push has found out, for the caller that goes on after FULL. */
struct fh_cache_push {
    struct fh_cache *cache; /* the calling thread's */
    uint32_t class_bytes;
    uint64_t mark; /* of the block */
};

FH_INLINE enum fh_cache_push_result fh_cache_push(void *pointer, struct fh_cache_push *found)
{
    struct fh_cache *cache = found->cache = fh_cache_self();
    uint64_t class_bytes = fh_pagemap_get(pointer) ^ cache->tag;
    __asm__("" : "+r"(class_bytes)); /* already extended to 64 bits: or gcc does it again for the address below */
    found->class_bytes = (uint32_t)class_bytes;
    if (FH_UNLIKELY(class_bytes > FH_ENTRY_SIZE_MASK)) return FH_CACHE_REFUSED;
    struct fh_cache_bin *bin = fh_cache_bin_of(cache, class_bytes);
    if (FH_UNLIKELY(!fh_is_block_start(pointer, bin->magic))) return FH_CACHE_REFUSED;
    fh_word *block = pointer;
    uint64_t mark = found->mark = fh_guard_mark(cache->secret, block);
    if (FH_UNLIKELY(block[1] == mark)) return FH_CACHE_REFUSED;
    if (FH_UNLIKELY(--bin->room < 0)) return FH_CACHE_FULL;
    block[1] = mark;
    block[0] = mark ^ (uintptr_t)bin->head;
    bin->head = block;
    return FH_CACHE_PUSHED;
}

/* The first block of a bin that is not empty; stops at a damaged one. */
void *fh_cache_take_checked(struct fh_cache_bin *bin, size_t class_bytes);
/* Puts a block that has been checked into a bin with room. */
FH_INLINE void fh_cache_put(struct fh_cache_bin *bin, void *block)
{
    fh_guard_link(block, bin->head);
    bin->head = block;
    bin->room--;
}

/* Makes an empty cache for the owner with this number, `capacity_bytes` for each class; 0 turns caching off. */
void fh_cache_init(struct fh_cache *cache, uint32_t owner, size_t capacity_bytes);
/* Sets the freed blocks of small classes aside, `capacity_bytes` for each; the cache must be empty. */
void fh_cache_set_aside(struct fh_cache *cache, size_t capacity_bytes);
/* Blocks that a class may hold. */
FH_INLINE int32_t fh_cache_capacity(size_t class_bytes, size_t capacity_bytes)
{
    return (int32_t)((uint32_t)capacity_bytes / (uint32_t)class_bytes); /* the option's range keeps it small */
}

#endif
