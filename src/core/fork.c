/*
 * fork.c - fork(2) with other threads in the middle of anything.
 *
 * Layer: core. In the parent: all heap locks are frozen before the fork and thawed after it. Freezing waits for
 * holders, who wait for nobody; and while the locks are frozen no thread waits for one (lock.h), because the forking
 * thread is yet to take stdio's locks, whose holders may be on their way into malloc. So heaps are whole in the child.
 *
 * In the child: thread states are another matter. Their threads were running while the kernel copied page after page,
 * so a state, its slabs' headers and the links of free blocks may be from different moments. What can be trusted is
 * each block by itself: a mark (guard.h) is there or not. So the child throws away every list of such a state and looks
 * at its slabs object by object: what is marked is free. Blocks that a lost thread was just taking or giving are lost
 * with it, as is its store of medium blocks (bounded in store.c). The repair waits until the child needs it: most
 * children call exec.
 */
#include "atomics.h"
#include "core.h"
#include "fault.h"
#include "limit.h"
#include "os.h"
#include "pagemap.h"
#include "state.h"

uint32_t fh_fork_torn_states, fh_fork_has_torn;
static struct fh_lock settle_lock = {.rank = FH_RANK_SETTLE};

/* How many heaps a forking thread has frozen; a thread without a state of its own uses the fallback. */
static uint32_t frozen_without_state;
static uint32_t *frozen_count(void)
{
    struct fh_cache *cache = fh_cache_self();
    bool has_state = cache != &fh_cache_none && cache != &fh_cache_ended;
    return has_state ? &fh_state_of_cache(cache)->frozen_heaps : &frozen_without_state;
}

void fh_fork_prepare(void)
{
    fh_core_ensure_init();
    /* Attached now, if it can be, rather than between prepare and child; but no trim and no function of the program's,
     * which may want what its own handlers have locked. */
    fh_state_attached();
    /* A lock that this thread holds itself stays held: fork was called by a signal handler that interrupted us. The
     * settle lock comes first: who holds it waits for heaps' locks. */
    fh_lock_freeze(&settle_lock);
    fh_lock_freeze(&fh_heaps_lock);
    uint32_t count = fh_heaps_count(); /* and no more from here on */
    *frozen_count() = count;
    for (uint32_t i = 0; i < count; i++) fh_lock_freeze(&fh_heaps_get(i)->lock);
}

void fh_fork_parent(void)
{
    for (uint32_t i = 0; i < *frozen_count(); i++)
        if (!fh_lock_is_mine(&fh_heaps_get(i)->lock)) fh_lock_thaw(&fh_heaps_get(i)->lock);
    if (!fh_lock_is_mine(&fh_heaps_lock)) fh_lock_thaw(&fh_heaps_lock);
    if (!fh_lock_is_mine(&settle_lock)) fh_lock_thaw(&settle_lock);
}

/* A list that others pushed to while the pages were copied: a block that is not sound ends it. One is left out. */
static void *sound_part(void *head, bool is_chunks, const void *but, size_t *count, size_t *bytes)
{
    void *keep = NULL, *next;
    *count = *bytes = 0;
    while (head && fh_guard_follow(head, &next)) {
        if (head == but) {
            head = next;
            continue;
        }
        uint32_t entry = fh_pagemap_get(head);
        if (is_chunks != (fh_entry_kind(entry) == FH_PAGE_HEAP)) break;
        if (is_chunks && !fh_chunk_is_sound(fh_chunk_of(head))) break;
        *bytes += is_chunks ? fh_chunk_size(fh_chunk_read(fh_chunk_of(head))) - FH_CHUNK_TAG_BYTES
                            : entry & FH_ENTRY_SIZE_MASK;
        ++*count;
        fh_guard_link(head, keep);
        keep = head;
        head = next;
    }
    return keep;
}

/* The slice that a lost thread has withheld (heap_trim.c), and may have handed over: a block to free; NULL for none. */
static void *lost_slice(struct fh_heap *heap)
{
    if (!heap->withheld || heap->withheld_by == fh_os_self()) return NULL;
    heap->withheld_by = FH_WITHHELD_BY_NOBODY;
    heap->withheld_span = (struct fh_span){0, 0};      /* it may be half written */
    bool in_the_middle = fh_lock_is_mine(&heap->lock); /* a signal handler: later, in fh_fork_settle */
    return in_the_middle ? NULL : fh_chunk_payload(heap->withheld);
}

void fh_fork_child(void)
{
    size_t count;
    uint32_t frozen = *frozen_count();
    for (uint32_t i = 0; i < frozen; i++) {
        struct fh_heap *heap = fh_heaps_get(i);
        fh_lock_reset_frozen(&heap->lock);
        void *slice = lost_slice(heap);
        heap->handed_over = sound_part(heap->handed_over, true, slice, &count, &heap->handed_over_bytes);
        if (slice) fh_heap_end_withheld(heap);
    }
    fh_limit_after_fork();
    fh_lock_reset_frozen(&fh_heaps_lock);
    fh_lock_reset_frozen(&settle_lock);

    struct fh_cache *cache = fh_cache_self();
    struct fh_state *own = cache == &fh_cache_none || cache == &fh_cache_ended ? NULL : fh_state_of_cache(cache);
    bool any_ran = false;
    for (uint32_t id = 1; id < fh_state_id_end() && !any_ran; id++) {
        struct fh_state *state = fh_state_by_id(id);
        uint32_t status = state ? state->status : FH_STATE_UNUSED;
        any_ran = state != own && status != FH_STATE_UNUSED && status != FH_STATE_ABANDONED;
    }
    if (!any_ran) return; /* nobody else was there to tear anything */

    fh_fork_has_torn = FH_FORK_TORN;
    fh_state_forget_abandoned();
    for (uint32_t id = 1; id < fh_state_id_end(); id++) {
        struct fh_state *state = fh_state_by_id(id);
        if (!state || state == own || state->status == FH_STATE_UNUSED) continue;
        state->status = FH_STATE_TORN;
        fh_fork_torn_states++;
    }
    fh_transit_bytes = fh_transit_objects = 0;
    if (!own) return;
    /* What this thread was about to hand over is marked, and will be found with the rest. */
    for (int i = 0; i < FH_OUTGOING_SLOTS; i++) own->outgoing[i] = (struct fh_outgoing){0};
    own->published.outgoing_bytes = own->published.outgoing_objects = 0;
    fh_small_forget_others(own); /* as of these */
    own->inbox = sound_part(own->inbox, false, NULL, &fh_transit_objects, &fh_transit_bytes);
}

static void rebuild_slab(struct fh_slab *slab)
{
    struct fh_state *state = fh_slab_is_sound(slab) ? fh_state_by_id(fh_slab_owner_id(slab)) : NULL;
    if (!state || state->status != FH_STATE_TORN) return;
    fh_pagemap_set(slab, fh_slab_span(slab), slab->entry);
    fh_slab_rebuild(&state->slabs, slab);
}

/* A slab whose header is not sound was just being opened or closed by a lost thread, or waits to be taken back: it is
 * an ordinary chunk from now on, lost in the first case. */
static void rebuild_slabs_of_heap(struct fh_heap *heap)
{
    size_t slabs = 0, slab_bytes = 0;
    for (struct fh_segment *segment = heap->segments; segment; segment = segment->next) {
        struct fh_chunk *end = fh_segment_end(segment);
        for (struct fh_chunk *chunk = fh_segment_first(segment); chunk < end;) {
            uint64_t content = fh_chunk_read(chunk);
            size_t size = fh_chunk_size(content);
            if ((content & FH_CHUNK_IN_USE) && (content & FH_CHUNK_SLAB)) {
                struct fh_slab *slab = fh_slab_of_chunk(chunk);
                if (fh_slab_is_sound(slab)) {
                    rebuild_slab(slab);
                    slabs++, slab_bytes += size;
                } else {
                    fh_pagemap_set(slab, fh_align_up(size, FH_PAGEMAP_GRAIN), fh_entry_of_heap(heap->id));
                    fh_chunk_write(chunk, size, content & FH_CHUNK_FLAGS & ~(unsigned)FH_CHUNK_SLAB);
                }
            }
            chunk = fh_chunk_at(chunk, size);
        }
    }
    fh_store_relaxed(&heap->slab_chunks, slabs);
    fh_store_relaxed(&heap->slab_bytes, slab_bytes);
}

static bool is_in_a_heap(uintptr_t address)
{
    for (uint32_t i = 0; i < fh_heaps_count(); i++)
        for (struct fh_segment *segment = fh_heaps_get(i)->segments; segment; segment = segment->next)
            if (fh_segment_holds(segment, (void *)address)) return true;
    return false;
}

/* Slabs that are mappings of their own, found by their page map entries; rare, and so is this walk. */
static void rebuild_mapped_slabs(void)
{
    uintptr_t page = 0;
    while ((page = fh_pagemap_next(page)) != 0) {
        uint32_t entry = fh_pagemap_get((void *)page);
        bool starts = page % ((uintptr_t)1 << FH_SLAB_SHIFT_MOST) == 0;
        if (starts && fh_entry_kind(entry) == FH_PAGE_SLAB && !is_in_a_heap(page)) rebuild_slab((void *)page);
        page += FH_PAGEMAP_GRAIN;
    }
}

static void reset_torn_states(size_t *mapped_bytes)
{
    for (uint32_t id = 1; id < fh_state_id_end(); id++) {
        struct fh_state *state = fh_state_by_id(id);
        if (!state || state->status != FH_STATE_TORN) continue;
        *mapped_bytes += state->slabs.counts.mapped_bytes;
        size_t medium_bytes = state->published.medium_bytes, medium_blocks = state->published.medium_blocks;
        fh_chunk_store_forget_loan(state);
        fh_state_reset(state);
        state->published.medium_bytes = medium_bytes; /* lost, but neither live nor free */
        state->published.medium_blocks = medium_blocks;
        state->inbox = NULL;
    }
}

bool fh_fork_settle(void)
{
    if (fh_lock_is_mine(&settle_lock)) return true; /* it releases slabs itself */
    for (uint32_t i = 0; i < fh_heaps_count(); i++) /* in a signal handler, in the middle of a heap: not now */
        if (fh_lock_is_mine(&fh_heaps_get(i)->lock)) return false;
    if (!fh_lock_acquire(&settle_lock)) return false;
    if (fh_load_relaxed(&fh_fork_torn_states)) {
        size_t mapped_bytes = 0;
        reset_torn_states(&mapped_bytes);
        for (uint32_t i = 0; i < fh_heaps_count(); i++) {
            struct fh_heap *heap = fh_heaps_get(i);
            while (!fh_lock_acquire(&heap->lock)) fh_cpu_relax(); /* not frozen: forks freeze the settle lock first */
            fh_heap_drain(heap);
            if (heap->withheld && heap->withheld_by == FH_WITHHELD_BY_NOBODY) fh_heap_end_withheld(heap);
            rebuild_slabs_of_heap(heap);
            fh_lock_release(&heap->lock);
        }
        if (mapped_bytes) rebuild_mapped_slabs();
        for (uint32_t id = 1; id < fh_state_id_end(); id++) {
            struct fh_state *state = fh_state_by_id(id);
            if (!state || state->status != FH_STATE_TORN) continue;
            fh_small_release_empty(state);
            fh_store_release(&state->status, FH_STATE_ABANDONED);
            fh_state_push_abandoned(state);
        }
        fh_store_release(&fh_fork_torn_states, 0);
    }
    fh_lock_release(&settle_lock);
    return true;
}
