/*
 * cache.c - see cache.h.
 *
 * Layer: cache. Owns the thread-local pointer and the two caches that are nobody's.
 */
#include "cache.h"

#include "fault.h"
#include "medium.h"

/* A tag that no slab has: owners end at FH_ENTRY_OWNER_LIMIT, below it. */
#define TAG_OF_NOBODY 0x7ffff000u
FH_STATIC_ASSERT(TAG_OF_NOBODY >> FH_ENTRY_OWNER_SHIFT >= FH_ENTRY_OWNER_LIMIT, "nobody owns no slab");
FH_STATIC_ASSERT(((uint64_t)TAG_OF_NOBODY & FH_CACHE_ASIDE) == 0, "and is not sampled");

struct fh_cache fh_cache_none = {.tag = TAG_OF_NOBODY};
struct fh_cache fh_cache_ended = {.tag = TAG_OF_NOBODY};

__thread uintptr_t fh_cache_offset;

void fh_cache_init(struct fh_cache *cache, uint32_t owner, size_t capacity_bytes)
{
    cache->secret = fh_guard.secret;
    cache->bad_bits = fh_guard.bad_bits;
    cache->tag = fh_entry_of_slab(owner, 0);
    FH_EACH_CLASS(size) {
        struct fh_cache_bin *bin = fh_cache_bin_of(cache, size);
        bin->head = NULL;
        bin->room = fh_cache_capacity(size, capacity_bytes);
        bin->magic = fh_block_magic((uint32_t)size);
    }
}

void fh_cache_set_aside(struct fh_cache *cache, size_t capacity_bytes)
{
    FH_EACH_CLASS(size) {
        struct fh_cache_bin *bin = fh_cache_bin_of(cache, size | FH_CACHE_ASIDE);
        bin->head = NULL;
        bin->room = fh_cache_capacity(size, capacity_bytes);
        bin->magic = fh_block_magic((uint32_t)size);
    }
    cache->tag |= FH_CACHE_ASIDE;
}

/* What follows a block in its bin; stops at a damaged one. */
FH_INLINE void *follow(const void *block, size_t class_bytes)
{
    void *next;
    if (FH_UNLIKELY(!fh_guard_follow(block, &next)))
        fh_fault(FH_FAULT_DAMAGED_LINK, block, class_bytes, (struct fh_place){"a slab", 0, -1});
    return next;
}

void *fh_cache_take_checked(struct fh_cache_bin *bin, size_t class_bytes)
{
    void *block = bin->head;
    bin->head = follow(block, class_bytes);
    bin->room++;
    fh_guard_unmark(block);
    return block;
}
