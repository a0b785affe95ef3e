/*
 * return.c - what threads do so that memory goes back: cutting up sparse slabs, giving up what caches keep.
 *
 * Layer: core. A thread works on its own slabs, at steps that are slow already: a slab has become empty or usable
 * again, a run of frees has moved to another slab. When more than half of what is in a thread's slabs is free, they are
 * looked through, one or two at each step, and those with few live objects are cut up (slab_cut.c), as are those that
 * long runs leave behind. Who frees in no order comes back to every slab, and cutting one costs as much as a hundred
 * frees: then there must be some frees for each that is cut. Whether the pages then go to the kernel is the heap's
 * decision (heap_purge.c). When a heap begins to give back, and again after some megabytes, its threads empty their
 * caches, since each block there holds a page.
 *
 * Before any of that, and without a system call: who tears down what it built, in no order, has the first blocks that
 * it freed in its cache, one or two of each slab, and so no slab ever becomes empty. So when many frees went past the
 * cache and half of all is free, the cache is emptied and stays so until a request finds nothing in it.
 */
#include "atomics.h"
#include "core.h"
#include "options.h"
#include "os.h"
#include "state.h"

enum {
    WORTH_IT = 512 << 10, /* free bytes in a thread's slabs below which nothing is done */
    STEP_SLABS = 8,       /* slabs looked at in one step */
    STEP_CUTS = 2,        /* cut up in one: 10 microseconds each, */
    CUT_COST = 16,        /* paid with so many frees */
    AGAIN_COST = 1024,    /* paid with so many since the last sweep, another one begins */
    LONG_RUN = 32,        /* one object in so many of a slab */
    CACHE_BYTES = 1024,   /* of each class that a thread keeps meanwhile: each block there holds a page */
    DRAINED_BYTES = 1,    /* not one block, and yet no special mode */
    DRAIN_LEAST = 128 << 10, /* free bytes in a thread's slabs below which its cache stays as it is */
    LOOK_EVERY = 8,       /* steps between two looks at the sums */
    AGAIN_MS = 1000       /* from one time to the next */
};

static void cut(struct fh_state *state, struct fh_slab *slab)
{
    struct fh_slab_cut plan;
    struct fh_heap_part parts[FH_SLAB_PIECES_MOST];
    struct fh_heap *heap = fh_heaps_get(slab->heap);
    fh_small_end_run(state, slab->class_bytes);
    if (fh_slab_is_empty(slab) || !fh_slab_plan_cut(slab, fh_os_page_size(), &plan)) return;
    if (!fh_heap_hold(heap)) return;
    for (uint32_t i = 0; i < plan.count; i++)
        parts[i] = (struct fh_heap_part){plan.pieces[i].offset, plan.pieces[i].bytes};
    uint32_t frees = slab->free_count;
    /* All of it with the heap's lock held: a fork waits for that, and finds either the whole or the pieces. */
    fh_slab_do_cut(&state->slabs, slab, &plan);
    fh_heap_cut_slab(heap, slab, parts, plan.count, frees);
    fh_heap_let_go(heap);
}

void fh_return_left_slab(struct fh_state *state, struct fh_slab *slab, uint32_t blocks)
{
    if (state->cutting && fh_slab_is_sparse(slab) && blocks >= slab->carved / LONG_RUN) cut(state, slab);
}

/* The last of a class's usable slabs comes to the front, and is cut up if it is sparse. */
static void sweep_step(struct fh_state *state)
{
    for (int looked = 0, cuts = 0; looked < STEP_SLABS && cuts < STEP_CUTS && state->sweep_bytes <= FH_SMALL_MOST;
         looked++) {
        if (state->cut_credit < CUT_COST) return; /* who is looked at can be cut */
        struct fh_slab_class *class = fh_slab_class_of(&state->slabs, state->sweep_bytes);
        if (state->sweep_left == 0 || fh_list_is_empty(&class->usable)) {
            state->sweep_bytes += FH_ALIGNMENT;
            if (state->sweep_bytes <= FH_SMALL_MOST)
                state->sweep_left = fh_slab_class_of(&state->slabs, state->sweep_bytes)->slabs;
            continue;
        }
        state->sweep_left--;
        struct fh_slab *slab = FH_CONTAINER(class->usable.prev, struct fh_slab, link);
        fh_list_remove(&slab->link);
        fh_list_push_front(&class->usable, &slab->link);
        if (!fh_slab_is_thin(slab)) continue;
        state->cut_credit -= CUT_COST;
        cut(state, slab);
        cuts++;
    }
}

static void start_sweep(struct fh_state *state)
{
    state->sweep_bytes = 0;
    state->sweep_left = 0;
    state->cut_credit = fh_min(state->cut_credit, AGAIN_COST);
}

/* What the cache may hold, by what the state is doing. */
static void set_cache(struct fh_state *state)
{
    size_t normal = fh_core_cache_bytes(), bytes = normal;
    if (state->draining) bytes = fh_min(normal, DRAINED_BYTES);
    if (state->cutting) bytes = fh_min(normal, CACHE_BYTES);
    if (FH_UNLIKELY(state->moves.on)) state->moves.cache_bytes = bytes; /* for their end */
    else if (!fh_state_is_sampled(state) && state->cache_bytes) fh_state_set_cache_bytes(state, bytes);
}

static void start_cutting(struct fh_state *state)
{
    fh_gate_close(&state->cut_gate, AGAIN_MS);
    state->cutting = true;
    state->cut_credit = 0;
    start_sweep(state);
    fh_state_flush(state);
    set_cache(state);
}

static void stop_cutting(struct fh_state *state)
{
    state->cutting = false;
    set_cache(state);
}

static size_t listed_bytes(struct fh_state *state)
{
    size_t listed = 0;
    FH_EACH_CLASS(size)
        listed += fh_slab_class_of(&state->slabs, size)->listed * size;
    return listed;
}

void fh_return_demand(struct fh_state *state)
{
    if (FH_UNLIKELY(state->cutting) && listed_bytes(state) < state->slabs.counts.slab_bytes / 4) stop_cutting(state);
}

void fh_return_many_freed(struct fh_state *state)
{
    state->cut_credit = 0;
    if (state->cutting || state->draining || state->moves.on || state->cache_bytes == 0) return;
    size_t listed = listed_bytes(state);
    if (listed < DRAIN_LEAST || listed < state->slabs.counts.slab_bytes / 2) return;
    fh_small_flush_cache(state);
    state->draining = true;
    set_cache(state);
    fh_state_publish(state);
}

void fh_return_drain_all(struct fh_state *state)
{
    fh_state_flush(state);
    fh_small_release_empty(state);
    state->draining = true;
    set_cache(state);
    state->medium.most_bytes = state->medium.base_bytes = 0;
    fh_state_publish(state);
}

void fh_return_end_drain(struct fh_state *state)
{
    size_t medium_bytes = fh_load_relaxed(&fh_options.medium_cache_bytes);
    state->draining = false;
    set_cache(state);
    if (FH_UNLIKELY(state->moves.on)) state->moves.medium_bytes = medium_bytes;
    else if (state->cache_bytes) state->medium.most_bytes = state->medium.base_bytes = medium_bytes;
}

void fh_return_enter_slab(struct fh_state *state, struct fh_slab *slab)
{
    if (FH_LIKELY(!state->cutting) || slab->shift == FH_SLAB_SHIFT_LEAST || slab->is_mapping) return;
    uint32_t at = slab->carved - slab->carved / (4 * FH_SLAB_SPARSE);
    if (slab->free_count < at && at < slab->notice_at) slab->notice_at = (uint16_t)at;
}

void fh_return_step(struct fh_state *state)
{
    if (FH_UNLIKELY(state->moves.on)) fh_moves_step(state);
    uint32_t epoch = fh_heap_return_epoch(state->heap);
    if (FH_UNLIKELY(epoch != state->return_epoch)) {
        state->return_epoch = epoch;
        fh_small_drain_inbox(state);
        fh_small_flush_cache(state);
        fh_chunk_store_empty(state);
        fh_state_publish(state);
    }
    if (state->cutting) {
        if (state->sweep_bytes > FH_SMALL_MOST && state->cut_credit >= AGAIN_COST) start_sweep(state);
        if (state->sweep_bytes <= FH_SMALL_MOST) sweep_step(state);
    } else if (state->return_steps++ % LOOK_EVERY == 0) {
        size_t listed = listed_bytes(state);
        if (listed < WORTH_IT || listed < state->slabs.counts.slab_bytes / 2) return;
        if (fh_gate_is_open(&state->cut_gate)) start_cutting(state);
    }
}
