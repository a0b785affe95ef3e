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

uint32_t fh_trim_epoch;

void fh_core_settle(void)
{
    fh_core_ensure_init();
    if (fh_load_relaxed(&fh_fork_torn_states)) fh_fork_settle();
    struct fh_state *own = fh_state_self();
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
