/*
 * fast.h - free(3) as it is inlined into each entry point that frees.
 *
 * Layer: core.
 */
#ifndef FH_FAST_H
#define FH_FAST_H

#include "core.h"
#include "state.h"

FH_INLINE void fh_core_free_cached(void *pointer)
{
    struct fh_cache_push found;
    enum fh_cache_push_result result = fh_cache_push(pointer, &found);
    if (FH_LIKELY(result == FH_CACHE_PUSHED)) return;
    if (FH_LIKELY(result == FH_CACHE_FULL)) {
        /* The block is the thread's own and sound: straight to its slab, if that is where the last one went. */
        struct fh_state *state = fh_state_of_cache(found.cache);
        struct fh_run *run = fh_run_of(state, found.class_bytes);
        if (FH_LIKELY((uintptr_t)pointer - (uintptr_t)run->slab < run->bytes)) {
            /* The room that push took is given back when the run is counted, not at every block: an addition to memory
             * right after a subtraction would be most of the time of a free. */
            if (fh_slab_put(run->slab, pointer, found.mark)) fh_small_slab_changed(state, run);
            return;
        }
        fh_core_free_full(pointer, found.class_bytes, found.mark);
        return;
    }
    fh_core_free_refused(pointer, found.cache, found.class_bytes);
}

#endif
