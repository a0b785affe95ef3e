/*
 * route.c - the way of a request by its size, and of a pointer by the page map.
 *
 * Layer: core.
 */
#include <string.h>

#include "core.h"
#include "large.h"
#include "options.h"
#include "os.h"
#include "pagemap.h"
#include "sampling.h"
#include "state.h"
#include "wholesale.h"

/* A heap gives large blocks while the threshold is raised. When it trims what nobody wants again, that is over. */
static void follow_heap(struct fh_state *state)
{
    uint32_t trims = fh_load_relaxed(&state->heap->unwanted_trims);
    if (trims == state->unwanted_trims_seen) return;
    state->unwanted_trims_seen = trims;
    fh_large_lower_threshold();
}

/* A block that slabs can't give: as a chunk below the mmap threshold, with a mapping of its own at or above it (W3). */
static void *alloc_beyond_small(struct fh_state *state, size_t request_bytes, size_t alignment, bool *zeroed)
{
    /* An aligned block needs up to its alignment more. */
    size_t extent;
    if (__builtin_add_overflow(request_bytes, alignment > FH_ALIGNMENT ? alignment : 0, &extent)) return NULL;
    if (extent > PTRDIFF_MAX) return NULL; /* C11 6.5.6: differences of pointers must fit ptrdiff_t */
    if (extent >= fh_large_threshold()) {
        void *pointer = fh_large_alloc(request_bytes, alignment, zeroed);
        if (pointer) return pointer;
    }
    if (state && extent >= FH_MMAP_THRESHOLD_START) follow_heap(state);
    return fh_chunk_alloc(state, request_bytes, alignment, zeroed);
}

/* MALLOC_PERTURB_: new blocks hold the complement of the byte, unless they must be zero. */
FH_NOINLINE static void perturb_new(void *pointer)
{
    size_t byte = fh_load_relaxed(&fh_options.perturb);
    if (FH_UNLIKELY(byte)) memset(pointer, (int)(byte ^ 0xff), fh_core_usable(pointer));
}

static void *alloc_once(struct fh_state *state, size_t request_bytes, size_t alignment, bool *zeroed)
{
    *zeroed = false;
    if (fh_is_small_aligned(request_bytes, alignment) && state) {
        void *pointer = fh_small_alloc(state, fh_class_size_aligned(request_bytes, alignment));
        if (pointer) return pointer;
        /* Without a page for a slab there may still be a hole in a heap. */
    }
    return alloc_beyond_small(state, request_bytes, alignment, zeroed);
}

/* Blocks that threads keep may be what stands between the free chunks of a heap. Worth a second try if the request is
 * not larger than all that we hold. */
static bool may_fit_after_trim(size_t request_bytes)
{
    return request_bytes <=
           fh_load_relaxed(&fh_wholesale.obtained_bytes) - fh_load_relaxed(&fh_wholesale.returned_bytes);
}

static void *alloc_sampled_once(struct fh_state *state, size_t request_bytes, size_t alignment, bool *zeroed,
                                struct fh_sampling_choice *choice)
{
    if (!state || !fh_state_is_sampled(state)) return alloc_once(state, request_bytes, alignment, zeroed);
    void *pointer = fh_sampling_alloc(state, request_bytes, alignment, zeroed, choice);
    if (pointer) return pointer;
    /* Larger, strangely aligned, or there was no memory for a slab: never a slab's block, whose free is not seen. */
    pointer = alloc_once(state, fh_max(request_bytes, FH_SMALL_MOST + 1), alignment, zeroed);
    if (pointer) fh_sampling_count(state, fh_core_usable(pointer), choice);
    return pointer;
}

enum {
    WITHHELD_PAUSE_US = 50,
    WITHHELD_TRIES = 4000 /* some tenths of a second: far more than a slice takes, and a chunk of gigabytes */
};

/*
 * There was no memory for it. What a trim withholds for a moment (heap_trim.c) is memory all the same, and no reason to
 * refuse.
 */
FH_NOINLINE static void *alloc_after_reclaim(struct fh_state *state, size_t request_bytes, size_t alignment,
                                             bool *zeroed, struct fh_sampling_choice *choice)
{
    uint32_t seen = 0;
    fh_heaps_withhold(&seen);
    fh_core_reclaim(state);
    void *pointer = alloc_sampled_once(state, request_bytes, alignment, zeroed, choice);
    for (int tries = 0; !pointer && tries < WITHHELD_TRIES && fh_heaps_withhold(&seen); tries++) {
        fh_os_pause_us(WITHHELD_PAUSE_US);
        pointer = alloc_sampled_once(state, request_bytes, alignment, zeroed, choice);
    }
    return pointer;
}

/* As alloc, while allocations are counted. */
FH_NOINLINE static void *alloc_sampled(size_t request_bytes, size_t alignment, bool *zeroed)
{
    void *taken = alignment == FH_ALIGNMENT ? fh_sampling_take(request_bytes, zeroed) : NULL;
    if (FH_LIKELY(taken != NULL)) return taken;
    struct fh_state *state = fh_state_enter();
    struct fh_sampling_choice choice = {0};
    void *pointer = alloc_sampled_once(state, request_bytes, alignment, zeroed, &choice);
    if (FH_UNLIKELY(!pointer && state && may_fit_after_trim(request_bytes)))
        pointer = alloc_after_reclaim(state, request_bytes, alignment, zeroed, &choice);
    fh_state_leave(state);
    if (choice.usable_bytes && pointer) fh_sampling_report(pointer, choice.usable_bytes, choice.chosen);
    return pointer;
}

static void *alloc(size_t request_bytes, size_t alignment, bool *zeroed)
{
    if (FH_UNLIKELY(fh_sampling_is_on())) return alloc_sampled(request_bytes, alignment, zeroed);
    fh_core_ensure_init();
    struct fh_state *state = fh_state_enter();
    void *pointer = alloc_once(state, request_bytes, alignment, zeroed);
    if (FH_UNLIKELY(!pointer && state && may_fit_after_trim(request_bytes))) {
        struct fh_sampling_choice choice = {0};
        pointer = alloc_after_reclaim(state, request_bytes, alignment, zeroed, &choice);
    }
    fh_state_leave(state);
    return pointer;
}

void *fh_core_malloc(size_t request_bytes)
{
    bool zeroed;
    /* The cases that matter for speed: the thread has a state, and a class ran out, or the block is of medium size. */
    struct fh_state *state = fh_state_if_plain();
    if (FH_LIKELY(state != NULL)) {
        void *block = NULL;
        if (FH_LIKELY(request_bytes - 1 < FH_SMALL_MOST)) block = fh_small_alloc(state, fh_class_size(request_bytes));
        else if (request_bytes > FH_SMALL_MOST) block = fh_chunk_take_kept(state, request_bytes, FH_ALIGNMENT);
        if (!block && request_bytes > FH_SMALL_MOST && request_bytes < FH_MMAP_THRESHOLD_START &&
            request_bytes < fh_load_relaxed(&fh_options.mmap_threshold)) /* a learned one is never lower */
            block = fh_chunk_alloc_fresh(state, request_bytes, FH_ALIGNMENT, &zeroed);
        if (FH_LIKELY(block != NULL)) return block;
    } else if (FH_UNLIKELY(fh_sampling_is_on())) {
        void *block = fh_sampling_take(request_bytes, &zeroed);
        if (FH_LIKELY(block != NULL)) return block;
    }
    void *pointer = alloc(request_bytes, FH_ALIGNMENT, &zeroed);
    if (pointer) perturb_new(pointer);
    return pointer;
}

void *fh_core_calloc(size_t request_bytes)
{
    bool zeroed;
    void *pointer = alloc(request_bytes, FH_ALIGNMENT, &zeroed);
    if (pointer && !zeroed) memset(pointer, 0, request_bytes);
    return pointer;
}

/* Whether it comes from a heap whatever has been learned: a learned threshold is never lower. */
static bool is_below_thresholds(size_t request_bytes, size_t alignment)
{
    return request_bytes < FH_MMAP_THRESHOLD_START && alignment < FH_MMAP_THRESHOLD_START &&
           request_bytes + alignment < fh_min(FH_MMAP_THRESHOLD_START, fh_load_relaxed(&fh_options.mmap_threshold));
}

void *fh_core_memalign(size_t alignment, size_t request_bytes)
{
    bool zeroed;
    alignment = fh_max(alignment, FH_ALIGNMENT);
    struct fh_state *state = fh_state_if_plain();
    if (FH_LIKELY(state != NULL)) {
        void *block = NULL;
        if (fh_is_small_aligned(request_bytes, alignment))
            block = fh_small_alloc(state, fh_class_size_aligned(request_bytes, alignment));
        else if (is_below_thresholds(request_bytes, alignment))
            block = fh_chunk_alloc(state, request_bytes, alignment, &zeroed);
        if (FH_LIKELY(block != NULL)) return block;
    }
    void *pointer = alloc(request_bytes, alignment, &zeroed);
    if (pointer) perturb_new(pointer);
    return pointer;
}

/* The page map's entry for a pointer; nobody's for one that no address space has. */
static uint32_t entry_of(const void *pointer) { return (uintptr_t)pointer >> 48 ? 0 : fh_pagemap_get(pointer); }

/* Stops unless the pointer is a block that the program holds; its usable size. */
static size_t checked_usable(void *pointer, uint32_t entry)
{
    switch (fh_entry_kind(entry)) {
    case FH_PAGE_SLAB: fh_small_check(pointer, entry); return entry & FH_ENTRY_SIZE_MASK;
    case FH_PAGE_HEAP: return fh_chunk_check(pointer, entry);
    case FH_PAGE_LARGE:
        if (fh_large_in_page(fh_align_down((uintptr_t)pointer, FH_PAGEMAP_GRAIN), entry) != pointer ||
            fh_guard_is_marked(pointer))
            fh_misuse(pointer, entry);
        return fh_large_usable(pointer);
    case FH_PAGE_FOREIGN: break;
    }
    fh_misuse(pointer, entry);
}

size_t fh_core_usable(void *pointer) { return checked_usable(pointer, entry_of(pointer)); }

/* While sampling, the cases that matter for speed, as below. */
FH_NOINLINE static bool free_sampled(void *pointer, uint32_t entry)
{
    struct fh_state *state = fh_state_if_sampled();
    enum fh_page_kind kind = fh_entry_kind(entry);
    if (!state) return false;
    if (kind == FH_PAGE_HEAP) {
        size_t usable = fh_chunk_check(pointer, entry);
        fh_sampling_freed(pointer);
        if (!fh_chunk_keep(state, pointer, usable)) fh_chunk_release(state, pointer, entry);
        return true;
    }
    if (kind != FH_PAGE_SLAB || fh_entry_owner(entry) == state->id) return false;
    fh_small_check(pointer, entry);
    fh_remote_free(state, pointer, entry);
    return true;
}

/* The cases that matter for speed: the thread is in no special mode, and the block is a chunk, or an object of another
 * thread's slab. False when it is neither. */
FH_INLINE bool free_plainly(void *pointer, struct fh_cache *cache, uint32_t entry)
{
    if (FH_UNLIKELY(!fh_state_is_plain(cache))) return false;
    struct fh_state *own = fh_state_of_cache(cache);
    if (fh_entry_is_heap(entry)) {
        fh_chunk_free_plainly(own, pointer, entry);
        return true;
    }
    if (fh_entry_kind(entry) != FH_PAGE_SLAB || (entry ^ cache->tag) <= FH_ENTRY_SIZE_MASK) return false;
    fh_remote_free_plainly(own, pointer, entry);
    return true;
}

void fh_core_free_refused(void *pointer, struct fh_cache *cache, uint32_t difference)
{
    if (FH_LIKELY((uintptr_t)pointer >> 48 == 0 && free_plainly(pointer, cache, difference ^ cache->tag))) return;
    fh_core_free(pointer);
}

void fh_core_free(void *pointer)
{
    uint32_t entry = entry_of(pointer);
    if (!pointer || free_plainly(pointer, fh_cache_self(), entry)) return;
    if (FH_UNLIKELY(fh_sampling_is_on()) && free_sampled(pointer, entry)) return;
    size_t usable = checked_usable(pointer, entry);
    size_t byte = fh_load_relaxed(&fh_options.perturb);
    if (FH_UNLIKELY(byte)) memset(pointer, (int)byte, usable);
    struct fh_state *state = fh_state_enter();
    switch (fh_entry_kind(entry)) {
    case FH_PAGE_SLAB: fh_small_free(state, pointer, entry); break;
    case FH_PAGE_HEAP:
        fh_sampling_freed(pointer);
        fh_chunk_free(state, pointer, entry, usable);
        break;
    default:
        fh_sampling_freed(pointer);
        fh_large_free(pointer);
        break;
    }
    fh_state_leave(state);
}

/*
 * A block that grows by little is likely to be one that is appended to: strings, buffers. It gets room for an eighth
 * more, so that it is moved once for every eighth and not for every 16 bytes. What at least a quarter is added to grows
 * by a plan of its own, such as doubling, and gets what it asks for.
 */
static size_t slack_of(size_t request_bytes)
{
    size_t slack = request_bytes / 8;
    return request_bytes + slack < FH_MMAP_THRESHOLD_START ? slack : 0;
}

static size_t with_slack(size_t usable, size_t request_bytes)
{
    bool grows_by_little = request_bytes > usable && request_bytes - usable < usable / 4;
    return request_bytes + (grows_by_little ? slack_of(request_bytes) : 0);
}

/* Without moving the block: true when it now holds request_bytes where it stands. */
static bool resize_in_place(void *pointer, uint32_t entry, size_t usable, size_t request_bytes)
{
    switch (fh_entry_kind(entry)) {
    case FH_PAGE_SLAB: return request_bytes <= usable && request_bytes >= usable / 2;
    case FH_PAGE_HEAP:
        /* Beyond the threshold a mapping can grow without a copy, ever after. */
        if (request_bytes > usable && request_bytes >= fh_large_threshold()) return false;
        /* Nothing to split off, or no more than the room that a growing block was given. */
        if (request_bytes <= usable && usable - request_bytes < slack_of(request_bytes) + 2 * FH_CHUNK_LEAST)
            return true;
        if (request_bytes > FH_CHUNK_MOST) return false;
        /* A small one belongs into a slab. */
        if (request_bytes <= FH_SMALL_MOST && usable > FH_SMALL_MOST) return false;
        if (!fh_heap_resize(fh_heaps_get(fh_entry_owner(entry)), pointer, request_bytes,
                            with_slack(usable, request_bytes)))
            return false;
        fh_chunk_note_resized(pointer, usable);
        fh_sampling_freed(pointer);
        fh_sampling_resized(pointer);
        return true;
    default: return false;
    }
}

void *fh_core_realloc(void *pointer, size_t request_bytes)
{
    if (request_bytes > PTRDIFF_MAX) return NULL;
    uint32_t entry = entry_of(pointer);
    size_t usable = checked_usable(pointer, entry);
    if (fh_entry_kind(entry) == FH_PAGE_LARGE) {
        /* A mapping stays one until it has shrunk well below the threshold. */
        if (request_bytes >= fh_load_relaxed(&fh_options.mmap_threshold) / 2) {
            fh_sampling_freed(pointer); /* before its address may be another thread's */
            void *resized = fh_large_resize(pointer, request_bytes);
            if (resized) fh_sampling_resized(resized);
            if (resized) return resized;
        }
    } else if (resize_in_place(pointer, entry, usable, request_bytes)) {
        return pointer;
    }
    void *moved = fh_core_malloc(with_slack(usable, request_bytes));
    if (FH_UNLIKELY(!moved)) moved = fh_core_malloc(request_bytes);
    if (!moved) return request_bytes <= usable ? pointer : NULL; /* shrinking can't fail */
    memcpy(moved, pointer, fh_min(usable, request_bytes));
    fh_core_free(pointer);
    return moved;
}
