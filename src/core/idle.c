/*
 * idle.c - giving back what a program has left lying, as a helper thread does that was asked for (api/helper.c).
 *
 * Layer: core. Most of what is free goes back at a free (heap_purge.c). What could not, since it had just been wanted
 * again (gate.h) or was too little then, stays when the program calls nothing afterwards. So somebody who looks once a
 * second sees whether a heap is quiet, and trims it, when its gates allow it: a program whose use comes and goes, and
 * that is looked at in its pauses only, pays no more than it does at frees.
 * Mappings that are kept go when none was freed meanwhile.
 */
#include "atomics.h"
#include "core.h"
#include "large.h"
#include "options.h"
#include "state.h"

enum {
    QUIET_LOOKS = 3,      /* in a row; then it has left lying what is free */
    WORTH_IT = 128 << 10, /* free bytes in memory, */
    CHANGE_SHARE = 8      /* of which so large a part may have been wanted meanwhile, or have become free */
};

/* Bytes of it that are free and in memory. Lock held. */
static size_t spare_of(const struct fh_heap *heap)
{
    size_t top = heap->top && heap->backed > (char *)heap->top ? (size_t)(heap->backed - (char *)heap->top) : 0;
    return heap->free_bytes - heap->purged_bytes + top;
}

/* Whether the heap has been quiet for long enough. Lock held. */
static bool is_left_lying(struct fh_heap *heap, size_t *spare)
{
    *spare = spare_of(heap);
    size_t least = fh_min(heap->used_bytes, heap->idle_used_bytes),
           most = fh_max(heap->used_bytes, heap->idle_used_bytes);
    if (most - least > *spare / CHANGE_SHARE) heap->idle_looks = 0;
    if (heap->idle_looks == 0 || heap->used_bytes < heap->idle_used_bytes) heap->idle_used_bytes = heap->used_bytes;
    if (*spare < WORTH_IT || heap->idle_looks++ < QUIET_LOOKS) return false;
    return fh_gate_is_past(&heap->gate) && fh_gate_is_past(&heap->top_gate);
}

/* Mappings that are kept for the next request of their size (large.c) wait for that in vain. */
static void purge_quiet_mappings(void)
{
    static uint32_t frees_seen, looks; /* the helper's own */
    uint32_t frees = fh_large_frees();
    bool may_go = fh_load_relaxed(&fh_options.give_back) && fh_load_relaxed(&fh_large_counts.warm_blocks);
    if (frees != frees_seen || !may_go) looks = 0;
    frees_seen = frees;
    if (!may_go || looks++ < QUIET_LOOKS) return;
    fh_large_purge();
    looks = 0;
}

void fh_core_look_for_idle(void)
{
    bool any = false;
    purge_quiet_mappings();
    for (uint32_t i = 0; i < fh_heaps_count(); i++) {
        struct fh_heap *heap = fh_heaps_get(i);
        size_t spare;
        if (!fh_lock_acquire(&heap->lock)) continue; /* frozen by a fork */
        bool trim = is_left_lying(heap, &spare);
        fh_lock_release(&heap->lock);
        if (!trim) continue;
        fh_heap_trim(heap, 0);
        heap->idle_looks = 0;
        any = true;
    }
    if (any) fh_fetch_add_relaxed(&fh_trim_epoch, 1); /* threads that are not idle empty their caches */
}
