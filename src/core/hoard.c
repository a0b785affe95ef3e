/*
 * hoard.c - a thread nearly all of whose memory is free gives up what it keeps of it.
 *
 * Layer: core. What a thread keeps for its next requests is bounded, but a thousand threads that wait for work, and
 * have freed all that the last took, hold a thousand times as much, and call nothing. So it is decided at the frees
 * that leave a thread with next to nothing: all that it keeps goes to its slabs and heap, where other threads find it,
 * and what it frees from then on does too, until it asks again (return.c). Not of the only thread, whose hoard is small
 * beside the process; and only now and then, since a thread that works in rounds would do so at the end of each.
 */
#include "atomics.h"
#include "core.h"
#include "options.h"
#include "os.h"
#include "state.h"

enum {
    WORTH_IT = 32 << 10, /* bytes kept below which nothing is done */
    LIVE_SHARE = 8,      /* nearly all: so much more is kept than is live */
    NEAR = 2,            /* with so much more live than kept, or less, the next look is soon, */
    CLOSE = 4,           /* and very soon with so much less */
    ALONE_FREES = 1024,  /* frees of chunks until the next look while there is one thread, */
    FAR_FREES = 24,      /* while there are several, */
    NEAR_FREES = 6,      /* and when it is soon */
    CLOSE_FREES = 2,
    AGAIN_MS = 20        /* from one time to the next: giving up and getting again takes tens of microseconds */
};

struct holding {
    size_t live, kept;
};

static size_t held(struct fh_state *state, size_t class_bytes)
{
    int32_t room = fh_cache_bin_of(&state->cache, class_bytes)->room;
    return (size_t)(ptrdiff_t)(fh_cache_capacity(class_bytes, state->cache_bytes) - room);
}

static struct holding measure(struct fh_state *state)
{
    struct holding sum = {0, state->medium.bytes};
    /* Others' chunks were freed here: what they count for is over. */
    if ((ptrdiff_t)(state->chunk_bytes - sum.kept) < 0) state->chunk_bytes = sum.kept;
    sum.live = state->chunk_bytes - sum.kept;
    FH_EACH_CLASS(size) {
        const struct fh_slab_class *class = fh_slab_class_of(&state->slabs, size);
        size_t kept = held(state, size), out = class->carved - class->listed;
        size_t live = out > kept ? out - kept : 0; /* some that it keeps may be of others' slabs (remote.c) */
        sum.live += live * size;
        sum.kept += class->capacity * size - live * size;
    }
    return sum;
}

void fh_hoard_look(struct fh_state *state)
{
    state->looks_after = ALONE_FREES;
    if (!fh_load_relaxed(&fh_heap_threads) || !fh_load_relaxed(&fh_options.give_back)) return;
    state->looks_after = FAR_FREES;
    if (state->draining || state->cutting || state->moves.on || state->cache_bytes == 0) return;
    if ((ptrdiff_t)state->chunk_bytes < 0) state->chunk_bytes = 0;
    if (state->chunk_bytes + state->slabs.counts.slab_bytes < WORTH_IT) return;
    struct holding sum = measure(state);
    if (sum.kept < WORTH_IT || sum.live > sum.kept / LIVE_SHARE) {
        if (sum.live / NEAR <= sum.kept) state->looks_after = sum.live <= sum.kept / CLOSE ? CLOSE_FREES : NEAR_FREES;
        return;
    }
    uint64_t now = fh_os_now_ms();
    if (now < state->hoarding_until_ms) return;
    state->hoarding_until_ms = now + AGAIN_MS;
    fh_return_drain_all(state);
}
