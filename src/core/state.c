/*
 * state.c - thread states: where they live, how a thread gets one, adopts one and leaves one behind.
 *
 * Layer: core. Owns the table of states and the stack of abandoned ones. No locks: the table grows by compare-and-set,
 * the stack's head carries a counter against ABA, and states are never given back, so a stale link is still a state.
 */
#include "state.h"

#include <pthread.h>

#include "atomics.h"
#include "core.h"
#include "options.h"
#include "os.h"
#include "sampling.h"
#include "wholesale.h"

/* Abandoned states that may keep their caches: enough for threads that come and go, a few at a time. */
enum { STATES_KEPT_WARM = 4 };
enum { STATES_PER_BLOCK = 32, BLOCKS = FH_ENTRY_OWNER_LIMIT / STATES_PER_BLOCK };

static struct fh_state first_state; /* number 1: the first thread's, so that start-up needs no mapping */
static struct fh_state *blocks[BLOCKS];
static uint32_t id_end = 2;                     /* atomic */
static FH_BESIDE_DATA uint64_t abandoned_stack; /* atomic: counter << 32 | id of the first */
static FH_BESIDE_DATA uint32_t abandoned_count; /* atomic: states on that stack */
static FH_BESIDE_DATA uint32_t first_is_taken;  /* atomic */
FH_BESIDE_DATA size_t fh_transit_bytes, fh_transit_objects;
const struct fh_state_table fh_state_table = {&first_state, blocks, &id_end, STATES_PER_BLOCK};

static FH_BESIDE_DATA pthread_key_t thread_end_key;
static FH_BESIDE_DATA uint32_t thread_end_is_known; /* atomic */

#define BLOCK_BYTES fh_align_up(STATES_PER_BLOCK * sizeof(struct fh_state), 64 * FH_KIB)

struct fh_state *fh_state_by_id(uint32_t id)
{
    if (id == 1) return &first_state;
    if (id == 0 || id >= FH_ENTRY_OWNER_LIMIT) return NULL;
    struct fh_state *block = fh_load_acquire(&blocks[(id - 2) / STATES_PER_BLOCK]);
    return block ? &block[(id - 2) % STATES_PER_BLOCK] : NULL;
}

uint32_t fh_state_id_end(void) { return fh_min(fh_load_relaxed(&id_end), FH_ENTRY_OWNER_LIMIT); }

size_t fh_core_cache_bytes(void)
{
    bool special = fh_load_relaxed(&fh_options.perturb) || fh_load_relaxed(&fh_sampling_mode.on);
    return special ? 0 : fh_load_relaxed(&fh_options.cache_bytes);
}

/* Capacities as the options and modes want them; the cache is empty. */
static void set_capacities(struct fh_state *state)
{
    state->cache_bytes = fh_core_cache_bytes();
    state->draining = false;
    fh_cache_init(&state->cache, state->id, state->cache_bytes);
    bool sampled = fh_load_relaxed(&fh_sampling_mode.on) && fh_sampling_begin(state);
    fh_medium_init(&state->medium, state->cache_bytes || sampled ? fh_load_relaxed(&fh_options.medium_cache_bytes) : 0);
}

void fh_state_reset(struct fh_state *state)
{
    fh_slab_owner_init(&state->slabs, state->id);
    set_capacities(state);
    for (int i = 0; i < FH_OUTGOING_SLOTS; i++) state->outgoing[i] = (struct fh_outgoing){0};
    for (int i = 0; i < FH_CLASS_COUNT; i++) state->lacks[i] = 0;
    state->published = (struct fh_state_published){0};
    for (int i = 0; i < FH_CACHE_BINS; i++) state->runs[i] = (struct fh_run){0};
    state->heap = fh_heaps_for(state->id);
    fh_moves_init(&state->moves);
    state->cut_gate = (struct fh_gate){0};
    state->cutting = false;
    state->chunk_bytes = 0;
    state->looks_after = 1;
    state->return_epoch = fh_heap_return_epoch(state->heap);
}

static struct fh_state *make_state(void)
{
    uint32_t id = fh_fetch_add_relaxed(&id_end, 1);
    if (id >= FH_ENTRY_OWNER_LIMIT) {
        fh_fetch_sub_relaxed(&id_end, 1);
        return NULL;
    }
    struct fh_state **place = &blocks[(id - 2) / STATES_PER_BLOCK];
    if (!fh_load_acquire(place)) {
        struct fh_state *block = fh_wholesale_map_own(BLOCK_BYTES), *nothing = NULL;
        if (!block) return NULL; /* the number is lost; there are many */
        if (fh_cas_acq_rel(place, &nothing, block)) fh_fetch_add_relaxed(&fh_wholesale.state_bytes, BLOCK_BYTES);
        else fh_wholesale_discard_own(block, BLOCK_BYTES);
    }
    struct fh_state *state = fh_state_by_id(id);
    state->id = id;
    fh_state_reset(state);
    return state;
}

void fh_state_push_abandoned(struct fh_state *state)
{
    fh_fetch_add_relaxed(&abandoned_count, 1);
    uint64_t head = fh_load_relaxed(&abandoned_stack), next;
    do {
        fh_store_relaxed(&state->next_abandoned, (uint32_t)head);
        next = ((head >> 32) + 1) << 32 | state->id;
    } while (!fh_cas_acq_rel(&abandoned_stack, &head, next));
}

void fh_state_forget_abandoned(void)
{
    fh_store_relaxed(&abandoned_stack, 0);
    fh_store_relaxed(&abandoned_count, 0);
}

static struct fh_state *pop_abandoned(void)
{
    uint64_t head = fh_load_acquire(&abandoned_stack);
    while ((uint32_t)head) {
        struct fh_state *state = fh_state_by_id((uint32_t)head);
        uint64_t next = ((head >> 32) + 1) << 32 | fh_load_relaxed(&state->next_abandoned);
        if (!fh_cas_acq_rel(&abandoned_stack, &head, next)) continue;
        fh_fetch_sub_relaxed(&abandoned_count, 1);
        for (;;) {
            uint32_t status = FH_STATE_ABANDONED;
            if (fh_cas_acq_rel(&state->status, &status, FH_STATE_RUNNING)) return state;
            /* Somebody drains it: leave it to them to put it back. */
            if (status == FH_STATE_CLAIMED && fh_cas_acq_rel(&state->status, &status, FH_STATE_CLAIMED_POPPED)) break;
        }
        head = fh_load_acquire(&abandoned_stack);
    }
    return NULL;
}

static struct fh_state *obtain_state(void)
{
    if (FH_UNLIKELY(fh_load_relaxed(&fh_fork_torn_states))) fh_fork_settle();
    struct fh_state *state = pop_abandoned();
    if (state) return state;
    uint32_t taken = 0;
    if (fh_cas_acq_rel(&first_is_taken, &taken, 1)) {
        first_state.id = 1;
        fh_state_reset(&first_state);
        state = &first_state;
    } else {
        state = make_state();
    }
    if (state) fh_store_release(&state->status, FH_STATE_RUNNING);
    return state;
}

static void thread_ends(void *argument)
{
    struct fh_state *state = argument;
    /* Later destructors may still allocate; they borrow a state for each call. */
    fh_cache_set_self(&fh_cache_ended);
    fh_state_abandon(state);
}

/* setspecific may call calloc for a high key; the thread has its state by then. */
static void register_thread_end(struct fh_state *state)
{
    if (fh_load_acquire(&thread_end_is_known)) pthread_setspecific(thread_end_key, state);
}

void fh_state_enable_thread_end(void)
{
    if (pthread_key_create(&thread_end_key, thread_ends) != 0) return;
    fh_store_release(&thread_end_is_known, 1);
    struct fh_cache *cache = fh_cache_self();
    if (cache != &fh_cache_none && cache != &fh_cache_ended) register_thread_end(fh_state_of_cache(cache));
}

static struct fh_state *attach(void)
{
    fh_core_ensure_init();
    /* The loader copies the thread-local image after the first calls may have come (IFUNC resolvers of a program that
     * binds at once), which sets our variable back to zero: the state that this thread has is still there. */
    if (fh_load_relaxed(&first_state.status) == FH_STATE_RUNNING &&
        fh_load_relaxed(&first_state.thread) == fh_os_self()) {
        fh_cache_set_self(&first_state.cache);
        return &first_state;
    }
    struct fh_state *state = obtain_state();
    if (!state) return NULL;
    fh_store_relaxed(&state->thread, fh_os_self()); /* other threads that attach read it */
    fh_cache_set_self(&state->cache);
    register_thread_end(state);
    return state;
}

/* Another thread asked all to empty their caches. */
static void obey_trim(struct fh_state *state)
{
    state->trim_epoch = fh_load_relaxed(&fh_trim_epoch);
    fh_moves_end(state);
    fh_state_flush(state);
    fh_small_release_empty(state);
    if (fh_load_relaxed(&fh_sampling_mode.on) && !fh_state_is_sampled(state)) set_capacities(state); /* since then */
    fh_core_relieve();
}

struct fh_state *fh_state_attached(void)
{
    struct fh_cache *cache = fh_cache_self();
    if (cache == &fh_cache_none) return attach();
    return cache == &fh_cache_ended ? NULL : fh_state_of_cache(cache);
}

struct fh_state *fh_state_self(void)
{
    struct fh_cache *cache = fh_cache_self();
    if (FH_UNLIKELY(cache == &fh_cache_none)) return attach();
    if (FH_UNLIKELY(cache == &fh_cache_ended)) return NULL;
    struct fh_state *state = fh_state_of_cache(cache);
    if (FH_UNLIKELY(state->trim_epoch != fh_load_relaxed(&fh_trim_epoch))) obey_trim(state);
    return state;
}

struct fh_state *fh_state_enter(void)
{
    struct fh_state *state = fh_state_self();
    if (FH_LIKELY(state != NULL)) return state;
    if (fh_cache_self() != &fh_cache_ended) return NULL;
    return obtain_state();
}

void fh_state_leave(struct fh_state *state)
{
    if (FH_UNLIKELY(fh_cache_self() == &fh_cache_ended) && state) fh_state_abandon(state);
}

void fh_state_publish(struct fh_state *state)
{
    fh_small_end_runs(state);
    if (fh_state_is_sampled(state)) {
        fh_sampling_publish(state);
        return;
    }
    FH_EACH_CLASS(size)
        fh_state_publish_class(state, size, fh_cache_bin_of(&state->cache, size)->room);
}

void fh_state_set_cache_bytes(struct fh_state *state, size_t bytes)
{
    FH_EACH_CLASS(size)
        fh_cache_bin_of(&state->cache, size)->room +=
            fh_cache_capacity(size, bytes) - fh_cache_capacity(size, state->cache_bytes);
    state->cache_bytes = bytes;
}

void fh_state_flush(struct fh_state *state)
{
    fh_small_drain_inbox(state);
    if (fh_state_is_sampled(state)) fh_sampling_flush(state);
    fh_small_flush_cache(state);
    fh_remote_flush(state);
    fh_chunk_store_empty(state);
    fh_state_publish(state);
}

void fh_state_apply_options(void)
{
    struct fh_cache *cache = fh_cache_self();
    if (cache == &fh_cache_none || cache == &fh_cache_ended) return;
    struct fh_state *state = fh_state_of_cache(cache);
    fh_state_flush(state);
    set_capacities(state);
}

/* Takes an abandoned state for a moment; false when somebody runs it or has it. */
static bool claim(struct fh_state *state)
{
    uint32_t status = FH_STATE_ABANDONED;
    return fh_cas_acq_rel(&state->status, &status, FH_STATE_CLAIMED);
}

static void unclaim(struct fh_state *state)
{
    fh_small_release_empty(state);
    fh_state_publish(state); /* ends runs, too: nobody runs it who would count them later */
    uint32_t status = FH_STATE_CLAIMED;
    if (!fh_cas_acq_rel(&state->status, &status, FH_STATE_ABANDONED)) { /* popped meanwhile, and left to us */
        fh_store_release(&state->status, FH_STATE_ABANDONED);
        fh_state_push_abandoned(state);
    }
    fh_fence_seq_cst();
}

void fh_state_settle(struct fh_state *state)
{
    while (fh_load_relaxed(&state->inbox)) {
        if (!claim(state)) return; /* whoever has it will look */
        fh_small_drain_inbox(state);
        unclaim(state);
    }
}

void fh_state_reclaim(struct fh_state *state)
{
    if (!claim(state)) return;
    fh_state_flush(state);
    unclaim(state);
    fh_state_settle(state);
}

void fh_state_abandon(struct fh_state *state)
{
    fh_moves_end(state);
    /* The next thread takes over the cache as it is; but a crowd of dead threads must not hoard. */
    if (fh_load_relaxed(&abandoned_count) < STATES_KEPT_WARM) {
        fh_remote_flush(state);
        fh_small_drain_inbox(state);
        if (fh_chunk_store_holds_much(state)) fh_chunk_store_empty(state);
    } else {
        fh_state_flush(state);
    }
    fh_small_release_empty(state);
    fh_state_publish(state);
    fh_store_relaxed(&state->thread, 0);
    fh_store_release(&state->status, FH_STATE_ABANDONED);
    fh_state_push_abandoned(state);
    fh_fence_seq_cst(); /* pairs with push_to_inbox: what came in meanwhile has been seen by one of the two */
    fh_state_settle(state);
}
