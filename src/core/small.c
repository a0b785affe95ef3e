/*
 * small.c - small blocks beyond the cache: refill from slabs, give back to slabs, open and release slabs.
 *
 * Layer: core. A thread works on its own slabs without locks; only a new slab or an empty one meets a heap.
 */
#include "core.h"
#include "fault.h"
#include "pagemap.h"
#include "sampling.h"
#include "state.h"
#include "wholesale.h"

/* In a forked child another thread may be about to look through all slabs, and one that is being opened or closed is
 * neither: so that is done first. */
FH_INLINE void settle_first(void)
{
    if (FH_UNLIKELY(fh_load_relaxed(&fh_fork_torn_states))) fh_fork_settle();
}

/* A slab from the thread's heap; from a mapping of its own while no heap can be locked or grown. */
static struct fh_slab *open_slab(struct fh_state *state, size_t class_bytes)
{
    if (FH_UNLIKELY(state->moves.on)) {
        struct fh_slab *back = fh_moves_take_back(state, class_bytes);
        if (back) return back;
    }
    settle_first();
    unsigned shift = fh_slab_next_shift(&state->slabs, class_bytes);
    fh_return_demand(state);
    for (;; shift--) {
        void *base = fh_heap_alloc_slab(state->heap, (size_t)1 << shift);
        if (base) return fh_slab_open(&state->slabs, base, shift, (uint32_t)class_bytes, state->heap->id, false);
        if (shift == FH_SLAB_SHIFT_LEAST) break;
    }
    shift = FH_SLAB_SHIFT_MOST;
    size_t bytes = (size_t)1 << shift;
    void *base = fh_wholesale_map_aligned(bytes, bytes);
    if (!base) return NULL;
    if (!fh_pagemap_prepare(base, bytes)) {
        fh_wholesale_discard(base, bytes);
        return NULL;
    }
    return fh_slab_open(&state->slabs, base, shift, (uint32_t)class_bytes, 0, true);
}

/* Where a class's freed blocks go: the distance into the arrays of bins and runs. */
static size_t place_of(const struct fh_state *state, size_t class_bytes)
{
    return class_bytes ^ (state->cache.tag & FH_CACHE_ASIDE);
}

/* Counts what a run has put onto its slab's list: how many blocks. */
FH_INLINE uint32_t count_run(struct fh_state *state, const struct fh_run *run, size_t place)
{
    uint32_t blocks = run->slab->free_count - run->counted;
    fh_count_add(&run->slab->class->listed, blocks);
    fh_cache_bin_of(&state->cache, place)->room += (int32_t)blocks;
    state->cut_credit += blocks;
    return blocks;
}

/* The same, and lets the run end. */
uint32_t fh_small_end_run(struct fh_state *state, size_t class_bytes)
{
    size_t place = place_of(state, class_bytes);
    struct fh_run *run = fh_run_of(state, place);
    if (!run->bytes) return 0;
    uint32_t blocks = count_run(state, run, place);
    *run = (struct fh_run){0};
    return blocks;
}

void fh_small_end_runs(struct fh_state *state)
{
    FH_EACH_CLASS(size) fh_small_end_run(state, size);
}

static void release_slab(struct fh_state *state, struct fh_slab *slab)
{
    settle_first();
    size_t bytes = (size_t)1 << slab->shift;
    bool is_mapping = slab->is_mapping;
    fh_small_end_run(state, slab->class_bytes);
    struct fh_heap *heap = fh_heaps_get(slab->heap);
    if (is_mapping) {
        fh_slab_close(&state->slabs, slab, 0);
        fh_wholesale_discard(slab, bytes);
        return;
    }
    fh_slab_close(&state->slabs, slab, fh_entry_of_heap(slab->heap));
    fh_heap_free_slab(heap, slab);
}

/* One empty slab of a class may stay, if it is not large, so that a block that comes and goes costs no slab (S3). */
static bool is_reserve(const struct fh_state *state, struct fh_slab *slab)
{
    if (slab->shift > FH_SLAB_SHIFT_MIDDLE || slab->is_mapping || state->draining) return false;
    struct fh_list *usable = &slab->class->usable;
    return usable->next == &slab->link && usable->prev == &slab->link;
}

void fh_small_slab_changed(struct fh_state *state, struct fh_run *run)
{
    struct fh_slab *slab = run->slab;
    fh_slab_relist(slab);
    if (!fh_slab_is_empty(slab)) fh_return_left_slab(state, slab, slab->free_count - run->counted);
    else if (!is_reserve(state, slab)) release_slab(state, slab);
    fh_return_step(state);
}

void fh_small_release_empty(struct fh_state *state)
{
    FH_EACH_CLASS(size) {
        struct fh_list *usable = &fh_slab_class_of(&state->slabs, size)->usable, *link = usable->next;
        while (link != usable) {
            struct fh_slab *slab = FH_CONTAINER(link, struct fh_slab, link);
            link = link->next;
            if (fh_slab_is_empty(slab)) release_slab(state, slab);
        }
    }
}

/* The class's run is to move on to another slab: a good moment to cut up the one that it leaves. */
static void leave_run(struct fh_state *state, size_t class_bytes)
{
    struct fh_run *run = fh_run_of(state, place_of(state, class_bytes));
    struct fh_slab *left = run->bytes ? run->slab : NULL;
    uint32_t blocks = fh_small_end_run(state, class_bytes);
    if (left) fh_return_left_slab(state, left, blocks);
}

/* Back to its slab, by way of the class's run, which gives back the room that the block has taken in the cache. */
FH_INLINE void put_own(struct fh_state *state, void *pointer, uint32_t entry, size_t place, uint64_t mark)
{
    struct fh_run *run = fh_run_of(state, place);
    if ((uintptr_t)pointer - (uintptr_t)run->slab >= run->bytes) {
        if (FH_UNLIKELY(state->cutting)) leave_run(state, entry & FH_ENTRY_SIZE_MASK);
        struct fh_slab *slab = fh_slab_of(pointer, entry);
        if (FH_LIKELY(run->bytes != 0)) count_run(state, run, place);
        *run = (struct fh_run){slab, (uint32_t)fh_slab_span(slab), slab->free_count};
        if (FH_UNLIKELY(state->cutting)) fh_return_enter_slab(state, slab);
    }
    if (FH_UNLIKELY(!fh_slab_has_carved(run->slab, pointer))) fh_misuse(pointer, entry);
    if (fh_slab_put(run->slab, pointer, mark)) fh_small_slab_changed(state, run);
}

/* The same of a block that has taken no room yet. */
static void take_room_and_put(struct fh_state *state, void *pointer, uint32_t entry)
{
    size_t place = place_of(state, entry & FH_ENTRY_SIZE_MASK);
    fh_cache_bin_of(&state->cache, place)->room--;
    put_own(state, pointer, entry, place, fh_guard_mark(fh_guard.secret, pointer));
}

/* What follows a block of a guarded list; stops at a damaged one. */
static void follow(void *block, uint32_t entry, void **next)
{
    if (FH_UNLIKELY(!fh_guard_follow(block, next)))
        fh_fault(FH_FAULT_DAMAGED_LINK, block, entry & FH_ENTRY_SIZE_MASK, (struct fh_place){"a slab", 0, -1});
}

/* Each block of a guarded list goes back to its slab, or to who owns that. */
static void put_list(struct fh_state *state, void *list, size_t *count, size_t *bytes)
{
    *count = *bytes = 0;
    while (list) {
        void *block = list;
        uint32_t entry = fh_pagemap_get(block);
        follow(block, entry, &list);
        ++*count;
        *bytes += entry & FH_ENTRY_SIZE_MASK;
        if (FH_LIKELY(fh_entry_owner(entry) == state->id)) take_room_and_put(state, block, entry);
        else fh_remote_send(state, block, entry); /* out of the cache, which keeps some */
    }
}

void fh_small_drain_inbox(struct fh_state *state)
{
    if (!fh_load_relaxed(&state->inbox)) return;
    size_t count, bytes;
    put_list(state, fh_exchange_acquire(&state->inbox, NULL), &count, &bytes);
    fh_fetch_sub_relaxed(&fh_transit_objects, count);
    fh_fetch_sub_relaxed(&fh_transit_bytes, bytes);
}

/* The same into the cache as far as it has room: they have just been read, and are wanted soon. */
static void drain_inbox_to_cache(struct fh_state *state)
{
    if (!fh_load_relaxed(&state->inbox)) return;
    size_t count = 0, bytes = 0;
    for (void *list = fh_exchange_acquire(&state->inbox, NULL), *block = list; block; block = list) {
        uint32_t entry = fh_pagemap_get(block);
        follow(block, entry, &list);
        size_t class_bytes = entry & FH_ENTRY_SIZE_MASK;
        if (FH_LIKELY(class_bytes >= FH_AHEAD_LEAST)) fh_ahead_fetch(block);
        struct fh_cache_bin *bin = fh_cache_bin_of(&state->cache, class_bytes);
        count++;
        bytes += class_bytes;
        if (FH_LIKELY(bin->room > 0)) fh_cache_put(bin, block);
        else take_room_and_put(state, block, entry);
    }
    fh_fetch_sub_relaxed(&fh_transit_objects, count);
    fh_fetch_sub_relaxed(&fh_transit_bytes, bytes);
}

static void flush_bin(struct fh_state *state, struct fh_cache_bin *bin, size_t class_bytes)
{
    size_t count, bytes;
    void *list = bin->head;
    bin->head = NULL;
    put_list(state, list, &count, &bytes);
    leave_run(state, class_bytes);
    bin->room += (int32_t)count;
}

void fh_small_flush_cache(struct fh_state *state)
{
    FH_EACH_CLASS(size) {
        flush_bin(state, fh_cache_bin_of(&state->cache, size), size);
        if (fh_state_is_sampled(state)) flush_bin(state, fh_cache_free_bin(&state->cache, size), size);
    }
}

void fh_small_forget_others(struct fh_state *state)
{
    FH_EACH_CLASS(size) {
        struct fh_cache_bin *bin = fh_cache_bin_of(&state->cache, size);
        void *before = NULL, *next;
        for (void *block = bin->head; block; block = next) {
            uint32_t entry = fh_pagemap_get(block);
            follow(block, entry, &next);
            if (fh_entry_owner(entry) == state->id) {
                before = block;
                continue;
            }
            if (before) fh_guard_link(before, next);
            else bin->head = next;
            bin->room++;
        }
    }
}

/* A slab of the class with something to give, a new one if need be; NULL without memory. */
static struct fh_slab *usable_slab(struct fh_state *state, const struct fh_list *usable, size_t class_bytes)
{
    if (FH_UNLIKELY(fh_list_is_empty(usable))) return open_slab(state, class_bytes);
    return FH_CONTAINER(usable->next, struct fh_slab, link);
}

void *fh_small_alloc(struct fh_state *state, size_t class_bytes)
{
    struct fh_cache_bin *bin = fh_cache_bin_of(&state->cache, class_bytes);
    struct fh_list *usable = &fh_slab_class_of(&state->slabs, class_bytes)->usable;
    if (FH_UNLIKELY(state->draining)) fh_return_end_drain(state);
    uint8_t *lacks = &state->lacks[class_bytes / FH_ALIGNMENT];
    if (*lacks < FH_LACKS_ENOUGH) ++*lacks;
    if (FH_UNLIKELY(fh_list_is_empty(usable))) {
        drain_inbox_to_cache(state);
        if (bin->head) fh_state_publish_class(state, class_bytes, bin->room);
    }
    if (!bin->head) {
        struct fh_slab *slab = usable_slab(state, usable, class_bytes);
        if (!slab) return NULL;
        fh_small_end_run(state, class_bytes); /* it may be this slab's list that is taken now */
        if (state->cache_bytes == 0) {        /* caching is off: one block at a time, so that every call comes here */
            void *block = fh_slab_take_one(slab);
            fh_guard_unmark(block);
            return block;
        }
        uint32_t count;
        bin->head = slab->free_count ? fh_slab_take_list(slab, &count) : fh_slab_carve(slab, UINT32_MAX, &count);
        bin->room -= (int32_t)count;
        fh_state_publish_class(state, class_bytes, bin->room);
    }
    return fh_cache_take_checked(bin, class_bytes);
}

uint32_t fh_small_refill(struct fh_state *state, size_t class_bytes, uint32_t most)
{
    struct fh_cache_bin *bin = fh_cache_bin_of(&state->cache, class_bytes);
    uint32_t count = 0;
    struct fh_slab *slab = usable_slab(state, &fh_slab_class_of(&state->slabs, class_bytes)->usable, class_bytes);
    if (!slab) return 0;
    fh_small_end_run(state, class_bytes); /* it may be this slab's list that is taken now */
    if (slab->free_count && slab->free_count <= most) {
        bin->head = fh_slab_take_list(slab, &count);
        bin->room -= (int32_t)count;
    } else if (slab->free_count) {
        for (; count < most; count++) fh_cache_put(bin, fh_slab_take_one(slab));
    } else {
        bin->head = fh_slab_carve(slab, most, &count);
        bin->room -= (int32_t)count;
    }
    return count;
}

void fh_small_check(const void *pointer, uint32_t entry)
{
    uint32_t class_bytes = entry & FH_ENTRY_SIZE_MASK;
    if (FH_UNLIKELY(!fh_is_block_start(pointer, fh_block_magic(class_bytes)) || fh_guard_is_marked(pointer)))
        fh_misuse(pointer, entry);
}

FH_NOINLINE static void free_full(struct fh_state *state, void *pointer, size_t place, uint64_t mark)
{
    bool is_own = state->cache_bytes != 0 || fh_state_is_sampled(state), many = state->cut_credit >= FH_RETURN_MANY;
    if (FH_UNLIKELY(!is_own || (many && !state->cutting))) {
        fh_cache_bin_of(&state->cache, place)->room++;
        if (many) fh_return_many_freed(state);
        fh_core_free(pointer);
    } else {
        put_own(state, pointer, state->cache.tag ^ (uint32_t)place, place, mark);
    }
}

/* Frees in no order come here each time. So what is usual is done at once: the slab is of the largest size, and there
 * is a run to be counted. */
void fh_core_free_full(void *pointer, size_t place, uint64_t mark)
{
    struct fh_state *state = fh_state_of_cache(fh_cache_self());
    struct fh_run *run = fh_run_of(state, place);
    struct fh_slab *slab = fh_slab_largest_of(pointer, state->cache.tag ^ (uint32_t)place);
    bool is_usual = slab && state->cache_bytes && !state->cutting && state->cut_credit < FH_RETURN_MANY && run->bytes;
    if (FH_UNLIKELY(!is_usual || !fh_slab_has_carved(slab, pointer))) {
        free_full(state, pointer, place, mark);
        return;
    }
    count_run(state, run, place);
    *run = (struct fh_run){slab, 1u << FH_SLAB_SHIFT_MOST, slab->free_count};
    if (fh_slab_put(slab, pointer, mark)) fh_small_slab_changed(state, run);
}

void fh_small_free(struct fh_state *state, void *pointer, uint32_t entry)
{
    if (!state || fh_entry_owner(entry) != state->id) {
        fh_remote_free(state, pointer, entry);
        return;
    }
    struct fh_cache_bin *bin = fh_cache_free_bin(&state->cache, entry & FH_ENTRY_SIZE_MASK);
    if (bin->room > 0) { /* it came here not because the cache is full, but past the fast path */
        fh_cache_put(bin, pointer);
        return;
    }
    take_room_and_put(state, pointer, entry);
    /* In a special mode every free must come this long way: no run for the fast path to follow. */
    if (state->cache_bytes == 0 && !fh_state_is_sampled(state)) fh_small_end_runs(state);
}
