/*
 * trim.c - giving back everything that can be spared (malloc_trim); settling what is under way.
 *
 * Layer: core.
 */
#include "atomics.h"
#include "core.h"
#include "large.h"
#include "state.h"
#include "wholesale.h"

void (*fh_core_tell_pressure)(uint32_t urgency);

void fh_core_settle(void)
{
    fh_core_ensure_init();
    if (fh_load_relaxed(&fh_fork_torn_states)) fh_fork_settle();
    struct fh_state *own = fh_state_attached(); /* a trim would change what is to be looked at, and needs more stack */
    if (own) fh_state_publish(own);
    for (uint32_t i = 0; i < fh_heaps_count(); i++) fh_heap_settle(fh_heaps_get(i));
}

bool fh_core_reclaim(struct fh_state *state)
{
    fh_moves_end(state);
    fh_state_flush(state);
    fh_small_release_empty(state);
    for (uint32_t id = 1; id < fh_state_id_end(); id++) {
        struct fh_state *other = fh_state_by_id(id);
        if (other && fh_load_relaxed(&other->status) == FH_STATE_ABANDONED) fh_state_reclaim(other);
    }
    return fh_large_purge();
}

bool fh_core_trim(size_t keep_bytes)
{
    fh_core_ensure_init();
    size_t before = fh_load_relaxed(&fh_wholesale.returned_bytes);
    if (fh_load_relaxed(&fh_fork_torn_states)) fh_fork_settle();
    fh_fetch_add_relaxed(&fh_trim_epoch, 1);
    struct fh_state *state = fh_state_enter();
    bool any = state && fh_core_reclaim(state);
    fh_state_leave(state);
    for (uint32_t i = 0; i < fh_heaps_count(); i++) any |= fh_heap_trim(fh_heaps_get(i), i == 0 ? keep_bytes : 0);
    return any || fh_load_relaxed(&fh_wholesale.returned_bytes) != before;
}

/* What free memory takes of the machine's: of a heap's bytes those that are neither untouched nor purged. */
static size_t in_memory(void)
{
    size_t bytes = fh_limit_held();
    for (uint32_t i = 0; i < fh_heaps_count(); i++) {
        struct fh_heap *heap = fh_heaps_get(i);
        if (!fh_lock_acquire(&heap->lock)) continue;
        char *end = heap->growing ? (char *)heap->growing + heap->growing->size : NULL;
        if (heap->backed < end) bytes -= (size_t)(end - heap->backed);
        bytes -= heap->purged_bytes;
        fh_lock_release(&heap->lock);
    }
    return bytes;
}

size_t fh_core_purge(void)
{
    fh_core_ensure_init();
    size_t before = in_memory();
    fh_core_trim(0);
    size_t after = in_memory();
    return before > after ? before - after : 0;
}

void fh_core_relieve(void)
{
    fh_limit_look();
    if (!fh_load_relaxed(&fh_limit.wanted) || !fh_exchange_acquire(&fh_limit.wanted, 0)) return;
    uint32_t urgency = fh_limit_urgency(); /* of what happened; the trim may end it */
    fh_core_trim(0);
    fh_limit_note_relief();
    void (*tell)(uint32_t) = fh_load_acquire(&fh_core_tell_pressure);
    if (tell) tell(urgency == FH_URGENCY_NONE ? FH_URGENCY_SOME : urgency);
}
